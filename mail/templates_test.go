package mail_test

import (
	"errors"
	"flag"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/mail"
)

var update = flag.Bool("update", false, "write the golden files anew")

const sender = "Acme Cloud <no-reply@acme.example>"

var at = time.Date(2026, time.August, 1, 7, 5, 9, 0, time.FixedZone("somewhere", 2*3600))

func load(t testing.TB, override string) *mail.Templates {
	t.Helper()
	templates, err := mail.LoadTemplates(override, sender)
	is.New(t).NoErr(err)
	return templates
}

// contents are every kind of mail, by the name of its golden file.
func contents() map[string]mail.Content {
	link, expires := "https://acme.example/l?token=abc-DEF_1.2&x=1", at.Add(7*24*time.Hour)
	ada := mail.Person{Name: "Ada Lovelace", Email: "ada@example.com"}
	return map[string]mail.Content{
		"verify_email":             mail.VerifyEmail{Link: link, Expires: expires},
		"already_registered":       mail.AlreadyRegistered{Link: link, ResetLink: "https://acme.example/reset"},
		"already_registered_plain": mail.AlreadyRegistered{Link: link},
		"reset_password":           mail.ResetPassword{Link: link, Expires: expires},
		"invitation": mail.Invitation{Organization: "Zoë & Söhne", Inviter: ada, Roles: []string{"ADMIN", "VIEWER"},
			Username: "grace.hopper", Link: link, Expires: expires},
		"invitation_provider": mail.Invitation{Organization: "Acme", Inviter: mail.Person{Email: "ada@example.com"},
			Roles: []string{"USER"}, SignInAs: "grace@work.example", Provider: "Microsoft", Link: link, Expires: expires},
		"invitation_nobody": mail.Invitation{Organization: "Acme", Roles: []string{"USER"}, Link: link, Expires: expires},
		"ownership_transfer": mail.OwnershipTransfer{Organization: "Acme", Target: ada, OwnerRole: "OWNER",
			NextRole: "ADMIN", Link: link, Expires: expires},
		"requests_digest": mail.RequestsDigest{Organization: "Zoë & Söhne", Open: 3, Oldest: []mail.Request{
			{Person: ada, Since: at.Add(-6 * 24 * time.Hour)}, {Person: mail.Person{Email: "bob@example.com"}, Since: at.Add(-time.Hour)}, {Person: mail.Person{Name: "Eve", Email: "eve@example.com"}},
		}, Link: link},
		"webhook_stopped":      mail.WebhookStopped{Organization: "Zoë & Söhne", Receiver: "hooks.example.com", WebhookID: "0190d5a1-c3da-7f54-9507-91a2bd6e8f66", Link: link, Failing: true},
		"requests_digest_one":  mail.RequestsDigest{Organization: "Acme", Open: 1, Oldest: []mail.Request{{Person: ada, Since: at}}, Link: link},
		"requests_digest_more": mail.RequestsDigest{Organization: "Acme", Open: 1234, Oldest: slices.Repeat([]mail.Request{{Person: ada, Since: at}}, 30), Link: link},
	}
}

func message(language string, content mail.Content) mail.Message {
	return mail.Message{ID: "0198c0de-1", To: "grace@example.com", ToName: "Grace Hopper",
		Language: language, Content: content, At: at}
}

func TestEveryMailInEveryLanguage(t *testing.T) {
	templates := load(t, "")
	for _, language := range []string{"en", "fr"} {
		for name, content := range contents() {
			t.Run(language+"/"+name, func(t *testing.T) {
				is := is.New(t)
				got, err := templates.Render(message(language, content))
				is.NoErr(err)
				is.Equal(got.Language, language)
				is.Equal(got.From, `"Acme Cloud" <no-reply@acme.example>`)
				is.Equal(got.MessageID, "0198c0de-1@acme.example")
				is.True(got.Date.Equal(at))
				golden(t, filepath.Join(language, name+".txt"), "Subject: "+got.Subject+"\n\n"+got.Text)
				golden(t, filepath.Join(language, name+".html"), got.HTML)

				again, err := templates.Render(message(language, content))
				is.NoErr(err)
				is.Equal(again, got)
			})
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	is := is.New(t)
	file := filepath.Join("testdata", "golden", name)
	if *update {
		is.NoErr(os.MkdirAll(filepath.Dir(file), 0o755))
		is.NoErr(os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	is.NoErr(err)
	is.Equal(got, string(want)) // run go test ./mail -update if the change is meant
}

func TestLanguageIsMatched(t *testing.T) {
	templates := load(t, "")
	for tag, want := range map[string]string{
		"": "en", "en": "en", "en-GB": "en", "fr": "fr", "fr-CA": "fr", "FR_be": "fr",
		"de": "en", "zh-Hant": "en", "no tag at all": "en", "x\r\ny": "en",
	} {
		is := is.New(t)
		got, err := templates.Render(message(tag, contents()["verify_email"]))
		is.NoErr(err)
		is.Equal(got.Language, want) // tag
	}
}

func TestInvalidMessagesAreRefused(t *testing.T) {
	templates := load(t, "")
	change := func(f func(*mail.Message)) mail.Message {
		m := message("en", contents()["verify_email"])
		f(&m)
		return m
	}
	verify := func(link string, expires time.Time) mail.Message {
		return change(func(m *mail.Message) { m.Content = mail.VerifyEmail{Link: link, Expires: expires} })
	}
	for name, m := range map[string]mail.Message{
		"no id":            change(func(m *mail.Message) { m.ID = "" }),
		"path as id":       change(func(m *mail.Message) { m.ID = "../secret-id" }),
		"header in id":     change(func(m *mail.Message) { m.ID = "a\r\nBcc: secret-id" }),
		"dot at the end":   change(func(m *mail.Message) { m.ID = "secret-id." }),
		"no address":       change(func(m *mail.Message) { m.To = "" }),
		"name and address": change(func(m *mail.Message) { m.To = "Secret <secret@example.com>" }),
		"two addresses":    change(func(m *mail.Message) { m.To = "secret@example.com, b@example.com" }),
		"header in to":     change(func(m *mail.Message) { m.To = "secret@example.com\r\nBcc: b@example.com" }),
		"no content":       change(func(m *mail.Message) { m.Content = nil }),
		"no date":          change(func(m *mail.Message) { m.At = time.Time{} }),
		"no link":          verify("", at),
		"script":           verify("javascript:alert('secret')", at),
		"relative":         verify("/secret", at),
		"no host":          verify("https:///secret", at),
		"two lines":        verify("https://a.example/secret\nhttps://b.example", at),
		"quotation marks":  verify(`https://a.example/"secret`, at),
		"long":             verify("https://a.example/secret"+strings.Repeat("x", 3000), at),
		"no expiry":        verify("https://a.example/secret", time.Time{}),
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := templates.Render(m)
			is.True(errors.Is(err, mail.ErrInvalid))
			is.True(!strings.Contains(strings.ToLower(err.Error()), "secret")) // no data in errors
		})
	}
}

func TestSenderIsChecked(t *testing.T) {
	for _, from := range []string{"", "Acme", "a@b@c", "no-reply@bad domain"} {
		_, err := mail.LoadTemplates("", from)
		is.New(t).True(err != nil)
	}
	templates, err := mail.LoadTemplates("", "no-reply@bücher.example")
	is := is.New(t)
	is.NoErr(err)
	got, err := templates.Render(message("en", contents()["verify_email"]))
	is.NoErr(err)
	is.Equal(got.MessageID, "0198c0de-1@xn--bcher-kva.example") // ASCII, as headers must be
}

func TestOverrideReplacesSingleFiles(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	write(t, dir, "fr/verify_email.txt", "{{define \"subject\"}}Salut{{end -}}\r\nCliquez :\r\n{{.Data.Link}}\r\n")
	write(t, dir, ".git/config", "passed over")
	write(t, dir, "fr/.verify_email.txt.swp", "passed over")
	templates := load(t, dir)

	got, err := templates.Render(message("fr", contents()["verify_email"]))
	is.NoErr(err)
	is.Equal(got.Subject, "Salut")
	is.True(strings.HasPrefix(got.Text, "Cliquez :\nhttps://acme.example/l?token=abc-DEF_1.2&x=1\n"))
	is.True(strings.Contains(got.HTML, "Confirmer mon adresse")) // its HTML part is still ours

	english, err := templates.Render(message("en", contents()["verify_email"]))
	is.NoErr(err)
	is.True(strings.Contains(english.Text, "confirm that the address is yours"))
}

func TestBrokenOverrideIsRefusedWithFileAndLine(t *testing.T) {
	subject := "{{define \"subject\"}}S{{end}}"
	for name, c := range map[string]struct{ file, text, want string }{
		"syntax":          {"en/invitation.txt", subject + "\n\n{{if .Name}}", "en/invitation.txt:3"},
		"html syntax":     {"fr/invitation.html", "<p>\n{{.Data.Link}</p>", "fr/invitation.html:2"},
		"unknown field":   {"en/verify_email.txt", subject + "\n{{.Data.Link}}\n{{.Data.Organisation}}", "en/verify_email.txt:3"},
		"unknown in html": {"en/verify_email.html", "<a href=\"{{.Data.Link}}\">x</a>\n{{.Nobody}}", "en/verify_email.html:2"},
		"unsafe html":     {"layout.html", "<a href=\"{{template \"content\" .}}", "layout.html"},
		"unknown call":    {"layout.txt", "{{template \"contents\" .}}", "layout.txt"},
		"no subject":      {"en/verify_email.txt", "{{.Data.Link}}", "en/verify_email.txt:1"},
		"empty subject":   {"en/verify_email.txt", "{{define \"subject\"}} {{end}}{{.Data.Link}}", "en/verify_email.txt:1"},
		"link forgotten":  {"en/reset_password.txt", subject + "Click.", "en/reset_password.txt:1"},
		"html no link":    {"fr/reset_password.html", "<p>{{.Data.Link}}</p>", "fr/reset_password.html:1"},
		"one link of two": {"en/already_registered.txt", subject + "{{.Data.Link}}", "en/already_registered.txt:1"},
		"empty":           {"en/reset_password.html", "", "en/reset_password.html"},
		"misspelt":        {"en/verfy_email.txt", subject, "en/verfy_email.txt"},
		"other language":  {"de/verify_email.txt", subject, "de/verify_email.txt"},
		"too large":       {"layout.html", strings.Repeat("x", 300<<10), "layout.html"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			dir := t.TempDir()
			write(t, dir, c.file, c.text)
			_, err := mail.LoadTemplates(dir, sender)
			is.True(err != nil)
			is.True(strings.Contains(err.Error(), filepath.Join(dir, c.want))) // names the file (and line)
		})
	}
	_, err := mail.LoadTemplates(filepath.Join(t.TempDir(), "missing"), sender)
	is.New(t).True(errors.Is(err, os.ErrNotExist))
}

// TestDefaultsCanBeCopiedAsOverrides shows what an operator does first.
func TestDefaultsCanBeCopiedAsOverrides(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	is.NoErr(os.CopyFS(dir, os.DirFS("templates")))
	got, err := load(t, dir).Render(message("fr", contents()["invitation"]))
	is.NoErr(err)
	want, err := load(t, "").Render(message("fr", contents()["invitation"]))
	is.NoErr(err)
	is.Equal(got, want)
}

func TestHTMLPartLoadsNothing(t *testing.T) {
	templates := load(t, "")
	for _, content := range contents() {
		is := is.New(t)
		got, err := templates.Render(message("en", content))
		is.NoErr(err)
		page := strings.ToLower(html.UnescapeString(got.HTML))
		for _, remote := range []string{"<img", "<link", "<script", "src=", "url(", "@import", "background="} {
			is.True(!strings.Contains(page, remote))
		}
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	is.New(t).NoErr(os.MkdirAll(filepath.Dir(file), 0o755))
	is.New(t).NoErr(os.WriteFile(file, []byte(text), 0o644))
}

func BenchmarkRender(b *testing.B) {
	templates := load(b, "")
	m := message("fr", contents()["invitation"])
	for b.Loop() {
		if _, err := templates.Render(m); err != nil {
			b.Fatal(err)
		}
	}
}
