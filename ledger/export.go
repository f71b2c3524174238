package ledger

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"tenure/commands"
	"tenure/domain/checkpoint"
	"tenure/domain/organization"
	"tenure/domain/publication"
	"tenure/eventstore"
)

// ExportOptions say what is exported.
type ExportOptions struct {
	Organization string                 // only the events of its history, each with a proof; empty for the whole log
	Format       Format                 // default NDJSON
	Progress     func(done, all uint64) // hears how many leaves of all are done
	// Key signs the end, where the log fits the checkpoint; nil leaves it unsigned. It
	// is the key of the log.
	Key *Key
}

// Exported says what is in an export.
type Exported struct {
	Events   uint64 // of the log or the organization
	Size     uint64 // of the checkpoint that it ends with
	Unsigned uint64 // events after that, which are not in it
	Fits     bool   // whether the log has the root that was signed
	Signed   bool   // the end is
}

// The errors of Export, to be matched with errors.Is.
var (
	ErrNoCheckpoint   = errors.New("ledger: nothing was signed yet")
	ErrNoOrganization = errors.New("ledger: the log has no such organization before the newest checkpoint")
)

// Export writes what the newest checkpoint covers: the whole log, with what is
// needed to compute its root; or the events of an organization's history, and the
// published policies that it was under, each with a proof that it is in the log.
//
// Events go out as the log holds them: what is sealed in them stays sealed. In
// memory are a few pages of the log, in Parquet a group of rows besides; for an
// organization also the tree, 33 bytes for an event of the whole log. It fails with
// ErrNoCheckpoint, ErrNoOrganization and ErrOtherKey.
func Export(ctx context.Context, log eventstore.Reader, to io.Writer, o ExportOptions) (Exported, error) {
	newest, err := findNewest(ctx, log)
	if err != nil {
		return Exported{}, err
	}
	if o.Key != nil {
		if _, err := Verify(newest.text, o.Key.Verifier()); err != nil {
			return Exported{}, fmt.Errorf("%w: %w", ErrOtherKey, err)
		}
	}
	if o.Progress == nil {
		o.Progress = func(uint64, uint64) {}
	}
	buffer := bufio.NewWriterSize(to, 64<<10) // for headers and the like: whole pages pass it by
	w := &exporter{ExportOptions: o, log: log, newest: newest}
	if w.form = exportWriter(ndjsonWriter{buffer}); o.Format == Parquet {
		w.form = newParquetWriter(buffer)
	}
	if o.Organization == "" {
		err = w.exportLog(ctx)
	} else {
		err = w.exportOrganization(ctx)
	}
	if err == nil {
		err = buffer.Flush()
	}
	return Exported{Events: w.events, Size: newest.Size, Unsigned: w.leaves - min(w.leaves, newest.Size), Fits: w.fits, Signed: w.fits && o.Key != nil}, err
}

// newestNote is the newest checkpoint as the log has it.
type newestNote struct {
	Checkpoint
	text     string // with its cosignatures
	revision eventstore.Revision
}

func findNewest(ctx context.Context, log eventstore.Reader) (n newestNote, err error) {
	for from := eventstore.Revision(0); ; from += pageEvents {
		events, err := log.ReadStream(ctx, commands.LedgerStream, from, pageEvents)
		if err != nil && !errors.Is(err, eventstore.ErrStreamNotFound) {
			return n, err
		}
		for i := range events {
			if err := n.follow(&events[i]); err != nil {
				return n, err
			}
		}
		if len(events) < pageEvents {
			break
		}
	}
	if n.Size == 0 {
		err = ErrNoCheckpoint
	}
	return n, err
}

func (n *newestNote) follow(e *eventstore.Recorded) (err error) {
	switch e.Type {
	case checkpoint.Signed{}.EventType():
		var signed checkpoint.Signed
		if err := json.Unmarshal(e.Data, &signed); err != nil {
			return fmt.Errorf("ledger: the checkpoint of revision %d cannot be read", e.Revision)
		}
		n.text, n.revision = signed.Note, e.Revision
		n.Checkpoint, err = ParseNote(signed.Note)
	case checkpoint.Cosigned{}.EventType():
		var by checkpoint.Cosigned
		if err := json.Unmarshal(e.Data, &by); err == nil && by.Size == n.Size {
			n.text = cosignedNote(n.text, by)
		}
	}
	return err
}

// exportWriter writes an export in one format.
type exportWriter interface {
	begin(h header) error
	// prepare does most of the work for some entries. It is called for several
	// pages at once. What it made before of a page that is written, or nil, it may
	// use again.
	prepare(entries []entry, before any) any
	// write writes what was prepared, in the order of the log.
	write(prepared any) error
	// end asks for the trailer once all pages of a Parquet file are written, whose
	// hash it has.
	end(h header, seal func(pages string) (trailer, error)) error
}

type exporter struct {
	ExportOptions
	log      eventstore.Reader
	form     exportWriter
	sum      checksum
	header   header
	newest   newestNote
	position eventstore.Position // of the last leaf that the checkpoint covers
	rows     uint64
	events   uint64
	own      uint64 // events of the organization's own stream
	leaves   uint64 // of the log
	fits     bool
}

func (w *exporter) begin(form string) error {
	w.header = header{Export: form, Organization: w.Organization, Origin: w.newest.Origin, Size: w.newest.Size}
	w.sum = newChecksum(w.header)
	return w.form.begin(w.header)
}

func (w *exporter) end() error {
	return w.form.end(w.header, func(pages string) (trailer, error) {
		t := w.sum.seal(trailer{Checkpoint: w.newest.text, Position: w.position, Events: w.rows, Revisions: w.own, Pages: pages})
		if w.Key == nil || !w.fits {
			return t, nil
		}
		return w.Key.signEnd(w.header, t)
	})
}

// exportLog reads the log once.
func (w *exporter) exportLog(ctx context.Context) error {
	if err := w.begin(exportLog); err != nil {
		return err
	}
	var tree frontier
	err := w.pipe(ctx, func(e *entry) bool {
		if !IsLeaf(e.Recorded) {
			return e.Revision <= w.newest.revision
		}
		return e.leaf < w.newest.Size
	}, func(e *entry) error {
		if !IsLeaf(e.Recorded) {
			return nil
		}
		w.position = e.Position
		w.events++
		tree.add(e.hash)
		return nil
	})
	if err != nil {
		return err
	}
	w.fits = tree.root() == w.newest.Root && tree.size == w.newest.Size
	return w.end()
}

// exportOrganization reads the log twice: first for the whole tree.
func (w *exporter) exportOrganization(ctx context.Context) error {
	tree, in := newMemory(), scope{organization: w.Organization}
	log := walkthrough{log: w.log, keep: func(e *entry) bool { return IsLeaf(e.Recorded) && e.leaf < w.newest.Size }}
	err := inTurns(ctx, log.next, (*pageWork).hash, func(p *pageWork) error {
		for i := range p.entries {
			e := &p.entries[i]
			tree.add(e.hash)
			in.learn(e.Recorded)
			w.position = e.Position
		}
		w.leaves = p.leaves
		w.Progress(tree.size/2, w.newest.Size)
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
	if err := w.begin(exportOrganization); err != nil {
		return err
	}
	w.leaves = 0
	err = w.pipe(ctx, func(e *entry) bool {
		return IsLeaf(e.Recorded) && e.leaf < w.newest.Size && in.has(e.Recorded)
	}, func(e *entry) (err error) {
		w.events++
		if e.Stream == organizationPrefix+w.Organization {
			w.own++
		}
		e.proof, err = inclusionOf(ctx, tree, e.leaf, w.newest.Size)
		return err
	})
	if err != nil {
		return err
	}
	if w.events == 0 {
		return ErrNoOrganization
	}
	return w.end()
}

// scope is what the export of an organization is of.
type scope struct {
	organization string
	policies     map[string]int  // by name, the newest version that it was under
	invitations  map[string]bool // streams of those into it
}

const (
	organizationPrefix = "organization-"
	invitationPrefix   = "invitation-"
)

// learn takes note of the policies that the organization was under.
func (s *scope) learn(e *eventstore.Recorded) {
	if e.Stream != organizationPrefix+s.organization {
		return
	}
	var under organization.PolicyVersion
	switch e.Type {
	case organization.Activated{}.EventType():
		var founded organization.Activated
		_ = json.Unmarshal(e.Data, &founded) // what cannot be read names none
		under = organization.PolicyVersion{Policy: founded.Policy, Version: founded.PolicyVersion}
	case organization.PolicyChanged{}.EventType():
		var changed organization.PolicyChanged
		_ = json.Unmarshal(e.Data, &changed)
		under = changed.After
	}
	if under.Policy != "" {
		if s.policies == nil {
			s.policies = make(map[string]int)
		}
		s.policies[under.Policy] = max(s.policies[under.Policy], under.Version)
	}
}

// has reports whether the event is one of the organization's history: of its own
// stream, or of that of an invitation into it; or publishes such a policy. It is
// asked in the order of the log: the first event of an invitation says what it is
// an invitation into, and not each of the later ones does.
func (s *scope) has(e *eventstore.Recorded) bool {
	switch {
	case e.Stream == organizationPrefix+s.organization:
		return true
	case strings.HasPrefix(e.Stream, invitationPrefix):
		if s.invitations[e.Stream] {
			return true
		}
		var about struct {
			Organization string `json:"organization_id"`
		}
		if json.Unmarshal(e.Data, &about) != nil || about.Organization != s.organization {
			return false
		}
		if s.invitations == nil {
			s.invitations = make(map[string]bool)
		}
		s.invitations[e.Stream] = true
		return true
	case isPolicy(e):
		var p publication.Published
		return json.Unmarshal(e.Data, &p) == nil && p.Version <= s.policies[p.Name]
	}
	return false
}

func isPolicy(e *eventstore.Recorded) bool {
	return e.Stream == commands.PoliciesStream && e.Type == publication.Published{}.EventType()
}
