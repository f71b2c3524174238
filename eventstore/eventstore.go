// Package eventstore is the port to the append-only log that everything in
// Tenure is derived from. The adapters in the folders below it share the
// semantics that the contract suite storetest pins:
//
//   - A stream is a list of events with revisions 0, 1, 2, … without gaps.
//   - Every event of the log has a Position. Positions grow in the order in
//     which events became visible; they are opaque: the next one is not known.
//   - An Append is atomic, states the revision that it expects, and has been
//     forced to stable storage when it answers.
//   - An Append is idempotent by event id: sent again with the same
//     expectation and ids, it answers as the first time and writes nothing.
//   - A reader sees events in position order, and never one before an older one.
package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Position orders the events of the whole log. Zero is before the first event.
type Position uint64

// Revision numbers the events of one stream from 0.
type Revision uint64

// ID identifies an event: a UUID.
type ID [16]byte

// Limits of one Append. MaxAppendBytes is what an EventStoreDB takes unless its
// operator raises it; there it is one limit for all events of an append.
const (
	MaxBatchEvents = 512     // events
	MaxAppendBytes = 1 << 20 // the sizes of all events together
	MaxStreamBytes = 200     // a stream's name
)

// Event is what a writer hands over. Data and Metadata are JSON documents that
// the log does not look into.
type Event struct {
	ID       ID
	Type     string
	Data     []byte
	Metadata []byte
}

// Size is what the event counts against MaxAppendBytes: its data, its metadata,
// and its type twice, since an EventStoreDB counts that in UTF-16.
func (e *Event) Size() int { return len(e.Data) + len(e.Metadata) + 2*len(e.Type) }

// Recorded is an event as the log holds it. Readers share it: do not change it.
type Recorded struct {
	Event
	Stream     string
	Revision   Revision
	Position   Position
	RecordedAt time.Time // by the clock of the log
}

// Expected is what a writer knows of the stream that it appends to. The zero
// value is refused: every append says what it expects.
type Expected struct {
	kind     expectedKind
	revision Revision
}

type expectedKind uint8

const (
	expectedUnset expectedKind = iota
	expectedNoStream
	expectedExactly
)

// NoStream expects that the stream has no events.
func NoStream() Expected { return Expected{kind: expectedNoStream} }

// Exactly expects that the stream's last event has this revision.
func Exactly(last Revision) Expected { return Expected{kind: expectedExactly, revision: last} }

// Last is the expected last revision; ok is false for NoStream.
func (e Expected) Last() (last Revision, ok bool) { return e.revision, e.kind == expectedExactly }

// Next is the revision that the first appended event gets.
func (e Expected) Next() Revision {
	if e.kind == expectedExactly {
		return e.revision + 1
	}
	return 0
}

func (e Expected) String() string {
	switch e.kind {
	case expectedNoStream:
		return "no stream"
	case expectedExactly:
		return fmt.Sprintf("revision %d", e.revision)
	}
	return "unset"
}

// Result says where an Append put its last event.
type Result struct {
	LastRevision Revision
	Position     Position
}

// Filter selects events by the beginnings of their types; empty selects all.
type Filter struct {
	TypePrefixes []string
}

// Matches reports whether the filter selects a type.
func (f Filter) Matches(eventType string) bool {
	return len(f.TypePrefixes) == 0 || slices.ContainsFunc(f.TypePrefixes, func(prefix string) bool { return strings.HasPrefix(eventType, prefix) })
}

// Page is a stretch of the log.
type Page struct {
	Events []Recorded
	// Position is how far the log has been read: at least that of the last
	// event, more where events after it did not match the filter. A consumer
	// that keeps it as its checkpoint goes on after it.
	Position Position
	// Head holds when there was nothing more to read.
	Head bool
}

// Store is the log.
type Store interface {
	// Append writes events to the end of stream, all or none.
	// It fails with a *ConflictError when the stream is not where expected
	// says, ErrInvalidAppend when the arguments can never be accepted,
	// ErrUnavailable, and ErrClosed. When ctx ends while the events are being written, they may or
	// may not be in the log: append again with the same ids to find out.
	Append(ctx context.Context, stream string, expected Expected, events []Event) (Result, error)

	// ReadStream returns up to limit events of stream from a revision on,
	// oldest first. Fewer than limit events means that the stream ends there;
	// a revision past the end gives none. It fails with ErrStreamNotFound when
	// the stream has no events at all.
	ReadStream(ctx context.Context, stream string, from Revision, limit int) ([]Recorded, error)

	// ReadAll returns up to limit events that match the filter, strictly after
	// a position, in position order.
	ReadAll(ctx context.Context, after Position, limit int, filter Filter) (Page, error)

	// Head is the position of the newest event, zero for an empty log.
	Head(ctx context.Context) (Position, error)

	// Subscribe follows the log, strictly after a position.
	Subscribe(ctx context.Context, after Position, filter Filter) (Subscription, error)

	// Close releases the store once the appends under way have been answered.
	Close() error
}

// Subscription is one consumer's way through the log, for one goroutine.
type Subscription interface {
	// Next waits until there is something after the last page, and returns up
	// to limit events of it. A page without events moves the position past
	// events that the filter left out. Any error ends the subscription; the
	// consumer subscribes again after its last processed position.
	Next(ctx context.Context, limit int) (Page, error)

	// Close ends the subscription.
	Close() error
}

// The errors of every store, to be matched with errors.Is.
var (
	ErrStreamNotFound = errors.New("eventstore: stream not found")
	ErrInvalidAppend  = errors.New("eventstore: append can never be accepted")
	ErrClosed         = errors.New("eventstore: store is closed")

	// ErrUnavailable says that the log cannot be reached or written now, and may
	// be later: a disk that is full, a server that is away. Whether an append
	// was written is not known.
	ErrUnavailable = errors.New("eventstore: store is unavailable")
)

// ConflictError says that a stream is not where the writer expected it.
type ConflictError struct {
	Stream   string
	Expected Expected
	Actual   Expected // NoStream, or the stream's last revision
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("eventstore: stream %s: expected %s, found %s", e.Stream, e.Expected, e.Actual)
}

// Check refuses what no store accepts: an unset expectation or one that no
// stream can meet, no events or too many, an event without an id or type, an id
// twice, too many bytes, a name that is too long or not UTF-8, and names that
// begin with $: those are the log's own.
func Check(stream string, expected Expected, events []Event) error {
	switch {
	case len(stream) > MaxStreamBytes || !nameable(stream):
		return fmt.Errorf("%w: stream name %.40q of %d bytes", ErrInvalidAppend, stream, len(stream))
	case expected.kind == expectedUnset:
		return fmt.Errorf("%w: no expectation", ErrInvalidAppend)
	case expected == Exactly(math.MaxUint64):
		return fmt.Errorf("%w: there is no revision after the expected one", ErrInvalidAppend)
	case len(events) == 0 || len(events) > MaxBatchEvents:
		return fmt.Errorf("%w: %d events", ErrInvalidAppend, len(events))
	}
	seen, size := make(map[ID]struct{}, len(events)), 0
	for i := range events {
		e := &events[i]
		if e.ID == (ID{}) || !nameable(e.Type) {
			return fmt.Errorf("%w: event %x of type %.40q", ErrInvalidAppend, e.ID, e.Type)
		}
		if _, twice := seen[e.ID]; twice {
			return fmt.Errorf("%w: event id twice", ErrInvalidAppend)
		}
		seen[e.ID] = struct{}{}
		if size += e.Size(); size > MaxAppendBytes {
			return fmt.Errorf("%w: more than %d bytes", ErrInvalidAppend, MaxAppendBytes)
		}
	}
	return nil
}

// nameable says whether a writer may give this name to a stream or a type.
func nameable(name string) bool {
	return name != "" && !strings.HasPrefix(name, "$") && utf8.ValidString(name)
}
