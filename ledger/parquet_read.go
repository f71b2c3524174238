package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

// errParquet says that a file is no Parquet file of the kind that an export is.
var errParquet = errors.New("the file is not a Parquet file as an export is one")

// parquetReader reads an export that is a Parquet file. The library that takes it
// apart trusts what the file says of sizes, and panics where that contradicts
// itself; so checkShape goes before it, and what still happens is an error.
type parquetReader struct {
	file   ExportFile
	parsed *parquet.File
}

// guarded makes an error of a panic.
func guarded(run func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errParquet
		}
	}()
	return run()
}

// frame implements exportReader.
func (r *parquetReader) frame() (h *header, t *trailer, events int, err error) {
	pages := ""
	err = guarded(func() error {
		size, err := r.file.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		end, err := checkShape(r.file, size)
		if err != nil {
			return err
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, io.NewSectionReader(r.file, 0, end)); err != nil {
			return err
		}
		pages = hex.EncodeToString(sum.Sum(nil))
		r.parsed, err = parquet.OpenFile(r.file, size, parquet.SkipBloomFilters(true))
		if err != nil {
			return fmt.Errorf("%w: %w", errParquet, err)
		}
		return nil
	})
	if err != nil {
		return nil, nil, 0, err
	}
	if text, ok := r.parsed.Lookup(headerKey); ok {
		h, _ = decodeFrame([]byte(text), appendHeader)
	}
	if text, ok := r.parsed.Lookup(trailerKey); ok {
		t, _ = decodeFrame([]byte(text), appendTrailer)
	}
	if t != nil && t.Pages != pages {
		return nil, nil, 0, misshapen("its pages are not as they were written")
	}
	return h, t, int(r.parsed.NumRows()), nil
}

// rowsAtOnce is how many rows a worker has in memory.
const rowsAtOnce = 64

// rowWork are some rows of an export.
type rowWork struct {
	rows   []row
	number int // of rows before these
	events []readEvent
	leaf   []byte // the one that is hashed
}

// events implements exportReader.
func (r *parquetReader) events(which events, visit func(*readEvent)) error {
	groups := rowGroups{groups: r.parsed.RowGroups()}
	defer groups.close()
	return inTurns(context.Background(), func(_ context.Context, w *rowWork) (more bool, err error) {
		err = guarded(func() error {
			w.number = groups.read
			w.rows, err = groups.next()
			return err
		})
		return len(w.rows) > 0, err
	}, func(w *rowWork) {
		w.read(which)
	}, func(w *rowWork) error {
		for i := range w.events {
			visit(&w.events[i])
		}
		return nil
	})
}

// read makes events of the rows, and hashes them.
func (w *rowWork) read(which events) {
	w.events = w.events[:0]
	for i := range w.rows {
		if which == ownEvents && w.rows[i].Leaf != nil {
			continue
		}
		e := readEvent{number: w.number + i + 1}
		var read *entry
		read, e.wrong = w.rows[i].entry()
		if e.entry = *read; e.wrong == nil {
			e.computed, w.leaf = hashLeaf(w.leaf, e.Recorded)
		}
		w.events = append(w.events, e)
	}
}

// rowGroups reads the rows of one group after the other.
type rowGroups struct {
	groups []parquet.RowGroup
	rows   *parquet.GenericReader[row] // of the first of these; nil before it is begun
	read   int
	failed error // comes after the rows that were read before it
}

// next reads some rows; none at the end.
func (g *rowGroups) next() ([]row, error) {
	for g.failed == nil && len(g.groups) > 0 {
		if g.rows == nil {
			g.rows = parquet.NewGenericRowGroupReader[row](g.groups[0], rowSchema)
		}
		rows := make([]row, rowsAtOnce)
		n, err := g.rows.Read(rows)
		switch {
		case errors.Is(err, io.EOF):
			g.close()
			g.groups = g.groups[1:]
		case err != nil:
			g.failed = fmt.Errorf("%w: %w", errParquet, err)
		case n == 0:
			g.failed = errParquet
		}
		if n > 0 {
			g.read += n
			return rows[:n], nil
		}
	}
	return nil, g.failed
}

func (g *rowGroups) close() {
	if g.rows != nil {
		g.rows.Close()
		g.rows = nil
	}
}

func (r *parquetReader) place(event int) (line, row int) {
	if event < 1 || event > int(r.parsed.NumRows()) {
		return 0, 0
	}
	return 0, event
}
