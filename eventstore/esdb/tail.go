package esdb

import (
	"context"
	"log/slog"
	"sort"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"tenure/eventstore"
)

// longestPause lies between two tries to subscribe while the server is away.
const longestPause = 5 * time.Second

// tail is the end of the log in memory, fed by one subscription that comes back
// by itself. All subscribers of the store read from it.
type tail struct {
	store     *Store
	maxEvents int
	maxBytes  int
	start     sync.Once

	mu       sync.Mutex
	begun    bool // since is known
	events   []eventstore.Recorded
	bytes    int                 // of their data and metadata
	since    eventstore.Position // events has everything after it
	position eventstore.Position // and up to here
	head     eventstore.Position // of the log when the subscription began
	warned   bool                // that there is no subscription
	err      error               // why there is none, when trying again will not help
	news     chan struct{}       // closed when any of this changes; nil when nobody waits
}

func newTail(s *Store, o Options) *tail {
	return &tail{store: s, maxEvents: o.RecentEvents, maxBytes: o.RecentBytes}
}

// run keeps the subscription up until the store is closed.
func (t *tail) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		wasUp, err := t.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if wasUp {
			pause = firstPause
		}
		t.down(err)
		sleep(ctx, pause)
		pause = min(2*pause, longestPause)
	}
}

// follow subscribes after the last position and takes in what comes, until an
// error. The store's Close ends it through ctx.
func (t *tail) follow(ctx context.Context) (wasUp bool, err error) {
	head, err := t.store.head(ctx)
	if err != nil {
		return false, err
	}
	options := esdb.SubscribeToAllOptions{From: esdb.Start{}} // none would be the end
	if after := t.begin(head); after > 0 {
		options.From = esdb.Position{Commit: uint64(after), Prepare: uint64(after)}
	}
	return call(t.store.clients.toLeader(ctx), t.store.clients, func(ctx context.Context, client *esdb.Client) (wasUp bool, err error) {
		events, err := client.SubscribeToAll(ctx, options)
		if err != nil {
			return false, err
		}
		defer func() { _ = events.Close() }() // it has no error to tell
		t.isUp()
		for {
			next := events.Recv()
			switch {
			case next.SubscriptionDropped != nil:
				return true, next.SubscriptionDropped.Error
			case next.EventAppeared != nil:
				if err := t.take(next.EventAppeared.OriginalEvent()); err != nil {
					return true, err
				}
			}
		}
	})
}

// begin notes where the log ends now, and answers after which position to
// subscribe.
func (t *tail) begin(head eventstore.Position) eventstore.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun {
		t.begun, t.since, t.position = true, head, head
	}
	t.head = head
	return t.position
}

func (t *tail) isUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.warned {
		t.store.logger.Info("subscribed to the log again", "after", t.position)
	}
	t.warned, t.err = false, nil
	t.wake()
}

// down notes that there is no subscription, and says so once. Subscribers wait
// for it to come back, unless it will not by itself.
func (t *tail) down(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	level := slog.LevelWarn
	if t.warned {
		level = slog.LevelDebug
	}
	t.warned = true
	if !passing(err) {
		t.err = err
	}
	t.wake()
	t.store.logger.Log(context.Background(), level, "no subscription to the log; trying again", "error", err)
}

// take adds an event to the end.
func (t *tail) take(e *esdb.RecordedEvent) error {
	if isSystem(e) {
		return nil
	}
	r, err := recorded(e)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Position <= t.position {
		return nil // a subscription that was given up is still speaking
	}
	t.position = r.Position
	t.events = append(t.events, r)
	t.bytes += len(r.Data) + len(r.Metadata)
	if len(t.events) > 2*t.maxEvents || t.bytes > 2*t.maxBytes {
		t.forget()
	}
	t.wake()
	return nil
}

// forget drops the oldest events, half of them at a time.
func (t *tail) forget() {
	n := 0
	for len(t.events)-n > t.maxEvents || (t.bytes > t.maxBytes && n < len(t.events)) {
		t.since = t.events[n].Position
		t.bytes -= len(t.events[n].Data) + len(t.events[n].Metadata)
		n++
	}
	t.events = append(make([]eventstore.Recorded, 0, len(t.events)), t.events[n:]...)
}

func (t *tail) wake() {
	if t.news != nil {
		close(t.news)
		t.news = nil
	}
}

// page reads after a position. ok is false when memory does not reach back that
// far. news is closed when there is more to say.
func (t *tail) page(after eventstore.Position, limit int, matches func(string) bool) (page eventstore.Page, ok bool, news <-chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.news == nil {
		t.news = make(chan struct{})
	}
	page.Position = after
	if t.err != nil || !t.begun || after < t.since {
		return page, false, t.news, t.err
	}
	i := sort.Search(len(t.events), func(i int) bool { return t.events[i].Position > after })
	for ; i < len(t.events) && len(page.Events) < limit; i++ {
		if page.Position = t.events[i].Position; matches == nil || matches(t.events[i].Type) {
			page.Events = append(page.Events, t.events[i])
		}
	}
	if i == len(t.events) {
		page.Position = max(t.position, after)
	}
	page.Head = page.Position >= max(t.position, t.head)
	return page, true, t.news, nil
}
