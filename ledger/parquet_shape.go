package ledger

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"reflect"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// What a Parquet file may be is a small part of what there is: flat columns, plain
// values, pages of a certain size that follow one another from the first byte to
// the last. Everything that says how much memory to take is held against that
// before anything is read by it, and so is everything by which some other reader
// might see other rows than this one.

// The bounds.
const (
	maxFooter     = 8 << 20
	maxStructs    = 200_000  // in the lists of a footer; some 40 for each group of rows and 100,000 events
	maxPage       = 16 << 20 // one event may be larger than a page is meant to be
	maxPageValues = 1 << 20
	maxPageHeader = 256
)

const parquetMagic = "PAR1"

func misshapen(problem string, args ...any) error {
	return fmt.Errorf("%w: %s", errParquet, fmt.Sprintf(problem, args...))
}

// checkShape reads the footer and the headers of all pages.
func checkShape(file io.ReaderAt, size int64) error {
	var end [8]byte
	if size < int64(len(parquetMagic))+8 {
		return misshapen("it is too short")
	}
	if _, err := file.ReadAt(end[:], size-8); err != nil {
		return err
	}
	length := int64(binary.LittleEndian.Uint32(end[:]))
	if string(end[4:]) != parquetMagic || length > maxFooter || length > size-12 {
		return misshapen("the end is missing or was changed")
	}
	footer := make([]byte, length)
	if _, err := file.ReadAt(footer, size-8-length); err != nil {
		return err
	}
	s := skimmer{rest: footer, structs: maxStructs}
	if !s.skimStruct(0) || len(s.rest) > 0 {
		return misshapen("its footer cannot be read")
	}
	var meta format.FileMetaData
	var protocol thrift.CompactProtocol
	if err := thrift.Unmarshal(&protocol, footer, &meta); err != nil {
		return misshapen("its footer cannot be read")
	}
	return checkLayout(file, &meta, size-8-length)
}

// emptyExport is the footer of an export without events.
var emptyExport = sync.OnceValue(func() *format.FileMetaData {
	var file bytes.Buffer
	if err := newParquetWriter(&file).end(header{}, trailer{}); err != nil {
		panic(err) // nothing can fail in memory
	}
	parsed, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		panic(err)
	}
	return parsed.Metadata()
})

// checkLayout sees that the columns follow one another up to the footer.
func checkLayout(file io.ReaderAt, meta *format.FileMetaData, end int64) error {
	columns := rowSchema.Columns()
	if want := emptyExport(); !reflect.DeepEqual(meta.Schema, want.Schema) || !reflect.DeepEqual(meta.ColumnOrders, want.ColumnOrders) {
		return misshapen("it has other columns, or columns of other types")
	}
	at, rows := int64(len(parquetMagic)), int64(0)
	for g := range meta.RowGroups {
		group := &meta.RowGroups[g]
		if len(group.Columns) != len(columns) || group.NumRows < 0 {
			return misshapen("a group of rows has other columns")
		}
		rows += group.NumRows
		for c := range group.Columns {
			column := &group.Columns[c]
			if path := column.MetaData.PathInSchema; len(path) != 1 || path[0] != columns[c][0] {
				return misshapen("it has other columns")
			}
			p := pages{file: file, column: column, optional: meta.Schema[c+1].RepetitionType.V == format.Optional}
			var err error
			if at, err = p.check(at, end, group.NumRows); err != nil {
				return err
			}
		}
	}
	if rows != meta.NumRows {
		return misshapen("its groups have another number of rows than it says")
	}
	if at != end {
		return misshapen("something stands between its parts")
	}
	return nil
}

// pages are those of one column in one group of rows.
type pages struct {
	file     io.ReaderAt
	column   *format.ColumnChunk
	optional bool
}

// check goes from page to page, and answers with where the next column begins.
func (p *pages) check(at, end, rows int64) (int64, error) {
	m := &p.column.MetaData
	stop := at + m.TotalCompressedSize
	s := &m.Statistics
	switch {
	case m.DataPageOffset != at || m.TotalCompressedSize < 0 || stop < at || stop > end || p.column.FilePath != "":
		return 0, misshapen("something stands between its parts")
	case m.Codec != format.Snappy || m.NumValues != rows || m.DictionaryPageOffset != 0 || m.BloomFilterOffset != 0 || m.IndexPageOffset != 0:
		return 0, misshapen("column %s is written in another way", m.PathInSchema[0])
	case p.column.ColumnIndexOffset != 0 || p.column.OffsetIndexOffset != 0:
		return 0, misshapen("column %s has an index", m.PathInSchema[0])
	case len(s.Min)+len(s.Max)+len(s.MinValue)+len(s.MaxValue) > 0 || s.DistinctCount != 0:
		return 0, misshapen("column %s has statistics of its values", m.PathInSchema[0])
	}
	values, nulls := int64(0), int64(0)
	for at < stop {
		v, n, next, err := p.page(at, stop)
		if err != nil {
			return 0, err
		}
		at, values, nulls = next, values+v, nulls+n
	}
	if values != rows || nulls != s.NullCount {
		return 0, misshapen("column %s has another number of values than it says", m.PathInSchema[0])
	}
	return stop, nil
}

// page checks the page at a place, and answers with how many values and nulls it
// has, and where the next one begins.
func (p *pages) page(at, stop int64) (values, nulls, next int64, err error) {
	wrong := func() (int64, int64, int64, error) {
		return 0, 0, 0, misshapen("a page of column %s is written in another way", p.column.MetaData.PathInSchema[0])
	}
	raw := make([]byte, min(maxPageHeader, stop-at))
	if _, err := p.file.ReadAt(raw, at); err != nil {
		return 0, 0, 0, err
	}
	s := skimmer{rest: raw, structs: 10}
	if !s.skimStruct(0) {
		return wrong()
	}
	length := len(raw) - len(s.rest)
	var protocol thrift.CompactProtocol
	var h format.PageHeader
	if thrift.Unmarshal(&protocol, raw[:length], &h) != nil || h.Type != format.DataPageV2 || !h.DataPageHeaderV2.Valid || h.DataPageHeader.Valid || h.DictionaryPageHeader.Valid {
		return wrong()
	}
	d := &h.DataPageHeaderV2.V
	body := at + int64(length)
	next = body + int64(h.CompressedPageSize)
	levels := int64(d.DefinitionLevelsByteLength)
	switch {
	case h.CompressedPageSize < 0 || h.CompressedPageSize > maxPage || h.UncompressedPageSize < 0 || h.UncompressedPageSize > maxPage || next > stop,
		d.NumValues < 0 || d.NumValues > maxPageValues || d.NumRows != d.NumValues || d.NumNulls < 0 || d.NumNulls > d.NumValues,
		d.Encoding != format.Plain || d.RepetitionLevelsByteLength != 0 || d.IsCompressed.Valid && !d.IsCompressed.V,
		levels < 0 || levels > int64(h.CompressedPageSize) || levels > int64(h.UncompressedPageSize) || (levels > 0) != (p.optional && d.NumValues > 0),
		len(d.Statistics.Min)+len(d.Statistics.Max)+len(d.Statistics.MinValue)+len(d.Statistics.MaxValue) > 0:
		return wrong()
	}
	page := make([]byte, h.CompressedPageSize)
	if _, err := p.file.ReadAt(page, body); err != nil {
		return 0, 0, 0, err
	}
	if p.optional {
		if n, ok := countNulls(page[:levels], int64(d.NumValues)); !ok || n != int64(d.NumNulls) {
			return wrong()
		}
	} else if d.NumNulls != 0 {
		return wrong()
	}
	// What comes out of the decompression, as its first bytes say.
	if plain, n := binary.Uvarint(page[levels:]); n <= 0 || plain > uint64(h.UncompressedPageSize) {
		return wrong()
	}
	return int64(d.NumValues), int64(d.NumNulls), next, nil
}

// countNulls counts the zeros among definition levels of one bit, which are runs
// of bits and of repetitions (Parquet's RLE); the last run of bits is filled up.
func countNulls(levels []byte, values int64) (nulls int64, ok bool) {
	left := values
	for len(levels) > 0 {
		run, n := binary.Uvarint(levels)
		if n <= 0 || left <= 0 {
			return 0, false
		}
		levels = levels[n:]
		count := run >> 1
		if count == 0 || count > maxPageValues || len(levels) == 0 {
			return 0, false
		}
		if run&1 == 0 {
			if int64(count) > left || levels[0] > 1 {
				return 0, false
			}
			if levels[0] == 0 {
				nulls += int64(count)
			}
			left -= int64(count)
			levels = levels[1:]
			continue
		}
		if count > uint64(len(levels)) {
			return 0, false
		}
		for _, eight := range levels[:count] {
			n := min(8, max(left, 0))
			nulls += n - int64(bits.OnesCount8(eight&byte(1<<n-1)))
			left -= n
		}
		levels = levels[count:]
	}
	return nulls, left == 0
}
