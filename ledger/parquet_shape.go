package ledger

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// What a Parquet file may be is a small part of what there is: flat columns, plain
// values, pages of a certain size that follow one another from the first byte to
// the last. Everything that says how much memory to take is held against that
// before anything is read by it.
//
// What says how to read the rest is not looked at field by field: some other reader
// might go by a field that this one does not know. From what the pages are, their
// headers and the footer follow to the last bit, and are made again and compared. The
// pages themselves are hashed, each with its CRC and all in the trailer.

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

// checkShape reads the footer and all pages, and answers with where the footer begins.
func checkShape(file io.ReaderAt, size int64) (int64, error) {
	var end [8]byte
	if size < int64(len(parquetMagic))+8 {
		return 0, misshapen("it is too short")
	}
	if _, err := file.ReadAt(end[:], size-8); err != nil {
		return 0, err
	}
	length := int64(binary.LittleEndian.Uint32(end[:]))
	if string(end[4:]) != parquetMagic || length > maxFooter || length > size-12 {
		return 0, misshapen("the end is missing or was changed")
	}
	footer := make([]byte, length)
	if _, err := file.ReadAt(footer, size-8-length); err != nil {
		return 0, err
	}
	s := skimmer{rest: footer, structs: maxStructs}
	if !s.skimStruct(0) || len(s.rest) > 0 {
		return 0, misshapen("its footer cannot be read")
	}
	l := layout{file: file}
	if err := thrift.Unmarshal(&l.protocol, footer, &l.meta); err != nil {
		return 0, misshapen("its footer cannot be read")
	}
	if l.older() {
		return 0, misshapen("it was written by an older Tenure, whose form proves less: export again")
	}
	want, err := l.footer(size - 8 - length)
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(want, footer) {
		return 0, misshapen("its footer says something else than its pages")
	}
	return size - 8 - length, nil
}

// emptyExport is the footer of an export without events.
var emptyExport = sync.OnceValue(func() *format.FileMetaData {
	var file bytes.Buffer
	if err := newParquetWriter(&file).end(header{}, func(string) (trailer, error) { return trailer{}, nil }); err != nil {
		panic(err) // nothing can fail in memory
	}
	parsed, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		panic(err)
	}
	return parsed.Metadata()
})

// layout is what a Parquet file says of itself.
type layout struct {
	file     io.ReaderAt
	protocol thrift.CompactProtocol
	meta     format.FileMetaData
}

// older reports whether the trailer has no hash of the pages, as before there was one.
func (l *layout) older() bool {
	for _, pair := range l.meta.KeyValueMetadata {
		if pair.Key == trailerKey {
			t, ok := decodeFrame([]byte(pair.Value), appendTrailer)
			return ok && t.Pages == ""
		}
	}
	return false
}

// footer goes from page to page up to where the footer begins, and makes the one that
// an export with these pages has. Of the one that is there it takes how many rows each
// group has, how long each column is, and the texts of header and trailer.
func (l *layout) footer(end int64) ([]byte, error) {
	columns := rowSchema.Columns()
	want := *emptyExport()
	want.NumRows, want.RowGroups, want.KeyValueMetadata = 0, nil, nil
	for i, key := range []string{headerKey, trailerKey} {
		if len(l.meta.KeyValueMetadata) != 2 || l.meta.KeyValueMetadata[i].Key != key {
			return nil, misshapen("its metadata are not those of an export")
		}
		want.KeyValueMetadata = append(want.KeyValueMetadata, format.KeyValue{Key: key, Value: l.meta.KeyValueMetadata[i].Value})
	}
	at := int64(len(parquetMagic))
	for g := range l.meta.RowGroups {
		said := &l.meta.RowGroups[g]
		if len(said.Columns) != len(columns) || said.NumRows < 0 || said.NumRows > end {
			return nil, misshapen("a group of rows has other columns")
		}
		group := format.RowGroup{NumRows: said.NumRows, FileOffset: at, Ordinal: int16(g)}
		for c := range said.Columns {
			p := pages{
				layout: l, name: columns[c][0], physical: want.Schema[c+1].Type.V, optional: want.Schema[c+1].RepetitionType.V == format.Optional,
			}
			column, err := p.column(at, said.Columns[c].MetaData.TotalCompressedSize, end, group.NumRows)
			if err != nil {
				return nil, err
			}
			at += column.MetaData.TotalCompressedSize
			group.TotalByteSize += column.MetaData.TotalUncompressedSize
			group.TotalCompressedSize += column.MetaData.TotalCompressedSize
			group.Columns = append(group.Columns, column)
		}
		want.NumRows += group.NumRows
		want.RowGroups = append(want.RowGroups, group)
	}
	if at != end {
		return nil, misshapen("something stands between its parts")
	}
	return thrift.Marshal(&l.protocol, &want)
}

// pages are those of one column in one group of rows.
type pages struct {
	*layout
	name     string
	physical format.Type
	optional bool

	count         int32 // of pages
	values, nulls int64
}

// column goes from page to page, and makes what the footer says of them.
func (p *pages) column(at, size, end, rows int64) (c format.ColumnChunk, err error) {
	stop := at + size
	if size < 0 || stop < at || stop > end {
		return c, misshapen("something stands between its parts")
	}
	plain := int64(0)
	for from := at; from < stop; {
		next, uncompressed, err := p.page(from, stop)
		if err != nil {
			return c, err
		}
		plain += uncompressed
		from = next
	}
	if p.values != rows {
		return c, misshapen("column %s has another number of values than its group has rows", p.name)
	}
	c.MetaData = format.ColumnMetaData{
		Type: p.physical, Encoding: []format.Encoding{format.Plain}, PathInSchema: []string{p.name}, Codec: format.Snappy,
		NumValues: rows, TotalUncompressedSize: plain, TotalCompressedSize: size, DataPageOffset: at, Statistics: format.Statistics{NullCount: p.nulls},
	}
	if p.optional { // the levels that say which are null
		c.MetaData.Encoding = append(c.MetaData.Encoding, format.RLE)
	}
	if p.count > 0 {
		c.MetaData.EncodingStats = []format.PageEncodingStats{{PageType: format.DataPageV2, Encoding: format.Plain, Count: p.count}}
	}
	return c, nil
}

// page checks the page at a place, and answers with where the next one begins, and how
// long it is with its header when it is not compressed.
func (p *pages) page(at, stop int64) (next, uncompressed int64, err error) {
	wrong := func() (int64, int64, error) {
		return 0, 0, misshapen("a page of column %s is written in another way", p.name)
	}
	raw := make([]byte, min(maxPageHeader, stop-at))
	if _, err := p.file.ReadAt(raw, at); err != nil {
		return 0, 0, err
	}
	s := skimmer{rest: raw, structs: 10}
	if !s.skimStruct(0) {
		return wrong()
	}
	length := len(raw) - len(s.rest)
	var h format.PageHeader
	if thrift.Unmarshal(&p.protocol, raw[:length], &h) != nil || !h.DataPageHeaderV2.Valid {
		return wrong()
	}
	values, levels := int64(h.DataPageHeaderV2.V.NumValues), int64(h.DataPageHeaderV2.V.DefinitionLevelsByteLength)
	body := at + int64(length)
	next = body + int64(h.CompressedPageSize)
	switch {
	case h.CompressedPageSize < 0 || h.CompressedPageSize > maxPage || next > stop,
		values <= 0 || values > maxPageValues, levels < 0 || levels > int64(h.CompressedPageSize), (levels > 0) != p.optional:
		return wrong()
	}
	page := make([]byte, h.CompressedPageSize)
	if _, err := p.file.ReadAt(page, body); err != nil {
		return 0, 0, err
	}
	nulls := int64(0)
	if p.optional {
		var ok bool
		if nulls, ok = countNulls(page[:levels], values); !ok {
			return wrong()
		}
	}
	// What comes out of the decompression, as its first bytes say.
	plain, n := binary.Uvarint(page[levels:])
	if n <= 0 || plain > uint64(maxPage-levels) {
		return wrong()
	}
	want := format.PageHeader{
		Type: format.DataPageV2, UncompressedPageSize: int32(levels) + int32(plain), CompressedPageSize: h.CompressedPageSize,
		CRC: int32(crc32.ChecksumIEEE(page)),
	}
	want.DataPageHeaderV2.Valid = true
	want.DataPageHeaderV2.V = format.DataPageHeaderV2{
		NumValues: int32(values), NumNulls: int32(nulls), NumRows: int32(values), Encoding: format.Plain, DefinitionLevelsByteLength: int32(levels),
	}
	want.DataPageHeaderV2.V.IsCompressed.V, want.DataPageHeaderV2.V.IsCompressed.Valid = true, true
	if again, err := thrift.Marshal(&p.protocol, &want); err != nil || !bytes.Equal(again, raw[:length]) {
		return wrong()
	}
	p.count++
	p.values += values
	p.nulls += nulls
	return next, int64(length) + int64(want.UncompressedPageSize), nil
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
