package commands_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/eventstore"
)

// unread is a log that cannot be read for a time: not the pages that aggregates
// are folded from, but what is looked up besides. An append can be held up.
type unread struct {
	eventstore.Store
	mu   sync.Mutex
	away bool
	held chan struct{} // the next append says that it is here, and waits until it can say so again
}

var errUnread = errors.New("the log cannot be read")

func (s *unread) set(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// ReadStream implements eventstore.Store.
func (s *unread) ReadStream(ctx context.Context, stream string, from eventstore.Revision, limit int) ([]eventstore.Recorded, error) {
	s.mu.Lock()
	away := s.away
	s.mu.Unlock()
	if away && limit < commands.LoadPage {
		return nil, errUnread
	}
	return s.Store.ReadStream(ctx, stream, from, limit)
}

// Append implements eventstore.Store.
func (s *unread) Append(ctx context.Context, stream string, expected eventstore.Expected, events []eventstore.Event) (eventstore.Result, error) {
	s.mu.Lock()
	held := s.held
	s.held = nil
	s.mu.Unlock()
	if held != nil {
		held <- struct{}{}
		held <- struct{}{}
	}
	return s.Store.Append(ctx, stream, expected, events)
}

// Of commands that are decided together, one is sent again and its first answer
// cannot be read: the others are in the log, and are told so.
func TestAnAnswerThatCannotBeReadAgainSpoilsNoOther(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	log := &unread{Store: w.store}
	w.store = log
	c := w.node()
	org, by := w.organization(c, "acme")
	keyed := by
	keyed.IdempotencyKey, keyed.Fingerprint = "key", "request"
	id, invited, err := w.invite(c, keyed, org, "ada", "USER")
	is.NoErr(err)

	log.mu.Lock()
	log.held = make(chan struct{})
	held := log.held
	log.mu.Unlock()
	var leading, again, fresh error
	var all sync.WaitGroup
	all.Go(func() { _, _, leading = w.invite(c, by, org, "bob", "USER") })
	<-held
	all.Go(func() { _, _, again = w.invite(c, keyed, org, "ada", "USER") })
	all.Go(func() { _, _, fresh = w.invite(c, by, org, "cid", "USER") })
	for c.Waiting(org) < 2 {
		runtime.Gosched()
	}
	log.set(true)
	<-held
	all.Wait()
	is.NoErr(leading)
	is.NoErr(fresh)
	is.True(errors.Is(again, errUnread))

	log.set(false)
	same, receipt, err := w.invite(c, keyed, org, "ada", "USER")
	is.NoErr(err)
	is.Equal(same, id)
	is.Equal(receipt.Events, invited.Events)
	_, _, err = w.invite(c, by, org, "cid", "USER")
	is.True(refusedWith(err, domain.CodeEmailTaken)) // it was done
}

// A dry run that cannot read the log says that, and not that others were faster.
func TestADryRunThatCannotReadSaysSo(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	log := &unread{Store: w.store}
	w.store = log
	c := w.node()
	org, by := w.organization(c, "acme")
	log.set(true)
	_, _, err := w.invite(c.DryRun(), by, org, "ada", "USER")
	is.True(errors.Is(err, errUnread))
	is.True(!errors.Is(err, commands.ErrBusy))
	log.set(false)
	_, _, err = w.invite(c.DryRun(), by, org, "ada", "USER")
	is.NoErr(err)
}
