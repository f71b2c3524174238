package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"
	"pgregory.net/rapid"

	"tenure/eventstore"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/ledger"
)

// long writes events to some streams, and signs now and then.
func (w *world) long(batches int) {
	w.Helper()
	for n := range batches {
		stream := []string{"organization-acme", "account-a", "organization-other"}[n%3]
		batch := make([]eventstore.Event, 1+n*37%200)
		expected := eventstore.NoStream()
		if w.next[stream] > 0 {
			expected = eventstore.Exactly(eventstore.Revision(w.next[stream] - 1))
		}
		for i := range batch {
			batch[i] = eventstore.Event{
				ID: eventstore.ID(uuid.NewSHA1(uuid.Nil, fmt.Append(nil, n, i))), Type: "test.happened.v1",
				Data: fmt.Appendf(nil, `{"n":"%0*d"}`, 1+i*31%400, i), Metadata: []byte(`{"actor":{"kind":"public"}}`),
			}
			w.leaves = append(w.leaves, ledger.LeafHash(&eventstore.Recorded{Event: batch[i], Stream: stream, Revision: eventstore.Revision(w.next[stream])}))
			w.next[stream]++
		}
		_, err := w.log.Append(ctx, stream, expected, batch)
		w.is.NoErr(err)
		if n%4 == 3 {
			w.sign()
		}
	}
	w.sign()
}

// TestExportsDoNotDependOnTheirWorkers: however many there are, it is the same file;
// so it is whichever log reads the pages, but that Parquet's are cut elsewhere.
func TestExportsDoNotDependOnTheirWorkers(t *testing.T) {
	w := newWorld(t)
	w.long(12)
	log, err := logsqlite.OpenSnapshot(w.file("log.db"))
	w.is.NoErr(err)
	defer log.Close()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, format := range formats {
		for _, organization := range []string{"", "acme"} {
			var want []byte
			for _, workers := range []int{1, 5} {
				runtime.GOMAXPROCS(workers)
				var got bytes.Buffer
				var heard []uint64
				done, err := ledger.Export(ctx, log, &got, ledger.ExportOptions{Organization: organization, Format: format, Key: w.key, Progress: func(done, all uint64) {
					w.is.Equal(all, uint64(len(w.leaves)))
					heard = append(heard, done)
				}})
				w.is.NoErr(err)
				w.is.True(done.Fits)
				if want == nil {
					want = got.Bytes()
				}
				w.is.True(bytes.Equal(got.Bytes(), want))
				if format == ledger.NDJSON && workers == 5 {
					w.is.True(bytes.Equal(got.Bytes(), w.export(organization, format)))
				}
				w.is.True(slices.IsSorted(heard))
				w.is.Equal(heard[len(heard)-1], uint64(len(w.leaves)))
				r := w.verify(got.Bytes())
				w.is.Equal([]any{r.OK, r.Events}, []any{true, done.Events})
			}
		}
	}
	for _, workers := range []int{1, 5} {
		runtime.GOMAXPROCS(workers)
		r, err := ledger.Audit(ctx, log, ledger.Options{Key: w.key.Verifier()})
		w.is.NoErr(err)
		w.is.Equal([]any{r.OK, r.Events}, []any{true, uint64(len(w.leaves))})
	}
}

// full is a disk that has room for some bytes.
type full struct{ left int }

var errFull = errors.New("no space is left")

func (f *full) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestAnExportThatIsStopped(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2)) // or all pages may be taken when it is
	w := newWorld(t)
	w.long(20)
	log, err := logsqlite.OpenSnapshot(w.file("log.db"))
	w.is.NoErr(err)
	defer log.Close()
	for _, format := range formats {
		_, err := ledger.Export(ctx, log, &full{30_000}, ledger.ExportOptions{Format: format})
		w.is.True(errors.Is(err, errFull))
		for _, organization := range []string{"", "acme"} {
			ctx, cancel := context.WithCancel(ctx)
			_, err = ledger.Export(ctx, log, io.Discard, ledger.ExportOptions{Organization: organization, Format: format, Progress: func(uint64, uint64) { cancel() }})
			w.is.True(errors.Is(err, context.Canceled))
		}
	}
}

// TestWorkIsDoneInTurns: all of it once and in order, up to where taking fails,
// finishing fails, or nothing is left.
func TestWorkIsDoneInTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(7))
	errTake, errFinish := errors.New("take"), errors.New("finish")
	rapid.Check(t, func(rt *rapid.T) {
		is := is.New(rt)
		count := rapid.IntRange(0, 50).Draw(rt, "count")
		takeFails, finishFails := rapid.IntRange(0, 60).Draw(rt, "take fails"), rapid.IntRange(0, 60).Draw(rt, "finish fails")
		taken, finished := 0, 0
		err := ledger.InTurns(ctx, func(_ context.Context, work *int) (bool, error) {
			if taken == takeFails {
				return false, errTake
			}
			*work = taken
			taken++
			return *work < count, nil
		}, func(work *int) {
			for range rand.IntN(10) {
				runtime.Gosched()
			}
			*work *= 10
		}, func(work *int) error {
			is.Equal(*work, finished*10)
			if finished == finishFails {
				return errFinish
			}
			finished++
			return nil
		})
		switch first := min(count, takeFails); {
		case finishFails < first:
			is.True(errors.Is(err, errFinish))
			is.Equal(finished, finishFails)
		case takeFails <= count:
			is.True(errors.Is(err, errTake))
			is.Equal(finished, takeFails)
		default:
			is.NoErr(err)
			is.Equal(finished, count)
		}
	})
}

// TestEveryTextComesBack: what is written of any bytes is what the decoder of
// JSON reads, and the quick one reads the same.
func TestEveryTextComesBack(t *testing.T) {
	piece := rapid.OneOf(
		rapid.StringMatching(`[a-z{}:,]{0,9}`), rapid.String(),
		rapid.SampledFrom([]string{`"`, `\`, "\n", "\x00", "\x1f", " ", "\x7f", "\u2028", "é", "😀", "\xff", "\xc3"}),
	)
	text := rapid.Custom(func(rt *rapid.T) []byte {
		var b []byte
		for _, p := range rapid.SliceOfN(piece, 0, 20).Draw(rt, "pieces") {
			b = append(b, p...)
		}
		return b
	})
	rapid.Check(t, func(rt *rapid.T) {
		is := is.New(rt)
		e := goldenEvent()
		e.Data, e.Metadata = text.Draw(rt, "data"), text.Draw(rt, "metadata")
		line := ledger.EncodeLine(e)
		for _, decode := range []func([]byte) (*eventstore.Recorded, error){ledger.DecodeLine, ledger.DecodeQuickly} {
			back, err := decode(line)
			is.NoErr(err)
			is.True(bytes.Equal(back.Data, e.Data))
			is.True(bytes.Equal(back.Metadata, e.Metadata))
			is.Equal(ledger.LeafHash(back), ledger.LeafHash(e))
		}
	})
}

// TestLineIsAsItEverWas: exports that are kept are verified by what is written today.
func TestLineIsAsItEverWas(t *testing.T) {
	is := is.New(t)
	e := goldenEvent()
	e.Data, e.Metadata = []byte("\x00\x01\t\n\r\x1f \"quoted\" \\ \u2028é<&>\x7f, and a last line\n"), []byte("\xff\"\n")
	got := string(ledger.EncodeLine(e))
	want := `"data":"\u0000\u0001\u0009\n\u000d\u001f \"quoted\" \\ ` + "\u2028é<&>\x7f" + `, and a last line\n","metadata_base64":"/yIK"}` + "\n"
	is.Equal(got[len(got)-len(want):], want)
}
