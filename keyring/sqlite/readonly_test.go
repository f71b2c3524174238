package sqlite_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"

	"tenure/keyring"
	"tenure/keyring/sqlite"
)

// TestReadersChangeNothing reads a backup, and the file of a server that runs.
func TestReadersChangeNothing(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	folder := t.TempDir()
	live, backup := filepath.Join(folder, "keys.db"), filepath.Join(folder, "backup.db")
	_, err := sqlite.OpenReadOnly(live)
	is.True(errors.Is(err, keyring.ErrNoStore))
	s, err := sqlite.Open(live, sqlite.Options{MayMake: true})
	is.NoErr(err)
	defer s.Close()
	key := keyring.Wrapped{Subject: "a", Generation: 1, Master: "c0ffee00", Text: []byte("one")}
	_, err = s.Add(ctx, []keyring.Wrapped{key})
	is.NoErr(err)
	_, err = sqlite.Backup(ctx, live, backup)
	is.NoErr(err)
	is.NoErr(os.Chmod(backup, 0o440))
	before, err := os.ReadFile(backup)
	is.NoErr(err)

	for _, path := range []string{live, backup} {
		r, err := sqlite.OpenReadOnly(path)
		is.NoErr(err)
		found, err := r.Find(ctx, []string{"a", "b"})
		is.NoErr(err)
		is.Equal(found, []keyring.Holding{{Keys: []keyring.Wrapped{key}}, {}})
		_, err = r.Add(ctx, []keyring.Wrapped{key})
		is.True(errors.Is(err, sqlite.ErrReadOnly))
		is.True(errors.Is(r.Destroy(ctx, []string{"a"}), sqlite.ErrReadOnly))
		_, err = r.Replace(ctx, []keyring.Wrapped{key}, []keyring.Wrapped{key})
		is.True(errors.Is(err, sqlite.ErrReadOnly))
		is.NoErr(r.Close())
	}
	after, err := os.ReadFile(backup)
	is.NoErr(err)
	is.Equal(after, before)
	info, err := os.Stat(backup)
	is.NoErr(err)
	is.Equal(info.Mode(), fs.FileMode(0o440))

	other := filepath.Join(folder, "other.db")
	is.NoErr(os.WriteFile(other, []byte("nothing of the kind, and long enough to be looked at"), 0o600))
	_, err = sqlite.OpenReadOnly(other)
	is.True(errors.Is(err, sqlite.ErrNotKeys))
}
