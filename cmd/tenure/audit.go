package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"tenure/commands/token"
	"tenure/ledger"
	viewsqlite "tenure/projections/sqlite"
)

// auditCommand is for those who check the server rather than trust it.
type auditCommand struct {
	Replay  auditReplayCommand  `cmd:"" help:"Show an organization's life step by step: what has happened, by whom, why, and what was before and after."`
	History auditHistoryCommand `cmd:"" help:"List the events of an organization, or of a member."`
	Members auditMembersCommand `cmd:"" help:"List who was a member at a moment, in which roles, since when and by whose decision."`
	Diff    auditDiffCommand    `cmd:"" help:"Print what has changed between two moments."`
	Review  auditReview         `cmd:"" help:"Print who could do what in an organization, since when and by whose decision."`
	Export  auditExportCommand  `cmd:"" help:"Write the log, or an organization's history, with all that is needed to verify it."`
	Verify  auditVerifyCommand  `cmd:"" help:"Verify an export without the server, or a log itself; exit with 1 if anything is wrong."`
}

type auditExportCommand struct {
	whichLog
	Org    string `help:"Id of an organization: only the events of its history, each with a proof." env:"-"`
	Format string `help:"ndjson, or parquet for analysts. Both hold the same, and verify takes both." enum:"ndjson,parquet" default:"ndjson" env:"-"`
	To     string `help:"File to write, with mode 0600. It must not be there yet." required:"" type:"path" env:"-"`

	SecretFile string `help:"File with the secret of the deployment, with whose ledger key the end of the export is signed. Default: secret.key in the --data folder, if it is there." type:"path"`
}

// key is the ledger's, where the secret is at hand; nil without.
func (c *auditExportCommand) key() (*ledger.Key, error) {
	path := c.SecretFile
	if path == "" && c.Data != "" {
		if path = filepath.Join(c.Data, "secret.key"); missing(path) {
			path = ""
		}
	}
	if path == "" {
		return nil, nil
	}
	return ledgerKey(path)
}

// Run writes the export.
func (c *auditExportCommand) Run(ctx context.Context, out *kong.Context) (err error) {
	log, close, err := c.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, close()) }()
	key, err := c.key()
	if err != nil {
		return fmt.Errorf("--secret-file: %w", err)
	}
	file, err := os.OpenFile(c.To, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already and is left as it is", c.To)
	}
	if err != nil {
		return err
	}
	bar := newProgress("exporting", 1000)
	done, err := ledger.Export(ctx, log, file, ledger.ExportOptions{Organization: c.Org, Format: ledger.Format(c.Format), Key: key, Progress: bar.ofAll})
	bar.finish()
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(c.To))
	}
	fmt.Fprintf(out.Stdout, "%d events up to the checkpoint of size %d: %s\n", done.Events, done.Size, c.To)
	switch {
	case done.Signed:
	case key == nil:
		fmt.Fprintln(out.Stdout, "THE END IS NOT SIGNED: who verifies the file asks for that, and takes it only with --without-signed-end. Give --secret-file, the secret of the deployment.")
	default:
		fmt.Fprintln(out.Stdout, "THE END IS NOT SIGNED: the log does not fit the checkpoint.")
	}
	if done.Unsigned > 0 {
		fmt.Fprintf(out.Stdout, "%d events came after it and are not in the file; the next checkpoint has them.\n", done.Unsigned)
	}
	if c.Org == "" {
		fmt.Fprintln(out.Stdout, "The file holds everything that the log does, what is personal sealed as it is there: with the keys it can be read, so keep it apart from them.")
	}
	if !done.Fits {
		return errors.New("the log is not what was signed: see tenure audit verify --data")
	}
	return nil
}

type auditVerifyCommand struct {
	whichLog
	File string `arg:"" optional:"" help:"An export. Without one, give --data or --log: the log itself is verified." type:"path"`
	proofs
	JSON bool `help:"Print the report as JSON." name:"json" env:"-"`
}

// Validate is called by kong.
func (c *auditVerifyCommand) Validate() error { return c.proofs.check() }

// Run prints the report.
func (c *auditVerifyCommand) Run(ctx context.Context, out *kong.Context) error {
	report, err := c.verify(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		encoder := json.NewEncoder(out.Stdout)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(report); err != nil {
			return err
		}
	} else {
		printReport(out.Stdout, report)
	}
	if !report.OK {
		return fmt.Errorf("not verified: %s", report.Findings[0].Problem)
	}
	return nil
}

func (c *auditVerifyCommand) verify(ctx context.Context) (_ *ledger.Report, err error) {
	options, done, err := c.proofs.options()
	if err != nil {
		return nil, err
	}
	defer done()
	if c.File != "" {
		if c.Data != "" || c.Log != "" {
			return nil, misuse("give an export or a log, not both")
		}
		file, err := os.Open(c.File)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return ledger.VerifyExport(file, options)
	}
	log, close, err := c.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, close()) }()
	if path := filepath.Join(c.Data, "views.db"); c.Data != "" && !missing(path) {
		// The views only help to name what is wrong.
		if views, err := viewsqlite.Open(path, viewsqlite.Options{Readers: 1}); err == nil {
			defer views.Close()
			options.Tree = ledger.NewTree(views)
		}
	}
	return ledger.Audit(ctx, log, options)
}

func printReport(out io.Writer, r *ledger.Report) {
	switch {
	case r.OK && r.Signature == "not_checked":
		fmt.Fprintf(out, "%d events that fit the checkpoints beside them; whose these are was not checked\n", r.Events)
	case r.OK && r.Scope == "organization":
		fmt.Fprintf(out, "%d events of organization %s: each is in the log that was signed at size %d, and none is missing between two", r.Events, plain(r.Organization), r.Size)
		if r.End == ledger.EndSigned {
			fmt.Fprint(out, ", nor at the end")
		}
		fmt.Fprintln(out)
	case r.OK:
		fmt.Fprintf(out, "%d events, compared with %d checkpoints: complete, unaltered and in order\n", r.Events, r.Checkpoints)
	}
	for _, f := range r.Findings {
		fmt.Fprintln(out, describe(f))
	}
	if len(r.Findings) >= 100 {
		fmt.Fprintln(out, "There may be more; these are the first 100.")
	}
	if r.Size > 0 {
		fmt.Fprintf(out, "newest checkpoint: size %d, root %s, of %s\n", r.Size, r.Root, plain(r.Origin))
	}
	if r.Unsigned > 0 {
		fmt.Fprintf(out, "%d events after it are not signed yet\n", r.Unsigned)
	}
	if len(r.Witnesses) > 0 {
		fmt.Fprintf(out, "cosigned by: %s\n", plain(strings.Join(r.Witnesses, ", ")))
	}
	switch r.End {
	case ledger.EndSigned:
		fmt.Fprintln(out, "end: signed by who exported it")
	case ledger.EndUnsigned:
		fmt.Fprintln(out, "THE END IS NOT SIGNED: whoever has handed the file over may have left out what came last.")
	}
	switch r.Signature {
	case "valid":
		fmt.Fprintln(out, "signatures: valid")
	case "not_checked":
		fmt.Fprintln(out, "SIGNATURES NOT CHECKED: whoever can make the file can make its checkpoints. Take the key from elsewhere than the file, and give it as --key.")
	}
}

func describe(f ledger.Finding) string {
	var where []string
	if f.Line > 0 {
		where = append(where, fmt.Sprintf("line %d", f.Line))
	}
	if f.Row > 0 {
		where = append(where, fmt.Sprintf("row %d", f.Row))
	}
	if f.Leaf != nil {
		where = append(where, fmt.Sprintf("leaf %d", *f.Leaf))
	}
	if f.Position > 0 {
		where = append(where, fmt.Sprintf("position %d", f.Position))
	}
	if f.Stream != "" {
		where = append(where, fmt.Sprintf("%s revision %d", plain(f.Stream), f.Revision))
	}
	if f.Type != "" {
		where = append(where, plain(f.Type))
	}
	return cmp.Or(strings.Join(where, ", "), "all of it") + ": " + f.Problem
}

// ofAll shows how much of all is done.
func (p progress) ofAll(done, all uint64) {
	if all > 0 {
		p.show(int(done*1000/all), fmt.Sprintf("%d of %d events", done, all))
	}
}

type ledgerCommand struct {
	Key ledgerKeyCommand `cmd:"" help:"Print the verifier key: give it to those who verify, before they need it."`
}

type ledgerKeyCommand struct {
	Data       string `help:"Folder of the server." default:"./data" type:"path"`
	SecretFile string `help:"File with the secret of the deployment. Default: secret.key in the data folder." type:"path"`
}

// Run prints the key.
func (c *ledgerKeyCommand) Run(out *kong.Context) error {
	key, err := ledgerKey(cmp.Or(c.SecretFile, filepath.Join(c.Data, "secret.key")))
	if err != nil {
		return err
	}
	fmt.Fprintln(out.Stdout, key.Verifier())
	return nil
}

// ledgerKey derives the key from the secret in a file.
func ledgerKey(path string) (*ledger.Key, error) {
	secret, err := loadSecret(path, false)
	if err != nil {
		return nil, err
	}
	keys, err := token.NewKeys(secret)
	if err != nil {
		return nil, err
	}
	return ledger.NewKey(keys)
}
