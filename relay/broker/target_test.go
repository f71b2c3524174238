package broker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
	"github.com/twmb/franz-go/pkg/kfake"

	"tenure/relay"
	"tenure/relay/broker"
)

func TestTargetsAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]struct {
		name, address string
	}{
		"nats://localhost/tenure":                                           {"nats", "nats://localhost:4222/tenure"},
		"nats://a:1,b,[::1]:3/prod.tenure?tls=true&name=hub":                {"hub", "nats://a:1,b:4222,[::1]:3/prod.tenure"},
		"redis://:pass%2Fword@localhost:7000/3/tenure:events?max-length=10": {"redis", "redis://localhost:7000/3/tenure:events"},
		"rediss://localhost/tenure":                                         {"redis", "rediss://localhost:6379/tenure"},
		"amqp://user:p%40ss@rabbit/my/host/tenure":                          {"amqp", "amqp://rabbit:5672/my/host/tenure"},
		"amqps://rabbit/tenure?type=organization.member_&personal=true":     {"amqp", "amqps://rabbit:5671/tenure"},
		"kafka://u:p@a,b/tenure?sasl=scram-sha-512&from=head":               {"kafka", "kafka://a:9092,b:9092/tenure"},
		"kafka://[2001:db8::1]/tenure":                                      {"kafka", "kafka://[2001:db8::1]:9092/tenure"},
	} {
		t.Run(text, func(t *testing.T) {
			is := is.New(t)
			got, err := broker.Parse(text)
			is.NoErr(err)
			is.Equal(got.Name, want.name)
			is.Equal(got.Address(), want.address)
			is.Equal(got.Personal, strings.Contains(text, "personal=true"))
			is.Equal(got.FromHead, strings.Contains(text, "from=head"))
			is.Equal(got.Type != "", strings.Contains(text, "type="))
		})
	}
}

func TestTargetsThatCannotWork(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	is := is.New(t)
	is.NoErr(os.WriteFile(file, []byte("x"), 0o600))
	keyless := filepath.Join(t.TempDir(), "keyless")
	is.NoErr(os.WriteFile(keyless, []byte("-----BEGIN NATS USER JWT-----\nx.y.z\n------END NATS USER JWT------\n"), 0o600))
	for text, says := range map[string]string{
		"":                          "begin with nats://",
		"localhost:4222":            "begin with nats://",
		"http://localhost/tenure":   "begin with nats://",
		"nats://localhost":          "name the topic",
		"nats://localhost/":         "name the topic",
		"nats://localhost/tenure.>": "name the topic",
		"nats://localhost/tenure.":  "name the topic",
		"redis://localhost:6379/0":  "name the topic",
		"kafka://localhost/" + strings.Repeat("a", 201):        "name the topic",
		"nats://localhost/a/tenure":                            "leave out what stands before",
		"redis://localhost/first/tenure":                       "leave out what stands before",
		"nats:///tenure":                                       "host:port",
		"nats://localhost:port/tenure":                         "host:port",
		"nats://localhost:0/tenure":                            "host:port",
		"nats://a,,b/tenure":                                   "host:port",
		"amqp://a,b/tenure":                                    "name one host",
		"nats://user:p%zz@localhost/tenure":                    "%-escapes",
		"nats://localhost/tenure#x":                            "write it as",
		"nats://localhost/tenure?colour=blue":                  `leave out "colour"`,
		"nats://localhost/tenure?max-length=3":                 `leave out "max-length"`,
		"nats://localhost/tenure?personal=yes":                 "personal= true or false",
		"nats://localhost/tenure?name=a&name=b":                "give name once",
		"nats://localhost/tenure?name=Hub":                     "give name=",
		"nats://localhost/tenure?from=yesterday":               "start or head",
		"redis://localhost/tenure?max-length=0":                "a number of events",
		"kafka://localhost/tenure?sasl=plain":                  "user and password",
		"kafka://u:p@localhost/tenure?sasl=gssapi":             "user and password",
		"kafka://u@localhost/tenure":                           "user and password",
		"nats://localhost/tenure?sasl=plain":                   `leave out "sasl"`,
		"redis://localhost/tenure?tls=true":                    `leave out "tls"`,
		"amqp://localhost/tenure?ca-file=" + file:              "for connections with TLS",
		"nats://localhost/tenure?tls=maybe":                    "tls= true or false",
		"nats://u:p@localhost/tenure?credentials-file=" + file: "either a user or credentials-file",
		"nats://localhost/tenure?credentials-file=" + file:     "credentials-file: it holds no JWT",
		"nats://localhost/tenure?credentials-file=" + keyless:  "credentials-file: it holds no key",
		"nats://localhost/tenure?ca-file=" + file:              "for connections with TLS",
		"amqps://localhost/tenure?ca-file=" + file:             "no certificate",
		"amqps://localhost/tenure?ca-file=/nowhere":            "ca-file",
		"nats://localhost/tenure?credentials-file=/nowhere":    "credentials-file",
	} {
		_, err := broker.Parse(text)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: expected %q, found %v", text, says, err)
		}
	}
}

// What the AsyncAPI document says of a target names neither user nor password.
func TestPublications(t *testing.T) {
	is := is.New(t)
	for text, want := range map[string]relay.Publication{
		"nats://user:secret@a,b:1/tenure?personal=true": {Name: "nats", Protocol: "nats", Hosts: []string{"a:4222", "b:1"}, Address: "tenure.{organization}.{type}", Personal: true},
		"rediss://:secret@a/3/tenure?name=hub":          {Name: "hub", Protocol: "rediss", Hosts: []string{"a:6379"}, Path: "3", Address: "tenure"},
		"amqps://user:secret@a/host/tenure":             {Name: "amqp", Protocol: "amqps", Hosts: []string{"a:5671"}, Path: "host", Address: "{type}"},
		"kafka://user:secret@a/tenure?tls=true&type=x":  {Name: "kafka", Protocol: "kafka-secure", Hosts: []string{"a:9092"}, Address: "tenure", Type: "x"},
	} {
		target, err := broker.Parse(text)
		is.NoErr(err)
		got := target.Publication()
		all := fmt.Sprint(got)
		is.True(!strings.Contains(all, "secret") && !strings.Contains(all, "user"))
		is.Equal(len(got.Parameters) > 0, strings.Contains(got.Address, "{"))
		is.Equal(len(got.Bindings) > 0, strings.Contains(text, "amqp") || strings.Contains(text, "kafka"))
		got.Parameters, got.Bindings = nil, nil
		is.Equal(got, want)
	}
}

func TestPasswordsAreMasked(t *testing.T) {
	is := is.New(t)
	for text, want := range map[string]string{
		"nats://user:secret@host/tenure":  "nats://user:xxxxx@host/tenure",
		"nats://user:se@cret@host/tenure": "nats://user:xxxxx@host/tenure",
		"redis://:secret@host/0/tenure":   "redis://:xxxxx@host/0/tenure",
		"nats://host/tenure?a=b@c:d":      "nats://host/tenure?a=b@c:d",
		"user:secret@host":                "user:xxxxx@host",
		"nonsense":                        "nonsense",
		"nats//user:secret@host/tenure":   "nats//user:xxxxx@host/tenure",
		"nats://user:sec/ret@host/tenure": "nats://user:xxxxx@host/tenure",
		"nats://user:sec?ret@host/tenure": "nats://user:xxxxx@host/tenure",
		"nats://user:12?34@host/tenure":   "nats://user:xxxxx@host/tenure",
		"nats://token@host/tenure":        "nats://xxxxx@host/tenure",
		"nats://to?ken@host/tenure":       "nats://xxxxx@host/tenure",
		"amqp://user@host/tenure":         "amqp://user@host/tenure",
		"nats://host:1/tenure?a=b@c":      "nats://host:1/tenure?a=b@c",
		"nats://[::1]:1/tenure?name=a":    "nats://[::1]:1/tenure?name=a",
	} {
		is.Equal(broker.Masked(text), want)
	}
}

// Kafka takes each way to sign in. No error tells the password.
func TestSigningInAtKafka(t *testing.T) {
	is := is.New(t)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "ann", "one"),
		kfake.Superuser("SCRAM-SHA-256", "bob", "two"), kfake.Superuser("SCRAM-SHA-512", "cy", "three"))
	is.NoErr(err)
	defer cluster.Close()
	dial := func(user, mechanism string) error {
		target, err := broker.Parse("kafka://" + user + "@" + cluster.ListenAddrs()[0] + "/tenure?sasl=" + mechanism)
		is.NoErr(err)
		connection, err := target.Dial(context.Background())
		if err == nil {
			connection.Close()
		}
		return err
	}
	is.NoErr(dial("ann:one", "plain"))
	is.NoErr(dial("bob:two", "scram-sha-256"))
	is.NoErr(dial("cy:three", "scram-sha-512"))
	var failure *broker.Error
	is.True(errors.As(dial("ann:wrong-one", "plain"), &failure)) // the stand-in hangs up
	is.True(!strings.Contains(failure.Error(), "wrong-one"))
	gone, err := broker.Parse("kafka://127.0.0.1:1/tenure")
	is.NoErr(err)
	_, err = gone.Dial(context.Background())
	is.True(errors.As(err, &failure))
	is.Equal(failure.Cause, broker.CauseUnreachable)
}
