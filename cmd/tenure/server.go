package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"tenure/commands"
	"tenure/commands/password"
	"tenure/commands/token"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/history"
	"tenure/httpapi"
	"tenure/httpapi/throttle"
	"tenure/keyring"
	"tenure/leases"
	"tenure/ledger"
	"tenure/mail"
	"tenure/oidc"
	"tenure/policies"
	"tenure/processes"
	"tenure/projections"
	"tenure/relay"
	sending "tenure/relay/webhook"
)

const (
	// gcPercent trades memory, of which the server needs little, for fewer
	// collections. GOGC overrides it.
	gcPercent       = 400
	pageCacheBytes  = 64 << 20
	shutdownTimeout = 15 * time.Second
	openTimeout     = 30 * time.Second // that the log and the views may take to answer at the start
	haltedAfter     = 5 * time.Second  // that a consumer may fail before /readyz says no
)

// What one node at a time does.
const (
	leaseViews     = "views"
	leaseProcesses = "processes"
	leaseLedger    = "ledger"
	leaseWebhooks  = "webhooks"
)

// server is one node: the whole system, or one of several that share a log and
// views.
type server struct {
	settings *settings
	logger   *slog.Logger
	log      eventstore.Store
	views    views
	leases   leases.Keeper
	limiter  throttle.Limiter // nil for one in memory
	metrics  *metrics
	keys     keyring.Store
	ring     *keyring.Ring
	masters  *keyring.Masters
	codec    *codec.Codec
	commands *commands.Commands
	before   eventstore.Position // of the log, before anything was read into memory

	projector *projections.Projector
	processes *processes.Processes
	ledger    *ledger.Ledger
	feed      *relay.Feed
	history   *history.History
	forgetter *processes.Forgetting
	webhooks  *processes.Webhooks
	brokers   *processes.Brokers
	api       *httpapi.API
	listener  net.Listener
	close     []func() error // in the order of making; closed backwards
}

// newServer opens everything and listens, so that the address is known. Nothing
// runs before run.
func newServer(s *settings, logger *slog.Logger) (_ *server, err error) {
	x := &server{settings: s, logger: logger, metrics: newMetrics()}
	goredis.SetLogger(redisLog{logger}) // of the views and of brokers
	defer func() {
		if err != nil {
			err = errors.Join(err, x.Close())
		}
	}()
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return nil, fmt.Errorf("setting data: %w", err)
	}
	if info, err := os.Stat(s.Data); err == nil && info.Mode().Perm()&0o077 != 0 {
		logger.Warn("others may look into the data folder: chmod 700 it", "data", s.Data)
	}
	if err := x.open(); err != nil {
		return nil, err
	}
	if x.listener, err = net.Listen("tcp", s.Listen); err != nil {
		return nil, fmt.Errorf("setting listen: %w", err)
	}
	x.onClose(func() error { x.listener.Close(); return nil })
	if err := x.wire(); err != nil {
		return nil, err
	}
	return x, nil
}

// open opens the views and the log, and makes the commands.
func (x *server) open() (err error) {
	s := x.settings
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	catalogue := policies.Builtin()
	if err := x.openLog(); err != nil {
		return err
	}
	x.onClose(x.log.Close)
	if err := x.openViews(ctx); err != nil {
		return err
	}
	head, err := x.log.Head(ctx)
	if err != nil {
		return fmt.Errorf("setting log: %w", err)
	}
	secret, err := x.secret(head == 0)
	if err != nil {
		return err
	}
	x.before = head
	if err := x.openKeyring(ctx, secret); err != nil {
		return err
	}
	keys, err := token.NewKeys(secret)
	if err != nil {
		return err
	}
	passwords, err := password.New(s.PasswordMemory, s.PasswordIterations, s.hashers())
	if err != nil {
		return err
	}
	x.commands = commands.New(commands.Dependencies{
		Store: x.log, Codec: x.codec, Policies: catalogue, Founding: s.Founding, Onboarding: s.Onboarding, Logger: x.logger, Keys: keys, Passwords: passwords, Keyring: x.ring,
		Now: now, SessionLifetime: s.SessionLifetime, CachedEvents: s.CachedEvents, Step: step,
	})
	if err := x.commands.CheckSecret(ctx); err != nil {
		return fmt.Errorf("setting secret-file: %s: %w", s.secretFile(), err)
	}
	if err := cmp.Or(x.commands.CheckOnboarding(ctx), x.commands.CheckFounding(ctx)); err != nil {
		if unfit := (*commands.UnfitPolicy)(nil); errors.As(err, &unfit) {
			return bad(unfit.Setting, unfit.Name, unfit.Reason)
		}
		return err
	}
	if head == 0 {
		return nil // the first event is that of the first operator's key
	}
	if err := x.bindKeyring(ctx); err != nil {
		return err
	}
	again, err := x.commands.KeepErased(ctx)
	if again > 0 {
		x.logger.Warn("the keys are older than the log: those of people who were erased since were destroyed again", "keys", again)
	}
	return err
}

// wire connects the consumers and the API.
func (x *server) wire() error {
	s := x.settings
	spans := &projectionSpans{}
	x.projector = projections.NewProjector(x.log, spans.decoding(x.codec.Decode), x.views, projections.Views(), projections.Options{
		Logger: x.logger, Shared: s.Views != embedded, Prefetch: x.codec.Prefetch,
		Observe: func(a projections.Applied) {
			spans.applied(a.Position)
			x.metrics.onApplied(a)
		},
	})
	reader := x.projector.Reader(pageCacheBytes)
	publicURL := s.publicURL(x.listener.Addr())
	mails, outbox, err := x.sender()
	if err != nil {
		return err
	}
	templates, err := mail.LoadTemplates(s.MailTemplates, s.MailFrom)
	if err != nil {
		return fmt.Errorf("setting mail-templates or mail-from: %w", err)
	}
	x.processes, err = processes.New(processes.Dependencies{
		Log: x.log, Codec: x.codec, Checkpoints: x.views, Commands: x.commands,
		Memberships: processes.ViewMemberships{Reader: reader, Projector: x.projector},
		Deadlines:   reader, Now: now, Logger: x.logger, Copies: copies{x},
		Mailer: &processes.Mailer{
			// One process at a time has the log, so the next one goes on with its mails.
			Node:     s.instance(),
			Commands: x.commands, Templates: templates, Sender: mails, PublicURL: publicURL,
			Now: now, Backoff: mail.Backoff, Step: step,
		},
	})
	if err != nil {
		return err
	}
	ledgerKey, err := ledger.NewKey(x.commands.Keys)
	if err != nil {
		return err
	}
	tree := ledger.NewTree(x.views)
	x.ledger = ledger.New(ledger.Dependencies{
		Log: x.log, Tree: tree, Commands: x.commands, Key: ledgerKey, Interval: s.LedgerInterval, Logger: x.logger, Step: step,
	})
	x.metrics.watch(x.projector, x.processes.Health(), x.ledger)
	x.feed, err = relay.New(relay.Config{
		Log: x.log, Codec: x.codec, PublicURL: publicURL, Deployment: x.commands.Keys.ID("feed cursors"), Logger: x.logger,
	})
	if err != nil {
		return err
	}
	x.history = history.New(x.commands, history.Options{CacheBytes: s.HistoryCache << 20})
	x.forgetter = x.forgetting(x.before, outbox)
	sender, organizations := sending.NewSender(s.WebhooksPrivate), sending.NewSender(s.OrganizationWebhooksPrivate)
	x.onClose(func() error { sender.Close(); organizations.Close(); return nil })
	deliveries := projections.NewDeliveryLog(x.views, now)
	x.webhooks = &processes.Webhooks{
		Commands: x.commands, Feed: x.feed, Checkpoints: x.views, Log: deliveries, Sender: sender, Organizations: organizations,
		Logger: x.logger, Observe: x.metrics.onDelivery,
	}
	x.brokers = processes.NewBrokers(x.commands, x.feed, x.views, x.logger)
	x.metrics.watchBrokers(x.brokers.Health(), x.log)
	proxies, err := s.proxies()
	if err != nil {
		return err
	}
	limits := httpapi.DefaultThrottle()
	if s.RateLimits == "off" {
		limits = httpapi.Throttle{}
	}
	x.api, err = httpapi.New(httpapi.Config{
		Commands: x.commands, Reader: reader, Progress: x.projector, Feed: x.feed, Brokers: x.listBrokers, Publications: x.publications(), Deliveries: deliveries, Outbox: outbox,
		History: x.history, Tree: tree, LedgerKey: ledgerKey, Witnesses: s.witnesses,
		Limiter: x.limiter, Logger: x.logger, Metrics: x.metrics.registry, MetricsOpen: s.OpenMetrics, Ready: x.ready, Version: buildVersion(),
		Providers: oidc.New(s.providers, publicURL, now),
		PublicURL: publicURL, ViewWait: s.ReadWait, Throttle: &limits, TrustedProxies: proxies, AllowedOrigins: s.CORSOrigins,
	})
	return err
}

// sender is the mail server, or the outbox where there is none.
func (x *server) sender() (mail.Sender, *mail.Outbox, error) {
	if config, ok := x.settings.smtp(); ok {
		smtp, err := mail.NewSMTP(config)
		if err != nil {
			err = fmt.Errorf("setting smtp-host, smtp-tls or smtp-ca-file: %w", err)
		}
		return smtp, nil, err
	}
	outbox, err := mail.OpenOutbox(x.settings.file("outbox"), 0)
	if err != nil {
		err = fmt.Errorf("setting data: %w", err)
	}
	return outbox, outbox, err
}

// run serves until ctx ends or something that must not stop does.
func (x *server) run(ctx context.Context) error {
	stopTraces, err := startTraces(ctx, x.settings)
	if err != nil {
		return fmt.Errorf("setting otlp-endpoint: %w", err)
	}
	stopProfiles, err := serveProfiles(x.settings.ProfileListen, x.logger)
	if err != nil {
		return fmt.Errorf("setting profile-listen: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	work := newGroup(cancel)
	// Of several nodes one at a time applies the log, one runs the processes, and
	// one signs the ledger.
	work.start("projector", func() error { return x.leases.Hold(ctx, leaseViews, x.projector.Run) })
	work.start("processes", func() error { return x.leases.Hold(ctx, leaseProcesses, x.processes.Run) })
	work.start("ledger", func() error { return x.leases.Hold(ctx, leaseLedger, x.ledger.Run) })
	work.start("webhooks", func() error { return x.leases.Hold(ctx, leaseWebhooks, x.webhooks.Run) })
	for _, b := range x.settings.brokers {
		work.start("broker "+b.Name, func() error {
			return x.leases.Hold(ctx, leaseBroker(b.Name), func(ctx context.Context) error { return x.brokers.Run(ctx, b) })
		})
	}
	work.start("feed", func() error { return x.feed.Run(ctx) }) // every node has readers of its own
	work.start("forgetting", func() error { return x.forgetter.Run(ctx) })
	if x.settings.Views != embedded {
		work.start("views", func() error { return x.projector.Watch(ctx) })
	}
	fmt.Println("listening on " + "http://" + x.listener.Addr().String())
	err = x.commands.FirstAPIKey(ctx, func(key string) {
		fmt.Println("operator key: " + key)
		fmt.Println("The key is shown this once.")
		if _, sends := x.settings.smtp(); !sends {
			fmt.Println("Mails wait at " + x.settings.publicURL(x.listener.Addr()) + "/outbox (user operator, password the key) until a mail server is set.")
		}
	})
	if err == nil {
		err = x.bindKeyring(ctx)
	}
	if err == nil {
		x.logger.Info("serving", "address", x.listener.Addr().String(), "version", buildVersion(), "node", x.settings.Node)
		work.start("http", func() error { return x.api.Serve(x.listener) })
		<-ctx.Done()
	}
	x.logger.Info("stopping")
	grace, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer done()
	err = errors.Join(err, x.api.Shutdown(grace))
	cancel(context.Canceled)
	work.wait()
	err = errors.Join(err, stopTraces(grace), stopProfiles())
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}

// ready says what keeps the server from serving well, or nothing.
func (x *server) ready(ctx context.Context) error {
	var problems []string
	if s := x.projector.State(); s.Halted {
		problems = append(problems, "the views are halted: "+s.ErrorClass)
	} else if s.Lag > x.settings.MaxLag {
		problems = append(problems, fmt.Sprintf("the views are %d positions behind", s.Lag))
	}
	if s := x.ledger.State(); s.Failing && time.Since(s.FailingSince) > haltedAfter {
		problems = append(problems, "the ledger is halted: "+ledger.Class(s.Err))
	}
	head, err := x.log.Head(ctx)
	if err != nil {
		problems = append(problems, "the log does not answer")
	}
	for name, s := range x.processes.Health().Statuses() {
		if strings.HasPrefix(name, "deadlines.") {
			continue // a mail server that is down is no reason to take the node out
		}
		if s.Failing && time.Since(s.FailingSince) > haltedAfter {
			problems = append(problems, "process "+name+" is halted")
		} else if head > s.Position && uint64(head-s.Position) > x.settings.MaxLag {
			problems = append(problems, "process "+name+" is far behind")
		}
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	return nil
}

// Close releases everything, in the opposite order of making.
func (x *server) Close() error {
	var err error
	for i := len(x.close) - 1; i >= 0; i-- {
		err = errors.Join(err, x.close[i]())
	}
	x.close = nil
	return err
}

func (x *server) onClose(f func() error) { x.close = append(x.close, f) }

type serveCommand struct {
	settings
}

// Run starts the server.
func (c *serveCommand) Run(ctx context.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	logger := newLogger(&c.settings)
	slog.SetDefault(logger)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	x, err := newServer(&c.settings, logger)
	if err != nil {
		return err
	}
	err = x.run(ctx)
	return cmp.Or(err, x.Close())
}
