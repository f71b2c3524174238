package acceptance

import (
	"flag"
	"strings"
	"testing"
)

var pairs = flag.String("pairs", "", "the pairs of stores to run on, with commas between; empty for all")

// backend is one pair of stores for the log and the views. The whole suite runs
// on each.
type backend struct {
	name       string
	eventStore bool // the log is in an EventStoreDB, otherwise in the data folder
	views      viewsIn
}

type viewsIn int

const (
	inFile viewsIn = iota
	inRedis
	inCluster
)

var (
	onFiles   = backend{name: "sqlite+sqlite"}
	onRedis   = backend{name: "sqlite+redis", views: inRedis}
	onCluster = backend{name: "esdb+cluster", eventStore: true, views: inCluster}
	// onServers is not a pair of its own for the whole suite: what differs from
	// the pairs before is tested with several nodes.
	onServers = backend{name: "esdb+redis", eventStore: true, views: inRedis}
)

// onEveryBackend runs a test once for each pair, beside other tests.
func onEveryBackend(t *testing.T, test func(t *testing.T, b backend)) {
	on(t, test, onFiles, onRedis, onCluster)
}

// onBothLogs runs a test that is about what both logs serve, wherever the views
// are.
func onBothLogs(t *testing.T, test func(t *testing.T, b backend)) { on(t, test, onFiles, onCluster) }

// onTheFolder runs a test that is about the files of a server that has all of
// its data in one folder.
func onTheFolder(t *testing.T, test func(t *testing.T, b backend)) { on(t, test, onFiles) }

// onManyNodes runs a test on the pairs that several nodes can share.
func onManyNodes(t *testing.T, test func(t *testing.T, b backend)) { on(t, test, onServers, onCluster) }

// onEveryBackendInTurn is onEveryBackend for tests that keep the machine busy by
// themselves.
func onEveryBackendInTurn(t *testing.T, test func(t *testing.T, b backend)) {
	inTurn(t, test, onFiles, onRedis, onCluster)
}

// onManyNodesInTurn is onManyNodes for such tests.
func onManyNodesInTurn(t *testing.T, test func(t *testing.T, b backend)) {
	inTurn(t, test, onServers, onCluster)
}

func inTurn(t *testing.T, test func(t *testing.T, b backend), all ...backend) {
	t.Parallel()
	for _, b := range all {
		if b.chosen() {
			t.Run(b.name, func(t *testing.T) { test(t, b) })
		}
	}
}

func (b backend) chosen() bool {
	return *pairs == "" || strings.Contains(","+*pairs+",", ","+b.name+",")
}

func on(t *testing.T, test func(t *testing.T, b backend), all ...backend) {
	t.Parallel()
	for _, b := range all {
		if !b.chosen() {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			test(t, b)
		})
	}
}
