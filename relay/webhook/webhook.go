// Package webhook sends events to receivers on the internet, signed as Standard
// Webhooks (https://www.standardwebhooks.com) says.
//
// A receiver is somebody else's: it may be slow, hang, or try to have the server
// reach what only the server can reach. So there is a time limit for all of it,
// little is read of an answer, redirects are not followed, and what an address
// leads to is looked at when the connection is made, after names are resolved.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Limits of a delivery.
const (
	attemptLimit    = 15 * time.Second
	connectLimit    = 5 * time.Second
	maxAnswer       = 16 << 10 // bytes that are read of an answer, so that the connection can be used again
	maxAnswerHeader = 16 << 10
)

// Message is what is delivered.
type Message struct {
	ID      string // the same at every attempt
	Body    []byte
	Secrets [][]byte // each signs it
	At      time.Time
}

// Error says why an attempt failed, in a word that may be kept and shown.
type Error struct {
	Cause string
	Gone  bool // the receiver wants nothing any more
}

func (e *Error) Error() string { return "webhook: " + e.Cause }

// The causes besides status_ and a number.
const (
	CauseAddress     = "refused_address"
	CauseUnreachable = "unreachable"
	CauseTimedOut    = "timed_out"
)

// Sender sends messages. It is safe for concurrent use.
type Sender struct {
	client  *http.Client
	private bool
}

// NewSender makes a sender. With private it also connects to addresses that are
// not of the public internet, and without TLS.
func NewSender(private bool) *Sender {
	dialer := &net.Dialer{Timeout: connectLimit}
	if !private {
		dialer.Control = public
	}
	return &Sender{private: private, client: &http.Client{
		Timeout:       attemptLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: connectLimit, MaxResponseHeaderBytes: maxAnswerHeader,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, DisableCompression: true, ForceAttemptHTTP2: true,
		},
	}}
}

// Close drops the connections that wait for the next message.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Send delivers a message once. It fails with an *Error, or with that of ctx.
func (s *Sender) Send(ctx context.Context, url string, m Message) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(m.Body))
	switch {
	case err != nil:
		return &Error{Cause: CauseUnreachable}
	case !s.private && request.URL.Scheme != "https":
		return &Error{Cause: CauseAddress}
	}
	timestamp := strconv.FormatInt(m.At.Unix(), 10)
	request.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	request.Header.Set("User-Agent", "Tenure")
	request.Header.Set("webhook-id", m.ID)
	request.Header.Set("webhook-timestamp", timestamp)
	request.Header.Set("webhook-signature", signatures(m, timestamp))
	answer, err := s.client.Do(request)
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errAddress):
		return &Error{Cause: CauseAddress}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &Error{Cause: CauseTimedOut}
	case err != nil:
		return &Error{Cause: CauseUnreachable}
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // the status says it all
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return &Error{Cause: fmt.Sprintf("status_%d", answer.StatusCode), Gone: answer.StatusCode == http.StatusGone}
	}
	return nil
}

// signatures are those of each secret, with spaces between.
func signatures(m Message, timestamp string) string {
	all := make([]string, len(m.Secrets))
	for i, secret := range m.Secrets {
		h := hmac.New(sha256.New, secret)
		fmt.Fprintf(h, "%s.%s.", m.ID, timestamp)
		h.Write(m.Body)
		all[i] = "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	return strings.Join(all, " ")
}

// Text is how a secret is shown.
func Text(secret []byte) string { return "whsec_" + base64.StdEncoding.EncodeToString(secret) }

var errAddress = errors.New("webhook: the address is not of the public internet")

// notPublic are networks that the methods of netip.Addr do not tell.
var notPublic = func() (all []netip.Prefix) {
	for _, network := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10",
	} {
		all = append(all, netip.MustParsePrefix(network))
	}
	return all
}()

// public refuses a connection to an address that is not of the public internet.
// It sees the address itself, whatever name has led there.
func public(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !isPublic(at.Addr()) {
		return errAddress
	}
	return nil
}

func isPublic(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Zone() != "" {
		return false
	}
	for _, network := range notPublic {
		if network.Contains(a) {
			return false
		}
	}
	return true
}
