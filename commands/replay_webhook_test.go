package commands_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/webhook"
	"tenure/eventstore"
)

// dated is a log with an event each minute.
type dated struct {
	eventstore.Store
	began time.Time
	reads []eventstore.Position // where ReadAll began
}

func (s *dated) at(p eventstore.Position) time.Time {
	return s.began.Add(time.Duration(p) * time.Minute)
}

func (s *dated) ReadStream(ctx context.Context, stream string, from eventstore.Revision, limit int) ([]eventstore.Recorded, error) {
	events, err := s.Store.ReadStream(ctx, stream, from, limit)
	for i := range events {
		events[i].RecordedAt = s.at(events[i].Position)
	}
	return events, err
}

func (s *dated) ReadAll(ctx context.Context, after eventstore.Position, limit int, filter eventstore.Filter) (eventstore.Page, error) {
	s.reads = append(s.reads, after)
	page, err := s.Store.ReadAll(ctx, after, limit, filter)
	for i := range page.Events {
		page.Events[i].RecordedAt = s.at(page.Events[i].Position)
	}
	return page, err
}

func TestAReplayBeginsAtAnInstant(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	log := &dated{Store: w.store, began: w.clock}
	w.store = log
	c := w.node()
	org, by := w.organization(c, "acme")
	operator := commands.Request{Actor: domain.ByAPIKey("key")}
	all, _, _, err := c.RegisterWebhook(w.ctx, operator, webhook.Registered{URL: "https://hooks.example/all"}, 0)
	is.NoErr(err)
	own, _, _, err := c.RegisterWebhook(w.ctx, by, webhook.Registered{URL: "https://hooks.example/own", Owner: org}, 0)
	is.NoErr(err)
	for i := range 20 {
		_, err := c.RenameOrganization(w.ctx, by, org, domain.OrganizationName(fmt.Sprint("Acme ", i)))
		is.NoErr(err)
	}
	head, err := w.store.Head(w.ctx)
	is.NoErr(err)
	for _, id := range []domain.WebhookID{all, own} {
		is.NoErr(c.WebhookReached(w.ctx, id, 1, head)) // everything has arrived
	}
	// A checkpoint is signed, of which the time is known where no webhook's is.
	signed, err := w.store.Append(w.ctx, commands.LedgerStream, eventstore.NoStream(), []eventstore.Event{{
		ID: eventstore.ID(uuid.New()), Type: "ledger.checkpoint_signed.v1", Data: []byte("{}"), Metadata: []byte("{}"),
	}})
	is.NoErr(err)
	for i := range 20 {
		_, err := c.RenameOrganization(w.ctx, by, org, domain.OrganizationName(fmt.Sprint("Again ", i)))
		is.NoErr(err)
	}
	head, err = w.store.Head(w.ctx)
	is.NoErr(err)
	for _, id := range []domain.WebhookID{all, own} {
		is.NoErr(c.WebhookReached(w.ctx, id, 1, head))
	}
	w.clock = log.at(head + 5)
	after := func(by commands.Request, owner domain.OrganizationID, id domain.WebhookID, since time.Time) eventstore.Position {
		t.Helper()
		dry, err := c.DryRun().ReplayWebhookSince(w.ctx, by, owner, id, since)
		is.NoErr(err)
		return eventstore.Position(dry.Events[0].(webhook.Replayed).After)
	}
	const skew = 5
	stream, err := w.store.ReadStream(w.ctx, "organization-"+string(org), 0, 100)
	is.NoErr(err)
	for p := eventstore.Position(skew + 1); p <= head; p++ {
		is.Equal(after(operator, "", all, log.at(p)), p-skew-1) // what was recorded in that minute comes again
		var last eventstore.Position
		for _, e := range stream {
			if e.Position < p-skew {
				last = e.Position
			}
		}
		is.Equal(after(by, org, own, log.at(p)), last)
	}
	is.Equal(after(operator, "", all, log.began), eventstore.Position(0))
	log.reads = nil
	after(operator, "", all, log.at(head))
	is.Equal(log.reads[0], signed.Position) // and not where the log begins

	// What has not arrived yet is not passed over.
	late, _, _, err := c.RegisterWebhook(w.ctx, operator, webhook.Registered{URL: "https://hooks.example/late"}, 3)
	is.NoErr(err)
	is.Equal(after(operator, "", late, log.at(head)), eventstore.Position(3))

	for _, none := range []time.Time{w.clock.Add(time.Second), w.clock.Add(-commands.ReplayWindow - time.Second), {}} {
		_, err = c.ReplayWebhookSince(w.ctx, operator, "", all, none)
		is.True(refusedWith(err, domain.CodeInvalid))
	}
	_, err = c.ReplayWebhookSince(w.ctx, by, org, all, w.clock)
	is.True(refusedWith(err, domain.CodeNotFound))
	_, err = c.ReplayWebhookSince(w.ctx, commands.Request{Actor: domain.ByAccount("nobody")}, org, own, w.clock)
	is.True(err != nil)
}
