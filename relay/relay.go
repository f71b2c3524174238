// Package relay carries committed events outward, as CloudEvents 1.0.
//
// The feed holds the streams of the organizations, each of them whole: every
// event of an organization is in it, in the order of the log, once. So the
// sequence of an event, which is its place in its organization's stream counted
// from 1, has no gaps. Nothing else leaves the log: accounts, sessions, keys,
// reservations, mails and the lives of links stay inside; what of them matters
// to an organization stands in its own stream. decisions.go says so for every
// type of events.
//
// A Feed reads the log itself, not a view, so it is the same on every node and
// never behind what was answered there. One cursor serves every form and every
// filter: it is a position in the log, and a Reader goes on after it. A feed
// keeps nothing that matters; a node that is killed at any point loses open
// connections, and whoever followed goes on elsewhere with the last cursor
// they kept: they get every event after it, none of them twice. What they had
// received after the cursor that they kept comes again, with the same id.
package relay

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// Config is what a Feed works with. Log, Codec and PublicURL are needed.
type Config struct {
	Log   eventstore.Store
	Codec *codec.Codec

	// PublicURL is what the sources of events and the addresses of their
	// schemas begin with.
	PublicURL string
	// Deployment tells the cursors of this deployment from those of others.
	Deployment [16]byte
	// Logger says when the log cannot be followed. Default none.
	Logger *slog.Logger
}

// Feed is the events of the organizations. It is safe for concurrent use.
type Feed struct {
	config  Config
	cursors cursors
	render  *renderer
	tail    *tail

	forgotten atomic.Int64
}

// New makes a feed.
func New(c Config) (*Feed, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	cursors := newCursors(c.Deployment)
	render, err := newRenderer(c.Codec, c.PublicURL, cursors)
	if err != nil {
		return nil, err
	}
	return &Feed{config: c, cursors: cursors, render: render, tail: newTail(render)}, nil
}

// The errors of Open, to be matched with errors.Is.
var (
	// ErrCursor says that a text is no cursor of this deployment's feed.
	ErrCursor = errors.New("relay: not a cursor of this feed")
	// ErrCursorAhead says that the log ends before the cursor: it was restored
	// from an older copy.
	ErrCursorAhead = errors.New("relay: the cursor is ahead of the log")
	// ErrType says that the feed has no events whose type begins so.
	ErrType = errors.New("relay: no event type of the feed begins like this")
)

// Query says which events of the feed are asked for.
type Query struct {
	// Organization is the one whose events are asked for; empty for all.
	Organization domain.OrganizationID
	// Newest is the last known revision of its stream, or the zero Expected: it
	// makes finding the cursor's place faster.
	Newest eventstore.Expected
	// Type is what the types of the events begin with; empty for all.
	Type string
	// Personal leaves the personal data in the events.
	Personal bool
	// Reads says which values that take a permission of their own (domain.Guarded)
	// are left in the events; nil for none. It is asked for each of these events.
	Reads func(domain.Permission) bool
	// Cursor is what to go on after: empty for the beginning, FromHead for the
	// end, or the cursor of an event or a page.
	Cursor string
}

func (q Query) view() view { return view{personal: q.Personal, reads: q.Reads} }

// All is the Reads of those who may see the values of all events, if they may.
func All(may bool) func(domain.Permission) bool {
	if !may {
		return nil
	}
	return func(domain.Permission) bool { return true }
}

// From is Open for who has kept a position.
func (f *Feed) From(q Query, after eventstore.Position) (*Reader, error) {
	filter, err := f.render.filter(q.Type)
	return &Reader{feed: f, query: q, filter: filter, after: after, told: after}, err
}

// FromHead is the cursor for what is yet to come.
const FromHead = "head"

// Open begins to read after the cursor. It fails with ErrCursor, ErrCursorAhead,
// ErrType, and as the log does.
func (f *Feed) Open(ctx context.Context, q Query) (*Reader, error) {
	filter, err := f.render.filter(q.Type)
	if err != nil {
		return nil, err
	}
	after, err := f.Position(ctx, q.Cursor)
	return &Reader{feed: f, query: q, filter: filter, after: after, told: after}, err
}

// Position is where a cursor is in the log. It fails with ErrCursor,
// ErrCursorAhead, and as the log does.
func (f *Feed) Position(ctx context.Context, cursor string) (after eventstore.Position, err error) {
	switch cursor {
	case "":
		return 0, nil
	case FromHead:
		return f.config.Log.Head(ctx)
	}
	if after, err = f.cursors.parse(cursor); err != nil {
		return 0, err
	}
	head, err := f.config.Log.Head(ctx)
	if err == nil && after > head {
		err = ErrCursorAhead
	}
	return after, err
}

// CursorAt is the cursor of a position.
func (f *Feed) CursorAt(after eventstore.Position) string {
	return string(f.cursors.append(nil, after))
}

// CheckType fails with ErrType.
func (f *Feed) CheckType(prefix string) error {
	_, err := f.render.filter(prefix)
	return err
}

// Forget drops how events were shown: somebody was erased. From then on they show
// the pseudonym, also those that are delivered again.
func (f *Feed) Forget() {
	f.forgotten.Add(1)
	f.tail.again()
}

// Forgotten is how often Forget was called. Who holds events for long compares.
func (f *Feed) Forgotten() int64 { return f.forgotten.Load() }

const (
	tailPage     = 500
	firstPause   = 50 * time.Millisecond
	longestPause = 5 * time.Second
)

// Run follows the log for all readers that wait for its end to move, until ctx
// ends, and answers with its error. While the log is away it tries again.
func (f *Feed) Run(ctx context.Context) error {
	pause := firstPause
	for {
		began := time.Now()
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(began) > longestPause {
			pause = firstPause
		}
		f.config.Logger.Warn("the feed cannot follow the log; trying again", "error", err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		pause = min(2*pause, longestPause)
	}
}

func (f *Feed) follow(ctx context.Context) error {
	head, err := f.config.Log.Head(ctx)
	if err != nil {
		return err
	}
	filter, err := f.render.filter("")
	if err != nil {
		return err
	}
	subscription, err := f.config.Log.Subscribe(ctx, f.tail.begin(head), filter)
	if err != nil {
		return err
	}
	defer subscription.Close()
	for {
		page, err := subscription.Next(ctx, tailPage)
		if err != nil {
			return err
		}
		f.tail.take(page)
	}
}
