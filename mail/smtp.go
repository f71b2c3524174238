package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
)

// How the connection to the server is secured.
const (
	TLSStart = "starttls" // STARTTLS, and nothing is sent if the server has none
	TLSFull  = "tls"      // TLS from the first byte
	TLSNone  = "none"     // in the clear, for a server on the same machine or network
)

const defaultTimeout = 30 * time.Second

// Config says how to reach an SMTP server.
type Config struct {
	Host     string        // required
	Port     int           // default 587 for starttls, 465 for tls, 25 for none
	Username string        // empty: no authentication
	Password string        // never logged
	TLS      string        // starttls (default), tls or none
	CAFile   string        // PEM file of the authorities to trust instead of the system's
	HELO     string        // how to greet; default: the machine's host name
	Timeout  time.Duration // for one whole delivery, connecting included; default 30 s
}

// SMTP delivers mails to an SMTP server, over one connection each. It is safe
// for concurrent use.
type SMTP struct {
	config Config
	tls    *tls.Config
}

// NewSMTP checks the configuration and fills in its defaults. It does not
// connect: a server that is down at start-up is a reason to retry later.
func NewSMTP(config Config) (*SMTP, error) {
	ports := map[string]int{TLSStart: 587, TLSFull: 465, TLSNone: 25}
	if config.TLS == "" {
		config.TLS = TLSStart
	}
	if config.Port == 0 {
		config.Port = ports[config.TLS]
	}
	if config.Timeout == 0 {
		config.Timeout = defaultTimeout
	}
	loopback := []string{"localhost", "127.0.0.1", "::1"}
	switch {
	case config.Host == "":
		return nil, errors.New("mail: SMTP: no host")
	case ports[config.TLS] == 0:
		return nil, fmt.Errorf("mail: SMTP: TLS is starttls, tls or none, not %q", config.TLS)
	case config.Port < 1 || config.Port > 65535:
		return nil, fmt.Errorf("mail: SMTP: no such port: %d", config.Port)
	case config.Timeout < 0:
		return nil, errors.New("mail: SMTP: the time-out is negative")
	case config.TLS == TLSNone && config.Username != "" && !slices.Contains(loopback, config.Host):
		return nil, errors.New("mail: SMTP: a password is not sent to another machine in the clear; use starttls or tls")
	}
	s := &SMTP{config: config, tls: &tls.Config{ServerName: config.Host, MinVersion: tls.VersionTLS12}}
	if config.CAFile == "" {
		return s, nil
	}
	pem, err := os.ReadFile(config.CAFile)
	if err != nil {
		return nil, fmt.Errorf("mail: SMTP: CA file: %w", err)
	}
	s.tls.RootCAs = x509.NewCertPool()
	if !s.tls.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("mail: SMTP: CA file %s holds no certificate in PEM form", config.CAFile)
	}
	return s, nil
}

// Send delivers the mail and returns nil once the server has taken it. The
// error is ErrRejected when the server refuses the recipient or the text for
// good, and ErrTemporary otherwise: the network, a time-out, a 4xx answer, a
// refused sender or password. It names the step and the server's code, never
// its words, which tend to quote addresses.
//
// A connection that breaks after the text leaves open whether the server has
// taken the mail. That is ErrTemporary too; the repetition carries the same
// Message-ID.
func (s *SMTP) Send(ctx context.Context, mail Rendered) error {
	if ascii, err := asciiAddress(mail.To); err == nil {
		mail.To = ascii
	}
	msg, err := compose(mail)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	client, err := s.client(ctx, mail)
	if err != nil {
		return fmt.Errorf("mail: SMTP: settings: %w: %w", ErrTemporary, err)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return failed(ctx, "connecting", reason(err), ErrTemporary)
	}
	err = client.SendWithSMTPClient(session, msg)
	if msg.IsDelivered() {
		// Taken is taken, however the goodbye goes.
		_ = client.CloseWithSMTPClient(session)
		return nil
	}
	return deliveryError(ctx, err)
}

// client is made for each mail: a gomail.Client changes while it connects. Its
// connection ends with ctx.
func (s *SMTP) client(ctx context.Context, mail Rendered) (*gomail.Client, error) {
	options := []gomail.Option{
		// gomail's own time-out is for each step; the context's, for the whole
		// delivery, shall be the one that is met.
		gomail.WithPort(s.config.Port), gomail.WithTimeout(s.config.Timeout + time.Minute), gomail.WithTLSConfig(s.tls),
		gomail.WithTLSPolicy(gomail.NoTLS), gomail.WithoutNoop(), gomail.WithoutRset(),
		gomail.WithDialContextFunc(s.dial(ctx)),
	}
	switch s.config.TLS {
	case TLSStart:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case TLSFull:
		options = append(options, gomail.WithSSL())
	}
	if s.config.HELO != "" {
		options = append(options, gomail.WithHELO(s.config.HELO))
	}
	if s.config.Username != "" {
		options = append(options, gomail.WithUsername(s.config.Username), gomail.WithPassword(s.config.Password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1,
				gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5))
	}
	// A mail sent as SMTPUTF8 may travel only between servers that know it, so
	// it is asked for only where an address needs it.
	if !strings.ContainsFunc(mail.From+mail.To, func(r rune) bool { return r > unicode.MaxASCII }) {
		options = append(options, gomail.WithoutSMTPUTF8())
	}
	return gomail.NewClient(s.config.Host, options...)
}

// dial connects and closes the connection when whole, the context of the whole
// delivery, ends. gomail by itself heeds no context once it is connected, and
// leaves the connection open when the greeting or the password is refused.
func (s *SMTP) dial(whole context.Context) gomail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var conn net.Conn
		var err error
		if s.config.TLS == TLSFull {
			conn, err = (&tls.Dialer{Config: s.tls}).DialContext(ctx, network, address)
		} else {
			conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		}
		if err != nil {
			return nil, err
		}
		context.AfterFunc(whole, func() { _ = conn.Close() })
		return conn, nil
	}
}

// deliveryError tells what concerns this mail from what concerns the server.
func deliveryError(ctx context.Context, err error) error {
	var refused *gomail.SendError
	if !errors.As(err, &refused) {
		return failed(ctx, "sending", "", ErrTemporary)
	}
	code := refused.ErrorCode()
	answer := ""
	if code != 0 {
		answer = strings.TrimSpace(fmt.Sprintf("server answered %d %s", code, refused.EnhancedStatusCode()))
	}
	aboutMail := []gomail.SendErrReason{gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose}
	// These answer the session, not the mail: unknown or misplaced commands, and
	// authentication that is missing, too weak or refused.
	aboutSession := []int{500, 502, 503, 504, 530, 534, 535, 538}
	if code >= 500 && slices.Contains(aboutMail, refused.Reason) && !slices.Contains(aboutSession, code) {
		return failed(ctx, refused.Reason.String(), answer, ErrRejected)
	}
	return failed(ctx, refused.Reason.String(), answer, ErrTemporary)
}

func failed(ctx context.Context, step, detail string, kind error) error {
	err := fmt.Errorf("mail: SMTP: %s", step)
	if detail != "" {
		err = fmt.Errorf("%w: %s", err, detail)
	}
	if cause := ctx.Err(); cause != nil && kind == ErrTemporary {
		return fmt.Errorf("%w: %w: %w", err, kind, cause)
	}
	return fmt.Errorf("%w: %w", err, kind)
}

var enhancedStatus = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)

// reason describes an error of the time before the recipient is named: by its
// code if it is the server's answer, by its text if it is the network's or ours.
func reason(err error) string {
	var answer *textproto.Error
	var garbled textproto.ProtocolError
	switch {
	case errors.As(err, &answer):
		return strings.TrimSpace(fmt.Sprintf("server answered %d %s", answer.Code, enhancedStatus.FindString(answer.Msg)))
	case errors.As(err, &garbled):
		return "server does not speak SMTP"
	}
	return err.Error()
}
