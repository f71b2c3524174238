// Command tenure is the membership backend: one program that is the whole
// system on one machine.
//
//	tenure serve     starts the server
//	tenure config    prints the settings in force and where each comes from
//	tenure health    asks a server whether it serves well
//	tenure backup    copies the SQLite log, and the keys, while the server runs
//	tenure keys      looks after the keys that personal data is sealed under
//	tenure views     lists, rebuilds the views of a running deployment
//	tenure policy    checks, shows, compares and publishes policies, moves organizations
//	tenure audit     answers about the past from a log or an export, exports and verifies
//	tenure ledger    prints the key that checkpoints are signed with
//	tenure secret    prints a new secret
//	tenure version   prints the version
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the build: -ldflags "-X main.version=1.2.3".
var version = ""

type program struct {
	Serve   serveCommand   `cmd:"" help:"Start the server. Stop it with SIGTERM or Ctrl-C."`
	Config  configCommand  `cmd:"" help:"Print the settings in force; secrets are masked."`
	Health  healthCommand  `cmd:"" help:"Ask a server whether it serves well; exit with 1 if not."`
	Backup  backupCommand  `cmd:"" help:"Copy the SQLite log and the keys to files, also while the server runs."`
	Keys    keysCommand    `cmd:"" help:"Look after the keys that personal data is sealed under."`
	Views   viewsCommand   `cmd:"" help:"Look after the views of a running deployment."`
	Policy  policyCommand  `cmd:"" help:"Check, show, compare and publish policies; move organizations."`
	Audit   auditCommand   `cmd:"" help:"Look into the past of an organization, in a log or in an export of it; export, and verify."`
	Ledger  ledgerCommand  `cmd:"" help:"The key that checkpoints of the log are signed with."`
	Secret  secretCommand  `cmd:"" help:"Print a new secret, as secret.key holds it."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

func main() {
	parser := newParser()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	parsed, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "tenure: "+harmless(err.Error()))
		os.Exit(exitCode(err))
	}
}

// exitCode is 80 for a command line that is wrong, as kong has it, so that a script
// does not take that for an answer: 1 of tenure audit verify says that something was
// altered.
func exitCode(err error) int {
	var wrong misused
	if errors.As(err, &wrong) {
		return 80
	}
	return 1
}

// misused says that the command line is wrong, where only the command finds it out.
type misused struct{ error }

func misuse(advice string, args ...any) error { return misused{fmt.Errorf(advice, args...)} }

func newParser() *kong.Kong {
	return kong.Must(&program{},
		kong.Name("tenure"),
		kong.Description("Who belongs to which organization, in which role, since when and by whose decision."),
		kong.DefaultEnvars("TENURE"),
		kong.UsageOnError(),
	)
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run() error {
	fmt.Println("tenure", buildVersion())
	return nil
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unreleased"
}
