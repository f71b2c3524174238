package codec

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/keyring"
)

// settleTimeout is how long the keys of an event that is encoded alone may take
// to be stored.
const settleTimeout = 10 * time.Second

// Batch encodes events that are appended together. New keys that they need are
// stored in one go, by Settle, before which none of the events may be appended.
// It is for one goroutine.
type Batch struct {
	codec      *Codec
	candidates map[string]*keyring.Key
	unsettled  map[eventstore.ID]unsettled
}

// unsettled is an event that was sealed with a key which may not come to be.
type unsettled struct {
	event    domain.Event
	metadata Metadata
	subjects []string
}

// Batch begins a batch.
func (c *Codec) Batch() *Batch { return &Batch{codec: c} }

// Encode makes an event for the log, of the size that it will have. It fails with
// ErrUnknownEvent.
func (b *Batch) Encode(id eventstore.ID, e domain.Event, m Metadata) (eventstore.Event, error) {
	row, ok := b.codec.events[e.EventType()]
	if !ok {
		return eventstore.Event{}, fmt.Errorf("%w: %s", ErrUnknownEvent, e.EventType())
	}
	m.OccurredAt = m.OccurredAt.UTC()
	sealed, sealedMetadata := e, m
	if b.codec.seals && (!row.sealed.none() || m.Reason != "") {
		var subjects []string
		v := reflect.New(row.form).Elem()
		v.Set(reflect.ValueOf(e))
		err := row.sealAll(b.codec.keys, id, v, &sealedMetadata, func(subject string) (person, error) {
			key, destroyed := b.codec.keys.Current(subject)
			if key != nil || destroyed {
				return person{key, destroyed}, nil
			}
			subjects = append(subjects, subject)
			key, err := b.candidate(subject)
			return person{key: key}, err
		})
		if err != nil {
			return eventstore.Event{}, err
		}
		if len(subjects) > 0 {
			if b.unsettled == nil {
				b.unsettled = make(map[eventstore.ID]unsettled)
			}
			b.unsettled[id] = unsettled{e, m, subjects}
		}
		sealed = v.Interface().(domain.Event)
	}
	return written(id, row.name, sealed, sealedMetadata)
}

// Settle has the new keys of the batch stored. Where a subject has a key already,
// or was erased, the events that it concerns are sealed anew, in place.
func (b *Batch) Settle(ctx context.Context, events []eventstore.Event) error {
	if len(b.candidates) == 0 {
		return nil
	}
	var candidates []*keyring.Key
	for _, key := range b.candidates {
		candidates = append(candidates, key)
	}
	settled, err := b.codec.keys.Ensure(ctx, candidates)
	if err != nil {
		return unavailable(err)
	}
	others := make(map[string]person)
	for i, key := range settled {
		if key != candidates[i] {
			others[candidates[i].Subject] = person{key, key == nil}
		}
	}
	for i := range events {
		u, ok := b.unsettled[events[i].ID]
		if !ok || !u.concerns(others) {
			continue
		}
		if events[i], err = b.again(events[i].ID, u, others); err != nil {
			return err
		}
	}
	b.candidates, b.unsettled = nil, nil
	return nil
}

func (b *Batch) candidate(subject string) (*keyring.Key, error) {
	if key, ok := b.candidates[subject]; ok {
		return key, nil
	}
	key, err := b.codec.keys.Candidate(subject)
	if err != nil {
		return nil, err
	}
	if b.candidates == nil {
		b.candidates = make(map[string]*keyring.Key)
	}
	b.candidates[subject] = key
	return key, nil
}

// again encodes an event with the keys that there turned out to be.
func (b *Batch) again(id eventstore.ID, u unsettled, others map[string]person) (eventstore.Event, error) {
	row := b.codec.events[u.event.EventType()]
	v := reflect.New(row.form).Elem()
	v.Set(reflect.ValueOf(u.event))
	err := row.sealAll(b.codec.keys, id, v, &u.metadata, func(subject string) (person, error) {
		if p, ok := others[subject]; ok {
			return p, nil
		}
		if key, ok := b.candidates[subject]; ok {
			return person{key: key}, nil
		}
		key, destroyed := b.codec.keys.Current(subject)
		if key == nil && !destroyed { // forgotten since
			c, err := b.codec.keys.Candidate(subject)
			if err != nil {
				return person{}, err
			}
			ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
			defer cancel()
			settled, err := b.codec.keys.Ensure(ctx, []*keyring.Key{c})
			if err != nil {
				return person{}, unavailable(err)
			}
			key, destroyed = settled[0], settled[0] == nil
		}
		return person{key, destroyed}, nil
	})
	if err != nil {
		return eventstore.Event{}, err
	}
	return written(id, row.name, v.Interface().(domain.Event), u.metadata)
}

func (u unsettled) concerns(others map[string]person) bool {
	for _, subject := range u.subjects {
		if _, ok := others[subject]; ok {
			return true
		}
	}
	return false
}

// written is an event in the form that the log holds.
func written(id eventstore.ID, name string, e domain.Event, m Metadata) (eventstore.Event, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return eventstore.Event{}, fmt.Errorf("codec: encode %s: %w", name, err)
	}
	metadata, err := json.Marshal(m)
	if err != nil {
		return eventstore.Event{}, fmt.Errorf("codec: encode the metadata of %s: %w", name, err)
	}
	return eventstore.Event{ID: id, Type: name, Data: data, Metadata: metadata}, nil
}
