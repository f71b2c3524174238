package ledger

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
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

// VerifyExport verifies an export with nothing but the export, the key and what
// was kept. What is wrong is in the Report; the error says that the export could
// not be read.
func VerifyExport(export io.ReadSeeker, options Options) (*Report, error) {
	w := newWalk(options)
	v := &verification{walk: w}
	if err := v.frame(export); err != nil {
		return nil, err
	}
	if v.last == nil || v.head == nil { // no more can be said
		return w.report.finish(options), nil
	}
	c, err := w.open(v.last.Checkpoint)
	switch {
	case err != nil:
		w.report.Signature = "invalid"
		w.report.found(Finding{whole: true, Line: v.lines, Problem: "the checkpoint at the end is not signed with the key, or is none"})
		return w.report.finish(options), nil
	case c.Origin != v.head.Origin || c.Size != v.head.Size:
		w.report.found(Finding{whole: true, Line: 1, Problem: "the first line speaks of another checkpoint than the last one"})
	}
	v.checkpoint = c
	if v.head.Export == exportOrganization {
		return v.organization(export)
	}
	return v.log(export)
}

// verification goes through the lines of an export.
type verification struct {
	*walk
	head       *header
	last       *trailer
	lines      int // all of them
	checkpoint Checkpoint
}

// each hands over every line with its number, from 1.
func each(export io.ReadSeeker, visit func(number int, text []byte) error) error {
	if _, err := export.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(export, 64<<10)
	for number := 1; ; number++ {
		var text []byte
		for {
			part, err := in.ReadSlice('\n')
			text = append(text, part...)
			if err == nil || errors.Is(err, io.EOF) {
				break
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				return err
			}
			if len(text) > maxLine {
				return fmt.Errorf("ledger: line %d is longer than any of an export", number)
			}
		}
		if len(text) == 0 {
			return nil
		}
		if err := visit(number, text); err != nil {
			return err
		}
	}
}

// frame reads the first line and the last one, and what the last one says of
// all the others.
func (v *verification) frame(export io.ReadSeeker) error {
	sum := sha256.New()
	var before []byte // the line before
	first := []byte(nil)
	err := each(export, func(number int, text []byte) error {
		if number == 1 {
			first = text
		}
		sum.Write(before)
		before, v.lines = text, number
		return nil
	})
	if err != nil {
		return err
	}
	var h header
	if decodeLine(first, &h) != nil || h.Export != exportLog && h.Export != exportOrganization || (h.Export == exportOrganization) != (h.Organization != "") {
		v.report.found(Finding{whole: true, Line: 1, Problem: "the first line is not that of an export of a version that is known"})
	} else {
		v.head = &h
		v.report.Organization = h.Organization
		if h.Organization != "" {
			v.report.Scope = "organization"
		}
	}
	var t trailer
	if v.lines < 2 || decodeLine(before, &t) != nil || t.Checkpoint == "" {
		v.report.found(Finding{whole: true, Line: v.lines, Problem: "the last line is not that of an export: the end is missing or was changed"})
		return nil
	}
	v.last = &t
	if want := uint64(v.lines - 2); t.Events != want {
		v.report.found(Finding{whole: true, Line: v.lines, Problem: fmt.Sprintf("there are %d events; the last line says %d", want, t.Events)})
	}
	sum.Write([]byte(t.Checkpoint))
	if hex.EncodeToString(sum.Sum(nil)) != t.SHA256 {
		v.report.found(Finding{whole: true, Line: v.lines, Problem: "the file is not as it was written: its checksum differs"})
	}
	return nil
}

// events hands over the lines between the first and the last one that can be read.
func (v *verification) events(export io.ReadSeeker, complain bool, visit func(number int, l *line) error) error {
	return each(export, func(number int, text []byte) error {
		if number == 1 || number == v.lines {
			return nil
		}
		l := &line{}
		err := decodeLine(text, l)
		if err == nil {
			_, err = l.event()
		}
		if err != nil {
			if complain {
				f := Finding{Line: number, Problem: errLine.Error(), Leaf: l.Leaf, Stream: l.Stream, Type: l.Type}
				v.report.found(f)
			}
			return nil
		}
		return visit(number, l)
	})
}

// log verifies an export of a whole log.
func (v *verification) log(export io.ReadSeeker) (*Report, error) {
	err := v.events(export, true, func(number int, l *line) error {
		if l.Leaf == nil {
			e, err := l.event()
			v.note(e, number)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if n := len(v.expect); n == 0 || v.expect[n-1].Checkpoint != v.checkpoint {
		v.report.found(Finding{whole: true, Line: v.lines, Problem: "the checkpoint at the end is not the newest one among the events"})
		v.expect = append(v.expect, expectation{Checkpoint: v.checkpoint, line: v.lines})
	}
	v.begin()
	err = v.events(export, false, func(number int, l *line) error {
		if l.Leaf == nil {
			return nil
		}
		if want := v.tree.End(); *l.Leaf != want {
			v.report.found(Finding{Line: number, Leaf: &want, Stream: l.Stream, Type: l.Type, Problem: fmt.Sprintf("leaf %d where %d should be: an event is missing, added or moved", *l.Leaf, want)})
		}
		e, err := l.event()
		if index := v.tree.End(); index == v.checkpoint.Size { // the first of them says it
			f := about(e, number, "the event was not there when the log was signed: the checkpoint at the end covers those before it")
			f.Leaf = &index
			v.report.found(f)
		}
		v.leaf(e, &claim{hash: *l.Hash}, number)
		return err
	})
	if err != nil {
		return nil, err
	}
	return v.end(), nil
}

// organization verifies an export of an organization's history: every event is
// in the log that was signed, none is missing between two, and no invitation that
// has ended is missing.
func (v *verification) organization(export io.ReadSeeker) (*Report, error) {
	v.report.Origin, v.report.Size, v.report.Root, v.report.Checkpoints = v.checkpoint.Origin, v.checkpoint.Size, v.checkpoint.Root.String(), 1
	next, ended := uint64(0), make(map[string]bool)
	err := v.events(export, true, func(number int, l *line) error {
		e, err := l.event()
		if err != nil || l.Leaf == nil {
			v.report.found(Finding{Line: number, Problem: "an event that is none of an organization", Stream: l.Stream, Type: l.Type})
			return err
		}
		f := about(e, number, "")
		f.Leaf = l.Leaf
		if !ofOrganization(e, v.head.Organization) {
			f.Problem = "the event is none of the organization's"
			v.report.found(f)
		}
		if *l.Leaf < next {
			f.Problem = "the event is not in the order of the log"
			v.report.found(f)
		}
		next = *l.Leaf + 1
		v.contiguous(e, number, l.Leaf)
		if stream := endedInvitation(e); stream != "" {
			ended[stream] = true
		}
		hash, hashes := LeafHash(e), make([][]byte, len(l.Proof))
		for i := range l.Proof {
			hashes[i] = l.Proof[i][:]
		}
		err = proof.VerifyInclusion(rfc6962.DefaultHasher, *l.Leaf, v.checkpoint.Size, hash[:], hashes, v.checkpoint.Root[:])
		switch {
		case hash != *l.Hash:
			f.Problem = "the event is not what was signed: it has another hash than the line says"
			v.report.found(f)
		case err != nil:
			f.Problem = "the event is not proved to be in the log that was signed"
			v.report.found(f)
		default:
			v.report.Events++
		}
		v.options.Progress(v.report.Events)
		return nil
	})
	if err != nil {
		return nil, err
	}
	v.compareKept()
	if v.streams["organization-"+v.head.Organization] == 0 {
		v.report.found(Finding{whole: true, Problem: "the organization's own stream is missing"})
	}
	for _, stream := range slices.Sorted(maps.Keys(ended)) {
		if v.streams[stream] == 0 { // what has ended has begun before
			v.report.found(Finding{whole: true, Problem: "the stream " + stream + " is missing: the organization's own tells how that invitation has ended"})
		}
	}
	return v.report.finish(v.options), nil
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
// kept: one of the same size has to be the same. Others need a consistency proof.
func (v *verification) compareKept() {
	for _, text := range v.options.Kept {
		c, err := v.open(text)
		switch {
		case err != nil:
			v.report.found(Finding{whole: true, Problem: "the kept checkpoint is not signed with the key, or is none"})
		case c.Origin != v.checkpoint.Origin || c.Size == v.checkpoint.Size && c.Root != v.checkpoint.Root:
			v.report.found(Finding{whole: true, Problem: "the kept checkpoint is another one than that of the export: the log has two faces"})
		case c.Size != v.checkpoint.Size:
			v.report.found(Finding{whole: true, Problem: fmt.Sprintf("the kept checkpoint has size %d, that of the export %d: ask the server for the consistency proof between them", c.Size, v.checkpoint.Size)})
		}
	}
}

// IsExport reports whether a text begins as an export does.
func IsExport(beginning []byte) bool {
	return slices.ContainsFunc([]string{exportLog, exportOrganization}, func(form string) bool {
		return bytes.HasPrefix(beginning, []byte(`{"export":"`+form+`"`))
	})
}
