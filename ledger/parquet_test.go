package ledger_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/matryer/is"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"tenure/ledger"
)

func unchangedRow(int, *ledger.Row) {}

// TestColumnsForReadersAreChecked changes each column that repeats what an event
// says, in the first row alone.
func TestColumnsForReadersAreChecked(t *testing.T) {
	w := scene(t)
	export := w.export("", ledger.Parquet)
	again, err := ledger.Rewrite(export, unchangedRow)
	w.is.NoErr(err)
	w.is.True(w.verifyForged(again).OK)
	for name, change := range map[string]func(r *ledger.Row){
		"time":            func(r *ledger.Row) { r.Time = 1 },
		"organization_id": func(r *ledger.Row) { r.Organization = "else" },
		"none":            func(r *ledger.Row) { r.Organization = "" },
		"account_id":      func(r *ledger.Row) { r.Account = "mallory" },
		"invitation_id":   func(r *ledger.Row) { r.Invitation = "i" },
		"space_id":        func(r *ledger.Row) { r.Space = "s" },
		"actor_kind":      func(r *ledger.Row) { r.ActorKind = "account" },
		"actor_id":        func(r *ledger.Row) { r.ActorID = "mallory" },
		"reason":          func(r *ledger.Row) { r.Reason = "Because." },
		"correlation_id":  func(r *ledger.Row) { r.Correlation = "c" },
		"causation_id":    func(r *ledger.Row) { r.Causation = "c" },
		"data_raw":        func(r *ledger.Row) { r.DataRaw = []byte{0xff} },
		"data_raw, text":  func(r *ledger.Row) { r.DataRaw, r.Data = []byte(r.Data), "" },
		"metadata_raw":    func(r *ledger.Row) { r.MetadataRaw = []byte{0xff} },
		"no leaf":         func(r *ledger.Row) { r.Leaf = nil },
		"no hash":         func(r *ledger.Row) { r.Hash = nil },
		"a longer hash":   func(r *ledger.Row) { r.Hash = append(r.Hash, 0) },
		"half a proof":    func(r *ledger.Row) { r.Proof = make([]byte, 31) },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			changed, err := ledger.Rewrite(export, func(i int, r *ledger.Row) {
				if i == 0 {
					change(r)
				}
			})
			is.NoErr(err)
			r := w.verifyForged(changed)
			is.True(!r.OK)
			is.Equal(r.Findings[0].Row, 1)
		})
	}
}

// TestOtherParquetIsNoExport writes the same rows in ways in which an export never
// is: some would have another reader see other rows.
func TestOtherParquetIsNoExport(t *testing.T) {
	w := scene(t)
	export := w.export("", ledger.Parquet)
	for name, options := range map[string][]parquet.WriterOption{
		"compressed otherwise": {parquet.Compression(&parquet.Gzip)},
		"not compressed":       {parquet.Compression(&parquet.Uncompressed)},
		"older pages":          {parquet.DataPageVersion(1)},
		"a bloom filter":       {parquet.BloomFilters(parquet.SplitBlockFilter(10, "type"))},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			changed, err := ledger.Rewrite(export, unchangedRow, options...)
			is.NoErr(err)
			is.True(!w.verifyForged(changed).OK)
		})
	}
	for name, change := range map[string]func(*format.FileMetaData){
		"bounds of values":   func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.Statistics.MaxValue = make([]byte, 8) },
		"another null count": func(m *format.FileMetaData) { m.RowGroups[0].Columns[1].MetaData.Statistics.NullCount++ },
		"an index":           func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].ColumnIndexOffset = 4 },
		"fewer rows":         func(m *format.FileMetaData) { m.NumRows-- },
		"a group left out":   func(m *format.FileMetaData) { m.RowGroups = nil },
		"a group twice":      func(m *format.FileMetaData) { m.RowGroups = append(m.RowGroups, m.RowGroups[0]) },
		"another file":       func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].FilePath = "other.parquet" },
		"columns swapped": func(m *format.FileMetaData) {
			c := m.RowGroups[0].Columns
			c[6], c[7] = c[7], c[6]
		},
		"more metadata": func(m *format.FileMetaData) {
			m.KeyValueMetadata = append(m.KeyValueMetadata, format.KeyValue{Key: "tenure.note", Value: "believe me"})
		},
		"another type":     func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.Type = format.Double },
		"another encoding": func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.Encoding[0] = format.RLE },
		"other pages": func(m *format.FileMetaData) {
			m.RowGroups[0].Columns[0].MetaData.EncodingStats[0].PageType = format.DataPage
		},
		"another size when plain": func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.TotalUncompressedSize++ },
		"another place":           func(m *format.FileMetaData) { m.RowGroups[0].FileOffset++ },
		"sorted by a column":      func(m *format.FileMetaData) { m.RowGroups[0].SortingColumns = []format.SortingColumn{{ColumnIdx: 3}} },
		"another program":         func(m *format.FileMetaData) { m.CreatedBy += "!" },
		"a header twice":          func(m *format.FileMetaData) { m.KeyValueMetadata = append(m.KeyValueMetadata, m.KeyValueMetadata[0]) },
		"another unit of time": func(m *format.FileMetaData) {
			m.Schema[2].LogicalType, m.Schema[2].ConvertedType = m.Schema[1].LogicalType, m.Schema[1].ConvertedType
		},
		"another order":    func(m *format.FileMetaData) { m.ColumnOrders = nil },
		"a column renamed": func(m *format.FileMetaData) { m.Schema[1].Name = "Position" },
		"a dictionary":     func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.DictionaryPageOffset = 4 },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			changed, err := ledger.Refooter(export, change)
			is.NoErr(err)
			is.True(!w.verifyForged(changed).OK)
		})
	}
	same, err := ledger.Refooter(export, func(*format.FileMetaData) {})
	w.is.NoErr(err)
	w.is.True(w.verify(same).OK)
}

// TestGroupsOfRowsAreWritten exports more than one page of the log into groups.
func TestGroupsOfRowsAreWritten(t *testing.T) {
	w := newWorld(t)
	for range 30 {
		w.append("organization-acme", "x", "y")
	}
	w.sign()
	export := w.export("", ledger.Parquet)
	rows, err := ledger.Rows(export)
	w.is.NoErr(err)
	w.is.Equal(rows, []int64{91})
	w.is.True(w.verify(export).OK)
}

// hostile verifies a file that somebody has made, and sees that it takes no more
// memory than a file of that size may.
func (w *world) hostile(t testing.TB, file []byte) *ledger.Report {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := ledger.VerifyExport(bytes.NewReader(file), ledger.Options{Key: w.key.Verifier()})
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 256<<20+1000*uint64(len(file)) {
		t.Fatalf("%d bytes for a file of %d", took, len(file))
	}
	if err != nil {
		return &ledger.Report{}
	}
	return r
}

// TestHostileFiles says of sizes what would take all memory there is.
func TestHostileFiles(t *testing.T) {
	w := scene(t)
	whole := func(footer []byte) []byte {
		return append(append(append([]byte("PAR1"), footer...), binary.LittleEndian.AppendUint32(nil, uint32(len(footer)))...), "PAR1"...)
	}
	for name, footer := range map[string][]byte{
		"nothing":             {},
		"a list without end":  {0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07},
		"a text without end":  {0x68, 0xff, 0xff, 0xff, 0xff, 0x07},
		"many empty structs":  append([]byte{0x29, 0xfc, 0x80, 0x80, 0x80, 0x02}, make([]byte, 1<<22)...),
		"structs in structs":  []byte(strings.Repeat("\x1c", 1<<16)),
		"lists in lists":      []byte("\x19" + strings.Repeat("\x19", 1<<16)),
		"a number that never": bytes.Repeat([]byte{0x15, 0xff}, 100),
	} {
		t.Run(name, func(t *testing.T) { is.New(t).True(!w.hostile(t, whole(footer)).OK) })
	}
	export := w.export("", ledger.Parquet)
	for name, change := range map[string]func(*format.FileMetaData){
		"rows without number": func(m *format.FileMetaData) { m.NumRows, m.RowGroups[0].NumRows = 1<<62, 1<<62 },
		"values":              func(m *format.FileMetaData) { m.RowGroups[0].Columns[2].MetaData.NumValues = 1 << 60 },
		"sizes":               func(m *format.FileMetaData) { m.RowGroups[0].Columns[2].MetaData.TotalCompressedSize = 1 << 62 },
		"offsets":             func(m *format.FileMetaData) { m.RowGroups[0].Columns[2].MetaData.DataPageOffset = -1 },
		"lengths": func(m *format.FileMetaData) {
			m.Schema[5].TypeLength.V = 1 << 30
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			file, err := ledger.Refooter(export, change)
			is.NoErr(err)
			is.True(!w.hostile(t, file).OK)
		})
	}
}

// FuzzParquet: whatever a file says, nothing panics, memory stays bounded, and no
// event that was not exported is verified with the key.
func FuzzParquet(f *testing.F) {
	w := scene(f)
	genuine := map[string]bool{}
	for _, organization := range []string{"", "acme"} {
		for line := range strings.Lines(string(w.export(organization, ledger.NDJSON))) {
			genuine[line] = true
		}
		f.Add(w.export(organization, ledger.Parquet))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if !bytes.HasPrefix(file, []byte("PAR1")) || !w.hostile(t, file).OK {
			return
		}
		lines, err := ledger.Forge(file, ledger.NDJSON, func(*ledger.Forgery) {})
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(lines)) {
			if strings.HasPrefix(line, `{"leaf"`) && !genuine[line] {
				t.Fatalf("verified: %q", line)
			}
		}
	})
}

// TestAnOlderFormIsNamed takes away what trailer and footer had not: nobody has
// tampered with such a file, but it is no export any more.
func TestAnOlderFormIsNamed(t *testing.T) {
	w := scene(t)
	older, err := ledger.Refooter(w.export("", ledger.Parquet), func(m *format.FileMetaData) {
		var had map[string]any
		text := &m.KeyValueMetadata[1].Value
		w.is.NoErr(json.Unmarshal([]byte(*text), &had))
		for _, name := range []string{"pages_sha256", "signature"} {
			if value, has := had[name]; has {
				quoted, err := json.Marshal(value)
				w.is.NoErr(err)
				*text = strings.Replace(*text, fmt.Sprintf(`,"%s":%s`, name, quoted), "", 1)
			}
		}
		m.RowGroups[0].Columns[0].MetaData.SizeStatistics.UnencodedByteArrayDataBytes = 7
	})
	w.is.NoErr(err)
	r := w.verifyForged(older)
	w.is.True(!r.OK)
	w.is.True(strings.Contains(r.Findings[0].Problem, "it was written by an older Tenure, whose form proves less: export again"))
}
