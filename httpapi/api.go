package httpapi

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"tenure/domain"
)

// API serves HTTP. It is safe for concurrent use.
type API struct {
	config     Config
	meanings   map[domain.Code]meaning
	app        *fiber.App
	huma       huma.API
	metrics    *metrics
	tracer     trace.Tracer
	slots      *semaphore.Weighted // one for each request under way
	operations []Operation
	draining   atomic.Bool
	streams    *places
	roles      sync.Map        // policyVersion → knownRoles, for each policy that was shown
	stopping   context.Context // ends when Shutdown begins
	stop       context.CancelFunc
}

// New makes an API. It fails when the Config is incomplete, or the metrics are
// in the registry already.
func New(c Config) (*API, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	streams := newPlaces(c.Streams)
	m, err := newMetrics(c.Metrics, streams)
	if err != nil {
		return nil, err
	}
	stopping, stop := context.WithCancel(context.Background())
	a := &API{
		streams: streams, stopping: stopping, stop: stop,
		config: c, meanings: meanings(), metrics: m,
		tracer: otel.Tracer("tenure/httpapi"), slots: semaphore.NewWeighted(int64(c.Concurrency)),
	}
	a.app = fiber.New(fiber.Config{
		Immutable: true, StrictRouting: true, CaseSensitive: true, DisableStartupMessage: true,
		BodyLimit: maxBodyBytes, ReadBufferSize: maxHeaderBytes, Concurrency: 4 * c.Concurrency,
		ReadTimeout: c.RequestTimeout, WriteTimeout: 2 * c.RequestTimeout, IdleTimeout: 2 * time.Minute,
		ErrorHandler: a.failed,
	})
	a.app.Use(a.observe)
	a.huma = humafiber.New(a.app, huma.Config{
		OpenAPI: a.openAPI(), DefaultFormat: fiber.MIMEApplicationJSON,
		Formats:      map[string]huma.Format{fiber.MIMEApplicationJSON: huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		Transformers: []huma.Transformer{a.transform},
	})
	a.addRoutes()
	if err := a.addAsyncAPI(); err != nil {
		return nil, err
	}
	if err := a.addPages(); err != nil {
		return nil, err
	}
	a.correctSchemas()
	a.refuseUnknownMethods()
	return a, nil
}

func (a *API) addRoutes() {
	a.addSignUp()
	a.addSessions()
	a.addOIDC()
	a.addMe()
	a.addErasure()
	a.addOrganizations()
	a.addLimits()
	a.addMembers()
	a.addSuspension()
	a.addRequests()
	a.addOnboarding()
	a.addInvitations()
	a.addEditing()
	a.addSpaces()
	a.addWork()
	a.addSettings()
	a.addDeletion()
	a.addLinks()
	a.addTransfers()
	a.addHistory()
	a.addPasts()
	a.addLedger()
	a.addFeed()
	a.addWebhooks()
	a.addBrokers()
	a.addAuthzen()
	a.addOperator()
	a.addPolicies()
	a.addHealth()
	a.addOutbox()
}

// Serve serves on the listener, which it closes, until Shutdown.
func (a *API) Serve(l net.Listener) error { return a.app.Listener(l) }

// Shutdown stops to accept requests, ends the streams of the event feed and waits
// for the requests under way, as long as ctx lets it. From its beginning on, /readyz says that the node is not ready.
func (a *API) Shutdown(ctx context.Context) error {
	a.draining.Store(true)
	a.stop()
	err := a.app.ShutdownWithContext(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return ctx.Err()
	}
	return err
}

// Operations lists every route.
func (a *API) Operations() []Operation { return slices.Clone(a.operations) }
