package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func message() Message {
	return Message{ID: "msg_1", Body: []byte(`{"a":1}`), Secrets: [][]byte{[]byte("first"), []byte("second")}, At: time.Unix(1700000000, 0)}
}

// A receiver checks a signature as the specification of Standard Webhooks says.
func TestSignatures(t *testing.T) {
	is := is.New(t)
	got := make(chan *http.Request, 1)
	bodies := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r
		bodies <- string(body)
	}))
	defer receiver.Close()
	status, err := NewSender(true).Send(context.Background(), receiver.URL, message())
	is.NoErr(err)
	is.Equal(status, 200)
	r, body := <-got, <-bodies
	is.Equal(body, `{"a":1}`)
	is.Equal(r.Header.Get("Content-Type"), "application/cloudevents+json; charset=utf-8")
	signatures := strings.Split(r.Header.Get("webhook-signature"), " ")
	is.Equal(len(signatures), 2)
	for i, secret := range []string{"first", "second"} {
		h := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(h, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
		is.Equal(signatures[i], "v1,"+base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
	is.Equal(r.Header.Get("webhook-id"), "msg_1")
	is.Equal(r.Header.Get("webhook-timestamp"), "1700000000")
	// The example of the specification.
	secret, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	is.NoErr(err)
	example := Message{ID: "msg_p5jXN8AQM9LWM0D4loKWxJek", Body: []byte(`{"test": 2432232314}`), Secrets: [][]byte{secret}}
	is.Equal(signed(example, "1614265330"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	is.Equal(Text(secret), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
}

func signed(m Message, timestamp string) string { return signatures(m, timestamp) }

// Whatever a receiver does, an attempt ends, and says in a word why.
func TestReceiversThatFail(t *testing.T) {
	is := is.New(t)
	followed := false
	mux := http.NewServeMux()
	mux.HandleFunc("/followed", func(http.ResponseWriter, *http.Request) { followed = true })
	mux.HandleFunc("/redirects", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/followed", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/fails", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	mux.HandleFunc("/gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	mux.HandleFunc("/resets", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/hangs", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) { // an answer that does not end is not waited for
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/stalls", func(w http.ResponseWriter, r *http.Request) { // the status has come
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	mux.HandleFunc("/headers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("a", 1<<20))
	})
	receiver := httptest.NewServer(mux)
	defer receiver.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	is.NoErr(closed.Close())
	s := NewSender(true)
	defer s.Close()
	s.client.Timeout = 500 * time.Millisecond
	for path, want := range map[string]string{
		"/redirects": "status_307", "/fails": "status_500", "/gone": "status_410", "/nowhere": "status_404", "/resets": CauseUnreachable,
		"/hangs": CauseTimedOut, "/headers": CauseUnreachable, "/endless": "", "/stalls": "", "/busy": "status_429",
	} {
		_, err := s.Send(context.Background(), receiver.URL+path, message())
		var failure *Error
		if want == "" {
			is.NoErr(err)
			continue
		}
		is.True(errors.As(err, &failure))
		is.Equal(failure.Cause, want)
		is.Equal(failure.Gone, path == "/gone")
		is.Equal(failure.RetryAfter == 2*time.Minute, path == "/busy")
		is.Equal(failure.Status > 0, strings.HasPrefix(want, "status_"))
	}
	is.True(!followed)
	for _, url := range []string{"http://" + closed.Addr().String(), "http://nowhere.invalid", "http://127.0.0.1:99999", "ftp://x", "http://\x00"} {
		var failure *Error
		_, err := s.Send(context.Background(), url, message())
		is.True(errors.As(err, &failure))
		is.Equal(failure.Cause, CauseUnreachable)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = s.Send(ctx, receiver.URL+"/fails", message())
	is.True(errors.Is(err, context.Canceled))
}

// Who does not prove to be the one that the address names gets nothing.
func TestReceiversWithoutAGoodCertificate(t *testing.T) {
	is := is.New(t)
	reached := func(http.ResponseWriter, *http.Request) { t.Error("it was reached") }
	untrusted, plain := httptest.NewTLSServer(http.HandlerFunc(reached)), httptest.NewServer(http.HandlerFunc(reached))
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer untrusted.Close()
	defer plain.Close()
	s := NewSender(true)
	defer s.Close()
	for _, url := range []string{untrusted.URL, strings.Replace(plain.URL, "http://", "https://", 1)} {
		var failure *Error
		_, err := s.Send(context.Background(), url, message())
		is.True(errors.As(err, &failure))
		is.Equal(failure.Cause, CauseTLS)
	}
}

func TestRetryAfter(t *testing.T) {
	is := is.New(t)
	now := time.Date(2031, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "x": 0, "-1": 0, "1.5": 0, "99999999999999999999": 0, "90": 90 * time.Second,
		"Sat, 01 Mar 2031 12:01:00 GMT": time.Minute, "Sat, 01 Mar 2031 11:59:00 GMT": 0,
	} {
		is.Equal(retryAfter(text, now), want)
	}
}

// Nobody has the server reach what only the server can reach.
func TestAddressesThatAreNotPublic(t *testing.T) {
	is := is.New(t)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was reached") }))
	defer receiver.Close()
	s := NewSender(false)
	port := receiver.URL[strings.LastIndex(receiver.URL, ":"):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1.2.3"} {
		var failure *Error
		_, err := s.Send(context.Background(), "https://"+host+port, message())
		is.True(errors.As(err, &failure))
		is.Equal(failure.Cause, CauseAddress)
	}
	var plain *Error
	_, err := s.Send(context.Background(), "http://example.com", message())
	is.True(errors.As(err, &plain)) // nothing leaves without TLS
	is.Equal(plain.Cause, CauseScheme)
	for _, address := range []string{
		"10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.1.2.3", "224.0.0.1", "255.255.255.255", "198.18.0.1",
		"::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "fec0::1",
		"::127.0.0.1", "::ffff:0:7f00:1", "::ffff:0:a00:1", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1", "2001:db8::1", "3fff::1", "5f00::1", "4000::1", "8000::1",
		"2001:20::1", "192.88.99.1", "192.0.0.8", "192.0.2.1", "192.31.196.1", "192.175.48.1", "203.0.113.1", "198.51.100.1", "240.0.0.1", "127.0.0.1",
	} {
		is.True(!isPublic(netip.MustParseAddr(address)))
	}
	for _, address := range []string{"8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "2a00:1450:4001::1", "2c0f:fb50::1", "192.88.98.1", "3ffe:ffff::1", "2001:4860:4860::8888"} {
		is.True(isPublic(netip.MustParseAddr(address)))
	}
}
