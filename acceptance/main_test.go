// Package acceptance drives the real program over HTTP, as its users do. It
// imports nothing of the rest of the module. There is one test for each row of
// the requirements, named after it, with one subtest for each sentence of the
// row and of the product document behind it; besides these, tests that kill the
// program at every step, race it, feed it rubbish, and operate it.
package acceptance

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	kills     = flag.Int("kills", 4, "how often the crash test kills the server")
	riots     = flag.Duration("riot", 3*time.Second, "how long many clients do everything at once")
	storm     = flag.Duration("storm", 8*time.Second, "how long the test of many nodes has things fail")
	seed      = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the random tests; they print it")
	raceBuild = flag.Bool("race-server", true, "build the server of the concurrency tests with the race detector")
)

// programs are built when a test first asks for one, once in a run.
var programs struct {
	plain, hooks, race, eventStore build
	folder                         string
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "tenure-acceptance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	defer stopSharedRedis()
	if err := guard.start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	programs.folder = folder
	programs.eventStore = build{name: "esdbserver", source: "./eventstore/esdb/esdbtest/esdbserver"}
	programs.plain = build{name: "tenure"}
	programs.hooks = build{name: "tenure-hooks", flags: []string{"-tags", "testhooks"}}
	// The flags of the Makefile's unit tests: the libraries are compiled already.
	programs.race = build{name: "tenure-race", flags: []string{"-tags", "testhooks", "-race", "-gcflags=modernc.org/sqlite/lib=-race=false"}}
	if !*raceBuild {
		programs.race.flags = programs.hooks.flags
	}
	// The tests wait for their servers most of the time.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		f.Value.Set("8")
	}
	return m.Run()
}

// build is one way to build the program.
type build struct {
	name   string
	source string // ./cmd/tenure unless set
	flags  []string
	once   sync.Once
	path   string
	err    error
}

func (b *build) binary(t *testing.T) string {
	t.Helper()
	b.once.Do(func() {
		b.path = filepath.Join(programs.folder, b.name)
		args := append([]string{"build", "-o", b.path}, b.flags...)
		args = append(args, "-ldflags", "-s -w -X main.version=acceptance", cmp.Or(b.source, "./cmd/tenure"))
		cmd := exec.Command("go", args...)
		cmd.Dir = ".."
		if out, err := cmd.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}
