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
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
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
	answerLimit     = time.Second
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
	Cause      string
	Status     int           // of the answer; zero for none
	Gone       bool          // the receiver wants nothing any more
	RetryAfter time.Duration // how long it asks to be left alone
}

func (e *Error) Error() string { return "webhook: " + e.Cause }

// The causes besides status_ and a number.
const (
	CauseAddress     = "refused_address" // not of the public internet
	CauseScheme      = "not_https"
	CauseUnreachable = "unreachable"
	CauseTimedOut    = "timed_out"
	CauseTLS         = "tls_failed"
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

// Send delivers a message once, and answers with the status of the answer. It
// fails with an *Error, or with that of ctx.
func (s *Sender) Send(ctx context.Context, url string, m Message) (status int, err error) {
	attempt, cancel := context.WithCancel(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(attempt, http.MethodPost, url, bytes.NewReader(m.Body))
	switch {
	case err != nil:
		return 0, &Error{Cause: CauseUnreachable}
	case !s.private && request.URL.Scheme != "https":
		return 0, &Error{Cause: CauseScheme}
	}
	timestamp := strconv.FormatInt(m.At.Unix(), 10)
	request.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	request.Header.Set("User-Agent", "Tenure")
	request.Header.Set("webhook-id", m.ID)
	request.Header.Set("webhook-timestamp", timestamp)
	request.Header.Set("webhook-signature", signatures(m, timestamp))
	answer, err := s.client.Do(request)
	if ctx.Err() != nil {
		if err == nil {
			answer.Body.Close()
		}
		return 0, ctx.Err()
	}
	if err != nil {
		return 0, &Error{Cause: causeOf(err)}
	}
	defer answer.Body.Close()
	defer time.AfterFunc(answerLimit, cancel).Stop() // the status says it all
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer)
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return 0, &Error{
			Cause: fmt.Sprintf("status_%d", answer.StatusCode), Status: answer.StatusCode,
			Gone: answer.StatusCode == http.StatusGone, RetryAfter: retryAfter(answer.Header.Get("Retry-After"), time.Now()),
		}
	}
	return answer.StatusCode, nil
}

// causeOf is the word for why there was no answer.
func causeOf(err error) string {
	var timeout net.Error
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.Is(err, errAddress):
		return CauseAddress
	case errors.As(err, &certificate), errors.As(err, &record), errors.As(err, &alert), errors.Is(err, http.ErrSchemeMismatch):
		return CauseTLS
	case errors.As(err, &timeout) && timeout.Timeout():
		return CauseTimedOut
	}
	return CauseUnreachable
}

// retryAfter reads a Retry-After: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
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

// everywhere is all that is in use: IPv4, and what of IPv6 is given out to networks.
var everywhere = prefixes("0.0.0.0/0", "2000::/3")

// notPublic are the networks in it that are not of the public internet, or that lead
// to an address inside another one: by the registries of special-purpose addresses
// (IANA, RFC 6890), IPv4 multicast, and the former 6to4 relays.
var notPublic = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24",
	"192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
)

func prefixes(networks ...string) (all []netip.Prefix) {
	for _, network := range networks {
		all = append(all, netip.MustParsePrefix(network))
	}
	return all
}

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
	within := func(p netip.Prefix) bool { return p.Contains(a) }
	return a.Zone() == "" && slices.ContainsFunc(everywhere, within) && !slices.ContainsFunc(notPublic, within)
}
