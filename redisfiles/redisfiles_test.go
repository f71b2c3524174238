package redisfiles_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	goredis "github.com/redis/go-redis/v9"

	"tenure/projections/redis/redistest"
	"tenure/redisfiles"
)

const word = "quillfeather"

// held reports whether a file of the server holds the word.
func held(t *testing.T, folder string) (found bool) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		found = found || bytes.Contains(text, []byte(word))
		return err
	})
	if err != nil && !os.IsNotExist(err) { // files come and go
		t.Fatal(err)
	}
	return found
}

func start(t *testing.T, args ...string) (*goredis.Client, string) {
	t.Helper()
	folder := t.TempDir()
	server, err := redistest.Start(folder, args...)
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	t.Cleanup(func() {
		client.Close()
		if err := server.Kill(); err != nil {
			t.Error(err)
		}
	})
	return client, folder
}

// TestWhatWasDeletedLeavesTheFiles writes a word, has it in the files, deletes it,
// and looks for it in what the server writes anew.
func TestWhatWasDeletedLeavesTheFiles(t *testing.T) {
	for name, args := range map[string][]string{
		"append-only file": {"--appendonly", "yes", "--appendfsync", "always", "--save", ""},
		"snapshots":        {"--appendonly", "no", "--save", "3600 100000"},
		"both":             {"--appendonly", "yes", "--appendfsync", "always", "--save", "3600 100000"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			ctx := context.Background()
			client, folder := start(t, args...)
			for i := range 1000 {
				is.NoErr(client.Set(ctx, fmt.Sprint(i), strings.Repeat(word, 10), 0).Err())
			}
			if name != "append-only file" {
				is.NoErr(client.Save(ctx).Err())
			}
			is.True(held(t, folder))
			is.NoErr(client.FlushAll(ctx).Err())
			is.True(name == "snapshots" || held(t, folder))
			var said bytes.Buffer
			for range 3 { // also while the one before is under way
				is.NoErr(redisfiles.Rewrite(ctx, client, slog.New(slog.NewTextHandler(&said, nil))))
			}
			for deadline := time.Now().Add(30 * time.Second); held(t, folder); time.Sleep(20 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the files hold the word still")
				}
			}
			is.Equal(said.String(), "")
		})
	}
}

// TestWhoMayNotIsNamed is a user that may not have files written anew: the operator
// is told, and nothing fails.
func TestWhoMayNotIsNamed(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	admin, _ := start(t, "--appendonly", "yes")
	is.NoErr(admin.Do(ctx, "ACL", "SETUSER", "tenure", "on", ">secret", "~*", "+@all", "-bgrewriteaof", "-bgsave", "-config").Err())
	client := goredis.NewClient(&goredis.Options{Addr: admin.Options().Addr, Username: "tenure", Password: "secret"})
	defer client.Close()
	var said bytes.Buffer
	is.NoErr(redisfiles.Rewrite(ctx, client, slog.New(slog.NewTextHandler(&said, nil))))
	is.True(strings.Contains(said.String(), "BGREWRITEAOF"))
	is.True(strings.Contains(said.String(), admin.Options().Addr))

	// One that cannot be reached is an error, so that it is tried again.
	ended, cancel := context.WithCancel(ctx)
	cancel()
	is.True(redisfiles.Rewrite(ended, client, slog.New(slog.DiscardHandler)) != nil)
}
