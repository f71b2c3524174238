package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/eventstore"
	"tenure/eventstore/esdb"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/history"
	"tenure/ledger"
	"tenure/policies"
)

// whichLog is the log that a command reads beside the server.
type whichLog struct {
	Data string `help:"Folder of a server with a SQLite log; it may be running." type:"path" env:"-"`
	Log  string `help:"EventStoreDB with the log, such as esdb://host:2113, instead of a folder." secret:"url" env:"-"`
}

// snapshot opens the SQLite log.
func (c *whichLog) snapshot() (*logsqlite.Snapshot, error) {
	log, err := logsqlite.OpenSnapshot(filepath.Join(c.Data, "log.db"))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no log in %s: give the --data of the server", c.Data)
	}
	return log, err
}

// open opens the log for reading; close is never nil.
func (c *whichLog) open() (_ eventstore.Reader, close func() error, err error) {
	none := func() error { return nil }
	switch {
	case (c.Data == "") == (c.Log == ""):
		return nil, none, misuse("give --data, the folder of a server, or --log, the address of an EventStoreDB")
	case c.Log != "":
		log, err := esdb.Open(c.Log, esdb.Options{})
		if err != nil {
			return nil, none, err
		}
		return log, log.Close, nil
	}
	log, err := c.snapshot()
	if err != nil {
		return nil, none, err
	}
	return log, log.Close, nil
}

// auditSource is what is asked about the past: a log, or an export, of which the
// events of the organization are read while it is verified.
type auditSource struct {
	whichLog
	Export string `help:"An export, in NDJSON or Parquet, instead of a log: it is verified first, with --key, and nothing is answered from one that is not right." type:"path" env:"-"`
	Org    string `help:"Id of the organization. Not needed with an export of one." env:"-"`
	proofs
	auditKeys
}

// Validate is called by kong.
func (s *auditSource) Validate() error {
	if s.Export == "" {
		return nil // a log is read as it is
	}
	return s.proofs.check()
}

// audited is a source that was opened.
type audited struct {
	history *history.History
	reader  eventstore.Reader
	org     domain.OrganizationID
	rests   rests
	close   func() error
}

// rests says what an answer rests on.
type rests struct {
	Source       string              `json:"source"` // log or export
	Organization string              `json:"organization_id"`
	Verified     bool                `json:"verified"`
	Signature    string              `json:"signature,omitempty"` // of the checkpoint: valid or not_checked
	End          string              `json:"end,omitempty"`       // of the export: whether it is signed, so that nothing can be missing there
	Witnesses    []string            `json:"witnesses,omitempty"` // of those asked for, who have cosigned it
	Origin       string              `json:"log,omitempty"`       // that the checkpoint is of
	Size         uint64              `json:"size,omitempty"`      // of the checkpoint
	Root         string              `json:"root,omitempty"`      // of the checkpoint
	Events       uint64              `json:"events,omitempty"`    // that were verified
	EndsAt       *time.Time          `json:"ends_at,omitempty"`   // the organization's last event in the export
	Position     eventstore.Position `json:"position,string"`     // that is known of the log
	Unsealed     bool                `json:"unsealed"`            // names and reasons were opened
	report       *ledger.Report
}

// open opens the source. The caller closes what it answers with.
func (s *auditSource) open(ctx context.Context) (*audited, error) {
	a := &audited{org: domain.OrganizationID(s.Org), close: func() error { return nil }}
	var err error
	if s.Export != "" {
		err = s.openExport(a)
	} else {
		err = s.openLog(ctx, a)
	}
	if err != nil {
		return nil, err
	}
	a.rests.Organization = string(a.org)
	opener, closeKeys, err := s.auditKeys.codec(ctx, s.Data)
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	closeLog := a.close
	a.close = func() error { return errors.Join(closeKeys(), closeLog()) }
	a.rests.Unsealed = s.Unseal
	a.history = history.New(commands.New(commands.Dependencies{
		Store: eventstore.ReadOnly(a.reader), Codec: opener, Policies: policies.Builtin(), Now: now, CachedEvents: 100_000,
	}), history.Options{})
	return a, nil
}

func (s *auditSource) openLog(ctx context.Context, a *audited) (err error) {
	if len(s.Checkpoint)+len(s.Consistency)+len(s.Witness) > 0 {
		return misuse("--checkpoint, --consistency and --witness go with --export; a log is verified by tenure audit verify")
	}
	if a.org == "" {
		return misuse("give --org, the id of an organization")
	}
	if a.reader, a.close, err = s.whichLog.open(); err != nil {
		return err
	}
	a.rests.Source = "log"
	if a.rests.Position, err = a.reader.Head(ctx); err != nil {
		return errors.Join(err, a.close())
	}
	return nil
}

func (s *auditSource) openExport(a *audited) error {
	if s.Data != "" || s.Log != "" {
		return misuse("give an export or a log, not both")
	}
	file, err := os.Open(s.Export)
	if err != nil {
		return err
	}
	defer file.Close()
	options, done, err := s.proofs.options()
	if err != nil {
		return err
	}
	kept, r, err := ledger.ReadExport(file, s.Org, options)
	done()
	switch {
	case errors.Is(err, ledger.ErrWhich) && s.Org == "":
		return misuse("the export is of a whole log: give --org, the id of an organization")
	case errors.Is(err, ledger.ErrWhich):
		return fmt.Errorf("the export is of organization %s", r.Organization)
	case errors.Is(err, ledger.ErrNoOrganization):
		return fmt.Errorf("the export has no organization %s", plain(s.Org))
	case err != nil:
		return err
	case !r.OK:
		printReport(os.Stderr, r)
		return fmt.Errorf("nothing is answered from an export that is not right: %s", r.Findings[0].Problem)
	}
	a.reader, a.org = kept, domain.OrganizationID(kept.Organization)
	a.rests = rests{
		Source: "export", Verified: true, Signature: r.Signature, End: r.End, Witnesses: r.Witnesses, Origin: r.Origin, Size: r.Size, Root: r.Root, Events: r.Events, Position: r.Position, report: r,
	}
	return nil
}

// ends finds out up to when an export knows the organization.
func (a *audited) ends(ctx context.Context) error {
	if a.rests.Source != "export" {
		return nil
	}
	last, err := a.history.At(ctx, a.org, history.Moment{})
	if err == nil {
		a.rests.EndsAt = &last.At
	}
	return err
}

// say prints what an answer rests on, for people.
func (r *rests) say(to io.Writer, style style, asked ...history.Moment) {
	if r.Source == "log" {
		fmt.Fprintln(to, style.faint(fmt.Sprintf("Not verified: read from the log as it is, up to position %d; tenure audit verify proves that it is what was signed.", r.Position)))
		return
	}
	fmt.Fprintf(to, "%s %d events, up to the checkpoint of size %d of %s, root %s\n", style.good("Verified:"), r.Events, r.Size, plain(r.Origin), r.Root)
	if r.Signature == "valid" {
		fmt.Fprintln(to, style.good("Signature:"), "valid, by the key that was given")
	} else {
		fmt.Fprintln(to, style.bad("SIGNATURE NOT CHECKED:"), "whoever can make the file can make its checkpoint. Take the key from elsewhere than the file, and give it as --key.")
	}
	switch r.End {
	case ledger.EndSigned:
		fmt.Fprintln(to, style.good("End:"), "signed by who exported it: nothing before that checkpoint is missing")
	case ledger.EndUnsigned:
		fmt.Fprintln(to, style.bad("END NOT SIGNED:"), "whoever has handed the file over may have left out what came last.")
	}
	if len(r.Witnesses) > 0 {
		fmt.Fprintln(to, style.good("Cosigned:"), plain(strings.Join(r.Witnesses, ", ")))
	}
	if r.EndsAt == nil {
		return
	}
	for _, m := range asked {
		if m.Position == 0 && m.Instant.After(*r.EndsAt) {
			fmt.Fprintf(to, "%s the organization's last event in the file is of %s. What happened after that checkpoint is not in it.\n", style.warn("Note:"), instant(*r.EndsAt))
			return
		}
	}
}
