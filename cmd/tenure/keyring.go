package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"tenure/commands"
	"tenure/domain/sealing"
	"tenure/eventstore/codec"
	"tenure/keyring"
	keyredis "tenure/keyring/redis"
	keysqlite "tenure/keyring/sqlite"
	viewredis "tenure/projections/redis"
)

// keySettings say where the keys of personal data are, and under what.
type keySettings struct {
	Keys                 string   `help:"Where the keys are kept that personal data is sealed under: sqlite, which is keys.db in the data folder, or a Redis that never forgets, such as redis://host:6379/0. Needed with a log elsewhere." default:"sqlite" secret:"url"`
	KeysPrefix           string   `help:"What all keys in that Redis begin with." default:"tenure-keys:"`
	MasterKeyFile        string   `help:"File with the secret that wraps these keys, as tenure secret makes it. Default: wrapped under the secret of the deployment." type:"path"`
	FormerMasterKeyFiles []string `help:"Files with secrets that keys may still be wrapped under, until tenure keys rewrap has run. That of the deployment is always tried." type:"path"`
}

func (s *keySettings) checkKeys(log string) error {
	switch {
	case s.Keys == embedded && log != embedded:
		return bad("keys", "", "the log may be shared by several nodes: keep the keys in a Redis for all of them, which writes to disk before it answers")
	case s.Keys != embedded && !strings.Contains(s.Keys, "://"):
		return bad("keys", s.Keys, "give sqlite, or an address such as redis://host:6379/0")
	case !visible(s.KeysPrefix):
		return bad("keys-prefix", s.KeysPrefix, "give 1 to 100 visible ASCII characters")
	}
	return nil
}

// masters are the master keys: that of the file, or else the deployment's secret.
func (s *keySettings) masters(secret []byte) (*keyring.Masters, error) {
	var secrets [][]byte
	for _, path := range append([]string{s.MasterKeyFile}, s.FormerMasterKeyFiles...) {
		if path == "" {
			continue
		}
		text, err := loadSecret(path, false)
		if err != nil {
			return nil, fmt.Errorf("setting master-key-file or former-master-key-files: %w", err)
		}
		secrets = append(secrets, text)
	}
	if s.MasterKeyFile == "" {
		return keyring.NewMasters(secret, secrets...)
	}
	return keyring.NewMasters(secrets[0], append(secrets[1:], secret)...)
}

// open opens the store of the keys. It is made for a log that has none.
func (s *keySettings) open(ctx context.Context, data string, mayMake bool, logger *slog.Logger) (store keyring.Store, err error) {
	if s.Keys == embedded {
		store, err = keysqlite.Open(filepath.Join(data, keysFile), keysqlite.Options{MayMake: mayMake})
	} else if client, failed := viewredis.Connect(ctx, s.Keys); failed != nil {
		err = failed
	} else {
		store, err = keyredis.Open(ctx, client, keyredis.Options{Prefix: s.KeysPrefix, MayMake: mayMake, Logger: logger})
	}
	if errors.Is(err, keyring.ErrNoStore) {
		err = fmt.Errorf("%w: restore them from their backup; what they have sealed cannot be read without", err)
	}
	if err != nil {
		return nil, fmt.Errorf("setting keys: %w", err)
	}
	return store, nil
}

// keysFile is the file in the data folder.
const keysFile = "keys.db"

// openKeyring opens the keys that belong to the log, and makes the codec.
func (x *server) openKeyring(ctx context.Context, secret []byte) error {
	s := x.settings
	bound, err := commands.KeyringOf(ctx, x.log)
	if err != nil {
		return fmt.Errorf("setting log: %w", err)
	}
	if x.masters, err = s.masters(secret); err != nil {
		return err
	}
	if x.keys, err = s.keySettings.open(ctx, s.Data, bound == "", x.logger); err != nil {
		return err
	}
	x.onClose(x.keys.Close)
	x.ring, err = newRing(x.keys, x.masters, secret, keyring.Options{OnStored: x.metrics.onKeysStored, OnLoaded: x.metrics.onKeysLoaded})
	if err != nil {
		return err
	}
	x.codec = codec.NewSealing(x.ring)
	return nil
}

// newRing is the ring of a store, with the pseudonyms of the deployment.
func newRing(store keyring.Store, masters *keyring.Masters, secret []byte, o keyring.Options) (ring *keyring.Ring, err error) {
	if o.Pseudonyms, err = hkdf.Key(sha256.New, secret, nil, "tenure pseudonyms v1", sha256.Size); err != nil {
		return nil, err
	}
	o.Now = now
	return keyring.New(store, masters, o)
}

// bindKeyring binds the log to its keys, and refuses keys that are not those of
// the log, before anything is sealed.
func (x *server) bindKeyring(ctx context.Context) error {
	identity, err := x.keys.Identity(ctx)
	if err != nil {
		return err
	}
	has, err := keyring.HasKeys(ctx, x.keys, x.masters)
	if errors.Is(err, keyring.ErrMaster) {
		return fmt.Errorf("setting master-key-file or former-master-key-files: %w: give the file that it was made of; tenure keys status shows how many keys are under which", err)
	}
	if err == nil {
		err = x.commands.BindKeyring(ctx, identity, has)
	}
	if errors.Is(err, sealing.ErrOtherKeyring) {
		return fmt.Errorf("setting keys: %w", err)
	}
	return err
}
