package projections_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/projections"
	"tenure/projections/sqlite"
)

const org = domain.OrganizationID("0198c0de-0000-7000-8000-000000000001")

// fixture is a log and views on it.
type fixture struct {
	t     testing.TB
	is    *is.I
	log   eventstore.Store
	views projections.Storage
	last  map[string]eventstore.Revision
	now   time.Time
	head  eventstore.Position
}

func newFixture(t testing.TB) *fixture {
	is := is.New(t)
	log, err := logsqlite.Open(filepath.Join(t.TempDir(), "log.db"), logsqlite.Options{})
	is.NoErr(err)
	views, err := sqlite.Open(filepath.Join(t.TempDir(), "views.db"), sqlite.Options{})
	is.NoErr(err)
	t.Cleanup(func() { is.NoErr(views.Close()); is.NoErr(log.Close()) })
	return &fixture{
		t: t, is: is, log: log, views: views, last: map[string]eventstore.Revision{},
		now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC),
	}
}

// append puts events, a second apart, at the end of the organization's stream.
func (f *fixture) append(events ...domain.Event) eventstore.Position {
	f.t.Helper()
	encoded := make([]eventstore.Event, len(events))
	for i, e := range events {
		f.now = f.now.Add(time.Second)
		var err error
		encoded[i], err = codec.New().Encode(eventstore.ID(uuid.New()), e, codec.Metadata{Actor: domain.Public(), OccurredAt: f.now})
		f.is.NoErr(err)
	}
	return f.appendRaw(encoded...)
}

func (f *fixture) appendRaw(events ...eventstore.Event) eventstore.Position {
	f.t.Helper()
	const stream = "organization-" + string(org)
	expected := eventstore.NoStream()
	if last, ok := f.last[stream]; ok {
		expected = eventstore.Exactly(last)
	}
	result, err := f.log.Append(context.Background(), stream, expected, events)
	f.is.NoErr(err)
	f.last[stream], f.head = result.LastRevision, result.Position
	return result.Position
}

// run starts a projector that runs until the test ends, or stop is called.
func (f *fixture) run(decode func(eventstore.Recorded) (codec.Envelope, error), views []projections.Definition) (p *projections.Projector, stop func()) {
	p = projections.NewProjector(f.log, decode, f.views, views, projections.Options{
		Logger: slog.New(slog.DiscardHandler), RetryAfter: time.Millisecond, BatchEvents: 100,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Run(ctx) }()
	stop = func() { cancel(); <-done }
	f.t.Cleanup(stop)
	return p, stop
}

// reader has all of the log in the views.
func (f *fixture) reader() *projections.Reader {
	f.t.Helper()
	p, stop := f.run(codec.New().Decode, projections.Views())
	f.is.NoErr(p.Wait(patience(f.t), f.head))
	stop()
	return projections.NewReader(f.views, 1<<20)
}

// patience is a context for what must happen soon.
func patience(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func account(n int) domain.AccountID {
	return domain.AccountID(fmt.Sprintf("0198c0de-0000-7000-9000-%012d", n))
}

func activated() domain.Event {
	return organization.Activated{
		OrganizationID: org, Name: "Acme", Policy: "ownership", PolicyVersion: 1, AccountID: account(0),
		Email: "owner@example.com", DisplayName: "Owner", Roles: []domain.Role{"OWNER"},
	}
}

func joined(n int, name string) domain.Event {
	return organization.MemberJoined{
		OrganizationID: org, AccountID: account(n), Email: domain.Email(fmt.Sprintf("m%d@example.com", n)), DisplayName: name, Roles: []domain.Role{"USER"},
	}
}

func renamed(n int, after string) domain.Event {
	return organization.MemberRenamed{OrganizationID: org, AccountID: account(n), After: after}
}

// moved is a change of policy by which one role becomes another.
func moved(role, become domain.Role) domain.Event {
	return organization.PolicyChanged{
		OrganizationID: org, Before: organization.PolicyVersion{Policy: "p", Version: 1}, After: organization.PolicyVersion{Policy: "p", Version: 2},
		Roles: map[domain.Role][]domain.Role{role: {become}, "OWNER": {"OWNER"}},
	}
}
