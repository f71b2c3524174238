package acceptance

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestX2_MailBySMTP(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		m := startMailServer(t, true)
		c := b.start(t, m.option(), withFlags("--public-url", "http://members.example.test")).newCast(t)

		t.Run("mails leave over an encrypted, authenticated connection", func(t *testing.T) {
			is := is.New(t)
			mails, err := m.mails(c.admin.Email)
			is.NoErr(err)
			is.Equal(len(mails), 2) // to prove the address, and to join
			is.Equal(mails[0].From, `"Tenure" <no-reply@tenure.example>`)
			is.True(!bytes.Contains(c.stdout.bytes(), []byte("/outbox"))) // where nothing is
		})

		t.Run("every mail says exactly what to do next, as text and as a page", func(t *testing.T) {
			for name, m := range c.oneOfEach(t) {
				is := is.New(t)
				if !strings.Contains(m.Text, "What to do next:") || !strings.Contains(m.HTML, "What to do next:") {
					t.Errorf("%s does not say what to do next", name)
				}
				is.True(strings.Contains(m.HTML, "<html"))
				is.True(m.Subject != "")
				is.Equal(m.Language, "en")
				is.True(len(m.Links) > 0)
				for _, link := range m.Links {
					page, _, _ := strings.Cut(strings.TrimPrefix(link, "http://members.example.test"), "#")
					shown := ok(t, c.anonymous().get(page, anyPosition, header("Accept", "text/html")))
					is.True(strings.HasPrefix(shown.header.Get("Content-Type"), "text/html"))
					is.True(strings.HasPrefix(link, "http://members.example.test/"))
					is.True(strings.Contains(m.HTML, strings.Split(link, "#")[0]))
				}
			}
		})

		t.Run("in the language of whom it is for", func(t *testing.T) {
			is := is.New(t)
			for language, words := range map[string]string{"fr": "À faire maintenant", "fr-CA": "À faire maintenant", "en": "What to do next", "ja": "What to do next"} {
				guest := c.newPerson("Guest")
				body := map[string]any{"email": guest.Email, "username": guest.Name, "roles": []string{"USER"}, "language": language}
				ok(t, c.owner.inviteWith(c.org, body))
				is.True(strings.Contains(c.mailTo(t, guest.Email, invitePage, 1).Text, words))
			}
			french := c.newPerson("French")
			ok(t, c.anonymous().post("/v1/accounts", map[string]any{"email": french.Email, "display_name": "Zoé", "password": password, "language": "fr"}))
			is.True(strings.Contains(c.mailTo(t, french.Email, verifyPage, 1).Text, "À faire maintenant"))
		})

		t.Run("a mail waits while the mail server is down, and comes once", func(t *testing.T) {
			m.setDown(true)
			guest := c.newPerson("Patient")
			before := m.attempts()
			ok(t, c.owner.invite(c.org, guest.Email, guest.Name, "USER"))
			eventually(t, "the mail was tried", func() bool { return m.attempts() > before })
			m.setDown(false)
			ok(t, guest.acceptNew(c.tokenTo(t, guest.Email, invitePage, 1)))
			c.restart(t)
			is.New(t).Equal(len(c.mailsTo(guest.Email, invitePage)), 1)
		})

		t.Run("there is no outbox", func(t *testing.T) {
			refused(t, c.operator().get("/outbox", header("Accept", "application/json")), 404, "not_found")
		})
	})
}

// oneOfEach has every kind of mail sent and answers with one of each.
func (c *cast) oneOfEach(t *testing.T) map[string]mail {
	t.Helper()
	ok(t, c.owner.requestTransfer(c.org, c.admin))
	ok(t, c.anonymous().post("/v1/password-resets", map[string]any{"email": c.user.Email}))
	ok(t, c.viewer.requestAccount())
	mails := map[string]mail{
		"verification": c.mailTo(t, c.admin.Email, verifyPage, 1),
		"invitation":   c.mailTo(t, c.admin.Email, invitePage, 1),
		"transfer":     c.newestTransferMail(t),
		"reset":        c.mailTo(t, c.user.Email, resetPage, 1),
	}
	eventually(t, "the owner of an address hears that somebody signs up with it", func() bool {
		all, err := c.mailbox.mails(c.viewer.Email)
		m, found := find(all, func(m mail) bool { return strings.Contains(m.Subject, "already have an account") })
		mails["already registered"] = m
		return err == nil && found
	})
	ok(t, c.owner.cancelTransfer(c.org))
	return mails
}

func (c *cast) newestTransferMail(t *testing.T) mail {
	t.Helper()
	token := c.newestTransferLink(t, c.owner)
	m, _ := find(c.mailsTo(c.owner.Email, transferPage), func(m mail) bool { return m.token(transferPage) == token })
	return m
}

func TestX2_OutboxWithoutAMailServer(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t, withFlags("--public-url", "http://members.example.test")).newCast(t)

		t.Run("nothing else differs: the same mails, said the same way", func(t *testing.T) {
			other := b.start(t, startMailServer(t, false).option(), withFlags("--public-url", "http://members.example.test")).newCast(t)
			kept, sent := c.oneOfEach(t), other.oneOfEach(t)
			is := is.New(t)
			is.Equal(len(kept), 5)
			for name, m := range kept {
				is.Equal(withoutVariables(m), withoutVariables(sent[name]))
			}
		})

		t.Run("mails are read in the browser, by an operator", func(t *testing.T) {
			is := is.New(t)
			browser := c.anonymous()
			asOperator := []extra{header("Accept", "text/html"), anyPosition, basicAuth("operator", *c.key.Load())}
			list := ok(t, browser.get("/outbox", asOperator...))
			is.True(strings.HasPrefix(list.header.Get("Content-Type"), "text/html"))
			is.True(strings.Contains(string(list.body), c.admin.Email))
			is.True(strings.Contains(list.header.Get("Content-Security-Policy"), "default-src 'none'"))
			m := c.mailTo(t, c.admin.Email, invitePage, 1)
			one := ok(t, browser.get("/outbox/"+m.ID, asOperator...))
			is.True(strings.Contains(string(one.body), c.name))
			ok(t, browser.get("/outbox/style.css", asOperator...))
		})

		t.Run("and by nobody else", func(t *testing.T) {
			for _, who := range []client{c.anonymous(), c.owner.client, c.stranger.client} {
				for _, path := range []string{"/outbox", "/outbox/" + c.mailTo(t, c.admin.Email, invitePage, 1).ID} {
					if r := who.get(path, anyPosition); r.status != 401 && r.status != 403 {
						t.Fatal(r)
					}
				}
			}
		})

		t.Run("its files are for the server's user only", func(t *testing.T) {
			is := is.New(t)
			folder, err := os.Stat(filepath.Join(c.data, "outbox"))
			is.NoErr(err)
			is.Equal(folder.Mode().Perm(), os.FileMode(0o700))
			entries, err := os.ReadDir(filepath.Join(c.data, "outbox"))
			is.NoErr(err)
			is.True(len(entries) > 5)
			for _, e := range entries {
				info, err := e.Info()
				is.NoErr(err)
				is.Equal(info.Mode().Perm(), os.FileMode(0o600))
			}
		})

		t.Run("they are still there after a restart, once each", func(t *testing.T) {
			before, err := c.mailbox.mails("")
			is := is.New(t)
			is.NoErr(err)
			c.restart(t)
			after, err := c.mailbox.mails("")
			is.NoErr(err)
			is.Equal(len(after), len(before))
		})
	})
}

func TestX2_TemplatesAnOperatorReplaces(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		folder := t.TempDir()
		is := is.New(t)
		is.NoErr(os.MkdirAll(filepath.Join(folder, "en"), 0o700))
		own := `{{define "subject"}}Come to {{.Data.Organization}}{{end -}}` + "\nOur own words. What to do next: {{.Data.Link}}\n"
		is.NoErr(os.WriteFile(filepath.Join(folder, "en", "invitation.txt"), []byte(own), 0o600))
		c := b.start(t, withFlags("--mail-templates", folder, "--mail-from", "Acme <hello@acme.example>")).newCast(t)

		m := c.mailTo(t, c.admin.Email, invitePage, 1)
		is.Equal(m.Subject, "Come to "+c.name)
		is.True(strings.Contains(m.Text, "Our own words."))
		is.True(strings.Contains(m.From, "hello@acme.example"))
		is.True(strings.Contains(c.mailTo(t, c.admin.Email, verifyPage, 1).Text, "Acme")) // the others stay

		t.Run("one that cannot work is refused when the server starts", func(t *testing.T) {
			is.NoErr(os.WriteFile(filepath.Join(folder, "en", "invitation.txt"), []byte("{{.Data.Nothing}}"), 0o600))
			s := b.prepare(t, withFlags("--mail-templates", folder))
			err := s.launch()
			is.True(err != nil)
			is.True(s.stderr.contains("mail-templates"))
			is.True(s.stderr.contains("en/invitation.txt"))
			s.cmd = nil
		})
	})
}
