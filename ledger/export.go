package ledger

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"tenure/domain/checkpoint"
	"tenure/eventstore"
)

// Exported says what is in an export.
type Exported struct {
	Events   uint64 // of the log or the organization
	Size     uint64 // of the checkpoint that it ends with
	Unsigned uint64 // events after that, which are not in it
	Fits     bool   // whether the log has the root that was signed
}

// The errors of Export, to be matched with errors.Is.
var (
	ErrNoCheckpoint   = errors.New("ledger: nothing was signed yet")
	ErrNoOrganization = errors.New("ledger: the log has no such organization before the newest checkpoint")
)

// Export writes what the newest checkpoint covers: the whole log, with what is
// needed to compute its root; or with an organization's id the events of its
// history, each with a proof that it is in the log. progress hears how many
// leaves of all are done. An organization's export keeps the tree in memory, 33
// bytes for an event of the whole log. It fails with ErrNoCheckpoint and
// ErrNoOrganization.
func Export(ctx context.Context, log Source, organization string, to io.Writer, progress func(done, all uint64)) (Exported, error) {
	newest, err := findNewest(ctx, log)
	if err != nil {
		return Exported{}, err
	}
	w := &exporter{to: bufio.NewWriterSize(to, 1<<20), sum: sha256.New(), newest: newest, progress: progress}
	if organization == "" {
		err = w.exportLog(ctx, log)
	} else {
		err = w.exportOrganization(ctx, log, organization)
	}
	if err == nil {
		err = w.to.Flush()
	}
	return Exported{Events: w.events, Size: newest.Size, Unsigned: w.leaves - min(w.leaves, newest.Size), Fits: w.fits}, err
}

// newestNote is the newest checkpoint as the log has it.
type newestNote struct {
	Checkpoint
	text     string // with its cosignatures
	revision eventstore.Revision
}

func findNewest(ctx context.Context, log Source) (n newestNote, err error) {
	err = readLog(ctx, log, eventstore.Filter{TypePrefixes: []string{ownTypes}}, func(e *eventstore.Recorded) error {
		switch {
		case IsLeaf(e):
			return nil
		case e.Type == (checkpoint.Signed{}).EventType():
			var signed checkpoint.Signed
			if err := json.Unmarshal(e.Data, &signed); err != nil {
				return fmt.Errorf("ledger: the checkpoint of revision %d cannot be read", e.Revision)
			}
			c, err := ParseNote(signed.Note)
			n = newestNote{c, signed.Note, e.Revision}
			return err
		case e.Type == (checkpoint.Cosigned{}).EventType():
			var by checkpoint.Cosigned
			if err := json.Unmarshal(e.Data, &by); err == nil && by.Size == n.Size {
				n.text += by.Line + "\n"
			}
		}
		return nil
	})
	if err == nil && n.Size == 0 {
		err = ErrNoCheckpoint
	}
	return n, err
}

type exporter struct {
	to       *bufio.Writer
	sum      hash.Hash
	newest   newestNote
	progress func(done, all uint64)
	lines    uint64
	events   uint64
	leaves   uint64 // of the log
	fits     bool
}

func (w *exporter) write(v any) error {
	text, err := encodeLine(v)
	if err != nil {
		return err
	}
	w.sum.Write(text)
	_, err = w.to.Write(text)
	return err
}

func (w *exporter) writeEvent(l line) error {
	w.lines++
	return w.write(l)
}

func (w *exporter) finish() error {
	w.sum.Write([]byte(w.newest.text))
	return w.write(trailer{Checkpoint: w.newest.text, Events: w.lines, SHA256: hex.EncodeToString(w.sum.Sum(nil))})
}

func (w *exporter) exportLog(ctx context.Context, log Source) error {
	if err := w.write(header{Export: exportLog, Origin: w.newest.Origin, Size: w.newest.Size}); err != nil {
		return err
	}
	tree := ranges.NewEmptyRange(0)
	err := readLog(ctx, log, eventstore.Filter{}, func(e *eventstore.Recorded) error {
		l := newLine(e)
		switch {
		case !IsLeaf(e):
			if e.Revision > w.newest.revision {
				return nil
			}
			return w.writeEvent(l)
		case w.leaves >= w.newest.Size:
			w.leaves++
			return nil
		}
		index, hash := w.leaves, LeafHash(e)
		l.Leaf, l.Hash = &index, &hash
		w.leaves++
		w.events++
		w.progress(w.leaves, w.newest.Size)
		if err := tree.Append(hash[:], nil); err != nil {
			return err
		}
		return w.writeEvent(l)
	})
	if err != nil {
		return err
	}
	w.fits = rootOfRange(tree) == w.newest.Root && tree.End() == w.newest.Size
	return w.finish()
}

// exportOrganization reads the log twice: first for the whole tree.
func (w *exporter) exportOrganization(ctx context.Context, log Source, organization string) error {
	tree := newMemory()
	err := readLog(ctx, log, eventstore.Filter{}, func(e *eventstore.Recorded) error {
		if !IsLeaf(e) {
			return nil
		}
		if w.leaves++; w.leaves <= w.newest.Size {
			tree.add(LeafHash(e))
			w.progress(w.leaves, w.newest.Size)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if root, err := rootOf(ctx, tree, min(w.newest.Size, tree.size)); err != nil {
		return err
	} else if w.fits = root == w.newest.Root && tree.size == w.newest.Size; !w.fits {
		return fmt.Errorf("ledger: the log does not fit its newest checkpoint, of size %d: nothing can be proved; see tenure audit verify", w.newest.Size)
	}
	if err := w.write(header{Export: exportOrganization, Organization: organization, Origin: w.newest.Origin, Size: w.newest.Size}); err != nil {
		return err
	}
	index := uint64(0)
	err = readLog(ctx, log, eventstore.Filter{}, func(e *eventstore.Recorded) error {
		if !IsLeaf(e) {
			return nil
		}
		at := index
		index++
		if at >= w.newest.Size || !ofOrganization(e, organization) {
			return nil
		}
		w.events++
		l, hash := newLine(e), LeafHash(e)
		l.Leaf, l.Hash = &at, &hash
		if l.Proof, err = inclusionOf(ctx, tree, at, w.newest.Size); err != nil {
			return err
		}
		return w.writeEvent(l)
	})
	if err != nil {
		return err
	}
	if w.events == 0 {
		return ErrNoOrganization
	}
	return w.finish()
}

// ofOrganization reports whether the event is one of the organization's history:
// of its own stream, or of that of an invitation into it.
func ofOrganization(e *eventstore.Recorded, organization string) bool {
	switch {
	case e.Stream == "organization-"+organization:
		return true
	case !strings.HasPrefix(e.Stream, "invitation-"):
		return false
	}
	var about struct {
		Organization string `json:"organization_id"`
	}
	return json.Unmarshal(e.Data, &about) == nil && about.Organization == organization
}
