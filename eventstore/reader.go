package eventstore

import (
	"context"
	"errors"
)

// Reader is the part of a Store that only reads: a log that nobody writes to by
// this, such as a copy.
type Reader interface {
	ReadStream(ctx context.Context, stream string, from Revision, limit int) ([]Recorded, error)
	ReadAll(ctx context.Context, after Position, limit int, filter Filter) (Page, error)
	Head(ctx context.Context) (Position, error)
}

// ErrReadOnly says that a log is only read.
var ErrReadOnly = errors.New("eventstore: the log is opened for reading only")

// ReadOnly is a Store of which nothing but reading works; the rest fails with
// ErrReadOnly. Closing it does nothing: who has opened the Reader closes it.
func ReadOnly(r Reader) Store { return readOnly{r} }

type readOnly struct{ Reader }

func (readOnly) Append(context.Context, string, Expected, []Event) (Result, error) {
	return Result{}, ErrReadOnly
}

func (readOnly) Subscribe(context.Context, Position, Filter) (Subscription, error) {
	return nil, ErrReadOnly
}

func (readOnly) Close() error { return nil }

// Checked is a log that holds more than its events: what it finds streams by, for
// example. Who proves the events by reading all of them has not proved what
// ReadStream answers.
type Checked interface {
	// Check compares everything that reads go by with the events, and answers what
	// contradicts them, at most some hundred flaws.
	Check(ctx context.Context) ([]Flaw, error)
}

// Flaw is where a log would answer otherwise than its events are.
type Flaw struct {
	Problem  string
	Position Position // of the event that it is about; zero for none
	Stream   string
	Revision Revision
}
