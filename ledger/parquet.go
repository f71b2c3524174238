package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"tenure/eventstore"
)

// row is how an event stands in Parquet. The raw columns (all from stream to
// type, data and metadata) are what the log holds; the others repeat what stands
// in these, for who looks for it, and are checked when the export is verified. A
// text that is empty is null.
type row struct {
	Position     int64    `parquet:"position"`
	Time         int64    `parquet:"time,optional,timestamp(microsecond)"`
	Stream       string   `parquet:"stream"`
	Revision     int64    `parquet:"revision"`
	ID           [16]byte `parquet:"id,uuid"`
	Type         string   `parquet:"type"`
	Organization string   `parquet:"organization_id,optional"`
	Account      string   `parquet:"account_id,optional"`
	Invitation   string   `parquet:"invitation_id,optional"`
	Space        string   `parquet:"space_id,optional"`
	ActorKind    string   `parquet:"actor_kind,optional"`
	ActorID      string   `parquet:"actor_id,optional"`
	Reason       string   `parquet:"reason,optional"`
	Correlation  string   `parquet:"correlation_id,optional"`
	Causation    string   `parquet:"causation_id,optional"`
	Data         string   `parquet:"data,optional"`
	DataRaw      []byte   `parquet:"data_raw,optional"` // instead of data where that is no text
	Metadata     string   `parquet:"metadata,optional"`
	MetadataRaw  []byte   `parquet:"metadata_raw,optional"`
	Leaf         *int64   `parquet:"leaf,optional"`
	Hash         []byte   `parquet:"hash,optional"`
	Proof        []byte   `parquet:"proof,optional"`
}

// newRow is the row of an event.
func newRow(e *entry) (r row) {
	r.Position, r.Stream, r.Revision, r.ID, r.Type = int64(e.Position), e.Stream, int64(e.Revision), e.ID, e.Type
	r.Data, r.DataRaw = textOrBytes(e.Data)
	r.Metadata, r.MetadataRaw = textOrBytes(e.Metadata)
	var m struct {
		Actor struct {
			Kind string `json:"kind"`
			ID   string `json:"id"`
		} `json:"actor"`
		At          time.Time `json:"at"`
		Correlation string    `json:"correlation"`
		Causation   string    `json:"causation"`
		Reason      string    `json:"reason"`
	}
	if json.Unmarshal(e.Metadata, &m) == nil {
		r.ActorKind, r.ActorID, r.Reason, r.Correlation, r.Causation = m.Actor.Kind, m.Actor.ID, m.Reason, m.Correlation, m.Causation
		if !m.At.IsZero() {
			r.Time = m.At.UnixMicro()
		}
	}
	var d struct {
		Organization string `json:"organization_id"`
		Account      string `json:"account_id"`
		Invitation   string `json:"invitation_id"`
		Space        string `json:"space_id"`
	}
	if json.Unmarshal(e.Data, &d) == nil {
		r.Organization, r.Account, r.Invitation, r.Space = d.Organization, d.Account, d.Invitation, d.Space
	}
	if IsLeaf(e.Recorded) {
		leaf := int64(e.leaf)
		r.Leaf, r.Hash = &leaf, e.hash[:]
	}
	for _, h := range e.proof {
		r.Proof = append(r.Proof, h[:]...)
	}
	return r
}

func textOrBytes(raw []byte) (string, []byte) {
	if !utf8.Valid(raw) {
		return "", raw
	}
	return string(raw), nil
}

// entry is the event of a row, if newRow makes that row of it.
func (r *row) entry() (*entry, error) {
	e := &entry{Recorded: &eventstore.Recorded{
		Event:  eventstore.Event{ID: r.ID, Type: r.Type, Data: []byte(r.Data), Metadata: []byte(r.Metadata)},
		Stream: r.Stream, Revision: eventstore.Revision(r.Revision), Position: eventstore.Position(r.Position),
	}}
	for _, raw := range []*[]byte{&r.DataRaw, &r.MetadataRaw, &r.Hash, &r.Proof} {
		if len(*raw) == 0 {
			*raw = nil // as null is read, or not
		}
	}
	if r.DataRaw != nil {
		e.Data = r.DataRaw
	}
	if r.MetadataRaw != nil {
		e.Metadata = r.MetadataRaw
	}
	if r.Leaf != nil {
		e.leaf = uint64(*r.Leaf)
	}
	if len(r.Hash) == HashSize {
		e.hash = Hash(r.Hash)
	}
	if len(r.Proof)%HashSize != 0 || len(r.Proof) > 64*HashSize {
		return e, errLine
	}
	for p := r.Proof; len(p) > 0; p = p[HashSize:] {
		e.proof = append(e.proof, Hash(p))
	}
	if !reflect.DeepEqual(newRow(e), *r) {
		return e, errLine
	}
	return e, nil
}

// The sizes of what is written.
const (
	groupRows  = 100_000
	groupBytes = 64 << 20
	pageBytes  = 256 << 10
)

// The names of what stands in the file's metadata.
const (
	headerKey  = "tenure.header"
	trailerKey = "tenure.trailer"
)

// parquetWriter writes an export as Parquet, a group of rows at a time. It writes
// no dictionaries, no bounds of values and no indexes: readers pass over rows by
// what these say, so they would have to be verified as well.
type parquetWriter struct {
	out   *footless
	to    *parquet.GenericWriter[row]
	rows  int
	bytes int
}

// footless takes what a Parquet writer writes, hashes it, and keeps back the end of it
// once it is told to.
type footless struct {
	to      io.Writer
	written int64
	sum     hash.Hash
	keeps   bool
	kept    bytes.Buffer
}

// Write implements io.Writer.
func (f *footless) Write(b []byte) (int, error) {
	if f.keeps {
		return f.kept.Write(b)
	}
	n, err := f.to.Write(b)
	f.sum.Write(b[:n])
	f.written += int64(n)
	return n, err
}

// finish writes a footer of its own instead of what was kept back: without indexes
// and statistics, and with what the metadata of the file is to be.
func (f *footless) finish(metadata func(pages string) ([]format.KeyValue, error)) error {
	rest := f.kept.Bytes()
	if len(rest) < 8 {
		return io.ErrShortWrite
	}
	end := len(rest) - 8
	start := end - int(binary.LittleEndian.Uint32(rest[end:]))
	var meta format.FileMetaData
	var protocol thrift.CompactProtocol
	if err := thrift.Unmarshal(&protocol, rest[start:end], &meta); err != nil {
		return err
	}
	if len(meta.RowGroups) > 0 {
		start = int(meta.RowGroups[0].Columns[0].ColumnIndexOffset - f.written)
	}
	for g := range meta.RowGroups {
		meta.RowGroups[g].SortingColumns = nil // an empty list before
		for c := range meta.RowGroups[g].Columns {
			column := &meta.RowGroups[g].Columns[c]
			column.ColumnIndexOffset, column.ColumnIndexLength, column.OffsetIndexOffset, column.OffsetIndexLength = 0, 0, 0, 0
			column.MetaData.SizeStatistics = format.SizeStatistics{}
		}
	}
	f.keeps = false
	if _, err := f.Write(rest[:start]); err != nil {
		return err
	}
	var err error
	if meta.KeyValueMetadata, err = metadata(hex.EncodeToString(f.sum.Sum(nil))); err != nil {
		return err
	}
	footer, err := thrift.Marshal(&protocol, &meta)
	if err != nil {
		return err
	}
	_, err = f.to.Write(slices.Concat(footer, binary.LittleEndian.AppendUint32(nil, uint32(len(footer))), []byte(parquetMagic)))
	return err
}

var rowSchema = parquet.SchemaOf(row{})

func newParquetWriter(to io.Writer, more ...parquet.WriterOption) *parquetWriter {
	options := []parquet.WriterOption{
		rowSchema, parquet.Compression(&parquet.Snappy), parquet.DataPageVersion(2), parquet.DataPageStatistics(false), parquet.PageBufferSize(pageBytes),
		parquet.DefaultEncoding(&parquet.Plain), parquet.CreatedBy("tenure", "1", ""),
	}
	for _, column := range rowSchema.Columns() {
		options = append(options, parquet.SkipPageBounds(column...))
	}
	out := &footless{to: to, sum: sha256.New()}
	return &parquetWriter{out: out, to: parquet.NewGenericWriter[row](out, append(options, more...)...)}
}

func (w *parquetWriter) begin(header) error { return nil }

func (w *parquetWriter) prepare(entries []entry, before any) any {
	rows, _ := before.([]row)
	rows = rows[:0]
	for i := range entries {
		rows = append(rows, newRow(&entries[i]))
	}
	return rows
}

func (w *parquetWriter) write(prepared any) error {
	rows := prepared.([]row)
	if _, err := w.to.Write(rows); err != nil {
		return err
	}
	w.rows += len(rows)
	for i := range rows {
		w.bytes += 300 + len(rows[i].Data) + len(rows[i].Metadata)
	}
	if w.rows < groupRows && w.bytes < groupBytes {
		return nil
	}
	w.rows, w.bytes = 0, 0
	return w.to.Flush()
}

func (w *parquetWriter) end(h header, seal func(pages string) (trailer, error)) error {
	if err := w.to.Flush(); err != nil {
		return err
	}
	w.out.keeps = true
	if err := w.to.Close(); err != nil {
		return err
	}
	return w.out.finish(func(pages string) ([]format.KeyValue, error) {
		t, err := seal(pages)
		return []format.KeyValue{{Key: headerKey, Value: string(appendHeader(nil, h))}, {Key: trailerKey, Value: string(appendTrailer(nil, t))}}, err
	})
}
