package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tenure/commands"
	"tenure/eventstore"
	"tenure/history"
	"tenure/httpapi/throttle"
	"tenure/ledger"
	"tenure/mail"
	"tenure/oidc"
	"tenure/projections"
	"tenure/relay"
)

// Progress says how far the views are, and rebuilds them; *projections.Projector
// is one.
type Progress interface {
	Wait(ctx context.Context, position eventstore.Position) error
	State() projections.State

	Rebuilds(ctx context.Context) ([]projections.Rebuild, error)
	StartRebuild(ctx context.Context, view string) error
	PauseRebuild(ctx context.Context, view string) error
	ResumeRebuild(ctx context.Context, view string) error
	CancelRebuild(ctx context.Context, view string) error
}

// Config is what an API works with. Commands, Reader, Progress, History, Feed,
// Deliveries, Tree, LedgerKey and PublicURL are needed; the zero value of anything else is a default.
type Config struct {
	Commands *commands.Commands
	Reader   *projections.Reader
	Progress Progress
	History  *history.History
	Feed     *relay.Feed
	// Deliveries is what was tried lately to deliver to webhooks.
	Deliveries *projections.DeliveryLog

	// Tree is what proofs are made of, LedgerKey signs its checkpoints.
	Tree      *ledger.Tree
	LedgerKey *ledger.Key
	// Witnesses are those whose cosignatures are taken. Default none.
	Witnesses []*ledger.Witness

	// Brokers are the message brokers that the feed is published to; nil for none.
	Brokers func(context.Context) ([]Broker, error)
	// Publications are the same for the AsyncAPI document.
	Publications []relay.Publication

	// PublicURL is where browsers reach the API, for example
	// "https://members.example.com". With https, Strict-Transport-Security is
	// sent.
	PublicURL string
	// Version is that of the program, for the OpenAPI document.
	Version string
	// Logger gets a line for each request, and one for each failure.
	Logger *slog.Logger
	// Metrics gets the API's own metrics and is what /metrics answers with; nil
	// for a registry of its own.
	Metrics *prometheus.Registry
	// MetricsOpen makes /metrics public; otherwise it takes an operator's key.
	MetricsOpen bool
	// Ready says why the node should get no requests, nil if it should. The
	// text is shown to everybody.
	Ready func(ctx context.Context) error
	// Outbox is shown under /outbox; nil when mails leave by SMTP.
	Outbox *mail.Outbox

	// Providers are those that people may sign in with; nil for none.
	Providers *oidc.Providers

	// TrustedProxies may say by X-Forwarded-For which address a request comes
	// from.
	TrustedProxies []netip.Prefix
	// AllowedOrigins may call the API from a browser (CORS), for example
	// "https://app.example.com". Default none.
	AllowedOrigins []string

	// Limiter counts attempts; default one in memory.
	Limiter throttle.Limiter
	// Throttle says how many attempts are allowed; nil for DefaultThrottle.
	Throttle *Throttle

	// ViewWait bounds how long a read waits for Tenure-Min-Position. Default
	// 5 seconds.
	ViewWait time.Duration
	// RequestTimeout bounds a request. Default 30 seconds.
	RequestTimeout time.Duration
	// Streams bounds who follows the event feed. Zero fields are defaults.
	Streams Streams
	// Concurrency is how many requests are worked on at once; further ones are
	// answered with 503. Default 4,096.
	Concurrency int
}

// Throttle says how often what can be abused may be done. The zero Rate is no
// limit.
type Throttle struct {
	SignInPerEmail    throttle.Rate // failed sign-ins
	SignInPerAddress  throttle.Rate // failed sign-ins
	LoginsPerAddress  throttle.Rate // sign-ins with a provider that are begun
	SignUpPerEmail    throttle.Rate // sign-ups and requests for a new password
	SignUpPerAddress  throttle.Rate // sign-ups and requests for a new password
	LinksPerAddress   throttle.Rate // failed uses of links
	PasswordPerPerson throttle.Rate // failed changes of a password
}

// DefaultThrottle is strict enough for the open internet.
func DefaultThrottle() Throttle {
	return Throttle{
		SignInPerEmail:    throttle.Rate{Events: 10, Per: 5 * time.Minute},
		SignInPerAddress:  throttle.Rate{Events: 50, Per: 5 * time.Minute},
		LoginsPerAddress:  throttle.Rate{Events: 100, Per: 5 * time.Minute},
		SignUpPerEmail:    throttle.Rate{Events: 5, Per: time.Hour},
		SignUpPerAddress:  throttle.Rate{Events: 50, Per: time.Hour},
		LinksPerAddress:   throttle.Rate{Events: 50, Per: 5 * time.Minute},
		PasswordPerPerson: throttle.Rate{Events: 10, Per: 5 * time.Minute},
	}
}

// Limits of a request.
const (
	maxBodyBytes   = 64 << 10
	maxHeaderBytes = 16 << 10
	throttleKeys   = 100_000
)

func (c Config) withDefaults() (Config, error) {
	if c.Commands == nil || c.Reader == nil || c.Progress == nil || c.History == nil || c.Feed == nil || c.Tree == nil || c.LedgerKey == nil {
		return c, errors.New("httpapi: Commands, Reader, Progress, History, Feed, Tree and LedgerKey are needed")
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return c, fmt.Errorf("httpapi: the public URL is none that a browser can open: %q", c.PublicURL)
	}
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	if c.Ready == nil {
		c.Ready = func(context.Context) error { return nil }
	}
	if c.Limiter == nil {
		c.Limiter = throttle.NewMemory(throttleKeys, time.Now)
	}
	if c.Throttle == nil {
		t := DefaultThrottle()
		c.Throttle = &t
	}
	c.Version = cmp.Or(c.Version, "dev")
	c.ViewWait = cmp.Or(c.ViewWait, 5*time.Second)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, 30*time.Second)
	c.Concurrency = cmp.Or(c.Concurrency, 4096)
	c.Streams = c.Streams.withDefaults()
	return c, nil
}
