package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"tenure/eventstore"
	"tenure/eventstore/esdb"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/httpapi/throttle"
	"tenure/leases"
	leaseredis "tenure/leases/redis"
	"tenure/projections"
	viewredis "tenure/projections/redis"
	viewsqlite "tenure/projections/sqlite"
)

// views are what both kinds of storage can.
type views interface {
	projections.Storage
	// Newest is the highest position that any view or consumer has got to.
	Newest(ctx context.Context) (eventstore.Position, error)
	// Scrub leaves no trace of what documents held before.
	Scrub(ctx context.Context) error
}

// openLog opens the log. The lock of one in the data folder keeps a second
// server out of the folder.
func (x *server) openLog() (err error) {
	s := x.settings
	if s.Log != embedded {
		if x.log, err = esdb.Open(s.Log, esdb.Options{Logger: x.logger}); err != nil {
			return fmt.Errorf("setting log: %w", err)
		}
		x.log = measuredLog{x.log, x.metrics.onCommit}
		return nil
	}
	if x.log, err = logsqlite.Open(s.file("log.db"), logsqlite.Options{Now: now, OnCommit: x.metrics.onCommit}); err != nil {
		err = fmt.Errorf("setting data: %s: %w", filepath.Clean(s.Data), err)
	}
	return err
}

// secret is what all tokens are derived from. It is made with a new log, unless
// a file is named.
func (x *server) secret(newLog bool) ([]byte, error) {
	secret, err := loadSecret(x.settings.secretFile(), newLog && x.settings.SecretFile == "")
	if err != nil {
		err = fmt.Errorf("setting secret-file: %w", err)
	}
	return secret, err
}

// openViews opens the views. Those that have seen more than the log holds are of
// another log, as after the restore of an older one: a file is made again.
func (x *server) openViews(ctx context.Context) error {
	if x.settings.Views != embedded {
		return x.openSharedViews(ctx)
	}
	path := x.settings.file("views.db")
	advice := func(err error) error {
		return fmt.Errorf("setting data: %s (views are made from the log: the file may be deleted): %w", path, err)
	}
	storage, err := viewsqlite.Open(path, viewsqlite.Options{})
	if err != nil {
		return advice(err)
	}
	ahead, err := x.ahead(ctx, storage)
	if ahead {
		err = errors.Join(storage.Close(), viewsqlite.Remove(path))
		if err == nil {
			storage, err = viewsqlite.Open(path, viewsqlite.Options{})
		}
	}
	if err != nil {
		return advice(err)
	}
	x.views, x.leases = storage, leases.Alone{}
	x.metrics.onLease(leaseViews, true)
	x.metrics.onLease(leaseProcesses, true)
	x.metrics.onLease(leaseLedger, true)
	x.metrics.onLease(leaseWebhooks, true)
	for _, b := range x.settings.brokers {
		x.metrics.onLease(leaseBroker(b.Name), true)
	}
	x.onClose(storage.Close)
	return nil
}

// openSharedViews opens views that several nodes share, and with them the
// leases and the rates.
func (x *server) openSharedViews(ctx context.Context) error {
	s := x.settings
	storage, err := viewredis.Open(ctx, s.Views, viewredis.Options{Prefix: s.ViewsPrefix, Logger: x.logger})
	if err != nil {
		return fmt.Errorf("setting views: %w", err)
	}
	x.views = storage
	x.onClose(storage.Close)
	if ahead, err := x.ahead(ctx, storage); err != nil {
		return fmt.Errorf("setting views: %w", err)
	} else if ahead {
		return errors.New("setting views: they are of another log than this one, or of a newer copy of it: stop all nodes, empty the Redis or give another views-prefix, and start again; the views are made from the log")
	}
	x.leases = leaseredis.New(storage.Client(), leaseredis.Options{Prefix: s.ViewsPrefix, Node: s.Node, Logger: x.logger, Observe: x.metrics.onLease})
	x.limiter = throttle.NewRedis(storage.Client(), s.ViewsPrefix, throttle.NewMemory(100_000, now), now, x.logger)
	return nil
}

// ahead reports whether views have seen more than the log holds.
func (x *server) ahead(ctx context.Context, storage views) (bool, error) {
	newest, err := storage.Newest(ctx) // before the log: other nodes may be writing
	if err != nil {
		return false, err
	}
	head, err := x.log.Head(ctx)
	if err != nil {
		return false, err
	}
	if newest > head {
		x.logger.Warn("the views are ahead of the log", "views", newest, "log", head)
	}
	return newest > head, nil
}
