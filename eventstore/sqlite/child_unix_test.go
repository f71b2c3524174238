//go:build unix

package sqlite_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"
	"tenure/eventstore"
	"tenure/eventstore/sqlite"
)

// The tests of this file need a process of their own, to be killed or to be
// given a full disk: the test binary runs itself with one of these words in
// the environment.
const (
	childVariable = "TENURE_TEST_CHILD"
	childAppends  = "appends"
	childFullDisk = "full disk"
	childLocked   = "locked"
)

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(childVariable) {
	case "":
		os.Exit(m.Run())
	case childAppends:
		err = appendUntilKilled(os.Args[1])
	case childFullDisk:
		err = fillDisk(os.Args[1])
	case childLocked:
		err = sayLocked(os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(t *testing.T, what, path string) *exec.Cmd {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, path)
	cmd.Env = append(os.Environ(), childVariable+"="+what)
	return cmd
}

// TestKill kills a process that appends, at random moments, and looks for every
// append that it was told is on disk. (What the operating system's death would
// do besides is up to synchronous=FULL, and not tested here.)
func TestKill(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "log.db")
	acknowledged := map[string]bool{} // "stream revision id"
	for range 8 {
		cmd := child(t, childAppends, path)
		cmd.Stderr = os.Stderr
		output, err := cmd.StdoutPipe()
		is.NoErr(err)
		is.NoErr(cmd.Start())
		moment := 1 + rand.IntN(400) // lines
		lines := bufio.NewScanner(output)
		for n := 0; lines.Scan(); n++ {
			acknowledged[lines.Text()] = true
			if n == moment {
				is.NoErr(cmd.Process.Kill())
			}
		}
		is.True(cmd.Wait() != nil) // it does not end by itself
		checkLog(t, path, acknowledged)
	}
}

// TestOthersSeeThatTheLogIsOpen asks, as SQLite does in a process that closes the
// log, whether nobody else has it open: that process would delete the WAL then,
// which an operator's look with the sqlite3 shell is enough for.
func TestOthersSeeThatTheLogIsOpen(t *testing.T) {
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "log.db")
	locked := func() string {
		out, err := child(t, childLocked, path).CombinedOutput()
		is.NoErr(err)
		return string(out)
	}
	store := open(t, path, sqlite.Options{})
	grow(t, store, "s", 0, 10)
	is.Equal(locked(), "true")
	_, err := sqlite.Open(path, sqlite.Options{})
	is.True(errors.Is(err, sqlite.ErrLocked))
	_, err = sqlite.Backup(t.Context(), path, path+".backup", nil)
	is.NoErr(err)
	is.Equal(locked(), "true")
	is.NoErr(store.Close())
	is.Equal(locked(), "false")
}

// sayLocked is the child.
func sayLocked(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	whole := syscall.Flock_t{Type: syscall.F_WRLCK} // SQLite's locks are within it
	if err := syscall.FcntlFlock(file.Fd(), syscall.F_GETLK, &whole); err != nil {
		return err
	}
	_, err = fmt.Print(whole.Type != syscall.F_UNLCK)
	return err
}

// checkLog opens the log and reads all of it.
func checkLog(t *testing.T, path string, acknowledged map[string]bool) {
	is := is.New(t)
	store, err := sqlite.Open(path, sqlite.Options{})
	is.NoErr(err)
	defer func() { is.NoErr(store.Close()) }()
	found, next := map[string]bool{}, map[string]eventstore.Revision{}
	page := eventstore.Page{}
	for !page.Head {
		page, err = store.ReadAll(t.Context(), page.Position, 1000, eventstore.Filter{})
		is.NoErr(err)
		for _, e := range page.Events {
			is.Equal(e.Revision, next[e.Stream])
			next[e.Stream]++
			found[line(e.Stream, e.Revision, e.ID)] = true
		}
	}
	for stream, n := range next {
		events, err := store.ReadStream(t.Context(), stream, 0, int(n)+1)
		is.NoErr(err)
		is.Equal(len(events), int(n))
	}
	for each := range acknowledged {
		// A line that the kill cut off is not an answer.
		if strings.Count(each, " ") == 2 && len(strings.Fields(each)[2]) == 32 && !found[each] {
			t.Fatalf("the log lacks %q", each)
		}
	}
	is.True(len(found) >= len(acknowledged)-1)
}

func line(stream string, revision eventstore.Revision, id eventstore.ID) string {
	return fmt.Sprintf("%s %d %x", stream, revision, id)
}

// appendUntilKilled is the child: writers on four streams each say what they
// were told is on disk.
func appendUntilKilled(path string) error {
	// Little memory makes the writer fill its index often.
	store, err := sqlite.Open(path, sqlite.Options{RecentEvents: 64})
	if err != nil {
		return err
	}
	failures := make(chan error)
	for w := range 16 {
		go func() { failures <- appendForever(store, fmt.Sprintf("stream-%d", w%4)) }()
	}
	return <-failures
}

func appendForever(store *sqlite.Store, stream string) error {
	expected := eventstore.NoStream()
	for {
		events := make([]eventstore.Event, 1+rand.IntN(3))
		for i := range events {
			events[i] = eventstore.Event{ID: eventstore.ID(uuid.New()), Type: "test.happened.v1", Data: bytes.Repeat([]byte("d"), 300)}
		}
		result, err := store.Append(context.Background(), stream, expected, events)
		var conflict *eventstore.ConflictError
		switch {
		case errors.As(err, &conflict):
			expected = conflict.Actual
			continue
		case err != nil:
			return err
		}
		expected = eventstore.Exactly(result.LastRevision)
		last := events[len(events)-1]
		if _, err := os.Stdout.WriteString(line(stream, result.LastRevision, last.ID) + "\n"); err != nil {
			return err
		}
	}
}

// TestFullDisk runs into the limit of a file's size, which the kernel answers
// like a full disk: what does not fit fails as a whole, readers go on, and when
// there is room again so do writers.
func TestFullDisk(t *testing.T) {
	output, err := child(t, childFullDisk, filepath.Join(t.TempDir(), "log.db")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
}

func fillDisk(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	store, err := sqlite.Open(path, sqlite.Options{RecentEvents: 64})
	if err != nil {
		return err
	}
	d := disk{store: store}
	if err := d.limit(512 << 10); err != nil {
		return err
	}
	if err := d.appendUntilFull(); err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	if err := d.limit(512 << 20); err != nil {
		return err
	}
	// The append that failed, again; then others.
	for range 200 {
		if err := d.append(); err != nil {
			return fmt.Errorf("with room again: %w", err)
		}
		d.next()
	}
	if err := errors.Join(d.check(), store.Close()); err != nil {
		return err
	}
	if d.store, err = sqlite.Open(path, sqlite.Options{}); err != nil {
		return err
	}
	return errors.Join(d.check(), d.store.Close())
}

// disk is a store whose files cannot grow at will.
type disk struct {
	store *sqlite.Store
	batch []eventstore.Event
	done  int // events that were acknowledged
}

func (d *disk) limit(bytes uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	limit.Cur = bytes
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
}

func (d *disk) next() {
	d.done += len(d.batch)
	d.batch = nil
}

func (d *disk) append() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	expected := eventstore.NoStream()
	if d.done > 0 {
		expected = eventstore.Exactly(eventstore.Revision(d.done - 1))
	}
	for len(d.batch) < 3 {
		d.batch = append(d.batch, eventstore.Event{ID: eventstore.ID(uuid.New()), Type: fmt.Sprintf("test.n%d.v1", d.done), Data: make([]byte, 2000)})
	}
	_, err := d.store.Append(ctx, "s", expected, d.batch)
	return err
}

func (d *disk) appendUntilFull() error {
	for d.append() == nil {
		if d.next(); d.done > 5000 {
			return errors.New("the disk does not become full")
		}
	}
	for range 5 {
		if err := d.append(); err == nil {
			return errors.New("an append succeeds on a full disk")
		}
	}
	return nil
}

// check reads everything, and finds what was acknowledged and nothing else.
func (d *disk) check() error {
	events, err := d.store.ReadStream(context.Background(), "s", 0, 10_000)
	if err != nil || len(events) != d.done {
		return fmt.Errorf("%d events in the stream, %d were acknowledged: %w", len(events), d.done, err)
	}
	page, err := d.store.ReadAll(context.Background(), 0, 10_000, eventstore.Filter{})
	if err != nil || !page.Head || len(page.Events) != d.done {
		return fmt.Errorf("%d events in the log, %d were acknowledged: %w", len(page.Events), d.done, err)
	}
	return nil
}
