package acceptance

import (
	"os"
	"path/filepath"
	"testing"
)

// backend is one pair of stores for the log and the views. The whole suite runs
// on each.
type backend struct {
	name string
	// flags are added to those of every server.
	flags []string
	// forgetViews makes the stopped server in the folder start over from the log.
	forgetViews func(t *testing.T, data string)
	// blockViews keeps the server in the folder from writing to its views.
	blockViews func(t *testing.T, data string) (release func())
}

func backends() []backend {
	return []backend{
		{name: "sqlite+sqlite", forgetViews: removeFiles("views.db*"), blockViews: blockWrites("views.db")},
	}
}

// onEveryBackend runs a test once for each pair, beside other tests.
func onEveryBackend(t *testing.T, test func(t *testing.T, b backend)) {
	t.Parallel()
	for _, b := range backends() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			test(t, b)
		})
	}
}

func removeFiles(pattern string) func(*testing.T, string) {
	return func(t *testing.T, data string) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(data, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("there is no %s in %s: %v", pattern, data, err)
		}
		for _, file := range files {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
}
