package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"tenure/eventstore/codec"
	"tenure/keyring"
	keysqlite "tenure/keyring/sqlite"
)

// auditKeys lead to the keys that names and addresses in a log are sealed under.
// An auditor needs none: roles, times and decisions are readable without, and
// people are told apart by what stands for their names.
type auditKeys struct {
	Unseal     bool   `help:"Show names, addresses and reasons: open what is sealed with the keys of the deployment. Without it something else stands for each person, always the same." env:"-"`
	KeysFolder string `help:"With --unseal: folder of the server with its keys.db and secret.key. Default: --data." type:"path" env:"-"`
	SecretFile string `help:"With --unseal: file with the secret of the deployment. Default: secret.key in the folder." type:"path" env:"-"`
	keySettings
}

// codec is the codec that reads the log; close is never nil.
func (k *auditKeys) codec(ctx context.Context, data string) (c *codec.Codec, close func() error, err error) {
	close = func() error { return nil }
	if !k.Unseal {
		return codec.NewWithholding(), close, nil
	}
	folder := cmp.Or(k.KeysFolder, data)
	if folder == "" && (k.SecretFile == "" || k.Keys == embedded) {
		return nil, close, misuse("give --keys-folder, the folder of the server with keys.db and secret.key; or --keys and --secret-file")
	}
	if k.Keys == embedded {
		if _, err := os.Stat(filepath.Join(folder, keysFile)); errors.Is(err, fs.ErrNotExist) {
			return nil, close, fmt.Errorf("there is no %s in %s: give --keys-folder, or --keys where they are in a Redis", keysFile, folder)
		}
	}
	secret, err := loadSecret(cmp.Or(k.SecretFile, filepath.Join(folder, "secret.key")), false)
	if err != nil {
		return nil, close, fmt.Errorf("--secret-file: %w", err)
	}
	masters, err := k.masters(secret)
	if err != nil {
		return nil, close, err
	}
	store, err := k.toRead(ctx, folder)
	if err != nil {
		return nil, close, err
	}
	ring, err := newRing(store, masters, secret, keyring.Options{})
	if err != nil {
		return nil, close, errors.Join(err, store.Close())
	}
	return codec.NewSealing(ring), store.Close, nil
}

// toRead opens the keys without changing them: a file may be a backup, on a disk
// that cannot be written to.
func (k *auditKeys) toRead(ctx context.Context, folder string) (keyring.Store, error) {
	if k.Keys != embedded {
		return k.open(ctx, folder, false, slog.New(slog.DiscardHandler)) // what it warns of is for who writes
	}
	store, err := keysqlite.OpenReadOnly(filepath.Join(folder, keysFile))
	if err != nil {
		return nil, fmt.Errorf("setting keys: %w", err)
	}
	return store, nil
}
