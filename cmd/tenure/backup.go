package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	logsqlite "tenure/eventstore/sqlite"
)

// backupCommand copies the SQLite log. The secret is not in the copy: it never
// changes, so that it has to be kept once, and whoever finds a backup should not
// find with it what all tokens are made of. Views are made from the log.
type backupCommand struct {
	Log  string `help:"Where the server has its log. One in an EventStoreDB is refused: that has backups of its own." default:"sqlite"`
	Data string `help:"Folder of the server, which may be running." default:"./data" type:"path"`
	To   string `help:"File to write. It must not be there yet." required:"" type:"path" env:"-"`
}

// Run writes the backup and says what is in it.
func (c *backupCommand) Run(ctx context.Context) error {
	if c.Log != embedded {
		return bad("log", withoutSecrets(c.Log), "tenure backup copies the log in a data folder; back this one up with the means of KurrentDB (a snapshot of its volume, or a copy of its files: see \"Backup and restore\" in docs/operators.md), and keep the secret file")
	}
	log, secret := filepath.Join(c.Data, "log.db"), filepath.Join(c.Data, "secret.key")
	copied, err := logsqlite.Backup(ctx, log, c.To, copyProgress())
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s is there already and is left as it is", c.To)
	case errors.Is(err, fs.ErrNotExist) && missing(log):
		return fmt.Errorf("there is no log in %s: give the --data of the server", c.Data)
	case err != nil:
		return err
	}
	fmt.Printf("%d events up to position %d, %d bytes, read back and checked: %s\n", copied.Events, copied.Position, copied.Bytes, c.To)
	fmt.Printf("Keep %s as well, in another place: without it the server refuses the log. It never changes.\n", secret)
	return nil
}

// withoutSecrets is an address without the user and password in it.
func withoutSecrets(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "…"
	}
	return parsed.Redacted()
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// copyProgress shows on a terminal how far a copy is; elsewhere it says nothing.
func copyProgress() func(done, all int) {
	bar := newProgress("copying", 100)
	return func(done, all int) {
		bar.show(done*100/max(all, 1), fmt.Sprintf("%d of %d pages", done, all))
		if done >= all {
			bar.finish()
		}
	}
}
