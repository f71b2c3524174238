package ledger

import (
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
	err = guarded(func() error {
		size, err := r.file.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		if err := checkShape(r.file, size); err != nil {
			return err
		}
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
	if len(r.parsed.Metadata().KeyValueMetadata) != 2 {
		h = nil
	}
	return h, t, int(r.parsed.NumRows()), nil
}

// rowsAtOnce is how many rows are in memory.
const rowsAtOnce = 64

// events implements exportReader.
func (r *parquetReader) events(visit func(e *entry, wrong error) error) error {
	return guarded(func() error {
		for _, group := range r.parsed.RowGroups() {
			if err := r.group(group, visit); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *parquetReader) group(group parquet.RowGroup, visit func(e *entry, wrong error) error) error {
	rows := parquet.NewGenericRowGroupReader[row](group, rowSchema)
	defer rows.Close()
	for {
		batch := make([]row, rowsAtOnce) // what is visited may be kept
		n, err := rows.Read(batch)
		for i := range batch[:n] {
			if err := visit(batch[i].entry()); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", errParquet, err)
		case n == 0:
			return errParquet
		}
	}
}

func (r *parquetReader) place(event int) (line, row int) {
	if event < 1 || event > int(r.parsed.NumRows()) {
		return 0, 0
	}
	return 0, event
}
