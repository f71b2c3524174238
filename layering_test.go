// Package tenure_test holds what is true of the whole module.
package tenure_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// layers says which packages of this module each folder may import, and whether
// it may import libraries besides the standard one. A folder stands for itself
// and everything below it, unless a longer one is listed.
var layers = []struct {
	folder    string
	imports   []string // folders of this module
	libraries []string // nil: any
}{
	{"domain", []string{"domain"}, []string{"golang.org/x/text", "github.com/benbjohnson/immutable"}},
	{"documents", []string{}, nil},
	{"policies", []string{"domain", "documents"}, nil},
	{"mail", []string{}, nil},
	{"oidc", []string{"oidc", "documents"}, nil},
	{"oidc/oidctest", []string{}, nil},
	{"leases", []string{"leases"}, nil},
	{"redisfiles", []string{}, nil},
	{"eventstore", []string{"eventstore"}, nil},
	{"eventstore/codec", []string{"eventstore", "domain", "keyring"}, nil},
	{"keyring", []string{"keyring", "redisfiles"}, nil},
	{"commands", []string{"commands", "domain", "eventstore"}, nil},
	{"projections", []string{"projections", "domain", "eventstore"}, nil},
	{"projections/redis", []string{"projections", "eventstore", "redisfiles"}, nil},
	{"projections/redis/redistest", []string{}, nil},
	{"history", []string{"history", "commands", "projections", "domain", "eventstore"}, nil},
	{"processes", []string{"commands", "projections", "relay", "eventstore", "domain", "mail"}, nil},
	{"relay", []string{"relay", "domain", "eventstore"}, nil},
	{"relay/broker/brokertest", []string{"projections/redis/redistest"}, nil},
	{"ledger", []string{"ledger", "commands", "projections", "eventstore", "domain"}, nil},
	{"httpapi", []string{"httpapi", "ledger", "commands", "projections", "history", "relay", "domain", "documents", "eventstore", "mail", "oidc"}, nil},
	{"acceptance", []string{"acceptance", "oidc/oidctest"}, nil},
	{"acceptance/bench", []string{""}, nil},
	{"cmd", []string{""}, nil},
}

// adapters are known to nobody but the program that wires them, and their tests;
// the test server of one of them serves the other.
var adapters = []string{
	"eventstore/sqlite", "eventstore/esdb", "eventstore/esdb/esdbtest",
	"projections/sqlite", "projections/redis", "leases/redis", "keyring/sqlite", "keyring/redis",
}

func TestPackagesImportOnlyWhatTheirLayerMay(t *testing.T) {
	is := is.New(t)
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Standard", "./...").Output()
	is.NoErr(err)
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	checked := 0
	for decoder.More() {
		var p struct {
			ImportPath string
			Imports    []string
		}
		is.NoErr(decoder.Decode(&p))
		folder := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, "tenure"), "/")
		if folder == "" {
			continue
		}
		checked++
		for _, imported := range p.Imports {
			if problem := judge(folder, imported); problem != "" {
				t.Errorf("%s imports %s: %s", folder, imported, problem)
			}
		}
	}
	is.True(checked > 15) // the list of packages is not empty
}

func judge(folder, imported string) string {
	layer := -1
	for i, l := range layers {
		if within(folder, l.folder) && (layer < 0 || len(l.folder) > len(layers[layer].folder)) {
			layer = i
		}
	}
	if layer < 0 {
		return "the folder is not in the table of layers"
	}
	l := layers[layer]
	own, ours := strings.CutPrefix(imported, "tenure/")
	switch {
	case ours:
		serves := own == "eventstore/sqlite" && folder == "eventstore/esdb/esdbtest"
		if slices.Contains(adapters, own) && !within(folder, "cmd") && !within(folder, "acceptance") && !within(folder, own) && !serves {
			return "only cmd wires adapters"
		}
		if !slices.ContainsFunc(l.imports, func(allowed string) bool { return within(own, allowed) }) {
			return "the layer may not"
		}
	case strings.Contains(strings.SplitN(imported, "/", 2)[0], "."):
		if l.libraries != nil && !slices.ContainsFunc(l.libraries, func(allowed string) bool { return within(imported, allowed) }) {
			return "the layer may use the standard library only, and two pure data libraries"
		}
	}
	return ""
}

func within(path, folder string) bool {
	return folder == "" || path == folder || strings.HasPrefix(path, folder+"/")
}
