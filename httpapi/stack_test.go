package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
	"github.com/valyala/fasthttp/fasthttputil"

	"tenure/commands"
	"tenure/commands/password"
	"tenure/commands/token"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/history"
	"tenure/httpapi"
	"tenure/ledger"
	"tenure/mail"
	"tenure/policies"
	"tenure/projections"
	"tenure/projections/sqlite"
	"tenure/relay"
)

// stack is everything but the processes and the mail: tests make the links that
// the mails would have.
type stack struct {
	testing.TB
	is       *is.I
	api      *httpapi.API
	config   httpapi.Config
	commands *commands.Commands
	outbox   *mail.Outbox
	log      *lines
	client   *http.Client
	url      string
	operator string // an API key with every scope
	contract *contract
	offset   atomic.Int64 // of the clock
}

// lines is a log that tests read.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newStack(t testing.TB, change ...func(*httpapi.Config)) *stack {
	t.Helper()
	is := is.New(t)
	dir := t.TempDir()
	store, err := logsqlite.Open(filepath.Join(dir, "log.db"), logsqlite.Options{})
	is.NoErr(err)
	views, err := sqlite.Open(filepath.Join(dir, "views.db"), sqlite.Options{})
	is.NoErr(err)
	keys, err := token.NewKeys(bytes.Repeat([]byte{7}, 32))
	is.NoErr(err)
	ledgerKey, err := ledger.NewKey(keys)
	is.NoErr(err)
	hasher, err := password.New(64, 1, 4)
	is.NoErr(err)
	outbox, err := mail.OpenOutbox(filepath.Join(dir, "outbox"), 0)
	is.NoErr(err)
	s := &stack{TB: t, is: is, outbox: outbox, log: &lines{}}
	s.commands = commands.New(commands.Dependencies{
		Store: store, Codec: codec.New(), Policies: policies.Builtin(), Keys: keys, Passwords: hasher,
		Now:             func() time.Time { return time.Now().Add(time.Duration(s.offset.Load())) },
		SessionLifetime: 30 * 24 * time.Hour, CachedEvents: 100_000,
	})
	projector := projections.NewProjector(store, s.commands.Codec.Decode, views, projections.Views(), projections.Options{Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	projected := make(chan error, 1)
	go func() { projected <- projector.Run(ctx) }()

	feed, err := relay.New(relay.Config{Log: store, Codec: s.commands.Codec, PublicURL: "https://tenure.example", Deployment: keys.ID("feed cursors")})
	is.NoErr(err)
	followed := make(chan error, 1)
	go func() { followed <- feed.Run(ctx) }()

	config := httpapi.Config{
		Commands: s.commands, Reader: projections.NewReader(views, 16<<20), Progress: projector, History: history.New(s.commands, history.Options{}), Feed: feed,
		Deliveries: projections.NewDeliveryLog(views, s.commands.Now),
		Tree:       ledger.NewTree(views), LedgerKey: ledgerKey, PublicURL: "https://tenure.example", Outbox: outbox,
		Logger: slog.New(slog.NewJSONHandler(s.log, nil)), Version: "test", Throttle: &httpapi.Throttle{},
	}
	for _, f := range change {
		f(&config)
	}
	s.config = config
	s.api, err = httpapi.New(config)
	is.NoErr(err)
	s.serve()
	s.loadContract()
	t.Cleanup(func() {
		cancel()
		for _, ended := range []chan error{projected, followed} {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		is.NoErr(views.Close())
		is.NoErr(store.Close())
	})
	is.NoErr(s.commands.FirstAPIKey(context.Background(), func(key string) { s.operator = key }))
	return s
}

// serve listens in memory.
func (s *stack) serve() {
	listener := fasthttputil.NewInmemoryListener()
	served := make(chan error, 1)
	go func() { served <- s.api.Serve(listener) }()
	transport := &http.Transport{
		DialContext:         func(context.Context, string, string) (net.Conn, error) { return listener.Dial() },
		MaxIdleConnsPerHost: 64, DisableCompression: true,
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.client, s.url = &http.Client{Transport: transport, CheckRedirect: stay}, "http://tenure.example"
	s.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s.is.NoErr(s.api.Shutdown(ctx))
		s.is.NoErr(<-served)
	})
}

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   []byte
	object map[string]any // of JSON
}

// do sends a request: body is nil for none, a string as it is, anything else as
// JSON; headers are pairs of name and value.
//
// The answer must be as the OpenAPI document says.
func (s *stack) do(method, path, token string, body any, headers ...string) answer {
	s.Helper()
	a := s.raw(method, path, token, body, headers...)
	if problem := s.contract.check(method, path, a); problem != "" {
		s.Errorf("%s %s: %d %s\nbreaks the contract: %s", method, path, a.status, a.body, problem)
	}
	return a
}

func (s *stack) raw(method, path, token string, body any, headers ...string) answer {
	s.Helper()
	var text string
	switch b := body.(type) {
	case nil:
	case string:
		text = b
	default:
		encoded, err := json.Marshal(b)
		s.is.NoErr(err)
		text = string(encoded)
	}
	request, err := http.NewRequest(method, s.url+path, strings.NewReader(text))
	s.is.NoErr(err)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.client.Do(request)
	s.is.NoErr(err)
	defer response.Body.Close()
	a := answer{status: response.StatusCode, header: response.Header}
	a.body, err = io.ReadAll(response.Body)
	s.is.NoErr(err)
	if len(a.body) > 0 && isJSON(response.Header.Get("Content-Type")) {
		if err := json.Unmarshal(a.body, &a.object); err != nil {
			s.Fatalf("%s %s: %v in %s", method, path, err, a.body)
		}
	}
	return a
}

// isJSON tells a document from lines of JSON.
func isJSON(contentType string) bool {
	return contentType == "application/json" || strings.HasSuffix(contentType, "+json")
}

// want is do, and fails the test unless the status is as wanted.
func (s *stack) want(status int, method, path, token string, body any, headers ...string) answer {
	s.Helper()
	a := s.do(method, path, token, body, headers...)
	if a.status != status {
		s.Fatalf("%s %s: %d, want %d: %s", method, path, a.status, status, a.body)
	}
	return a
}

// refused is want for a problem with the code.
func (s *stack) refused(status int, code, method, path, token string, body any, headers ...string) answer {
	s.Helper()
	a := s.want(status, method, path, token, body, headers...)
	if a.header.Get("Content-Type") != "application/problem+json" || a.object["code"] != code {
		s.Fatalf("%s %s: %s, want code %s", method, path, a.body, code)
	}
	for _, name := range []string{"type", "title", "detail"} {
		if v, _ := a.object[name].(string); v == "" {
			s.Fatalf("%s %s: no %s in %s", method, path, name, a.body)
		}
	}
	s.is.Equal(a.object["status"], float64(status))
	return a
}

func (a answer) str(name string) string {
	v, _ := a.object[name].(string)
	return v
}

const secretWord = "correct horse battery"

type person struct {
	id, email, token string
}

// person signs up, verifies the address and is signed in.
func (s *stack) person(email string) person {
	s.Helper()
	s.want(202, "POST", "/v1/accounts", "", map[string]any{"email": email, "display_name": "Person " + email, "password": secretWord})
	a := s.want(201, "POST", "/v1/accounts/verify", "", map[string]any{"token": s.verification(email), "password": secretWord})
	return person{a.str("account_id"), email, a.str("token")}
}

// verification is the token in the mail to an address that has just signed up.
func (s *stack) verification(email string) string {
	s.Helper()
	var id domain.AccountID
	var generation int
	s.events("account.", func(e domain.Event) {
		switch e := e.(type) {
		case account.Registered:
			if string(e.Email) == email {
				id = e.AccountID
			}
		case account.VerificationRequested:
			if e.AccountID == id {
				generation = e.Generation
			}
		}
	})
	link, err := s.commands.VerificationLink(context.Background(), id, generation)
	s.is.NoErr(err)
	return link.Token
}

// events calls f with all events of the log whose type begins with prefix.
func (s *stack) events(prefix string, f func(domain.Event)) {
	s.Helper()
	s.read(prefix, func(e codec.Envelope) { f(e.Event) })
}

// organization is activated by the owner.
func (s *stack) organization(owner person, name string) (id, position string) {
	s.Helper()
	a := s.want(201, "POST", "/v1/organizations", owner.token, map[string]any{"name": name})
	return a.str("organization_id"), a.header.Get("Tenure-Position")
}

// invite answers with the invitation and the token of its link.
func (s *stack) invite(by person, org, email, username, role string) (id, token string) {
	s.Helper()
	a := s.want(201, "POST", "/v1/organizations/"+org+"/invitations", by.token, map[string]any{"email": email, "username": username, "roles": []string{role}})
	return a.str("invitation_id"), s.invitationToken(a.str("invitation_id"), 1)
}

func (s *stack) invitationToken(id string, generation int) string {
	s.Helper()
	link, err := s.commands.InvitationLink(context.Background(), domain.InvitationID(id), generation)
	s.is.NoErr(err)
	return link.Token
}

// member joins the organization by an invitation.
func (s *stack) member(by person, org, email, role string) person {
	s.Helper()
	name, _, _ := strings.Cut(email, "@")
	_, token := s.invite(by, org, email, name, role)
	a := s.want(200, "POST", "/v1/invitations/accept", "", map[string]any{"token": token, "display_name": "Person " + email, "password": secretWord})
	session := a.object["session"].(map[string]any)
	return person{a.str("account_id"), email, session["token"].(string)}
}

func (s *stack) read(prefix string, f func(codec.Envelope)) {
	s.Helper()
	page, err := s.commands.Store.ReadAll(context.Background(), 0, 10_000, eventstore.Filter{TypePrefixes: []string{prefix}})
	s.is.NoErr(err)
	for _, recorded := range page.Events {
		e, err := s.commands.Codec.Decode(recorded)
		s.is.NoErr(err)
		f(e)
	}
}
