package acceptance

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailServer is a real SMTP server in this process, with STARTTLS and a
// password if it is secure.
type mailServer struct {
	port   int
	caFile string
	secure bool

	mu     sync.Mutex
	arrive map[string][]mail      // by the address in lower case
	times  map[string][]time.Time // of each arrival, by the Message-ID
	total  int
	down   bool // refuse everything until it is set back
	tries  int
}

const (
	smtpUser     = "tenure"
	smtpPassword = "s3cret-of-the-mail-server"
)

func startMailServer(t *testing.T, secure bool) *mailServer {
	t.Helper()
	m := &mailServer{secure: secure, arrive: make(map[string][]mail), times: make(map[string][]time.Time)}
	back := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &mailSession{server: m, conn: c}, nil
	}))
	back.Domain = "localhost"
	back.ErrorLog = log.New(io.Discard, "", 0)
	if secure {
		back.TLSConfig = m.certificate(t)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.port = listener.Addr().(*net.TCPAddr).Port
	go back.Serve(listener)
	t.Cleanup(func() { back.Close() })
	return m
}

// option has a server send its mails here.
func (m *mailServer) option() option {
	return func(s *server) {
		s.mailbox = m
		s.flags = append(s.flags, "--smtp-host", "127.0.0.1", "--smtp-port", strconv.Itoa(m.port))
		if !m.secure {
			s.flags = append(s.flags, "--smtp-tls", "none")
			return
		}
		s.flags = append(s.flags, "--smtp-tls", "starttls", "--smtp-ca-file", m.caFile, "--smtp-username", smtpUser)
		s.env = append(s.env, "TENURE_SMTP_PASSWORD="+smtpPassword)
	}
}

// mails implements mailbox.
func (m *mailServer) mails(to string) ([]mail, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := slices.Clone(m.arrive[strings.ToLower(to)])
	slices.SortStableFunc(found, func(a, b mail) int { return a.Date.Compare(b.Date) })
	return found, nil
}

func (m *mailServer) setDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

func (m *mailServer) attempts() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tries
}

// checkOnce checks that every mail has come once. A second copy is excused where
// the node that sent the first one had no time to say so, and has the same
// Message-ID.
func (m *mailServer) checkOnce(t *testing.T, excused func(at time.Time) bool) (copies int) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make(map[string]string)
	for to, mails := range m.arrive {
		for _, x := range mails {
			for _, link := range x.Links {
				if other, twice := ids[link]; twice && other != x.MessageID && strings.Contains(link, "#token=") {
					t.Errorf("one link to %s came in two mails, %s and %s", to, other, x.MessageID)
				}
				ids[link] = x.MessageID
			}
		}
	}
	for id, times := range m.times {
		copies += len(times) - 1
		for i := range times[1:] {
			if excused == nil || !excused(times[i]) {
				t.Errorf("the mail %s came at %v, and again at %v", id, times[i], times[i+1])
			}
		}
	}
	return copies
}

// certificate makes a self-signed certificate for 127.0.0.1.
func (m *mailServer) certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	m.caFile = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(m.caFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// mailSession is one connection.
type mailSession struct {
	server   *mailServer
	conn     *smtp.Conn
	signedIn bool
	to       string
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != smtpUser || password != smtpPassword {
			return errors.New("wrong user or password")
		}
		s.signedIn = true
		return nil
	}), nil
}

func (s *mailSession) Mail(string, *smtp.MailOptions) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.tries++
	_, encrypted := s.conn.TLSConnectionState()
	switch {
	case s.server.down:
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "try again later"}
	case s.server.secure && (!encrypted || !s.signedIn):
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := parseMail(raw)
	if err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	key := strings.ToLower(s.to)
	// The same Message-ID is the same mail, once more.
	s.server.arrive[key] = append(slices.DeleteFunc(s.server.arrive[key], func(x mail) bool { return x.MessageID == m.MessageID }), m)
	s.server.times[m.MessageID] = append(s.server.times[m.MessageID], time.Now())
	s.server.total++
	return nil
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

var linkInText = regexp.MustCompile(`https?://\S+`)

// parseMail reads a mail as a mail program does.
func parseMail(raw []byte) (mail, error) {
	message, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return mail{}, err
	}
	var words mime.WordDecoder
	m := mail{From: message.Header.Get("From"), Language: message.Header.Get("Content-Language"), Headers: message.Header}
	m.MessageID = strings.Trim(message.Header.Get("Message-ID"), "<>")
	if m.Subject, err = words.DecodeHeader(message.Header.Get("Subject")); err != nil {
		return mail{}, err
	}
	if m.Date, err = message.Header.Date(); err != nil {
		return mail{}, err
	}
	to, err := netmail.ParseAddress(message.Header.Get("To"))
	if err != nil {
		return mail{}, err
	}
	m.To = to.Address
	_, params, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		return mail{}, err
	}
	parts := multipart.NewReader(message.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			m.Links = linkInText.FindAllString(m.Text, -1)
			return m, nil
		}
		if err != nil {
			return mail{}, err
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			return mail{}, err
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			m.HTML = strings.ReplaceAll(string(body), "\r\n", "\n")
		} else {
			m.Text = strings.ReplaceAll(string(body), "\r\n", "\n")
		}
	}
}
