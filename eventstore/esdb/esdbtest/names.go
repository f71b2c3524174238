package esdbtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/google/uuid"

	"tenure/eventstore"
)

// Types of events that the server writes.
const (
	typeMetadata  = "$metadata"      // of the stream $$<name>, about the stream <name>
	typeTombstone = "$streamDeleted" // the last event of a stream
)

// stored is how the log has a name. Only the server may write names that begin
// with $, so they and what could be taken for one get a mark before them.
func stored(name string) string {
	if strings.HasPrefix(name, "$") || strings.HasPrefix(name, "~") {
		return "~" + name
	}
	return name
}

// shown is the name as clients know it.
func shown(name string) string { return strings.TrimPrefix(name, "~") }

// names knows the streams of which not all events are to be read.
type names struct {
	mu      sync.RWMutex
	streams map[string]cutoff
}

// cutoff says which of a stream's events are hidden.
type cutoff struct {
	before    uint64 // revisions below this one
	tombstone bool   // all, and there may be no more
}

// openNames reads what the log says of streams, and begins an empty log.
func openNames(ctx context.Context, log eventstore.Store) (*names, error) {
	n := &names{streams: map[string]cutoff{}}
	head, err := log.Head(ctx)
	if err != nil {
		return nil, err
	}
	if head == 0 {
		return n, begin(ctx, log)
	}
	filter := eventstore.Filter{TypePrefixes: []string{stored(typeMetadata), stored(typeTombstone)}}
	for page := (eventstore.Page{}); !page.Head; {
		if page, err = log.ReadAll(ctx, page.Position, 1000, filter); err != nil {
			return nil, err
		}
		for _, e := range page.Events {
			n.learn(e.Stream, e.Event)
		}
	}
	return n, nil
}

// begin writes what stands before the first event of any user.
func begin(ctx context.Context, log eventstore.Store) error {
	for _, e := range []struct{ stream, kind string }{{"$users", "$UserCreated"}, {"$settings", "$settings"}} {
		_, err := log.Append(ctx, stored(e.stream), eventstore.NoStream(), []eventstore.Event{systemEvent(e.kind, `{}`)})
		if err != nil {
			return err
		}
	}
	return nil
}

func systemEvent(kind, data string) eventstore.Event {
	return eventstore.Event{ID: eventstore.ID(uuid.New()), Type: stored(kind), Data: []byte(data)}
}

// hiding is the metadata that hides the events below a revision.
func hiding(before uint64) eventstore.Event {
	return systemEvent(typeMetadata, fmt.Sprintf(`{"$tb":%d}`, before))
}

// learn takes in an event that may say something of a stream.
func (n *names) learn(stream string, e eventstore.Event) {
	about, isMeta := strings.CutPrefix(shown(stream), "$$")
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case shown(e.Type) == typeTombstone:
		c := n.streams[stream]
		c.tombstone = true
		n.streams[stream] = c
	case shown(e.Type) == typeMetadata && isMeta:
		var metadata struct {
			Before uint64 `json:"$tb"`
		}
		_ = json.Unmarshal(e.Data, &metadata) // what is no such document hides nothing
		c := n.streams[stored(about)]
		c.before = min(metadata.Before, math.MaxInt64)
		n.streams[stored(about)] = c
	}
}

func (n *names) cutoff(stream string) cutoff {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.streams[stream]
}
