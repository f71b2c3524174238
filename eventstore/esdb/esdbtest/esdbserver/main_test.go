//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/eventstore"
	"tenure/eventstore/esdb"
)

// The test binary is the server when this stands in its environment.
const childVariable = "TENURE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a running server.
type process struct {
	cmd     *exec.Cmd
	lines   *bufio.Scanner
	address string
}

func start(t *testing.T, listen, data string) *process {
	t.Helper()
	is := is.New(t)
	cmd := exec.Command(os.Args[0], "--listen", listen, "--data", data)
	cmd.Env = append(os.Environ(), childVariable+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p := &process{cmd: cmd, lines: bufio.NewScanner(io.Reader(out))}
	p.address = strings.TrimPrefix(p.line(t), "listening on ")
	return p
}

func (p *process) line(t *testing.T) string {
	t.Helper()
	if !p.lines.Scan() {
		t.Fatal("the server says nothing more")
	}
	return p.lines.Text()
}

// TestProcess kills the server at random moments of appends and starts it again
// at the same address: what it acknowledged is there, once.
func TestProcess(t *testing.T) {
	is := is.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	data := t.TempDir()
	server := start(t, "127.0.0.1:0", data)
	store, err := esdb.Open("esdb://"+server.address+"?tls=false&discoveryInterval=5", esdb.Options{})
	is.NoErr(err)
	defer func() { is.NoErr(store.Close()) }()
	var written []eventstore.ID
	expected := eventstore.NoStream()
	for round := range 4 {
		for range 40 {
			event := eventstore.Event{ID: eventstore.ID(uuid.New()), Type: "test.happened.v1", Data: []byte(`{}`)}
			for {
				result, err := store.Append(ctx, "s", expected, []eventstore.Event{event})
				var conflict *eventstore.ConflictError
				if errors.As(err, &conflict) || ctx.Err() != nil {
					t.Fatal(err)
				}
				if err == nil {
					expected, written = eventstore.Exactly(result.LastRevision), append(written, event.ID)
					break
				}
			}
			if len(written) == 40*round+10 {
				is.NoErr(server.cmd.Process.Kill())
				_ = server.cmd.Wait() // it was killed
				server = start(t, server.address, data)
			}
		}
	}
	is.NoErr(server.cmd.Process.Signal(syscall.SIGUSR1))
	is.Equal(server.line(t), "cut")
	is.NoErr(server.cmd.Process.Signal(syscall.SIGUSR2))
	is.Equal(server.line(t), "refusing")
	is.True(store.Health(ctx) != nil)
	is.NoErr(server.cmd.Process.Signal(syscall.SIGUSR2))
	is.Equal(server.line(t), fmt.Sprint("listening on ", server.address))
	for store.Health(ctx) != nil && ctx.Err() == nil {
	}
	found, err := store.ReadStream(ctx, "s", 0, 1000)
	is.NoErr(err)
	is.Equal(len(found), len(written))
	for i := range found {
		is.Equal(found[i].ID, written[i])
	}
	is.NoErr(server.cmd.Process.Signal(syscall.SIGTERM))
	is.NoErr(server.cmd.Wait())
}
