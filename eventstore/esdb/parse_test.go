package esdb_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/eventstore/esdb"
)

func TestConnectionStrings(t *testing.T) {
	for connection, problem := range map[string]string{ // empty: none
		"esdb://localhost:2113?tls=false":          "",
		"esdb://localhost":                         "",
		"esdb://user:secret@localhost:2113":        "",
		"esdb://one:2113,two:2113,three?tls=false": "",
		"esdb+discover://cluster.example:2113/?tlsVerifyCert=false&nodePreference=leader": "",
		"esdb://localhost?TLS=false&keepAliveInterval=-1&defaultDeadline=2500":            "",

		"":                                        "esdb://",
		"localhost:2113":                          "esdb://",
		"http://localhost:2113":                   "esdb://",
		"kurrentdb://localhost:2113?tls=false":    "in place of kurrentdb://",
		"kurrentdb+discover://cluster:2113":       "in place of kurrentdb+discover://",
		"esdb://":                                 "host",
		"esdb://:2113":                            "host",
		"esdb://one,,two":                         "host",
		"esdb://localhost:port":                   `"port" is not a port`,
		"esdb://localhost:99999":                  "99999",
		"esdb://localhost:0":                      `"0" is not a port`,
		"esdb://localhost/path":                   "/path",
		"esdb://localhost?tls=maybe":              "tls",
		"esdb://localhost?tsl=false":              `no setting "tsl"`,
		"esdb://localhost?tls=false;x":            "list of settings",
		"esdb://localhost?keepAliveInterval=5":    "keepAliveInterval",
		"esdb://localhost?keepAliveTimeout=-5":    "keepAliveTimeout",
		"esdb://localhost?defaultDeadline=soon":   "defaultDeadline",
		"esdb://localhost?maxDiscoverAttempts=0":  "maxDiscoverAttempts",
		"esdb://localhost?nodePreference=nearest": "nearest",
		"esdb://localhost?tlsCaFile=/nowhere":     "/nowhere",
		"esdb://localhost?userCertFile=x":         "userKeyFile",
		"esdb://user:secret@localhost?tls=false":  "tls",
		"esdb://user:secret@local host":           "",
		"esdb://user:secret@localhost:x":          "port",
		"esdb://:secret@localhost":                "username",
	} {
		t.Run(connection, func(t *testing.T) {
			is := is.New(t)
			store, err := esdb.Open(connection, esdb.Options{})
			if store != nil {
				defer func() { is.NoErr(store.Close()) }()
			}
			if problem == "" && !strings.Contains(connection, " ") {
				is.NoErr(err)
				return
			}
			is.True(err != nil)
			is.True(strings.Contains(err.Error(), problem))
			is.True(strings.Contains(err.Error(), "connection string"))
			is.True(!strings.Contains(err.Error(), "secret"))
		})
	}
}
