package mail_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/net/html"

	"tenure/mail"
)

func open(t testing.TB, dir string, keep int) *mail.Outbox {
	t.Helper()
	o, err := mail.OpenOutbox(dir, keep)
	is.New(t).NoErr(err)
	return o
}

// numbered is the n-th of a row of mails, a minute apart.
func numbered(r mail.Rendered, n int) mail.Rendered {
	r.ID = fmt.Sprintf("mail-%04d", n)
	r.MessageID = r.ID + "@acme.example"
	r.Date = r.Date.Add(time.Duration(n) * time.Minute)
	return r
}

func TestOutboxKeepsWhatWasSent(t *testing.T) {
	for _, language := range []string{"en", "fr"} {
		for name, content := range contents() {
			t.Run(language+"/"+name, func(t *testing.T) {
				is := is.New(t)
				o := open(t, t.TempDir(), 0)
				want := rendered(t, language, content)
				is.NoErr(o.Send(t.Context(), want))
				got, err := o.Read(t.Context(), want.ID)
				is.NoErr(err)
				is.Equal(got.Entry, mail.Entry{ID: want.ID, Date: at.UTC(), To: want.To, Subject: want.Subject})
				is.Equal(got.From, want.From)
				is.Equal(got.ToName, want.ToName)
				is.Equal(got.MessageID, want.MessageID)
				is.Equal(got.Language, language)
				is.Equal(got.Text, want.Text)
				is.Equal(got.HTML, want.HTML)
				is.Equal(got.Links[0], "https://acme.example/l?token=abc-DEF_1.2&x=1")
				is.Equal(got.Headers["Auto-Submitted"], []string{"auto-generated"})
			})
		}
	}
}

func TestOutboxHoldsTheMailThatSMTPSends(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	r := rendered(t, "fr", contents()["invitation"])
	is.NoErr(open(t, dir, 0).Send(t.Context(), r))
	srv := serve(t, mail.TLSNone, nil)
	is.NoErr(dial(t, srv.config(mail.TLSNone)).Send(t.Context(), r))
	file, err := os.ReadFile(filepath.Join(dir, files(t, dir)[0]))
	is.NoErr(err)
	lf := func(b []byte) string { return strings.ReplaceAll(string(b), "\r\n", "\n") }
	is.Equal(strings.TrimSpace(lf(file)), strings.TrimSpace(lf(srv.received()[0].raw)))
}

func TestOutboxIsPrivate(t *testing.T) {
	is := is.New(t)
	dir := filepath.Join(t.TempDir(), "data", "outbox")
	is.NoErr(os.MkdirAll(dir, 0o755))
	is.NoErr(open(t, dir, 0).Send(t.Context(), rendered(t, "en", contents()["verify_email"])))
	info, err := os.Stat(dir)
	is.NoErr(err)
	is.Equal(info.Mode().Perm(), os.FileMode(0o700))
	names := files(t, dir)
	is.Equal(names, []string{"20260801T050509.000000000Z-0198c0de-1.eml"})
	info, err = os.Stat(filepath.Join(dir, names[0]))
	is.NoErr(err)
	is.Equal(info.Mode().Perm(), os.FileMode(0o600))
}

func TestOutboxListsNewestFirst(t *testing.T) {
	is := is.New(t)
	o := open(t, t.TempDir(), 0)
	empty, err := o.List(t.Context(), 0, "")
	is.NoErr(err)
	is.Equal(empty, []mail.Entry{})
	r := rendered(t, "en", contents()["verify_email"])
	for _, n := range []int{3, 1, 60, 2} { // in any order
		m := numbered(r, n)
		if n == 2 {
			m.To = "Ada@Example.com"
		}
		is.NoErr(o.Send(t.Context(), m))
	}
	ids := func(limit int, to string) string {
		entries, err := o.List(t.Context(), limit, to)
		is.NoErr(err)
		var ids []string
		for _, e := range entries {
			ids = append(ids, e.ID)
		}
		return strings.Join(ids, " ")
	}
	is.Equal(ids(0, ""), "mail-0060 mail-0003 mail-0002 mail-0001")
	is.Equal(ids(2, ""), "mail-0060 mail-0003")
	is.Equal(ids(0, " ada@EXAMPLE.com"), "mail-0002")
	is.Equal(ids(2, "grace@example.com"), "mail-0060 mail-0003")
	is.Equal(ids(0, "nobody@example.com"), "")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = o.List(ctx, 0, "")
	is.True(errors.Is(err, context.Canceled))
	is.True(errors.Is(o.Send(ctx, r), context.Canceled))
	is.Equal(ids(0, ""), "mail-0060 mail-0003 mail-0002 mail-0001") // what was cancelled left nothing
}

func TestOutboxIsBounded(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	o := open(t, dir, 3)
	r := rendered(t, "en", contents()["verify_email"])
	for n := range 6 {
		is.NoErr(o.Send(t.Context(), numbered(r, n)))
	}
	is.NoErr(o.Send(t.Context(), numbered(r, 5))) // a repetition costs nobody the place
	is.Equal(len(files(t, dir)), 3)
	entries, err := o.List(t.Context(), 10, "")
	is.NoErr(err)
	is.Equal(entries[0].ID, "mail-0005")
	is.Equal(entries[2].ID, "mail-0003")
}

func TestSendingAgainKeepsOneMail(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	o := open(t, dir, 0)
	r := rendered(t, "en", contents()["verify_email"])
	is.NoErr(o.Send(t.Context(), r))
	first, err := os.ReadFile(filepath.Join(dir, files(t, dir)[0]))
	is.NoErr(err)
	is.NoErr(o.Send(t.Context(), r))
	second, err := os.ReadFile(filepath.Join(dir, files(t, dir)[0]))
	is.NoErr(err)
	is.Equal(string(first), string(second))

	r.Date = r.Date.Add(-time.Hour)
	is.NoErr(o.Send(t.Context(), r))
	is.Equal(files(t, dir), []string{"20260801T040509.000000000Z-0198c0de-1.eml"})
}

func TestConcurrentSendsOfOneMail(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	r := rendered(t, "en", contents()["verify_email"])
	boxes := []*mail.Outbox{open(t, dir, 0), open(t, dir, 0)} // two processes, as it were
	var wg sync.WaitGroup
	errs := make(chan error, 64)
	for i := range 32 {
		wg.Go(func() { errs <- boxes[i%2].Send(t.Context(), r) })
		wg.Go(func() {
			_, err := boxes[i%2].List(t.Context(), 10, "")
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		is.NoErr(err)
	}
	is.Equal(len(files(t, dir)), 1)
	got, err := boxes[0].Read(t.Context(), r.ID)
	is.NoErr(err)
	is.Equal(got.Text, r.Text)
}

func TestWhatACrashLeavesIsCleared(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	r := rendered(t, "en", contents()["verify_email"])
	o := open(t, dir, 0)
	is.NoErr(o.Send(t.Context(), r))
	// Killed while it wrote the next mail.
	is.NoErr(os.WriteFile(filepath.Join(dir, ".writing-123"), []byte("From: half a m"), 0o600))
	is.NoErr(os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("the operator's"), 0o600))
	is.NoErr(os.WriteFile(filepath.Join(dir, "holiday.eml"), []byte("the operator's"), 0o600))
	entries, err := o.List(t.Context(), 10, "")
	is.NoErr(err)
	is.Equal(len(entries), 1)

	o = open(t, dir, 1)
	is.Equal(files(t, dir), []string{"20260801T050509.000000000Z-0198c0de-1.eml", "holiday.eml", "notes.txt"})
	is.NoErr(o.Send(t.Context(), numbered(r, 1)))
	is.Equal(files(t, dir), []string{"20260801T050609.000000000Z-mail-0001.eml", "holiday.eml", "notes.txt"})
}

func TestOutboxReadsOnlyItsOwn(t *testing.T) {
	is := is.New(t)
	parent := t.TempDir()
	dir := filepath.Join(parent, "outbox")
	o := open(t, dir, 0)
	r := rendered(t, "en", contents()["verify_email"])
	is.NoErr(o.Send(t.Context(), r))
	is.NoErr(os.Rename(filepath.Join(dir, files(t, dir)[0]), filepath.Join(parent, "20260801T050509.000000000Z-outside.eml")))
	is.NoErr(os.Symlink(filepath.Join(parent, "20260801T050509.000000000Z-outside.eml"),
		filepath.Join(dir, "20260801T050509.000000000Z-link.eml")))
	for _, id := range []string{"", ".", "..", "outside", "link", "../outside", "..%2foutside", "/etc/passwd", "a\x00b",
		"../20260801T050509.000000000Z-outside", "*", strings.Repeat("x", 1<<16)} {
		_, err := o.Read(t.Context(), id)
		is.True(errors.Is(err, mail.ErrNotFound))
		_, err = o.MailPage(t.Context(), id)
		is.True(errors.Is(err, mail.ErrNotFound))
	}
	// A file that bears our kind of name but is no mail is named, not quoted.
	is.NoErr(os.WriteFile(filepath.Join(dir, "20260801T050509.000000000Z-broken.eml"), []byte("Secret"), 0o600))
	_, err := o.Read(t.Context(), "broken")
	is.True(strings.Contains(err.Error(), "Z-broken.eml is no mail of ours"))
	is.True(!strings.Contains(err.Error(), "Secret"))
}

func TestOutboxWithoutItsFolder(t *testing.T) {
	is := is.New(t)
	dir := filepath.Join(t.TempDir(), "outbox")
	o := open(t, dir, 0)
	is.NoErr(os.RemoveAll(dir))
	err := o.Send(t.Context(), rendered(t, "en", contents()["verify_email"]))
	is.True(errors.Is(err, mail.ErrTemporary))
	_, err = o.List(t.Context(), 0, "")
	is.True(errors.Is(err, os.ErrNotExist))

	file := filepath.Join(t.TempDir(), "file")
	is.NoErr(os.WriteFile(file, nil, 0o600))
	_, err = mail.OpenOutbox(file, 0)
	is.True(err != nil)
}

func TestListPage(t *testing.T) {
	is := is.New(t)
	o := open(t, t.TempDir(), 0)
	page, err := o.ListPage(t.Context(), 0, "")
	is.NoErr(err)
	is.True(strings.Contains(string(page.HTML), "No mail yet."))

	r := rendered(t, "fr", contents()["invitation"])
	r.Subject = `<script>alert("x")</script>`
	is.NoErr(o.Send(t.Context(), r))
	page, err = o.ListPage(t.Context(), 0, "")
	is.NoErr(err)
	is.True(strings.Contains(string(page.HTML), `href="/outbox/0198c0de-1"`))
	is.True(strings.Contains(textOf(t, string(page.HTML)), r.Subject))
	is.True(strings.Contains(string(page.HTML), "1 August 2026, 05:05 UTC"))
	strict(t, page)

	is.True(!strings.Contains(string(page.HTML), "the newest 1."))
	page, err = o.ListPage(t.Context(), 1, "")
	is.NoErr(err)
	is.True(strings.Contains(string(page.HTML), "These are the newest 1."))

	page, err = o.ListPage(t.Context(), 0, `"><script>`)
	is.NoErr(err)
	is.True(strings.Contains(textOf(t, string(page.HTML)), `No mail to "><script>.`))
	strict(t, page)
}

func TestMailPage(t *testing.T) {
	for _, language := range []string{"en", "fr"} {
		for name, content := range contents() {
			t.Run(language+"/"+name, func(t *testing.T) {
				is := is.New(t)
				o := open(t, t.TempDir(), 0)
				r := rendered(t, language, content)
				is.NoErr(o.Send(t.Context(), r))
				page, err := o.MailPage(t.Context(), r.ID)
				is.NoErr(err)
				is.True(strings.Contains(textOf(t, string(page.HTML)), r.Text))
				is.Equal(frame(t, page), `<base target="_blank">`+r.HTML)
				is.True(strings.Contains(string(page.HTML), `sandbox="allow-popups allow-popups-to-escape-sandbox"`))
				is.True(strings.Contains(page.ContentSecurityPolicy, "style-src 'self' 'sha256-"))
				strict(t, page)
			})
		}
	}
}

// TestMailPageAllowsTheStylesOfAnOverride: the hash of "color:red" is what a
// browser (and openssl) computes for it.
func TestMailPageAllowsTheStylesOfAnOverride(t *testing.T) {
	is := is.New(t)
	o := open(t, t.TempDir(), 0)
	r := rendered(t, "en", contents()["verify_email"])
	r.HTML = `<p style="color:red">a</p><p style="color:red">b</p>`
	is.NoErr(o.Send(t.Context(), r))
	page, err := o.MailPage(t.Context(), r.ID)
	is.NoErr(err)
	is.True(strings.Contains(page.ContentSecurityPolicy,
		"style-src 'self' 'unsafe-hashes' 'sha256-8f935d27GvUutRyY9yWScUMiFUk4WTdZURISiYfPOeQ=';"))
}

func TestStylesheet(t *testing.T) {
	is := is.New(t)
	css, err := open(t, t.TempDir(), 0).Stylesheet()
	is.NoErr(err)
	is.True(strings.Contains(string(css), "prefers-color-scheme: dark"))
	is.True(!strings.Contains(string(css), "url("))
}

// strict asks that a page needs nothing that its policy forbids.
func strict(t *testing.T, page mail.Page) {
	t.Helper()
	is := is.New(t)
	is.True(strings.HasPrefix(page.ContentSecurityPolicy, "default-src 'none'; style-src 'self'"))
	is.True(!strings.Contains(page.ContentSecurityPolicy, "unsafe-inline"))
	each(t, string(page.HTML), func(token html.Token) {
		is.True(token.Data != "script" || token.Type == html.TextToken)
		is.True(token.Data != "style" || token.Type == html.TextToken)
		for _, a := range token.Attr {
			is.True(a.Key != "style" && !strings.HasPrefix(a.Key, "on"))
		}
	})
}

func frame(t *testing.T, page mail.Page) (document string) {
	each(t, string(page.HTML), func(token html.Token) {
		for _, a := range token.Attr {
			if token.Data == "iframe" && a.Key == "srcdoc" {
				document = a.Val
			}
		}
	})
	return document
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	is.New(t).NoErr(err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// FuzzOutboxRead opens an outbox with anything in a file.
func FuzzOutboxRead(f *testing.F) {
	seed := f.TempDir()
	is.New(f).NoErr(open(f, seed, 0).Send(f.Context(), rendered(f, "fr", contents()["invitation"])))
	found, err := filepath.Glob(filepath.Join(seed, "*.eml"))
	is.New(f).NoErr(err)
	raw, err := os.ReadFile(found[0])
	is.New(f).NoErr(err)
	f.Add(raw)
	f.Add([]byte("To: a@b.c\n\n"))
	dir := f.TempDir()
	o := open(f, dir, 0)
	f.Fuzz(func(t *testing.T, raw []byte) {
		is := is.New(t)
		name := "20260801T050509.000000000Z-x.eml"
		is.NoErr(os.WriteFile(filepath.Join(dir, name), raw, 0o600))
		got, err := o.Read(t.Context(), "x")
		if err != nil {
			is.True(strings.Contains(err.Error(), name))
			return
		}
		is.Equal(got.ID, "x")
		page, err := o.MailPage(t.Context(), "x")
		is.NoErr(err)
		strict(t, page)
	})
}

func BenchmarkOutboxSend(b *testing.B) {
	o := open(b, b.TempDir(), 0)
	r := rendered(b, "en", contents()["invitation"])
	for n := 0; b.Loop(); n++ {
		if err := o.Send(b.Context(), numbered(r, n)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOutboxListOfAThousand(b *testing.B) {
	o := open(b, b.TempDir(), 0)
	r := rendered(b, "en", contents()["invitation"])
	for n := range 1000 {
		is.New(b).NoErr(o.Send(b.Context(), numbered(r, n)))
	}
	for b.Loop() {
		if _, err := o.List(b.Context(), 50, ""); err != nil {
			b.Fatal(err)
		}
	}
}
