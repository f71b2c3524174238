package esdb

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// settings are those of a connection string that the client knows. It ignores
// others, and so would a mistyped tls be.
var settings = []string{
	"defaultDeadline", "discoveryInterval", "gossipTimeout", "keepAliveInterval", "keepAliveTimeout",
	"maxDiscoverAttempts", "nodePreference", "tls", "tlsCaFile", "tlsVerifyCert", "userCertFile", "userKeyFile",
}

// parse reads a connection string and says what is wrong with it, without
// repeating it, since it may hold a password.
func parse(connection string) (*esdb.Configuration, error) {
	config, err := checked(connection)
	if err != nil {
		return nil, fmt.Errorf("eventstore/esdb: connection string: %w", err)
	}
	return config, nil
}

func checked(connection string) (*esdb.Configuration, error) {
	scheme, rest, ok := strings.Cut(connection, "://")
	switch {
	case strings.HasPrefix(scheme, "kurrentdb") && ok:
		return nil, fmt.Errorf("write esdb:// or esdb+discover:// in place of %s://, the rest stays the same", scheme)
	case !ok || (scheme != "esdb" && scheme != "esdb+discover"):
		return nil, errors.New("it has to begin with esdb:// or esdb+discover://")
	}
	place, query, _ := strings.Cut(rest, "?")
	credentials, hosts := "", strings.TrimSuffix(place, "/")
	if at := strings.LastIndex(hosts, "@"); at >= 0 {
		credentials, hosts = hosts[:at], hosts[at+1:]
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if err := checkHost(host); err != nil {
			return nil, err
		}
	}
	if err := checkSettings(query); err != nil {
		return nil, err
	}
	config, err := esdb.ParseConnectionString(connection)
	if wrong := (*url.Error)(nil); errors.As(err, &wrong) {
		err = wrong.Err // the outer one repeats the string
	}
	if err == nil {
		err = config.Validate()
	}
	switch {
	case err != nil:
		return nil, err
	case credentials != "" && config.DisableTLS:
		return nil, errors.New("setting tls: user name and password travel only with TLS; leave them out, or tls=false")
	}
	return config, nil
}

func checkHost(host string) error {
	name, port, given := strings.Cut(host, ":")
	if name == "" {
		return errors.New("a host is missing")
	}
	if n, err := strconv.Atoi(port); given && (err != nil || n < 1 || n > 65535) {
		return fmt.Errorf("%q is not a port", port)
	}
	return nil
}

// checkSettings refuses what the client would pass over, or print a warning of.
func checkSettings(query string) error {
	given, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("what follows the question mark is not a list of settings")
	}
	for name, values := range given {
		known := slices.IndexFunc(settings, func(s string) bool { return strings.EqualFold(s, name) })
		if known < 0 {
			return fmt.Errorf("there is no setting %q; there are %s", name, strings.Join(settings, ", "))
		}
		number, err := strconv.Atoi(values[0])
		switch settings[known] {
		case "defaultDeadline", "discoveryInterval", "gossipTimeout", "keepAliveTimeout", "maxDiscoverAttempts":
			if err != nil || number < 1 {
				return fmt.Errorf("setting %s: %q is not a number above 0", name, values[0])
			}
		case "keepAliveInterval":
			if err != nil || (number != -1 && number < 10_000) {
				return fmt.Errorf("setting %s: %q is neither -1 nor a number of milliseconds from 10000 on", name, values[0])
			}
		}
	}
	return nil
}
