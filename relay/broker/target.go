package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nkeys"

	"tenure/relay"
)

// Target is a broker to publish to, as it is written in one line:
//
//	nats://host:4222/topic?personal=true
//
// The last part of the path is the topic. What stands before it is what the
// addresses of the broker have there: a database of Redis, a virtual host of
// AMQP.
type Target struct {
	Name     string // what it is called in routes and metrics, and its cursor is kept under
	Scheme   string // nats, redis, rediss, amqp, amqps or kafka
	Hosts    []string
	Path     string // before the topic, without slashes around it
	Topic    string
	Type     string // only types that begin so
	Personal bool   // leave the personal data in the events
	FromHead bool   // begin with what happens from now on

	user        *url.Userinfo
	tls         *tls.Config // nil for none
	credentials string      // file of a user of NATS
	mechanism   string      // of SASL
	maxLength   int64       // of a stream in Redis; 0 for no limit
}

// scheme is how one kind of brokers is published to.
type scheme struct {
	kind    string // the default of the name
	port    string
	several bool            // hosts
	topics  *regexp.Regexp  // the names that topics may have
	path    *regexp.Regexp  // what may stand before them; nil for nothing
	options map[string]bool // besides those that all have
	dial    func(Target) (message.Publisher, func(relay.Event) string, error)
	cause   func(error) string // empty for what is not the broker's word
}

var schemes = func() map[string]scheme {
	dots := regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	colons := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.:-]*$`)
	of := func(names ...string) map[string]bool {
		all := map[string]bool{"name": true, "type": true, "personal": true, "from": true, "ca-file": true}
		for _, n := range names {
			all[n] = true
		}
		return all
	}
	redis := scheme{kind: "redis", port: "6379", topics: colons, path: regexp.MustCompile(`^[0-9]{0,4}$`), options: of("max-length"), dial: dialRedis, cause: redisCause}
	amqp := scheme{kind: "amqp", port: "5672", topics: colons, path: regexp.MustCompile(`^.{0,255}$`), options: of(), dial: dialAMQP, cause: amqpCause}
	amqps := amqp
	amqps.port = "5671"
	return map[string]scheme{
		"nats":  {kind: "nats", port: "4222", several: true, topics: dots, options: of("tls", "credentials-file"), dial: dialNATS, cause: natsCause},
		"redis": redis, "rediss": redis,
		"amqp": amqp, "amqps": amqps,
		"kafka": {kind: "kafka", port: "9092", several: true, topics: dots, options: of("tls", "sasl"), dial: dialKafka, cause: kafkaCause},
	}
}()

var names = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

// Limits.
const (
	maxTopic     = 200
	connectLimit = 5 * time.Second
	answerLimit  = 10 * time.Second
)

// Parse reads a target. Its error says what to do, and holds no password.
func Parse(text string) (Target, error) {
	head, rest, found := strings.Cut(text, "://")
	s, known := schemes[head]
	if !found || !known {
		return Target{}, errors.New("begin with nats://, redis://, rediss://, amqp://, amqps:// or kafka://")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, rest := rest[:end], rest[end:]
	at := strings.LastIndex(authority, "@") + 1
	u, err := url.Parse(head + "://" + authority[:at] + "host" + rest)
	if err != nil || u.Fragment != "" {
		return Target{}, errors.New("write it as scheme://user:password@host:port/topic, with %-escapes in user and password")
	}
	t := Target{Scheme: head, Name: s.kind, user: u.User}
	if t.Hosts, err = s.hosts(authority[at:]); err != nil {
		return Target{}, err
	}
	path, err := url.PathUnescape(strings.TrimPrefix(u.EscapedPath(), "/"))
	if err != nil {
		return Target{}, errors.New("write the path with %-escapes")
	}
	if i := strings.LastIndex(path, "/"); i >= 0 {
		t.Path, path = path[:i], path[i+1:]
	}
	if t.Topic = path; len(path) > maxTopic || !s.topics.MatchString(path) {
		return Target{}, fmt.Errorf("name the topic in the last part of the path, as in %s://host/tenure: letters, digits, - and _, and dots between them", head)
	}
	if t.Path != "" && (s.path == nil || !s.path.MatchString(t.Path)) {
		return Target{}, errors.New("leave out what stands before the topic in the path")
	}
	return t, t.read(s, u.Query())
}

// hosts splits a list of hosts, and gives each a port.
func (s scheme) hosts(list string) ([]string, error) {
	all := strings.Split(list, ",")
	if len(all) > 1 && !s.several {
		return nil, errors.New("name one host")
	}
	for i, h := range all {
		if host, port, err := net.SplitHostPort(h); err == nil {
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
				return nil, errors.New("name the hosts as host:port")
			}
			continue
		}
		host := strings.TrimSuffix(strings.TrimPrefix(h, "["), "]")
		if host == "" || strings.ContainsAny(host, " []") || strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return nil, errors.New("name the hosts as host:port")
		}
		all[i] = net.JoinHostPort(host, s.port)
	}
	return all, nil
}

// read reads the options.
func (t *Target) read(s scheme, options url.Values) error {
	for name, values := range options {
		if !s.options[name] {
			return fmt.Errorf("leave out %q; the options of %s are %s", name, t.Scheme, strings.Join(sorted(s.options), ", "))
		}
		if len(values) > 1 {
			return fmt.Errorf("give %s once", name)
		}
	}
	if name := options.Get("name"); name != "" {
		t.Name = name
	}
	if !names.MatchString(t.Name) {
		return errors.New("give name= a lower-case letter and up to 39 letters, digits and -")
	}
	t.Type, t.credentials = options.Get("type"), options.Get("credentials-file")
	if err := t.checkCredentials(); err != nil {
		return err
	}
	var secure bool
	for name, to := range map[string]*bool{"personal": &t.Personal, "tls": &secure} {
		if v := options.Get(name); v != "" && v != "true" && v != "false" {
			return fmt.Errorf("give %s= true or false", name)
		} else if v == "true" {
			*to = true
		}
	}
	switch from := options.Get("from"); from {
	case "", "start":
	case "head":
		t.FromHead = true
	default:
		return errors.New("give from= start or head")
	}
	if n := options.Get("max-length"); n != "" {
		var err error
		if t.maxLength, err = strconv.ParseInt(n, 10, 64); err != nil || t.maxLength < 1 {
			return errors.New("give max-length= a number of events")
		}
	}
	if t.mechanism = options.Get("sasl"); t.mechanism == "" && t.user != nil {
		t.mechanism = "plain"
	}
	if _, ok := mechanisms[t.mechanism]; t.Scheme == "kafka" && t.mechanism != "" && (!ok || t.password() == "") {
		return errors.New("give user and password, and sasl= plain, scram-sha-256 or scram-sha-512")
	}
	return t.secure(secure || t.Scheme == "rediss" || t.Scheme == "amqps", options.Get("ca-file"))
}

// checkCredentials looks into the file of a user of NATS: the client does so at
// every connection, and would fail at each.
func (t *Target) checkCredentials() error {
	if t.credentials == "" {
		return nil
	}
	if t.user != nil {
		return errors.New("give either a user or credentials-file")
	}
	text, err := os.ReadFile(t.credentials)
	if err != nil {
		return fmt.Errorf("credentials-file: %w", err)
	}
	defer clear(text)
	if token, err := nkeys.ParseDecoratedJWT(text); err != nil || strings.Count(token, ".") != 2 {
		return errors.New("credentials-file: it holds no JWT of a user")
	}
	key, err := nkeys.ParseDecoratedUserNKey(text)
	if err != nil {
		return errors.New("credentials-file: it holds no key of a user")
	}
	key.Wipe()
	return nil
}

// secure has the connection encrypted.
func (t *Target) secure(wanted bool, authorities string) error {
	if !wanted {
		if authorities != "" {
			return errors.New("ca-file is for connections with TLS")
		}
		return nil
	}
	t.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	if authorities == "" {
		return nil
	}
	text, err := os.ReadFile(authorities)
	if err != nil {
		return fmt.Errorf("ca-file: %w", err)
	}
	t.tls.RootCAs = x509.NewCertPool()
	if !t.tls.RootCAs.AppendCertsFromPEM(text) {
		return errors.New("ca-file: it holds no certificate in PEM form")
	}
	return nil
}

// Address is where the broker and the topic are, without user and password.
func (t Target) Address() string {
	path := t.Topic
	if t.Path != "" {
		path = t.Path + "/" + path
	}
	return t.Scheme + "://" + strings.Join(t.Hosts, ",") + "/" + path
}

// Masked is a target as it was written, right or wrong, without a password: also
// one with characters in it that should have been escaped.
func Masked(text string) string {
	start := strings.Index(text, "://")
	if start < 0 {
		start = -len("://")
	}
	rest := text[start+len("://"):]
	part := func(ends string) string {
		if end := strings.IndexAny(rest, ends); end >= 0 {
			return rest[:end]
		}
		return rest
	}
	at := strings.LastIndex(part("?#"), "@")
	_, port, found := strings.Cut(part("/?#"), ":")
	if at < 0 && (found && strings.Trim(port, "0123456789") != "" || !strings.Contains(part("?#"), "/")) {
		at = strings.LastIndex(rest, "@") // what looks like a port, or options before any topic, is of a password
	}
	if at < 0 {
		return text
	}
	user, _, hasPassword := strings.Cut(rest[:at], ":")
	switch {
	case hasPassword:
		user += ":xxxxx"
	case strings.HasPrefix(text, "nats:"): // whose servers take it for a token
		user = "xxxxx"
	}
	return text[:start+len("://")] + user + rest[at:]
}

// password is empty where there is none.
func (t Target) password() string {
	password, _ := t.user.Password()
	return password
}

// secret is the password, or the token of NATS, which stands where a user would.
func (t Target) secret() string {
	if _, both := t.user.Password(); t.Scheme == "nats" && !both {
		return t.user.Username()
	}
	return t.password()
}

// withoutPassword is an error that does not show the password, should a client
// have written it into the text.
func (t Target) withoutPassword(err error) error {
	for _, secret := range []string{t.secret(), url.QueryEscape(t.secret())} {
		if secret != "" && strings.Contains(err.Error(), secret) {
			return errors.New(strings.ReplaceAll(err.Error(), secret, "xxxxx"))
		}
	}
	return err
}

// isNetwork tells that a broker is away, or does not answer in time.
func isNetwork(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded)
}

func sorted(set map[string]bool) []string {
	all := make([]string, 0, len(set))
	for name := range set {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
