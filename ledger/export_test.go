package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"tenure/eventstore"
)

// What tests need to go step by step.

// Once does what Run does until there is nothing to do.
func (l *Ledger) Once(ctx context.Context) error {
	tree, err := l.Tree.grow(ctx)
	if err != nil {
		return err
	}
	return l.round(ctx, tree)
}

// Recheck compares the whole log with the stored tree.
func (l *Ledger) Recheck(ctx context.Context) error {
	size, position, err := l.Tree.Size(ctx)
	if err != nil {
		return err
	}
	return l.recheck(ctx, size, position)
}

// Grow puts pages of a log into the stored tree.
func (t *Tree) Grow(ctx context.Context, pages ...eventstore.Page) error {
	g, err := t.grow(ctx)
	for _, page := range pages {
		if err == nil {
			err = g.add(ctx, page)
		}
	}
	return err
}

// InMemory is the tree of these leaves.
func InMemory(leaves []Hash) interface {
	Root(size uint64) (Hash, error)
	Inclusion(index, size uint64) ([]Hash, error)
	Consistency(from, to uint64) ([]Hash, error)
} {
	m := newMemory()
	for _, leaf := range leaves {
		m.add(leaf)
	}
	return inMemory{m}
}

type inMemory struct{ *memory }

func (m inMemory) Root(size uint64) (Hash, error) { return rootOf(context.Background(), m, size) }
func (m inMemory) Inclusion(index, size uint64) ([]Hash, error) {
	return inclusionOf(context.Background(), m, index, size)
}
func (m inMemory) Consistency(from, to uint64) ([]Hash, error) {
	return consistencyOf(context.Background(), m, from, to)
}

// DecodeLine reads a line of an export as verification does.
func DecodeLine(text []byte) (*eventstore.Recorded, error) {
	e, err := decodeLine(text)
	if err != nil {
		return nil, err
	}
	return e.Recorded, nil
}

// DecodeQuickly reads a line of an export as verification does at first.
func DecodeQuickly(text []byte) (*eventstore.Recorded, error) {
	var d lineDecoder
	d.begin(len(text))
	e := entry{Recorded: new(eventstore.Recorded)}
	if !d.decode(text, &e) {
		return nil, errLine
	}
	return e.Recorded, nil
}

// InTurns has numbers for work.
var InTurns = inTurns[int]

// Frontier is the root of a tree that has grown by these leaves.
func Frontier(leaves []Hash) Hash {
	var f frontier
	for _, leaf := range leaves {
		f.add(leaf)
	}
	return f.root()
}

// EncodeLine writes an event as an export does.
func EncodeLine(e *eventstore.Recorded) []byte {
	return appendLine(nil, &entry{Recorded: e, hash: LeafHash(e)})
}

// Forged is an event of an export that somebody changes.
type Forged struct {
	eventstore.Recorded
	Leaf  uint64
	Hash  Hash
	Proof []Hash
}

// Forgery is an export that somebody changes with care: what follows from the
// rest, as the checksum and the number of the events, is right again. The end has no
// signature any more.
type Forgery struct {
	Export, Organization, Checkpoint string
	Size                             uint64
	Position                         eventstore.Position
	Events                           []*Forged
	Signed, Signature                string // as it was, and as it is to be
	Recount                          bool   // the organization's own events as well
}

// End is what is signed of the end of an export, and the signature.
func End(export []byte) (text, signature string, err error) {
	h, t, _, err := openExport(bytes.NewReader(export)).frame()
	if err != nil {
		return "", "", err
	}
	return endText(*h, *t), t.Signature, nil
}

// Forge changes an export.
func Forge(export []byte, format Format, change func(*Forgery)) ([]byte, error) {
	r := openExport(bytes.NewReader(export))
	h, t, _, err := r.frame()
	if err != nil {
		return nil, err
	}
	f := &Forgery{Export: h.Export, Organization: h.Organization, Size: h.Size, Checkpoint: t.Checkpoint, Position: t.Position, Signed: t.Signature}
	var wrong error
	err = r.events(allEvents, func(e *readEvent) {
		if e.wrong != nil {
			wrong = e.wrong
			return
		}
		kept := *e.Recorded
		kept.Data, kept.Metadata = bytes.Clone(e.Data), bytes.Clone(e.Metadata)
		f.Events = append(f.Events, &Forged{kept, e.leaf, e.hash, slices.Clone(e.proof)})
	})
	if err = errors.Join(err, wrong); err != nil {
		return nil, err
	}
	change(f)
	h.Export, h.Organization, h.Size = f.Export, f.Organization, f.Size
	sum, entries := newChecksum(*h), make([]entry, len(f.Events))
	for i, e := range f.Events {
		entries[i] = entry{&e.Recorded, e.Leaf, e.Hash, e.Proof}
		sum.add(LeafHash(&e.Recorded), e.Position)
	}
	t.Checkpoint, t.Position, t.Events, t.Signature = f.Checkpoint, f.Position, uint64(len(entries)), f.Signature
	if f.Recount {
		t.Revisions = 0
		for _, e := range f.Events {
			if e.Stream == organizationPrefix+f.Organization {
				t.Revisions++
			}
		}
	}
	seal := func(pages string) (trailer, error) {
		t.Pages = pages
		return sum.seal(*t), nil
	}
	var b bytes.Buffer
	w := exportWriter(ndjsonWriter{&b})
	if format == Parquet {
		w = newParquetWriter(&b)
	}
	err = errors.Join(w.begin(*h), w.write(w.prepare(entries, nil)), w.end(*h, seal))
	return b.Bytes(), err
}

// Rows are how many rows there are in each of a Parquet file's groups.
func Rows(export []byte) (rows []int64, err error) {
	r := &parquetReader{file: bytes.NewReader(export)}
	_, _, _, err = r.frame()
	if err == nil {
		for _, g := range r.parsed.RowGroups() {
			rows = append(rows, g.NumRows())
		}
	}
	return rows, err
}

// Row is a row of a Parquet export.
type Row = row

// Rewrite writes a Parquet export again, with other rows and whatever the options say.
func Rewrite(export []byte, change func(i int, r *Row), options ...parquet.WriterOption) ([]byte, error) {
	in := &parquetReader{file: bytes.NewReader(export)}
	h, t, n, err := in.frame()
	if err != nil {
		return nil, err
	}
	rows := make([]row, n)
	if _, err := parquet.NewGenericReader[row](in.parsed).Read(rows); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for i := range rows {
		change(i, &rows[i])
	}
	var b bytes.Buffer
	w := newParquetWriter(&b, options...)
	err = errors.Join(w.write(rows), w.end(*h, func(pages string) (trailer, error) {
		t.Pages, t.Signature = pages, ""
		return *t, nil
	}))
	return b.Bytes(), err
}

// Refooter gives a Parquet file another footer.
func Refooter(export []byte, change func(*format.FileMetaData)) ([]byte, error) {
	end := len(export) - 8
	start := end - int(binary.LittleEndian.Uint32(export[end:]))
	var meta format.FileMetaData
	var protocol thrift.CompactProtocol
	if err := thrift.Unmarshal(&protocol, export[start:end], &meta); err != nil {
		return nil, err
	}
	change(&meta)
	footer, err := thrift.Marshal(&protocol, &meta)
	return slices.Concat(export[:start], footer, binary.LittleEndian.AppendUint32(nil, uint32(len(footer))), []byte(parquetMagic)), err
}
