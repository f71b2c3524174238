package relay_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/relay"
)

// follow reads until it has n events.
func (b *bench) follow(r *relay.Reader, n int) []relay.Event {
	var events []relay.Event
	for len(events) < n {
		batch, err := r.Next(context.Background(), 100)
		if err == nil && batch.Head && len(events)+len(batch.Events) < n {
			err = r.Wait(context.Background())
		}
		if err != nil {
			b.Error(err)
			return nil
		}
		events = append(events, batch.Events...)
	}
	return events
}

// Whoever follows from wherever gets all of it, in order, however many follow.
func TestFollowersGetEverything(t *testing.T) {
	b := newBench(t)
	b.mixed()
	before := b.toHead(b.open(relay.Query{}), 1000)
	var following sync.WaitGroup
	var all [12][]relay.Event
	more := 80
	for i := range all {
		q := relay.Query{Personal: i%2 == 0}
		if i%3 > 0 {
			q.Organization = org(i % 3)
		}
		n := more
		switch {
		case i < 6:
			q.Cursor = relay.FromHead
		case q.Organization == "":
			n += len(before)
		default:
			n += len(b.toHead(b.open(q), 1000))
		}
		r := b.open(q)
		following.Go(func() { all[i] = b.follow(r, n) })
	}
	for i := range more {
		// One event for each organization, and something besides.
		b.write(stream(1), renamed(1, i))
		b.write(stream(2), renamed(2, i))
		b.write("account-x", seen())
	}
	following.Wait()
	for i, events := range all {
		is.New(t).True(len(events) > 0)
		if i >= 6 {
			sequences(t, events, make(map[string]int))
		}
		for j := 1; j < len(events); j++ {
			b.is.True(events[j].Position > events[j-1].Position)
		}
	}
}

// A reader that falls behind what is kept in memory reads the log again.
func TestAReaderThatFallsBehind(t *testing.T) {
	b := newBench(t)
	b.write(stream(1), renamed(1, 0))
	whole, one := b.open(relay.Query{}), b.open(relay.Query{Organization: org(1)})
	got := [2][]relay.Event{b.toHead(whole, 10), b.toHead(one, 10)}
	beside := b.open(relay.Query{Organization: org(1), Cursor: relay.FromHead})
	const batches = 18 // more than memory holds, twice
	for range batches {
		events := make([]domain.Event, eventstore.MaxBatchEvents)
		for i := range events {
			events[i] = renamed(1, i)
		}
		b.write(stream(1), events...)
	}
	n := batches*eventstore.MaxBatchEvents + 1
	b.is.Equal(len(b.follow(beside, n-1)), n-1) // so the tail has seen all of it
	for i, r := range []*relay.Reader{whole, one} {
		got[i] = append(got[i], b.toHead(r, 300)...)
		b.is.Equal(len(got[i]), n)
		sequences(t, got[i], make(map[string]int))
	}
	b.write(stream(1), renamed(1, n))
	b.is.Equal(len(b.follow(whole, 1)), 1)
	b.is.Equal(len(b.follow(one, 1)), 1)
}

// A cursor goes on past what a follower of everything leaves out, and waiting ends
// with the context.
func TestWaitingForWhatDoesNotCome(t *testing.T) {
	b := newBench(t)
	b.write(stream(1), renamed(1, 0))
	r := b.open(relay.Query{Type: "organization.deleted"})
	b.is.Equal(len(b.toHead(r, 10)), 0)
	first := r.Cursor()
	for i := range 50 {
		b.write(stream(1), renamed(1, i))
	}
	for r.Cursor() == first {
		b.is.NoErr(r.Wait(context.Background()))
		b.is.Equal(len(b.toHead(r, 10)), 0)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		if err := r.Wait(ctx); err != nil {
			b.is.True(errors.Is(err, context.Canceled))
			return
		}
	}
}
