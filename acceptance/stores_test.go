package acceptance

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// stores are where one deployment keeps its log and its views. No other one is
// in them, although Redis is one for all.
type stores struct {
	data   string // the folder of the first node
	secret string // the file with the secret

	events *eventStore // nil where the log is in the data folder
	redis  *redis      // nil where the views are in the data folder
	prefix string      // of the keys in Redis

	keys       *redis // nil where the keys of people are in the data folder
	keysPrefix string
}

// newStores makes the stores that the servers of a test use, in its folder.
func (b backend) newStores(t *testing.T, folder string, ownRedis bool) *stores {
	t.Helper()
	x := &stores{data: filepath.Join(folder, "data")}
	x.secret = filepath.Join(x.data, "secret.key")
	if b.eventStore {
		x.events = startEventStore(t, filepath.Join(folder, "events"))
		x.secret = filepath.Join(folder, "secret")
		text := make([]byte, 32)
		rand.Read(text)
		if err := os.WriteFile(x.secret, []byte(base64.StdEncoding.EncodeToString(text)), 0o600); err != nil {
			t.Fatal(err)
		}
		x.keys, x.keysPrefix = sharedRedis(t, b.views), unique("keys")+":"
		t.Cleanup(func() { x.keys.forget(t, x.keysPrefix) })
	}
	if b.views == inFile {
		return x
	}
	x.prefix = unique("test") + ":"
	if ownRedis {
		x.redis = startRedis(t, filepath.Join(folder, "redis"), b.views)
		return x
	}
	x.redis = sharedRedis(t, b.views)
	t.Cleanup(func() { x.redis.forget(t, x.prefix) })
	return x
}

// flags are those of every node.
func (x *stores) flags() []string {
	var flags []string
	if x.events != nil {
		flags = append(flags, "--log", x.events.url(), "--secret-file", x.secret, "--keys", x.keys.url(), "--keys-prefix", x.keysPrefix)
	}
	if x.redis != nil {
		flags = append(flags, "--views", x.redis.url(), "--views-prefix", x.prefix)
	}
	return flags
}

// forgetViews makes the stopped server start over from the log.
func (x *stores) forgetViews(t *testing.T) {
	t.Helper()
	if x.redis != nil {
		x.redis.forget(t, x.prefix)
		return
	}
	files, err := filepath.Glob(filepath.Join(x.data, "views.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no views in %s: %v", x.data, err)
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// blockViews keeps the server from writing to its views until release: another
// program has SQLite's write lock, or Redis, which must be the test's own, is out
// of memory.
func (x *stores) blockViews(t *testing.T) (release func()) {
	t.Helper()
	if x.redis != nil {
		x.redis.configure(t, "maxmemory", "1")
		return func() { x.redis.configure(t, "maxmemory", "0") }
	}
	conn, err := sqlite.OpenConn(filepath.Join(x.data, "views.db"), sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetBusyTimeout(10 * time.Second)
	if err := sqlitex.ExecuteTransient(conn, "BEGIN IMMEDIATE", nil); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

// contents is all that is stored, by where it is: files, and what Redis holds.
// The outbox, whose mails hold links, and the secret itself are left out.
func (x *stores) contents(t *testing.T) map[string][]byte {
	t.Helper()
	found := make(map[string][]byte)
	folders := []string{x.data}
	if x.events != nil {
		folders = append(folders, x.events.folder)
	}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && entry.Name() == "outbox":
				return filepath.SkipDir
			case !entry.IsDir() && path != x.secret:
				found[entry.Name()], err = os.ReadFile(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if x.redis != nil {
		found["Redis"] = x.redis.dump(t, x.prefix)
	}
	return found
}

// patience is how long something outside may take that the test waits for.
const patience = 30 * time.Second

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}
