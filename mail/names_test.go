package mail_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/matryer/is"
	"golang.org/x/net/html"

	"tenure/mail"
)

func TestNamesAreShownHarmless(t *testing.T) {
	templates := load(t, "")
	for name, want := range map[string]string{
		// What people are really called stays.
		"Zoë & Söhne GmbH":    "Zoë & Söhne GmbH",
		"O'Neill, Inc.":       "O'Neill, Inc.",
		"Team: Alpha 10:30":   "Team: Alpha 10:30",
		"Müller/Meier":        "Müller/Meier",
		"山田 太郎":               "山田 太郎",
		"<b>Acme</b>":         "<b>Acme</b>", // escaped in HTML
		"A\u0301cme":          "Ácme",
		"  two\t\tspaces  ":   "two spaces",
		"Research & Co. KGaA": "Research & Co. KGaA",
		// What a phisher is called does not.
		"http://evil.example/x":            "http: /evil. example/x",
		"hxxps://evil.com":                 "hxxps: /evil. com",
		"www.evil.com":                     "www. evil. com",
		"evil.com":                         "evil. com",
		"EVIL。COM and evil．com":            "EVIL。 COM and evil． com",
		"1.2.3.4":                          "1. 2. 3. 4",
		"help@evil.com":                    "help (at) evil. com",
		"tel:123":                          "tel: 123",
		"mailto:a":                         "mailto: a",
		`\\evil\share`:                     "/evil/share",
		"Acme\r\nBcc: a@b.c":               "Acme Bcc: a (at) b. c",
		"line\u2028break\u0085here":        "line break here",
		"ev\u200bil.co\u202em":             "evil. com",
		`Acme”. Go to “x`:                  "Acme'. Go to 'x",
		"« Acme »":                         "' Acme '",
		"=?utf-8?q?http=3A//evil.com?=":    "= ?utf-8?q?http=3A/evil. com?=",
		"bad\xff\xfeutf":                   "badutf",
		strings.Repeat("long ", 50):        strings.TrimSpace(strings.Repeat("long ", 13)[:64]) + "…",
		"\u202e\u200b":                     "",
		"https:/\u200b/evil.example\u0000": "https: /evil. example",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			got, err := templates.Render(message("en", mail.Invitation{Organization: name, Inviter: mail.Person{Name: name},
				Roles: []string{name}, Link: "https://acme.example/l", Expires: at}))
			is.NoErr(err)
			is.Equal(got.Subject, "Invitation to join “"+want+"”")
			is.True(strings.Contains(got.Text, "organization “"+want+"”"))
			is.True(strings.Contains(got.Text, "Your role there: "+want+"\n"))
			is.True(strings.Contains(textOf(t, got.HTML), "organization “"+want+"”"))
		})
	}
}

func TestIdentitiesStayAsTheyAreUnlessTheyLookLikeLinks(t *testing.T) {
	templates := load(t, "")
	for name, want := range map[string]string{
		"ada.lovelace":                  "ada.lovelace",
		"ada_l-99":                      "ada_l-99",
		"user.1984":                     "user.1984",
		"ada@example.com":               "ada@example.com",
		"o'neill+x@müller.example":      "o'neill+x@müller.example",
		"evil.com":                      "evil. com",
		"evil.co.uk":                    "evil. co. uk",
		"login.evil.COM":                "login. evil. COM",
		"www.lovelace":                  "www. lovelace",
		"ada.рф":                        "ada. рф",
		"ada.xn--p1ai":                  "ada. xn--p1ai",
		"10.0.0.1":                      "10. 0. 0. 1",
		"evil.example/x@host.example":   "evil. example/x (at) host. example",
		"http://evil.example@host.test": "http: /evil. example (at) host. test",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			got, err := templates.Render(message("en", mail.Invitation{Organization: "Acme", Username: name,
				Roles: []string{"USER"}, Link: "https://acme.example/l", Expires: at}))
			is.NoErr(err)
			is.True(strings.Contains(got.Text, "Your username there: "+want+"\n"))
		})
	}
}

// FuzzNames puts anything where people choose the text and asks that the mail
// stays ours: its headers, its tags and its links.
func FuzzNames(f *testing.F) {
	templates := load(f, "")
	for _, seed := range []string{"Acme", "http://evil.com", "a\r\nBcc: x@y.z", "</p><script>alert(1)</script>",
		"{{.Data.Link}}", "=?utf-8?q?Bcc:_x?=", "\u2028.\u0301com", "-- \nfooter", "“”", "javascript:x", "a@b.c/d", "%0d%0aBcc:x"} {
		f.Add(seed, seed, seed)
	}
	link := "https://acme.example/l?token=1"
	build := func(a, b, c string) []mail.Content {
		return []mail.Content{
			mail.Invitation{Organization: a, Inviter: mail.Person{Name: b, Email: c}, Roles: []string{c, a}, Username: b,
				SignInAs: c, Provider: a, Link: link, Expires: at},
			mail.OwnershipTransfer{Organization: b, Target: mail.Person{Name: c, Email: a}, OwnerRole: b, NextRole: c,
				Link: link, Expires: at},
			mail.RequestsDigest{Organization: c, Open: 5, Oldest: []mail.Request{{Person: mail.Person{Name: a, Email: b}}, {Person: mail.Person{Name: c}, Since: at}}, Link: link},
			mail.WebhookStopped{Organization: a, Receiver: b, WebhookID: c, Link: link, Gone: true},
		}
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		is := is.New(t)
		outbox, err := mail.OpenOutbox(t.TempDir(), 0)
		is.NoErr(err)
		tame := build("A", "B", "C")
		for i, content := range build(a, b, c) {
			m := message("en", content)
			m.ToName = b
			got, err := templates.Render(m)
			is.NoErr(err)
			m.Content = tame[i]
			want, err := templates.Render(m)
			is.NoErr(err)

			is.True(utf8.ValidString(got.Subject) && !strings.ContainsFunc(got.Subject, unicode.IsControl))
			is.Equal(webLinks(got.Text), []string{link})
			is.Equal(attributes(t, got.HTML), attributes(t, want.HTML)) // the same links and nothing else
			for _, tag := range tags(t, got.HTML) {
				is.True(strings.Contains("html head meta title style body main h1 p strong ul li a br footer", tag))
			}
			is.NoErr(outbox.Send(t.Context(), got))
			read, err := outbox.Read(t.Context(), got.ID)
			is.NoErr(err)
			is.Equal(len(read.Headers), 10)
			for name, values := range read.Headers {
				is.Equal(len(values), 1) // name
				is.True(name != "Bcc")
			}
			is.Equal(read.Subject, got.Subject)
			is.Equal(read.Text, got.Text)
			is.Equal(read.HTML, got.HTML)
		}
	})
}

// webLinks is what a mail program makes of a text: addresses with a scheme,
// with "www.", or that just look like one.
func webLinks(text string) []string {
	return regexp.MustCompile(`(?i)(?:[a-z][a-z0-9+.-]*://|\bwww\.)\S+`).FindAllString(text, -1)
}

func attributes(t *testing.T, page string) (found []string) {
	each(t, page, func(token html.Token) {
		for _, a := range token.Attr {
			found = append(found, token.Data+" "+a.Key+"="+a.Val)
		}
	})
	return found
}

func tags(t *testing.T, page string) (found []string) {
	each(t, page, func(token html.Token) {
		if token.Type == html.StartTagToken {
			found = append(found, token.Data)
		}
	})
	return found
}

func textOf(t *testing.T, page string) string {
	var b strings.Builder
	each(t, page, func(token html.Token) {
		if token.Type == html.TextToken {
			b.WriteString(token.Data)
		}
	})
	return b.String()
}

func each(t *testing.T, page string, visit func(html.Token)) {
	t.Helper()
	for z := html.NewTokenizer(strings.NewReader(page)); z.Next() != html.ErrorToken; {
		visit(z.Token())
	}
}
