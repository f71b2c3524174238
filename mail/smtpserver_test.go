package mail_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/matryer/is"

	"tenure/mail"
)

const (
	user     = "tenure"
	password = "correct horse"
)

// server is a real SMTP server in this process.
type server struct {
	port   int
	caFile string

	needAuth bool
	// answer decides over the steps "MAIL", "RCPT" and "DATA" (after the text).
	answer func(step string, conn *smtp.Conn) error

	mu    sync.Mutex
	mails []received
	tries int
}

type received struct {
	from, to string
	secure   bool
	raw      []byte
}

// serve starts a server; security is one of mail.TLSStart, TLSFull, TLSNone.
func serve(t *testing.T, security string, change func(*server)) *server {
	t.Helper()
	is := is.New(t)
	s := &server{answer: func(string, *smtp.Conn) error { return nil }}
	if change != nil {
		change(s)
	}
	back := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c}, nil
	}))
	back.Domain = "localhost"
	back.ErrorLog = log.New(io.Discard, "", 0)
	back.AllowInsecureAuth = security == mail.TLSNone
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	s.port = listener.Addr().(*net.TCPAddr).Port
	if security != mail.TLSNone {
		back.TLSConfig = s.certificate(t)
	}
	if security == mail.TLSFull {
		listener = tls.NewListener(listener, back.TLSConfig)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = back.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = back.Close()
		<-done
	})
	return s
}

// config is how to reach the server.
func (s *server) config(security string) mail.Config {
	c := mail.Config{Host: "127.0.0.1", Port: s.port, TLS: security, CAFile: s.caFile, HELO: "tenure.test", Timeout: 20 * time.Second}
	if s.needAuth {
		c.Username, c.Password = user, password
	}
	return c
}

func (s *server) received() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.mails...)
}

func (s *server) attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

// certificate makes a self-signed certificate for 127.0.0.1.
func (s *server) certificate(t *testing.T) *tls.Config {
	t.Helper()
	is := is.New(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	is.NoErr(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	is.NoErr(err)
	s.caFile = filepath.Join(t.TempDir(), "ca.pem")
	is.NoErr(os.WriteFile(s.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// session is one connection to the server.
type session struct {
	server   *server
	conn     *smtp.Conn
	signedIn bool
	mail     received
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, u, p string) error {
		if u != user || p != password {
			return errors.New("no such user: " + u)
		}
		s.signedIn = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.server.mu.Lock()
	s.server.tries++
	s.server.mu.Unlock()
	if s.server.needAuth && !s.signedIn {
		return smtp.ErrAuthRequired
	}
	_, secure := s.conn.TLSConnectionState()
	s.mail = received{from: from, secure: secure}
	return s.server.answer("MAIL", s.conn)
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.to = to
	return s.server.answer("RCPT", s.conn)
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.raw = raw
	s.server.mu.Lock()
	s.server.mails = append(s.server.mails, s.mail)
	s.server.mu.Unlock()
	return s.server.answer("DATA", s.conn)
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// lines is a connection spoken line by line, for servers that misbehave.
type lines struct {
	conn   net.Conn
	reader *bufio.Reader
}

func newLines(conn net.Conn) *lines { return &lines{conn, bufio.NewReader(conn)} }

func (l *lines) say(text string) { fmt.Fprint(l.conn, text+"\r\n") }

// line is the next line; "." once the client is gone, which ends every text.
func (l *lines) line() string {
	text, err := l.reader.ReadString('\n')
	if err != nil {
		return "."
	}
	return strings.TrimRight(text, "\r\n")
}
