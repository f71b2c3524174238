package projections

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// The timeline keeps an event as the log holds it: sealed where that is. It is
// opened when it is read, so that of a person whose key was destroyed nothing is
// left here either. What is in the page cache is sealed as well.

// recordedAs is what it takes to open a sealed document: the event's id and the
// form in which it was recorded, to which the sealed values are bound.
type recordedAs struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

const recordedMember = `,"recorded":{"id":"`

func newTimelineDoc(public *codec.Codec, e Event) *timelineDoc {
	d := &timelineDoc{event: e, reason: e.Metadata.Reason, accounts: accountsOf(e.Event)}
	if e.Recorded == nil || !codec.Sealed(*e.Recorded) {
		d.data = publicData(public, e)
		return d
	}
	d.sealed, d.data = true, e.Recorded.Data
	var m struct{ Reason string }
	if err := json.Unmarshal(e.Recorded.Metadata, &m); err != nil {
		panic(err) // the codec has decoded it before
	}
	d.reason = m.Reason
	return d
}

func (d *timelineDoc) appendRecorded(b []byte) []byte {
	r := d.event.Recorded
	b = hex.AppendEncode(append(b, recordedMember...), r.ID[:])
	return append(appendString(append(b, `","type":`...), r.Type), '}')
}

// sealedEntry is a document of the timeline as it is stored.
type sealedEntry struct {
	TimelineEntry
	Recorded *recordedAs `json:"recorded,omitempty"`
}

// opened is a page with what is sealed on it opened.
func (r *Reader) opened(ctx context.Context, page Page) (Page, error) {
	if !bytes.Contains(page.JSON(), []byte(recordedMember)) {
		return page, nil
	}
	stored, err := page.Items()
	if err != nil {
		return Page{}, err
	}
	entries := make([]sealedEntry, len(stored))
	var sealed []eventstore.Recorded
	for i, item := range stored {
		if err := json.Unmarshal(item, &entries[i]); err != nil {
			return Page{}, err
		}
		if entries[i].Recorded != nil {
			recorded, err := entries[i].asRecorded()
			if err != nil {
				return Page{}, err
			}
			sealed = append(sealed, recorded)
		}
	}
	if err := r.prefetch(ctx, sealed); err != nil {
		return Page{}, err
	}
	items := make([][]byte, len(stored))
	for i, entry := range entries {
		if items[i] = stored[i]; entry.Recorded == nil {
			continue
		}
		if items[i], err = r.openEntry(entry.TimelineEntry, sealed[0]); err != nil {
			return Page{}, err
		}
		sealed = sealed[1:]
	}
	return newPage(items, page.NextCursor()), nil
}

// asRecorded is as much of the event as the log holds it as opening takes.
func (e *sealedEntry) asRecorded() (r eventstore.Recorded, err error) {
	id, err := hex.DecodeString(e.Recorded.ID)
	if err != nil || len(id) != len(r.ID) {
		return r, fmt.Errorf("projections: the timeline holds an event without its id: %w", err)
	}
	metadata, err := json.Marshal(codec.Metadata{Actor: e.Actor, OccurredAt: e.At, Reason: e.Reason})
	r.ID, r.Type, r.Data, r.Metadata = eventstore.ID(id), e.Recorded.Type, e.Data, metadata
	r.Position, r.Revision = e.Position, e.Revision
	return r, err
}

func (r *Reader) openEntry(entry TimelineEntry, recorded eventstore.Recorded) ([]byte, error) {
	opened, err := r.decode(recorded)
	if err != nil {
		return nil, err
	}
	entry.Reason = opened.Metadata.Reason
	if entry.Data, err = plainCodec.Public(opened.Event); err != nil {
		return nil, err
	}
	return json.Marshal(entry)
}

// plainCodec knows the forms of events and needs no keys for that.
var plainCodec = codec.New()
