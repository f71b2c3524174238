package mail_test

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/matryer/is"

	"tenure/mail"
)

func rendered(t testing.TB, language string, content mail.Content) mail.Rendered {
	t.Helper()
	r, err := load(t, "").Render(message(language, content))
	is.New(t).NoErr(err)
	return r
}

func dial(t testing.TB, config mail.Config) *mail.SMTP {
	t.Helper()
	s, err := mail.NewSMTP(config)
	is.New(t).NoErr(err)
	return s
}

func TestBothPartsArrive(t *testing.T) {
	for _, security := range []string{mail.TLSStart, mail.TLSFull, mail.TLSNone} {
		for _, auth := range []bool{false, true} {
			for name, content := range contents() {
				t.Run(security+"/"+name, func(t *testing.T) {
					is := is.New(t)
					srv := serve(t, security, func(s *server) { s.needAuth = auth })
					want := rendered(t, "fr", content)
					is.NoErr(dial(t, srv.config(security)).Send(t.Context(), want))

					mails := srv.received()
					is.Equal(len(mails), 1)
					is.Equal(mails[0].from, "no-reply@acme.example")
					is.Equal(mails[0].to, "grace@example.com")
					is.Equal(mails[0].secure, security != mail.TLSNone)
					header, text, page := parse(t, mails[0].raw)
					is.Equal(text, want.Text)
					is.Equal(page, want.HTML)
					is.Equal(header, map[string]string{
						"From":                     `"Acme Cloud" <no-reply@acme.example>`,
						"To":                       `"Grace Hopper" <grace@example.com>`,
						"Subject":                  want.Subject,
						"Date":                     "Sat, 01 Aug 2026 05:05:09 +0000",
						"Message-Id":               "<0198c0de-1@acme.example>",
						"Mime-Version":             "1.0",
						"Content-Language":         "fr",
						"Content-Type":             header["Content-Type"],
						"Auto-Submitted":           "auto-generated",
						"X-Auto-Response-Suppress": "DR, RN, NRN, OOF, AutoReply",
					})
				})
			}
		}
	}
}

// parse reads a mail with the standard library, every header decoded.
func parse(t testing.TB, raw []byte) (header map[string]string, text, page string) {
	t.Helper()
	is := is.New(t)
	m, err := netmail.ReadMessage(strings.NewReader(string(raw)))
	is.NoErr(err)
	header = map[string]string{}
	for name, values := range m.Header {
		is.Equal(len(values), 1) // each header once
		header[name], err = new(mime.WordDecoder).DecodeHeader(values[0])
		is.NoErr(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	is.NoErr(err)
	is.Equal(kind, "multipart/alternative")
	var bodies []string
	for reader := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		is.NoErr(err)
		is.Equal(part.Header.Get("Content-Type"), []string{"text/plain; charset=UTF-8", "text/html; charset=UTF-8"}[len(bodies)])
		body, err := io.ReadAll(part)
		is.NoErr(err)
		bodies = append(bodies, strings.ReplaceAll(string(body), "\r\n", "\n"))
	}
	is.Equal(len(bodies), 2)
	return header, bodies[0], bodies[1]
}

// TestSentAgainIsTheSameMail is what a crash between delivery and its record
// leads to.
func TestSentAgainIsTheSameMail(t *testing.T) {
	is := is.New(t)
	srv := serve(t, mail.TLSStart, nil)
	sender := dial(t, srv.config(mail.TLSStart))
	for range 2 {
		is.NoErr(sender.Send(t.Context(), rendered(t, "en", contents()["invitation"])))
	}
	mails := srv.received()
	is.Equal(len(mails), 2)
	is.Equal(string(mails[0].raw), string(mails[1].raw))
}

func TestInternationalAddresses(t *testing.T) {
	is := is.New(t)
	srv := serve(t, mail.TLSNone, nil)
	r := rendered(t, "en", contents()["verify_email"])
	r.To = "grace@bücher.example"
	is.NoErr(dial(t, srv.config(mail.TLSNone)).Send(t.Context(), r))
	is.Equal(srv.received()[0].to, "grace@xn--bcher-kva.example")
}

func TestHeadersCannotBeInjected(t *testing.T) {
	is := is.New(t)
	srv := serve(t, mail.TLSNone, nil)
	sender := dial(t, srv.config(mail.TLSNone))
	evil := "x\r\nBcc: victim@example.com\r\n\r\n<p>body</p>"
	r := rendered(t, "en", contents()["verify_email"])
	r.ToName, r.Subject, r.Language, r.MessageID = evil, evil, evil, evil
	is.NoErr(sender.Send(t.Context(), r))
	header, text, _ := parse(t, srv.received()[0].raw)
	is.Equal(len(header), 10)
	is.Equal(header["Bcc"], "")
	is.Equal(text, r.Text)

	for _, change := range []func(*mail.Rendered){
		func(r *mail.Rendered) { r.To = "a@example.com\r\nBcc: b@example.com" },
		func(r *mail.Rendered) { r.To = "a@example.com, b@example.com" },
		func(r *mail.Rendered) { r.To = "a@example.com> RCPT TO:<b@example.com" },
		func(r *mail.Rendered) { r.From = "a@example.com\r\nBcc: b@example.com" },
		func(r *mail.Rendered) { r.ID = evil },
	} {
		r := rendered(t, "en", contents()["verify_email"])
		change(&r)
		err := sender.Send(t.Context(), r)
		is.True(errors.Is(err, mail.ErrRejected))
		quiet(t, err)
	}
	is.Equal(len(srv.received()), 1)
}

func TestAnswersAreClassified(t *testing.T) {
	refuse := func(at string, code int, enhanced ...int) func(string, *smtp.Conn) error {
		answer := &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCodeNotSet, Message: "grace@example.com is over quota"}
		if len(enhanced) == 3 {
			answer.EnhancedCode = smtp.EnhancedCode(enhanced)
		}
		return func(step string, _ *smtp.Conn) error {
			if step == at {
				return answer
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		answer func(string, *smtp.Conn) error
		want   error
		text   string
	}{
		"no such recipient":    {refuse("RCPT", 550, 5, 1, 1), mail.ErrRejected, "server answered 550 5.1.1"},
		"text refused":         {refuse("DATA", 554, 5, 6, 0), mail.ErrRejected, "server answered 554 5.6.0"},
		"greylisted":           {refuse("RCPT", 450, 4, 2, 0), mail.ErrTemporary, "server answered 450 4.2.0"},
		"server full":          {refuse("DATA", 452, 4, 3, 1), mail.ErrTemporary, "server answered 452 4.3.1"},
		"sender not allowed":   {refuse("MAIL", 550, 5, 7, 1), mail.ErrTemporary, "server answered 550 5.7.1"},
		"no sign-in":           {refuse("RCPT", 530, 5, 7, 0), mail.ErrTemporary, "server answered 530 5.7.0"},
		"old server, rejected": {refuse("RCPT", 553), mail.ErrRejected, "server answered 553"},
		"cut at recipient": {func(step string, c *smtp.Conn) error {
			return c.Conn().Close()
		}, mail.ErrTemporary, ""},
		"cut after the text": {func(step string, c *smtp.Conn) error {
			if step == "DATA" {
				return c.Conn().Close()
			}
			return nil
		}, mail.ErrTemporary, ""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			srv := serve(t, mail.TLSStart, func(s *server) { s.answer = c.answer })
			err := dial(t, srv.config(mail.TLSStart)).Send(t.Context(), rendered(t, "en", contents()["verify_email"]))
			is.True(errors.Is(err, c.want))
			is.True(errors.Is(err, mail.ErrRejected) != errors.Is(err, mail.ErrTemporary)) // one of the two
			is.True(strings.Contains(err.Error(), c.text))
			quiet(t, err)
		})
	}
}

// quiet asks that an error names nobody and quotes nothing of the mail.
func quiet(t *testing.T, err error) {
	t.Helper()
	is.New(t).True(!regexp.MustCompile(`(?i)@|grace|acme|token|over quota|horse|no such user`).MatchString(err.Error()))
}

func TestTemporaryThenSuccess(t *testing.T) {
	is := is.New(t)
	var refused atomic.Int32
	srv := serve(t, mail.TLSStart, func(s *server) {
		s.answer = func(step string, _ *smtp.Conn) error {
			if step == "RCPT" && refused.Add(1) <= 2 {
				return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Greylisted"}
			}
			return nil
		}
	})
	sender := dial(t, srv.config(mail.TLSStart))
	r := rendered(t, "en", contents()["verify_email"])
	is.True(errors.Is(sender.Send(t.Context(), r), mail.ErrTemporary))
	is.True(errors.Is(sender.Send(t.Context(), r), mail.ErrTemporary))
	is.NoErr(sender.Send(t.Context(), r))
	is.Equal(srv.attempts(), 3)
	is.Equal(len(srv.received()), 1)
}

// TestDeliveredStaysDelivered: the server takes the mail and hangs up without a
// goodbye.
func TestDeliveredStaysDelivered(t *testing.T) {
	is := is.New(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		reader := newLines(conn)
		reader.say("220 ready")
		for _, answer := range []string{"250 hello", "250 sender", "250 recipient", "354 go"} {
			reader.line()
			reader.say(answer)
		}
		for reader.line() != "." {
		}
		reader.say("250 taken")
	}()
	port := listener.Addr().(*net.TCPAddr).Port
	sender := dial(t, mail.Config{Host: "127.0.0.1", Port: port, TLS: mail.TLSNone, Timeout: 20 * time.Second})
	is.NoErr(sender.Send(t.Context(), rendered(t, "en", contents()["verify_email"])))
}

func TestSettingsThatFailAreTemporary(t *testing.T) {
	secured := serve(t, mail.TLSStart, func(s *server) { s.needAuth = true })
	plain := serve(t, mail.TLSNone, nil)
	full := serve(t, mail.TLSFull, nil)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	is.New(t).NoErr(err)
	closedPort := closed.Addr().(*net.TCPAddr).Port
	is.New(t).NoErr(closed.Close())

	with := func(c mail.Config, f func(*mail.Config)) mail.Config {
		f(&c)
		return c
	}
	for name, c := range map[string]struct {
		config mail.Config
		text   string
	}{
		"wrong password":      {with(secured.config(mail.TLSStart), func(c *mail.Config) { c.Password = "wrong horse" }), "server answered 454 4.7.0"},
		"no password":         {with(secured.config(mail.TLSStart), func(c *mail.Config) { c.Username = "" }), "server answered 502 5.7.0"},
		"unknown certificate": {with(secured.config(mail.TLSStart), func(c *mail.Config) { c.CAFile = "" }), "certificate"},
		"unknown, full TLS":   {with(full.config(mail.TLSFull), func(c *mail.Config) { c.CAFile = "" }), "certificate"},
		"other name":          {with(secured.config(mail.TLSStart), func(c *mail.Config) { c.Host = "localhost" }), "certificate"},
		"no STARTTLS":         {plain.config(mail.TLSStart), "STARTTLS"},
		"nobody there":        {mail.Config{Host: "127.0.0.1", Port: closedPort, TLS: mail.TLSNone}, "refused"},
		"no such host":        {mail.Config{Host: "smtp.invalid", TLS: mail.TLSNone}, "smtp.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			err := dial(t, c.config).Send(t.Context(), rendered(t, "en", contents()["verify_email"]))
			is.True(errors.Is(err, mail.ErrTemporary))
			is.True(!errors.Is(err, mail.ErrRejected))
			is.True(strings.Contains(err.Error(), c.text))
			quiet(t, err)
		})
	}
	is.New(t).Equal(len(secured.received())+len(plain.received())+len(full.received()), 0)
}

func TestHangingServerTimesOut(t *testing.T) {
	for name, steps := range map[string][]string{
		"before the greeting": {},
		"after the greeting":  {"220 ready"},
		"at the recipient":    {"220 ready", "250 hello", "250 sender"},
		"after the text":      {"220 ready", "250 hello", "250 sender", "250 recipient", "354 go"},
	} {
		for _, cancel := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				is := is.New(t)
				port := hang(t, steps)
				config := mail.Config{Host: "127.0.0.1", Port: port, TLS: mail.TLSNone, Timeout: 200 * time.Millisecond}
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				want := context.DeadlineExceeded
				if cancel {
					config.Timeout, want = time.Hour, context.Canceled
					time.AfterFunc(100*time.Millisecond, stop)
				}
				err := dial(t, config).Send(ctx, rendered(t, "en", contents()["verify_email"]))
				is.True(errors.Is(err, mail.ErrTemporary))
				is.True(errors.Is(err, want))
				quiet(t, err)
			})
		}
	}
}

// hang answers with the lines, one for each command, and then with nothing.
func hang(t *testing.T, answers []string) (port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	is.New(t).NoErr(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		lines := newLines(conn)
		for i, answer := range answers {
			if i > 0 {
				lines.line()
			}
			lines.say(answer)
		}
		_, _ = io.Copy(io.Discard, conn) // until the client gives up
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done // fails the test by its time-out if the client left the connection open
	})
	return listener.Addr().(*net.TCPAddr).Port
}

func TestConfigIsChecked(t *testing.T) {
	dir := t.TempDir()
	noPEM := filepath.Join(dir, "ca.pem")
	is.New(t).NoErr(os.WriteFile(noPEM, []byte("no certificate"), 0o600))
	for name, c := range map[string]mail.Config{
		"no host":            {},
		"TLS":                {Host: "h", TLS: "ssl"},
		"port":               {Host: "h", Port: 70000},
		"time-out":           {Host: "h", Timeout: -1},
		"password in clear":  {Host: "h", TLS: mail.TLSNone, Username: "u", Password: "horse"},
		"no CA file":         {Host: "h", CAFile: filepath.Join(dir, "missing")},
		"CA file of no kind": {Host: "h", CAFile: noPEM},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mail.NewSMTP(c)
			is.New(t).True(err != nil)
			quiet(t, err)
		})
	}
	dial(t, mail.Config{Host: "smtp.example.com"})
	dial(t, mail.Config{Host: "localhost", TLS: mail.TLSNone, Username: "u", Password: "p"})
}
