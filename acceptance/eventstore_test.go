package acceptance

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// eventStore is a process that speaks EventStoreDB's protocol, with a folder of
// its own.
type eventStore struct {
	folder  string
	address string
	*process
}

func startEventStore(t *testing.T, folder string) *eventStore {
	t.Helper()
	x := &eventStore{folder: folder, address: "127.0.0.1:0"}
	x.run(t)
	t.Cleanup(func() {
		if err := x.end(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	})
	return x
}

// run starts the process, after the first time at the same address.
func (x *eventStore) run(t *testing.T) {
	t.Helper()
	program := programs.eventStore.binary(t)
	for tries := 0; ; tries++ { // a port is free again a moment after its process was killed
		p, address, err := startProcess("listening on ", program, "--listen", x.address, "--data", x.folder)
		if err == nil {
			x.process, x.address = p, address
			return
		}
		if tries == 10 {
			t.Fatal(fmt.Errorf("starting the event store: %w", err))
		}
	}
}

func (x *eventStore) url() string { return "esdb://" + x.address + "?tls=false" }

// kill ends the process at once.
func (x *eventStore) kill(t *testing.T) {
	t.Helper()
	if err := x.end(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// mayOnlyMail checks that no event is added while something runs, but those of
// mails: one that could not be sent is tried again after a pause that grows.
func (x *eventStore) mayOnlyMail(t *testing.T, what string, run func()) {
	t.Helper()
	before := len(x.types(t))
	run()
	for _, added := range x.types(t)[before:] {
		if !strings.HasPrefix(added, "mail.") {
			t.Errorf("%s has added %s", what, added)
		}
	}
}

// types are those of all events.
func (x *eventStore) types(t *testing.T) (all []string) {
	t.Helper()
	conn, err := sqlite.OpenConn(filepath.Join(x.folder, "log.db"), sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = sqlitex.Execute(conn, "SELECT types.name FROM events JOIN types ON types.id = type ORDER BY position", &sqlitex.ExecOptions{
		ResultFunc: func(row *sqlite.Stmt) error {
			all = append(all, row.ColumnText(0))
			return nil
		},
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("reading %d events: %v", len(all), err)
	}
	return all
}

// cut cuts all connections in the middle of whatever they carry.
func (x *eventStore) cut() error { return x.signal(syscall.SIGUSR1) }

// refuse refuses all connections until during has returned.
func (x *eventStore) refuse(during func()) error {
	err := x.signal(syscall.SIGUSR2)
	during()
	return errors.Join(err, x.signal(syscall.SIGUSR2))
}
