package projections

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"tenure/eventstore"
)

// folder folds batches of events into one view. It remembers documents and
// positions as they will be once all batches that it made are applied, so that
// it can work ahead of Apply by one batch. If a batch is not applied, the
// folder is of no more use.
type folder interface {
	fold(ctx context.Context, events []*Event) ([]Change, error)
}

type documents[D any] struct {
	view      View[D]
	storage   Storage
	cells     *simplelru.LRU[Key, *cell[D]]
	positions *simplelru.LRU[string, eventstore.Position]

	// The batch before may not be applied yet, so what it touched must not be
	// read from the storage, even if it has left the caches above.
	previous, current touched[D]
	other             func(Key) *D
	at                eventstore.Position // of the event being folded
}

// touched is what one batch has to do with.
type touched[D any] struct {
	cells map[Key]*cell[D]
	parts map[string]*part
}

// cell is a document in memory.
type cell[D any] struct {
	key     Key
	part    *part
	doc     *D
	entries []Entry // as stored
	stored  bool
	unread  bool // the storage was not asked yet
	dirty   bool
}

// part is a partition in a batch.
type part struct {
	Change
	unread bool
}

// step is one event's effect on one document.
type step[D any] struct {
	event *Event
	cell  *cell[D]
}

func (v View[D]) newFolder(storage Storage, size int) (folder, error) {
	cells, err := simplelru.NewLRU[Key, *cell[D]](size, nil)
	if err != nil {
		return nil, err
	}
	positions, err := simplelru.NewLRU[string, eventstore.Position](size, nil)
	if err != nil {
		return nil, err
	}
	d := &documents[D]{view: v, storage: storage, cells: cells, positions: positions}
	d.other = func(k Key) *D {
		if c, ok := d.current.cells[k]; ok {
			return c.doc
		}
		return nil
	}
	return d, nil
}

func (d *documents[D]) fold(ctx context.Context, events []*Event) (changes []Change, err error) {
	// A view that cannot bear an event halts the projector, not the process.
	defer func() {
		if r := recover(); r != nil {
			err = failed(ClassFold, fmt.Errorf("view %s panicked at position %d: %v", d.view.Name, d.at, r))
		}
	}()
	d.previous = d.current
	d.current = touched[D]{cells: make(map[Key]*cell[D]), parts: make(map[string]*part)}
	steps, parts, cells := d.plan(events)
	if err := d.loadPositions(ctx, parts); err != nil {
		return nil, failed(ClassStorage, err)
	}
	if err := d.loadDocuments(ctx, cells); err != nil {
		return nil, failed(ClassStorage, err)
	}
	for _, s := range steps {
		d.step(s)
	}
	for _, c := range cells {
		if err := d.finish(c); err != nil {
			return nil, failed(ClassFold, err)
		}
	}
	changes = make([]Change, 0, len(parts))
	for _, p := range parts {
		if p.To > p.From {
			changes = append(changes, p.Change)
		}
		d.positions.Add(p.Partition, p.To)
	}
	return changes, nil
}

// plan finds the documents that the events touch, in memory as far as they are.
func (d *documents[D]) plan(events []*Event) (steps []step[D], parts []*part, cells []*cell[D]) {
	steps = make([]step[D], 0, len(events))
	cells = make([]*cell[D], 0, len(events))
	for _, e := range events {
		d.at = e.Position
		for _, key := range d.view.Touches(*e) {
			p, known := d.current.parts[key.Partition]
			if !known {
				p = d.part(key.Partition)
				d.current.parts[key.Partition] = p
				parts = append(parts, p)
			}
			c, known := d.current.cells[key] // always empty for a view with Once
			if !known {
				c = d.cell(key)
				c.part = p
				cells = append(cells, c)
			}
			steps = append(steps, step[D]{event: e, cell: c})
		}
	}
	return steps, parts, cells
}

func (d *documents[D]) part(partition string) *part {
	at, known := d.positions.Get(partition)
	if p, ok := d.previous.parts[partition]; ok {
		at, known = p.To, true
	}
	return &part{Change: Change{Partition: partition, From: at, To: at}, unread: !known}
}

func (d *documents[D]) cell(key Key) *cell[D] {
	if d.view.Once {
		return &cell[D]{key: key}
	}
	c, known := d.previous.cells[key]
	if !known {
		c, known = d.cells.Get(key)
	}
	if !known {
		c = &cell[D]{key: key, unread: true}
	}
	d.current.cells[key] = c
	return c
}

func (d *documents[D]) loadPositions(ctx context.Context, parts []*part) error {
	var unread []*part
	var names []string
	for _, p := range parts {
		if p.unread {
			unread, names = append(unread, p), append(names, p.Partition)
		}
	}
	if len(unread) == 0 {
		return nil
	}
	at, err := d.storage.Positions(ctx, d.view.Name, names)
	if err != nil {
		return err
	}
	for i, p := range unread {
		p.From, p.To = at[i], at[i]
	}
	return nil
}

func (d *documents[D]) loadDocuments(ctx context.Context, cells []*cell[D]) error {
	var unread []*cell[D]
	var keys []Key
	for _, c := range cells {
		// A partition that was never written has no documents.
		if c.unread && c.part.From > 0 {
			unread, keys = append(unread, c), append(keys, c.key)
		}
		c.unread = false
	}
	if len(unread) == 0 {
		return nil
	}
	bodies, err := d.storage.Documents(ctx, d.view.Name, keys)
	if err != nil {
		return err
	}
	for i, c := range unread {
		if bodies[i] == nil {
			continue
		}
		c.doc, c.stored = new(D), true
		if err := json.Unmarshal(bodies[i], c.doc); err != nil {
			return fmt.Errorf("projections: view %s: stored document: %w", d.view.Name, err)
		}
		c.entries = d.entries(c)
	}
	return nil
}

func (d *documents[D]) step(s step[D]) {
	c := s.cell
	// An event touches a partition's documents one after the other, so only
	// what is before the position when the batch begins was applied.
	if s.event.Position <= c.part.From {
		return
	}
	d.at = s.event.Position
	c.doc = d.view.Fold(c.doc, In[D]{Key: c.key, Event: *s.event, Other: d.other})
	c.dirty = true
	c.part.To = max(c.part.To, s.event.Position)
}

// finish adds to the partition's change what has become of the document.
func (d *documents[D]) finish(c *cell[D]) error {
	if !d.view.Once {
		d.cells.Add(c.key, c)
	}
	if !c.dirty {
		return nil
	}
	c.dirty = false
	if c.doc == nil {
		if c.stored {
			c.part.Deletes = append(c.part.Deletes, c.key.ID)
		}
		c.replaceEntries(nil)
		c.stored = false
		return nil
	}
	body, err := encode(c.doc)
	if err != nil {
		return fmt.Errorf("projections: view %s: encode document: %w", d.view.Name, err)
	}
	c.part.Puts = append(c.part.Puts, Document{ID: c.key.ID, Body: body})
	c.replaceEntries(d.entries(c))
	c.stored = true
	return nil
}

func (c *cell[D]) replaceEntries(entries []Entry) {
	for _, e := range entries {
		if !slices.Contains(c.entries, e) {
			c.part.Added = append(c.part.Added, IndexEntry{Entry: e, ID: c.key.ID})
		}
	}
	for _, e := range c.entries {
		if !slices.Contains(entries, e) {
			c.part.Removed = append(c.part.Removed, IndexEntry{Entry: e, ID: c.key.ID})
		}
	}
	c.entries = entries
}

func (d *documents[D]) entries(c *cell[D]) []Entry {
	if d.view.Entries == nil {
		return nil
	}
	entries := d.view.Entries(c.key, c.doc)
	for i, e := range entries {
		entries[i] = Entry{Index: withoutZeros(e.Index), Sort: withoutZeros(e.Sort)}
	}
	return entries
}

// withoutZeros keeps the zero byte free for stores that separate with it.
func withoutZeros(s string) string {
	if strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(s, "\x00", "")
}

func encode(doc any) ([]byte, error) {
	if a, ok := doc.(interface{ AppendJSON([]byte) []byte }); ok {
		return a.AppendJSON(nil), nil
	}
	return json.Marshal(doc)
}
