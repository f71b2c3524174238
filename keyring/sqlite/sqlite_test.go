package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"

	"tenure/keyring"
	"tenure/keyring/keyringtest"
	"tenure/keyring/sqlite"
)

var ctx = context.Background()

func open(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(path, sqlite.Options{MayMake: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	folder := t.TempDir()
	keyringtest.Run(t, func(t *testing.T, place string) keyring.Store { return open(t, filepath.Join(folder, place)) })
}

func TestOpen(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "keys.db")
	_, err := sqlite.Open(path, sqlite.Options{})
	is.True(errors.Is(err, keyring.ErrNoStore))
	s := open(t, path)
	info, err := os.Stat(path)
	is.NoErr(err)
	is.Equal(info.Mode().Perm(), fs.FileMode(0o600))
	is.NoErr(s.Close())
	s, err = sqlite.Open(path, sqlite.Options{})
	is.NoErr(err)
	is.NoErr(s.Close())
	for name, text := range map[string]string{"empty": "", "rubbish": string(bytes.Repeat([]byte("rubbish "), 1000))} {
		other := filepath.Join(filepath.Dir(path), name)
		is.NoErr(os.WriteFile(other, []byte(text), 0o600))
		_, err := sqlite.Open(other, sqlite.Options{})
		is.True(errors.Is(err, sqlite.ErrNotKeys))
	}
}

// TestDestroyedKeysAreOverwritten looks for the bytes of keys in all files, while
// the store is open.
func TestDestroyedKeysAreOverwritten(t *testing.T) {
	is := is.New(t)
	folder := t.TempDir()
	s := open(t, filepath.Join(folder, "keys.db"))
	defer s.Close()
	gone, moved, kept := []byte("the key that is to be destroyed"), []byte("the key that is wrapped anew"), []byte("the key that stays")
	before := []keyring.Wrapped{{Subject: "c", Generation: 1, Master: "m", Text: moved}}
	_, err := s.Add(ctx, append([]keyring.Wrapped{
		{Subject: "a", Generation: 1, Master: "m", Text: gone}, {Subject: "b", Generation: 1, Master: "m", Text: kept}}, before...))
	is.NoErr(err)
	is.True(held(t, folder, gone))
	is.NoErr(s.Destroy(ctx, []string{"a"}))
	_, err = s.Replace(ctx, before, []keyring.Wrapped{{Subject: "c", Generation: 1, Master: "n", Text: []byte("other")}})
	is.NoErr(err)
	is.True(!held(t, folder, gone))
	is.True(!held(t, folder, moved))
	is.True(held(t, folder, kept))
}

func held(t *testing.T, folder string, text []byte) bool {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		all, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(all, text) {
			return true
		}
	}
	return false
}

func TestBackup(t *testing.T) {
	is := is.New(t)
	folder := t.TempDir()
	path, to := filepath.Join(folder, "keys.db"), filepath.Join(folder, "copy.db")
	_, err := sqlite.Backup(ctx, path, to)
	is.True(errors.Is(err, keyring.ErrNoStore))
	s := open(t, path)
	defer s.Close()
	identity, err := s.Identity(ctx)
	is.NoErr(err)
	_, err = s.Add(ctx, []keyring.Wrapped{{Subject: "a", Generation: 1, Master: "m", Text: []byte("x")}, {Subject: "b", Generation: 1, Master: "m", Text: []byte("y")}})
	is.NoErr(err)
	is.NoErr(s.Destroy(ctx, []string{"b"}))
	copied, err := sqlite.Backup(ctx, path, to)
	is.NoErr(err)
	is.Equal(copied, sqlite.Copied{Keys: 1, Destroyed: 1})
	info, err := os.Stat(to)
	is.NoErr(err)
	is.Equal(info.Mode().Perm(), fs.FileMode(0o600))
	left, err := filepath.Glob(filepath.Join(folder, "*.partial"))
	is.NoErr(err)
	is.Equal(len(left), 0)
	_, err = sqlite.Backup(ctx, path, to)
	is.True(errors.Is(err, fs.ErrExist))

	restored, err := sqlite.Open(to, sqlite.Options{})
	is.NoErr(err)
	defer restored.Close()
	same, err := restored.Identity(ctx)
	is.NoErr(err)
	is.Equal(same, identity)
	found, err := restored.Find(ctx, []string{"a", "b"})
	is.NoErr(err)
	is.Equal(len(found[0].Keys), 1)
	is.True(found[1].Destroyed)
}
