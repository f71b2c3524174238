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
	"tenure/keyring"
	keysqlite "tenure/keyring/sqlite"
)

// backupCommand copies the SQLite log, and the keys that its personal data is
// sealed under, to a file each. They are to be kept apart: backups of the log
// for as long as the history is wanted, those of the keys for no longer than an
// erasure may take to reach the last copy. Whoever finds one of the two has no
// personal data.
//
// The log is copied first: a key is stored before the first event that needs it,
// so the keys of every event of the copy are among those that are copied after.
//
// The secret is in neither: it never changes, so that it has to be kept once, and
// whoever finds a backup should not find with it what all tokens are made of.
// Views are made from the log.
type backupCommand struct {
	Log    string `help:"Where the server has its log. One in an EventStoreDB is refused: that has backups of its own." default:"sqlite"`
	Data   string `help:"Folder of the server, which may be running." default:"./data" type:"path"`
	To     string `help:"File to write the log to. It must not be there yet." type:"path" env:"-"`
	KeysTo string `help:"File to write the keys to, in another place. It must not be there yet." type:"path" env:"-"`
}

// Run writes the backups and says what is in them.
func (c *backupCommand) Run(ctx context.Context) error {
	if c.To == "" && c.KeysTo == "" {
		return errors.New("name a file for the log with --to, one for the keys with --keys-to, or both")
	}
	if c.To != "" {
		if err := c.copyLog(ctx); err != nil {
			return err
		}
	}
	if c.KeysTo == "" {
		fmt.Println("The keys are not in it: back them up with --keys-to, to another place, or as the Redis that they are in is. Without them nothing personal in the log can be read.")
		return nil
	}
	return c.copyKeys(ctx)
}

func (c *backupCommand) copyLog(ctx context.Context) error {
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

func (c *backupCommand) copyKeys(ctx context.Context) error {
	copied, err := keysqlite.Backup(ctx, filepath.Join(c.Data, keysFile), c.KeysTo)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s is there already and is left as it is", c.KeysTo)
	case errors.Is(err, keyring.ErrNoStore):
		return fmt.Errorf("there are no keys in %s: give the --data of the server", c.Data)
	case err != nil:
		return err
	}
	fmt.Printf("%d keys, %d people erased, read back and checked: %s\n", copied.Keys, copied.Destroyed, c.KeysTo)
	fmt.Println("Keep the keys apart from the log, and delete older copies of them soon: whoever is erased can be read with every copy of their key that is left.")
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
