package esdb_test

import (
	"path/filepath"
	"testing"

	"tenure/eventstore"
	"tenure/eventstore/esdb"
	"tenure/eventstore/esdb/esdbtest"
	"tenure/eventstore/storetest"
)

// serve starts a server with an empty log for one test.
func serve(t testing.TB) *esdbtest.Server {
	t.Helper()
	server, err := esdbtest.Start("127.0.0.1:0", filepath.Join(t.TempDir(), "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// open opens a store on a server for one test.
func open(t testing.TB, url string, options esdb.Options) *esdb.Store {
	t.Helper()
	store, err := esdb.Open(url, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// TestContract runs the contract against the test server, which is started anew
// with each store.
func TestContract(t *testing.T) {
	for name, options := range map[string]esdb.Options{
		"default":      {},
		"small memory": {RecentEvents: 8, RecentBytes: 4096},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) storetest.Open {
				address, path := "127.0.0.1:0", filepath.Join(t.TempDir(), "log.db")
				var server *esdbtest.Server
				t.Cleanup(func() { _ = server.Close() })
				return func(t *testing.T) eventstore.Store {
					var err error
					if server != nil {
						if err = server.Close(); err != nil {
							t.Fatal(err)
						}
					}
					if server, err = esdbtest.Start(address, path); err != nil {
						t.Fatal(err)
					}
					address = server.Address()
					return open(t, server.URL(), options)
				}
			})
		})
	}
}
