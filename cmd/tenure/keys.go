package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"tenure/keyring"
)

// keysCommand looks after the keys that personal data is sealed under, beside a
// server that may be running.
type keysCommand struct {
	Status keysStatus `cmd:"" help:"Say how many keys there are, and under which master keys."`
	Rewrap keysRewrap `cmd:"" help:"Wrap all keys under the current master key."`
	Rotate keysRotate `cmd:"" help:"Give an account or an invitation another key, for what is sealed from now on."`
}

// keyAccess are the settings that lead to the keys, the same as the server's.
type keyAccess struct {
	Data       string `help:"Folder of the server, which may be running." default:"./data" type:"path"`
	SecretFile string `help:"File with the secret of the deployment. Default: secret.key in the data folder." type:"path"`
	keySettings
}

// with runs f with the keys.
func (c *keyAccess) with(ctx context.Context, f func(keyring.Store, *keyring.Masters) error) error {
	secret, err := loadSecret(cmp.Or(c.SecretFile, filepath.Join(c.Data, "secret.key")), false)
	if err != nil {
		return fmt.Errorf("setting secret-file: %w", err)
	}
	masters, err := c.masters(secret)
	if err != nil {
		return err
	}
	store, err := c.open(ctx, c.Data, false, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	err = f(store, masters)
	return cmp.Or(err, store.Close())
}

type keysStatus struct{ keyAccess }

// Run prints a table.
func (c *keysStatus) Run(ctx context.Context) error {
	return c.with(ctx, func(store keyring.Store, masters *keyring.Masters) error {
		count, err := keyring.Count(ctx, store)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "MASTER KEY\tKEYS\tNOTE")
		for _, id := range slices.Sorted(maps.Keys(count.ByMaster)) {
			note := "unknown: no given file has it"
			switch {
			case id == masters.Current():
				note = "current"
			case masters.Has(id):
				note = "former"
			}
			fmt.Fprintf(w, "%s\t%d\t%s\n", id, count.ByMaster[id], note)
		}
		return w.Flush()
	})
}

type keysRewrap struct{ keyAccess }

// Run wraps what is not under the current master key anew.
func (c *keysRewrap) Run(ctx context.Context) error {
	return c.with(ctx, func(store keyring.Store, masters *keyring.Masters) error {
		n, err := keyring.Rewrap(ctx, store, masters)
		if err != nil {
			return fmt.Errorf("%d keys are wrapped anew; run it again for the rest: %w", n, err)
		}
		fmt.Printf("%d keys wrapped anew under master key %s\n", n, masters.Current())
		return nil
	})
}

type keysRotate struct {
	keyAccess
	Subjects []string `arg:"" help:"Ids of accounts or invitations."`
}

// Run rotates keys one by one.
func (c *keysRotate) Run(ctx context.Context) error {
	return c.with(ctx, func(store keyring.Store, masters *keyring.Masters) error {
		for _, subject := range c.Subjects {
			generation, err := keyring.Rotate(ctx, store, masters, subject)
			if err != nil {
				return fmt.Errorf("%s: %w", subject, err)
			}
			fmt.Printf("%s: key %d\n", subject, generation)
		}
		fmt.Println("Servers seal with the new keys within a minute.")
		return nil
	})
}
