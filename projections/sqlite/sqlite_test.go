package sqlite_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"tenure/eventstore"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/projections"
	"tenure/projections/projectionstest"
	"tenure/projections/sqlite"
)

// TestMain makes fewer random histories than usual: each opens many files. The
// flag -rapid.checks asks for more.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "25"); err != nil {
		panic(err)
	}
	m.Run()
}

func TestContract(t *testing.T) {
	projectionstest.Storage(t, open, place)
}

// With room for few positions, most come from the file.
func TestContractWithLittleMemory(t *testing.T) {
	projectionstest.Storage(t, openSmall, place)
}

func TestReadModels(t *testing.T) {
	projectionstest.ReadModels(t, openSmall, place, func(t testing.TB) eventstore.Store {
		log, err := logsqlite.Open(filepath.Join(t.TempDir(), "log.db"), logsqlite.Options{Readers: 1})
		is.New(t).NoErr(err)
		return log
	})
}

func TestOpenRefusesWhatIsNotOurs(t *testing.T) {
	is := is.New(t)
	path := place(t)
	is.NoErr(os.WriteFile(path, []byte("this is not a database, but it is long enough to look like one, is it not"), 0o600))
	_, err := sqlite.Open(path, sqlite.Options{})
	is.True(errors.Is(err, sqlite.ErrCorrupt))

	other := place(t)
	execute(t, other, "CREATE TABLE somebodys (data TEXT)")
	_, err = sqlite.Open(other, sqlite.Options{})
	is.True(errors.Is(err, sqlite.ErrCorrupt))
}

func TestOpenRefusesANewerFile(t *testing.T) {
	is := is.New(t)
	path := place(t)
	is.NoErr(open(t, path).Close())
	execute(t, path, "PRAGMA user_version = 1000")
	_, err := sqlite.Open(path, sqlite.Options{})
	is.True(errors.Is(err, sqlite.ErrNewer))
}

func TestRemovedFileStartsEmpty(t *testing.T) {
	is := is.New(t)
	path := place(t)
	s := open(t, path)
	is.NoErr(s.SaveCheckpoint(t.Context(), "x", 5))
	is.NoErr(s.Close())
	is.NoErr(sqlite.Remove(path))
	s = open(t, path)
	defer s.Close()
	p, err := s.Checkpoint(t.Context(), "x")
	is.NoErr(err)
	is.Equal(int(p), 0)
}

func TestClosedStorageSaysSo(t *testing.T) {
	is := is.New(t)
	s := open(t, place(t))
	is.NoErr(s.Close())
	is.NoErr(s.Close())
	_, err := s.Checkpoint(t.Context(), "x")
	is.True(errors.Is(err, sqlite.ErrClosed))
	is.True(errors.Is(s.SaveCheckpoint(t.Context(), "x", 1), sqlite.ErrClosed))
}

func open(t testing.TB, path string) projections.Storage {
	s, err := sqlite.Open(path, sqlite.Options{})
	is.New(t).NoErr(err)
	return s
}

// openSmall opens with as little memory as it can, and is quick about it.
func openSmall(t testing.TB, path string) projections.Storage {
	s, err := sqlite.Open(path, sqlite.Options{Partitions: 1, Readers: 1, CacheBytes: 1 << 16})
	is.New(t).NoErr(err)
	return s
}

func place(t testing.TB) string { return filepath.Join(t.TempDir(), "views.db") }

func execute(t *testing.T, path, query string) {
	is := is.New(t)
	conn, err := zombiezen.OpenConn(path, zombiezen.OpenReadWrite|zombiezen.OpenCreate)
	is.NoErr(err)
	is.NoErr(sqlitex.ExecuteTransient(conn, query, nil))
	is.NoErr(conn.Close())
}
