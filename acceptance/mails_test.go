package acceptance

import (
	"net/http"
	"regexp"
)

func basicAuth(user, password string) extra {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

var variables = []*regexp.Regexp{
	regexp.MustCompile(`tnr_[a-z]+_[A-Za-z0-9_-]+`),
	regexp.MustCompile(`(?i)\b(acme|owner|admin|user|viewer)-\d+`),
	regexp.MustCompile(`[A-Z][a-z]+day, [^.<]*\d{4}[^.<]*`), // dates
	regexp.MustCompile(`\d{1,2} [A-Z][a-z]+ \d{4}[^.<]*`),
}

// withoutVariables is a mail without names, links and dates.
func withoutVariables(m mail) string {
	text := m.Subject + "\n" + m.Text + "\n" + m.HTML
	for _, v := range variables {
		text = v.ReplaceAllString(text, "…")
	}
	return text
}
