package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"tenure/eventstore"
)

// ExportFile is a file with an export.
type ExportFile interface {
	io.ReadSeeker
	io.ReaderAt
}

// exportReader reads an export in one format.
type exportReader interface {
	// frame reads all but the events, and says how many of these there are. What
	// cannot be read of header or trailer is nil.
	frame() (h *header, t *trailer, events int, err error)
	// events hands over events in the order of the file. What visit hears of is
	// there until it returns.
	events(which events, visit func(*readEvent)) error
	// place is where an event is for people: its line, or else its row, from 1.
	// Events count from 1; the header comes before the first, the trailer after the last.
	place(event int) (line, row int)
}

// events are those of an export that somebody asks for.
type events int

const (
	allEvents events = iota
	ownEvents        // of the ledger: those that do not say that they are leaves
)

// readEvent is an event as it was read from an export.
type readEvent struct {
	entry
	number   int   // from 1
	computed Hash  // of it as a leaf, whatever the export says
	wrong    error // it is not as it was written; then there may be nothing else
}

// openExport finds out which format it is.
func openExport(file ExportFile) exportReader {
	var begin [len(parquetMagic)]byte
	if n, _ := file.ReadAt(begin[:], 0); n == len(begin) && string(begin[:]) == parquetMagic {
		return &parquetReader{file: file}
	}
	return &ndjsonReader{file: file}
}

// VerifyExport verifies an export, in whichever format, with nothing but the
// export, the key and what was kept. What is wrong is in the Report; the error says
// that the export could not be read.
func VerifyExport(export ExportFile, options Options) (*Report, error) {
	w := newWalk(options)
	v := &verification{walk: w, file: openExport(export)}
	w.place = v.file.place
	if err := v.frame(); err != nil {
		if errors.Is(err, errParquet) {
			w.report.found(Finding{whole: true, Problem: err.Error()})
			return w.report.finish(options), nil
		}
		return nil, err
	}
	if v.last == nil || v.head == nil { // no more can be said
		return w.report.finish(options), nil
	}
	c, err := w.open(v.last.Checkpoint)
	switch {
	case err != nil:
		w.report.Signature = "invalid"
		v.wrong(v.count+1, "the checkpoint at the end is not signed with the key, or is none")
		return w.report.finish(options), nil
	case c.Origin != v.head.Origin || c.Size != v.head.Size:
		v.wrong(0, "the header speaks of another checkpoint than the one at the end")
	}
	v.checkpoint, v.export = c, &c
	w.report.Position = v.last.Position
	v.signedEnd()
	verify := v.log
	if v.head.Export == exportOrganization {
		verify = v.organization
	}
	if err := verify(); errors.Is(err, errParquet) {
		w.report.found(Finding{whole: true, Problem: err.Error()})
	} else if err != nil {
		return nil, err
	}
	w.witnessed(v.last.Checkpoint)
	return w.report.finish(options), nil
}

// verification goes through the events of an export.
type verification struct {
	*walk
	file       exportReader
	head       *header
	last       *trailer
	count      int // of the events
	checkpoint Checkpoint
	position   eventstore.Position // of the event before
	rehashed   *Finding            // the first event with another hash than the file says
}

// wrong is something that is wrong with all of it, and shows at some event.
func (v *verification) wrong(event int, problem string) {
	f := Finding{whole: true, Problem: problem}
	f.Line, f.Row = v.place(event)
	v.report.found(f)
}

// frame reads the header and the trailer.
func (v *verification) frame() error {
	head, last, count, err := v.file.frame()
	if err != nil {
		return err
	}
	v.count = count
	if head == nil || !head.known() {
		v.wrong(0, "the header is not that of an export of a version that is known")
	} else {
		v.head = head
		v.report.Organization = head.Organization
		if head.Organization != "" {
			v.report.Scope = "organization"
		}
	}
	if last == nil || last.Checkpoint == "" {
		v.wrong(count+1, "the trailer is not that of an export: the end is missing or was changed")
		return nil
	}
	v.last = last
	if last.Events != uint64(count) {
		v.wrong(count+1, fmt.Sprintf("there are %d events; the trailer says %d", count, last.Events))
	}
	return nil
}

// events hands over all events that can be read, and complains of the others.
func (v *verification) events(visit func(*readEvent)) error {
	return v.file.events(allEvents, func(e *readEvent) {
		if e.wrong == nil {
			visit(e)
			return
		}
		f := Finding{Problem: e.wrong.Error()}
		f.Line, f.Row = v.place(e.number)
		if e.Recorded != nil {
			leaf := e.leaf
			f.Stream, f.Type, f.Leaf = e.Stream, e.Type, &leaf
		}
		v.report.found(f)
	})
}

// passing takes what is the same for every event.
func (v *verification) passing(sum checksum, e *readEvent) {
	sum.add(e.computed, e.Position)
	if e.Position <= v.position || e.Position > v.last.Position && IsLeaf(e.Recorded) {
		f := v.about(e.Recorded, e.number, "the position is not in the order of the log")
		if leaf := e.leaf; IsLeaf(e.Recorded) {
			f.Leaf = &leaf
		}
		v.report.found(f)
	}
	v.position = e.Position
	if leaf := e.leaf; IsLeaf(e.Recorded) && e.hash != e.computed && v.rehashed == nil {
		f := v.about(e.Recorded, e.number, "the event is not what was signed: it has another hash than the file says")
		f.Leaf = &leaf
		v.rehashed = &f
	}
	if v.options.visit != nil {
		v.options.visit(v.head.Organization, &e.entry)
	}
}

// unchanged compares the checksum, once all events have passed.
func (v *verification) unchanged(sum checksum) {
	if want := sum.seal(*v.last); want.SHA256 != v.last.SHA256 {
		v.wrong(v.count+1, "the file is not as it was written: its checksum differs")
	}
}

// log verifies an export of a whole log: first the ledger's own events.
func (v *verification) log() error {
	err := v.file.events(ownEvents, func(e *readEvent) {
		if e.wrong == nil && !IsLeaf(e.Recorded) {
			v.note(e.Recorded, e.number)
		}
	})
	if err != nil {
		return err
	}
	if n := len(v.expect); n == 0 || v.expect[n-1].Checkpoint != v.checkpoint {
		v.wrong(v.count+1, "the checkpoint at the end is not the newest one among the events")
		v.expect = append(v.expect, expectation{Checkpoint: v.checkpoint})
	}
	v.begin()
	sum := newChecksum(*v.head)
	err = v.events(func(e *readEvent) {
		if IsLeaf(e.Recorded) {
			if want := v.tree.size; e.leaf != want {
				f := v.about(e.Recorded, e.number, fmt.Sprintf("leaf %d where %d should be: an event is missing, added or moved", e.leaf, want))
				f.Leaf = &want
				v.report.found(f)
			}
			if index := v.tree.size; index == v.checkpoint.Size { // the first of them says it
				f := v.about(e.Recorded, e.number, "the event was not there when the log was signed: the checkpoint at the end covers those before it")
				f.Leaf = &index
				v.report.found(f)
			}
			v.leaf(e.Recorded, e.computed, &claim{hash: e.hash}, e.number)
		}
		v.passing(sum, e)
	})
	if err != nil {
		return err
	}
	v.unchanged(sum)
	v.end()
	if v.rehashed != nil && len(v.report.Findings) == 0 { // the event is right, and what stands beside it is not
		v.report.found(*v.rehashed)
	}
	return nil
}

// organization verifies an export of an organization's history: every event is
// in the log that was signed, none is missing between two, and no invitation that
// has ended is missing.
func (v *verification) organization() error {
	v.report.Origin, v.report.Size, v.report.Root, v.report.Checkpoints = v.checkpoint.Origin, v.checkpoint.Size, v.checkpoint.Root.String(), 1
	next, in, sum, ended := uint64(0), scope{organization: v.head.Organization}, newChecksum(*v.head), make(map[string]bool)
	err := v.events(func(e *readEvent) {
		f := v.about(e.Recorded, e.number, "")
		found := func(problem string) {
			f.Problem = problem
			v.report.found(f)
		}
		if !IsLeaf(e.Recorded) {
			found("an event that is none of an organization")
			return
		}
		leaf := e.leaf
		f.Leaf = &leaf
		if !isPolicy(e.Recorded) { // of these there are only some
			if !in.has(e.Recorded) {
				found("the event is none of the organization's")
			}
			v.contiguous(e.Recorded, e.number, &leaf)
			if stream := endedInvitation(e.Recorded); stream != "" {
				ended[stream] = true
			}
		}
		if e.leaf < next {
			found("the event is not in the order of the log")
		}
		next = e.leaf + 1
		hashes := make([][]byte, len(e.proof))
		for i := range e.proof {
			hashes[i] = e.proof[i][:]
		}
		err := proof.VerifyInclusion(rfc6962.DefaultHasher, e.leaf, v.checkpoint.Size, e.computed[:], hashes, v.checkpoint.Root[:])
		switch {
		case e.computed != e.hash:
			found("the event is not what was signed: it has another hash than the file says")
		case err != nil:
			found("the event is not proved to be in the log that was signed")
		default:
			v.report.Events++
		}
		v.passing(sum, e)
		v.options.Progress(v.report.Events)
	})
	if err != nil {
		return err
	}
	v.unchanged(sum)
	v.compareKept()
	switch own := v.streams[organizationPrefix+v.head.Organization]; {
	case own == 0:
		v.report.found(Finding{whole: true, Problem: "the organization's own stream is missing"})
	case own != v.last.Revisions && (v.last.Revisions > 0 || v.last.Signature != ""):
		v.wrong(v.count+1, fmt.Sprintf("the organization's own stream ends after %d events; the trailer says %d", own, v.last.Revisions))
	}
	for _, stream := range slices.Sorted(maps.Keys(ended)) {
		if v.streams[stream] == 0 { // what has ended has begun before
			v.report.found(Finding{whole: true, Problem: "the stream " + stream + " is missing: the organization's own tells how that invitation has ended"})
		}
	}
	return nil
}

// endedInvitation is the stream of the invitation that an event of an organization
// says the end of; empty for none.
func endedInvitation(e *eventstore.Recorded) string {
	if !strings.HasPrefix(e.Type, "organization.invitation_closed.") && !strings.HasPrefix(e.Type, "organization.member_joined.") {
		return ""
	}
	var about struct {
		Invitation string `json:"invitation_id"`
	}
	if json.Unmarshal(e.Data, &about) != nil || about.Invitation == "" {
		return ""
	}
	return "invitation-" + about.Invitation
}

// compareKept compares the checkpoint of an organization's export with what was
// kept.
func (v *verification) compareKept() {
	for _, text := range v.options.Kept {
		c, err := v.open(text)
		if err != nil {
			v.report.found(Finding{whole: true, Problem: "the kept checkpoint is not signed with the key, or is none"})
		} else if v.link(c, v.checkpoint) {
			v.report.Checkpoints++
		}
	}
}
