package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"tenure/ledger"
	"tenure/mail"
	"tenure/oidc"
	"tenure/relay/broker"
)

// settings are those of the server. Each is a flag and an environment variable:
// --smtp-host is TENURE_SMTP_HOST.
type settings struct {
	Listen      string `help:"Address and port to listen on." default:"127.0.0.1:8080"`
	Data        string `help:"Folder for the log, the views, the outbox and the secret. Created with mode 0700." default:"./data" type:"path"`
	Log         string `help:"Where events are kept: sqlite, which is log.db in the data folder, or an EventStoreDB such as esdb://host:2113." default:"sqlite" secret:"url"`
	Views       string `help:"Where lists are kept: sqlite, which is views.db in the data folder, or a Redis such as redis://host:6379/0. Several nodes need one." default:"sqlite" secret:"url"`
	ViewsPrefix string `help:"What all keys in Redis begin with, when several deployments share one." default:"tenure:"`
	keySettings
	SecretFile string `help:"File with the secret of the deployment, the same for all nodes. Default: secret.key in the data folder, made with a new log." type:"path"`
	Node       string `help:"Name of this node in leases and logs. Default: host name and process id."`
	PublicURL  string `help:"Where people reach the server; links in mails begin with it. Default: http:// and the listen address." name:"public-url"`

	SessionLifetime    time.Duration `help:"How long a sign-in lasts." default:"12h"`
	PasswordMemory     uint32        `help:"Memory that hashing one password takes, in KiB (argon2id m)." default:"19456"`
	PasswordIterations uint32        `help:"Passes over that memory (argon2id t)." default:"2"`

	MailFrom      string `help:"Sender of all mails; the name is what they call the product." default:"Tenure <no-reply@tenure.example>"`
	MailTemplates string `help:"Folder with mail templates that replace the built-in ones of the same name." type:"path"`
	SMTPHost      string `help:"Mail server. Without one, mails land in the outbox, which operators read at /outbox." name:"smtp-host"`
	SMTPPort      int    `help:"Its port. Default: 587 for starttls, 465 for tls, 25 for none." name:"smtp-port"`
	SMTPTLS       string `help:"How the connection is encrypted: starttls, tls or none." name:"smtp-tls" default:"starttls" enum:"starttls,tls,none"`
	SMTPUsername  string `help:"User at the mail server; empty for no authentication." name:"smtp-username"`
	SMTPPassword  string `help:"Password at the mail server. Prefer the environment variable or --smtp-password-file." name:"smtp-password" secret:"true"`
	SMTPPassFile  string `help:"File that holds the password at the mail server." name:"smtp-password-file" type:"path"`
	SMTPCAFile    string `help:"PEM file of the authorities to trust instead of the system's." name:"smtp-ca-file" type:"path"`

	OIDCFile string `help:"YAML file of the OpenID providers that people may sign in with: Google, Microsoft or any other." name:"oidc-file" type:"path"`

	Founding        []string      `help:"Policies under which accounts may found organizations, built in or published; the first is meant where a client names none. Empty: under every one, and ownership is meant."`
	Onboarding      string        `help:"Policy by which whoever signs in is onboarded: gets a personal space, founds the organization of their e-mail domain or asks to join it. Empty: nobody is."`
	LedgerInterval  time.Duration `help:"How long to wait, at least, between signed checkpoints of the log while new events come. Each is an event of some 600 bytes." default:"10s"`
	LedgerWitness   []string      `help:"Verifier keys of the witnesses whose cosignatures of checkpoints are taken, as witnesses publish them: name+hash+key."`
	WebhooksPrivate bool          `help:"Deliver webhooks also to addresses that are not of the public internet, and without TLS. For receivers in the same network, and for trials."`

	OrganizationWebhooksPrivate bool     `help:"The same for the webhooks that organizations register: their administrators choose what this server connects to."`
	Publish                     []string `help:"Message brokers that the event feed is published to, such as nats://host:4222/tenure; also redis, rediss, amqp, amqps and kafka. Several with spaces between, or the flag several times. Personal data is left out unless the address ends in ?personal=true. See pipelines.md." sep:" " secret:"url"`

	RateLimits     string        `help:"Throttle sign-in, sign-up and links by address and e-mail: on or off. Off is for load tests." default:"on" enum:"on,off"`
	TrustedProxies []string      `help:"Addresses or networks of proxies whose X-Forwarded-For is believed."`
	CORSOrigins    []string      `help:"Origins whose pages may call the API from a browser." name:"cors-origins"`
	ReadWait       time.Duration `help:"How long a read waits for Tenure-Min-Position before it answers view_behind." default:"5s"`
	OpenMetrics    bool          `help:"Serve /metrics without an operator's key."`

	CachedEvents int    `help:"Events that the aggregate cache may hold folded, for each kind of aggregate." default:"1000000"`
	HistoryCache int    `help:"Memory for organizations as they were (as_of), in MiB." default:"128"`
	MaxLag       uint64 `help:"Positions that a consumer may be behind the log before /readyz says no: events, or bytes of an EventStoreDB. Default: 20000, or 20000000."`

	ProfileListen string `help:"Address for Go's profiles (/debug/pprof/). Keep it private. Empty: none."`

	LogLevel     slog.Level `help:"Least level that is logged: debug, info, warn or error." default:"info"`
	LogFormat    string     `help:"Form of the log on standard error: json or text." default:"json" enum:"json,text"`
	OTLPEndpoint string     `help:"OpenTelemetry collector for traces over HTTP, for example http://localhost:4318. Empty: no traces." name:"otlp-endpoint"`
	TraceSample  float64    `help:"Share of requests that are traced, 0 to 1." default:"1"`

	providers []oidc.Config     // those in OIDCFile
	witnesses []*ledger.Witness // those in LedgerWitness
	brokers   []broker.Target   // those in Publish
}

// check refuses what cannot work, and fills in what follows from the rest. The
// error names the setting.
func (s *settings) check() error {
	if _, port, err := net.SplitHostPort(s.Listen); err != nil || port == "" {
		return bad("listen", s.Listen, "give an address and a port, such as 127.0.0.1:8080")
	}
	if host, _, _ := net.SplitHostPort(s.Listen); s.PublicURL == "" && (host == "" || net.ParseIP(host).IsUnspecified()) {
		return bad("public-url", "", "say where people reach the server, since it listens on every address; links in mails begin with it")
	}
	if u, err := url.Parse(s.OTLPEndpoint); s.OTLPEndpoint != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "") {
		return bad("otlp-endpoint", s.OTLPEndpoint, "give an address such as http://localhost:4318")
	}
	if info, err := os.Stat(s.MailTemplates); s.MailTemplates != "" && (err != nil || !info.IsDir()) {
		return bad("mail-templates", s.MailTemplates, "name a folder that is there")
	}
	if s.PublicURL != "" {
		u, err := url.Parse(s.PublicURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return bad("public-url", s.PublicURL, "give an address such as https://members.example.com")
		}
		s.PublicURL = strings.TrimRight(s.PublicURL, "/")
	}
	if _, port, err := net.SplitHostPort(s.ProfileListen); s.ProfileListen != "" && (err != nil || port == "") {
		return bad("profile-listen", s.ProfileListen, "give an address and a port, such as 127.0.0.1:6060")
	}
	if s.Log != embedded && s.SecretFile == "" {
		return bad("secret-file", "", "the log may be shared by several nodes: make a secret with tenure secret, and give each of them the same file")
	}
	if err := s.checkKeys(s.Log); err != nil {
		return err
	}
	if s.MaxLag == 0 {
		s.MaxLag = 20_000
		if s.Log != embedded {
			s.MaxLag = 20_000_000
		}
	}
	if s.Node == "" {
		host, err := os.Hostname()
		s.Node = fmt.Sprintf("%s-%d", cmp.Or(host, "node"), os.Getpid())
		if err != nil {
			return bad("node", "", "name this node: the host has no name")
		}
	}
	switch {
	case !visible(s.Node):
		return bad("node", s.Node, "give 1 to 100 visible ASCII characters")
	case !visible(s.ViewsPrefix) || strings.ContainsAny(s.ViewsPrefix, "{}"):
		return bad("views-prefix", s.ViewsPrefix, "give 1 to 100 visible ASCII characters, and no braces")
	case s.Log != embedded && !strings.Contains(s.Log, "://"):
		return bad("log", s.Log, "give sqlite, or an address such as esdb://host:2113")
	case s.Views != embedded && !strings.Contains(s.Views, "://"):
		return bad("views", s.Views, "give sqlite, or an address such as redis://host:6379/0")
	case s.SessionLifetime < time.Minute || s.SessionLifetime > 90*24*time.Hour:
		return bad("session-lifetime", s.SessionLifetime, "give a time from 1m to 2160h")
	case s.PasswordMemory < 8 || s.PasswordMemory > 4<<20:
		return bad("password-memory", s.PasswordMemory, "give 8 to 4194304 KiB")
	case s.PasswordIterations < 1 || s.PasswordIterations > 100:
		return bad("password-iterations", s.PasswordIterations, "give 1 to 100")
	case s.ReadWait <= 0 || s.ReadWait > 30*time.Second:
		return bad("read-wait", s.ReadWait, "give a time up to 30s")
	case s.LedgerInterval < 10*time.Millisecond || s.LedgerInterval > 24*time.Hour:
		return bad("ledger-interval", s.LedgerInterval, "give a time from 10ms to 24h")
	case s.CachedEvents < 1000:
		return bad("cached-events", s.CachedEvents, "give at least 1000")
	case s.HistoryCache < 1 || s.HistoryCache > 1<<16:
		return bad("history-cache", s.HistoryCache, "give 1 to 65536 MiB")
	case s.SMTPUsername != "" && s.SMTPPassword == "" && s.SMTPPassFile == "":
		return bad("smtp-password", "", "give the password of smtp-username, or the file that holds it")
	case !(s.TraceSample >= 0 && s.TraceSample <= 1):
		return bad("trace-sample", s.TraceSample, "give a number from 0 to 1")
	case s.SMTPPassword != "" && s.SMTPPassFile != "":
		return bad("smtp-password-file", s.SMTPPassFile, "give the password or the file, not both")
	case s.SMTPHost == "" && (s.SMTPUsername != "" || s.SMTPPort != 0 || s.SMTPPassword != "" || s.SMTPPassFile != "" || s.SMTPCAFile != ""):
		return bad("smtp-host", "", "name the mail server, or leave the other smtp settings out")
	}
	if _, err := s.proxies(); err != nil {
		return err
	}
	for _, origin := range s.CORSOrigins {
		if u, err := url.Parse(origin); err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" {
			return bad("cors-origins", origin, "give an origin such as https://app.example.com")
		}
	}
	return errors.Join(s.readPassword(), s.readProviders(), s.readWitnesses(), s.readBrokers())
}

func (s *settings) readProviders() (err error) {
	if s.OIDCFile == "" {
		return nil
	}
	if s.providers, err = oidc.Load(s.OIDCFile); err != nil {
		err = fmt.Errorf("setting oidc-file: %s: %w", s.OIDCFile, err)
	}
	return err
}

func (s *settings) readWitnesses() error {
	s.witnesses = nil
	for _, text := range s.LedgerWitness {
		w, err := ledger.ParseWitness(text)
		if err != nil {
			return bad("ledger-witness", text, "give a key as the witness publishes it: name+hash+key")
		}
		if slices.ContainsFunc(s.witnesses, func(other *ledger.Witness) bool { return other.Name() == w.Name() }) {
			return bad("ledger-witness", text, "give each witness once: names tell them apart")
		}
		s.witnesses = append(s.witnesses, w)
	}
	return nil
}

func (s *settings) readBrokers() error {
	s.brokers = nil
	for _, text := range s.Publish {
		t, err := broker.Parse(text)
		if err != nil {
			return bad("publish", broker.Masked(text), err.Error())
		}
		if slices.ContainsFunc(s.brokers, func(other broker.Target) bool { return other.Name == t.Name }) {
			return bad("publish", broker.Masked(text), "there is another broker called "+t.Name+": tell them apart with ?name=")
		}
		s.brokers = append(s.brokers, t)
	}
	return nil
}

func (s *settings) readPassword() error {
	if s.SMTPPassFile == "" {
		return nil
	}
	text, err := os.ReadFile(s.SMTPPassFile)
	if err != nil {
		return fmt.Errorf("setting smtp-password-file: %w", err)
	}
	s.SMTPPassword = strings.TrimRight(string(text), "\r\n")
	return nil
}

// smtp is the mail server's configuration; ok is false where there is none.
func (s *settings) smtp() (c mail.Config, ok bool) {
	return mail.Config{
		Host: s.SMTPHost, Port: s.SMTPPort, Username: s.SMTPUsername, Password: s.SMTPPassword, TLS: s.SMTPTLS, CAFile: s.SMTPCAFile,
	}, s.SMTPHost != ""
}

// proxies are the networks of the trusted proxies; an address is a network of one.
func (s *settings) proxies() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range s.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if address, err2 := netip.ParseAddr(text); err2 == nil {
			prefix, err = address.Prefix(address.BitLen())
		}
		if err != nil {
			return nil, bad("trusted-proxies", text, "give an address or a network such as 10.0.0.0/8")
		}
		all = append(all, prefix)
	}
	return all, nil
}

// embedded is the log or the views in the data folder.
const embedded = "sqlite"

// secretFile is where the secret is.
func (s *settings) secretFile() string { return cmp.Or(s.SecretFile, s.file("secret.key")) }

// instance names this process where no other may be taken for it. The log in the
// data folder has one process at a time, so there the next one is the same.
func (s *settings) instance() string {
	if s.Log == embedded {
		return "local"
	}
	return s.Node + " " + rand.Text()
}

func (s *settings) file(name string) string { return filepath.Join(s.Data, name) }

// hashers is how many passwords are hashed at once.
func (s *settings) hashers() int { return max(2, runtime.GOMAXPROCS(0)) }

func (s *settings) publicURL(address net.Addr) string {
	return cmp.Or(s.PublicURL, "http://"+address.String())
}

// visible reports whether a text is 1 to 100 visible ASCII characters.
func visible(text string) bool {
	return text != "" && len(text) <= 100 && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

func bad(name string, value any, advice string) error {
	return fmt.Errorf("setting %s (environment TENURE_%s) is %q: %s", name, strings.ToUpper(strings.ReplaceAll(name, "-", "_")), fmt.Sprint(value), advice)
}
