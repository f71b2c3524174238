package processes

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"tenure/eventstore"
)

// Checkpoints keeps how far each reaction has got.
type Checkpoints interface {
	Checkpoint(ctx context.Context, name string) (eventstore.Position, error)
	SaveCheckpoint(ctx context.Context, name string, p eventstore.Position) error
}

const (
	checkpointEvery  = 500             // events
	checkpointWithin = 2 * time.Second // of the last one
	pageEvents       = 500
	firstPause       = 50 * time.Millisecond
	longestPause     = 15 * time.Second
)

// subscriber is Watermill's view of the log: the topic is a reaction's name, and
// each message is one event, in log order. The next one comes when the one
// before is acknowledged; one that is not comes again after a pause. The
// checkpoint follows the acknowledged ones at some distance: after a crash the
// events in between come again.
type subscriber struct {
	log         eventstore.Store
	checkpoints Checkpoints
	reaction    reaction
	prefetch    func(context.Context, []eventstore.Recorded) error // what decoding a page will need
	health      *Health
	logger      *slog.Logger
}

type recordedKey struct{}

// recorded finds the event of a message.
func recorded(m *message.Message) eventstore.Recorded {
	return m.Context().Value(recordedKey{}).(eventstore.Recorded)
}

// Subscribe implements message.Subscriber.
func (s *subscriber) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		pause := firstPause
		for ctx.Err() == nil {
			err := s.follow(ctx, out)
			if ctx.Err() != nil {
				return
			}
			s.health.failed(s.reaction.name, err)
			s.logger.Error("process cannot read the log", "process", s.reaction.name, "error", err)
			sleep(ctx, pause)
			pause = min(2*pause, longestPause)
		}
	}()
	return out, nil
}

// Close implements message.Subscriber; the context of Subscribe ends it.
func (s *subscriber) Close() error { return nil }

func (s *subscriber) follow(ctx context.Context, out chan<- *message.Message) error {
	name := "process." + s.reaction.name
	after, err := s.checkpoints.Checkpoint(ctx, name)
	if err != nil {
		return err
	}
	sub, err := s.log.Subscribe(ctx, after, eventstore.Filter{TypePrefixes: s.reaction.types})
	if err != nil {
		return err
	}
	defer sub.Close()
	k := keeper{subscriber: s, name: name}
	defer k.save(context.WithoutCancel(ctx))
	for {
		page, err := k.next(ctx, sub)
		if err != nil {
			return err
		}
		if err := s.prefetch(ctx, page.Events); err != nil {
			return err
		}
		for _, e := range page.Events {
			if !s.deliver(ctx, out, e) {
				return ctx.Err()
			}
			k.passed(ctx, e.Position)
		}
		k.passed(ctx, page.Position)
		s.health.passed(s.reaction.name, page.Position)
	}
}

// deliver hands one event over until it is acknowledged.
func (s *subscriber) deliver(ctx context.Context, out chan<- *message.Message, e eventstore.Recorded) bool {
	// An event from the future is from a clock that was wrong: do not wait for it.
	if age := time.Since(e.RecordedAt); age >= 0 && age < s.reaction.grace {
		sleep(ctx, s.reaction.grace-age)
	}
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, longestPause) {
		m := message.NewMessage(watermill.NewUUID(), e.Data)
		m.SetContext(context.WithValue(ctx, recordedKey{}, e))
		select {
		case out <- m:
		case <-ctx.Done():
			return false
		}
		select {
		case <-m.Acked():
			return true
		case <-m.Nacked():
			sleep(ctx, pause)
		case <-ctx.Done():
			return false
		}
	}
	return false
}

// keeper saves a reaction's checkpoint now and then.
type keeper struct {
	*subscriber
	name  string
	mu    sync.Mutex
	at    eventstore.Position
	since int
	saved time.Time
	kept  eventstore.Position
}

// next waits for events, and saves the checkpoint while there are none.
func (k *keeper) next(ctx context.Context, sub eventstore.Subscription) (eventstore.Page, error) {
	timer := time.AfterFunc(checkpointWithin, func() { k.save(ctx) })
	defer timer.Stop()
	return sub.Next(ctx, pageEvents)
}

func (k *keeper) passed(ctx context.Context, p eventstore.Position) {
	k.mu.Lock()
	k.at = max(k.at, p)
	k.since++
	due := k.since >= checkpointEvery || time.Since(k.saved) > checkpointWithin
	k.mu.Unlock()
	if due {
		k.save(ctx)
	}
}

// save keeps the checkpoint. That it fails costs repeated work at most.
func (k *keeper) save(ctx context.Context) {
	if ctx.Err() != nil {
		return // it is saved once more at the end
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.at == k.kept {
		return
	}
	if err := k.checkpoints.SaveCheckpoint(ctx, k.name, k.at); err != nil {
		k.logger.Warn("process cannot keep its checkpoint", "process", k.reaction.name, "error", err)
		return
	}
	k.kept, k.since, k.saved = k.at, 0, time.Now()
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
