package main

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

// A broker that cannot be published to as it is written ends the start, with the
// setting, what is wrong with it, and without its password.
func TestBrokersThatEndTheStart(t *testing.T) {
	is := is.New(t)
	for publish, says := range map[string]string{
		"mqtt://user:secret@host/tenure":                                         "begin with nats://",
		"nats//user:secret@host/tenure":                                          "begin with nats://",
		"nats://user:secret@host":                                                "name the topic",
		"nats://user:sec/secret@host/tenure":                                     "host:port",
		"nats://user:secret@host/tenure?tls=maybe":                               "tls= true or false",
		"redis://user:secret@host/tenure?tls=true":                               `leave out "tls"`,
		"redis://user:secret@host/tenure?sasl=plain":                             `leave out "sasl"`,
		"amqps://user:secret@host/tenure?ca-file=/nowhere/ca.pem":                "ca-file",
		"kafka://user:secret@host/tenure?sasl=gssapi":                            "sasl=",
		"nats://host/tenure?credentials-file=/nowhere/secret":                    "credentials-file",
		"nats://user:secret@one/tenure nats://user:secret@two/tenure":            "another broker called nats",
		"nats://user:secret@one/tenure redis://user:secret@two/tenure?name=nats": "another broker called nats",
	} {
		s := settings{Publish: strings.Fields(publish)}
		err := s.readBrokers()
		if err == nil || !strings.HasPrefix(err.Error(), "setting publish (environment TENURE_PUBLISH)") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: expected %q, found %v", publish, says, err)
			continue
		}
		is.True(!strings.Contains(strings.ReplaceAll(err.Error(), "/nowhere/secret", ""), "secret"))
	}
	s := settings{Publish: []string{"nats://user:secret@one/tenure", "nats://two/tenure?name=second"}}
	is.NoErr(s.readBrokers())
	is.Equal(len(s.brokers), 2)
}
