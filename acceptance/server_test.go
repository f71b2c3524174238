package acceptance

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// server is a running program with a folder of its own.
type server struct {
	stores  *stores
	program string
	data    string
	flags   []string
	env     []string
	mailbox mailbox
	http    *http.Client

	ownRedis bool
	through  *deployment // of which this server stands for all nodes
	expected []string    // codes of 500 and above that are no failures here

	url      atomic.Pointer[string]
	key      atomic.Pointer[string] // the first operator's
	position atomic.Uint64          // the latest that any answer named
	failures atomic.Int64           // answers with 500 and above, but for those that say "later"
	failed   atomic.Pointer[string]
	issued   secretList

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	began  int // of what the program has said when it was started last
	stderr logBuffer
	stdout logBuffer
}

// option changes how a server is started.
type option func(*server)

func withFlags(flags ...string) option {
	return func(s *server) { s.flags = append(s.flags, flags...) }
}
func withEnv(env ...string) option   { return func(s *server) { s.env = append(s.env, env...) } }
func withProgram(path string) option { return func(s *server) { s.program = path } }

// withStores has the server use those of another one.
func withStores(x *stores) option { return func(s *server) { s.stores = x } }

// expecting says which answers of 500 and above are none of the server's fault.
func expecting(codes ...string) option {
	return func(s *server) { s.expected = append(s.expected, codes...) }
}

// withOwnRedis is for tests that stop Redis, or fill it.
func withOwnRedis() option { return func(s *server) { s.ownRedis = true } }

// start starts a server that ends with the test. Its clock and its death can be
// controlled; see shiftClock, stopClock and killAt.
func (b backend) start(t *testing.T, options ...option) *server {
	t.Helper()
	s := b.prepare(t, options...)
	s.run(t)
	return s
}

// prepare makes a server that is not started yet.
func (b backend) prepare(t *testing.T, options ...option) *server {
	t.Helper()
	folder := t.TempDir()
	s := &server{data: filepath.Join(folder, "data"), http: newHTTPClient()}
	s.flags = []string{"--listen", "127.0.0.1:0", "--data", s.data, "--password-memory", "64", "--password-iterations", "1", "--log-level", "debug"}
	s.env = append(os.Environ(), "TENURE_TEST_CLOCK="+filepath.Join(folder, "clock"), "TENURE_TEST_KILL="+filepath.Join(folder, "kill"))
	s.flags = append(s.flags, "--rate-limits", "off", "--ledger-interval", "100ms")
	for _, o := range options {
		o(s)
	}
	if s.stores == nil {
		s.stores = b.newStores(t, folder, s.ownRedis)
	}
	s.flags = append(s.flags, s.stores.flags()...)
	if s.program == "" {
		s.program = programs.hooks.binary(t)
	}
	if s.mailbox == nil {
		s.mailbox = &outbox{server: s, read: make(map[string]mail)}
	}
	t.Cleanup(func() { s.end(t) })
	return s
}

// run starts the program and waits until it is ready.
func (s *server) run(t *testing.T) {
	t.Helper()
	if err := s.launch(); err != nil {
		t.Fatalf("starting the server: %v\n%s", err, s.stderr.tail())
	}
	eventually(t, "the server is ready", func() bool {
		r := s.anonymous().get("/readyz")
		return r.status == http.StatusOK && s.key.Load() != nil
	})
}

// launch starts the program and waits until it listens.
func (s *server) launch() error {
	listening, exited, err := s.spawn()
	if err != nil {
		return err
	}
	select {
	case <-listening:
		return nil
	case <-exited:
		return errors.New("it has exited")
	case <-time.After(60 * time.Second):
		return errors.New("it does not listen")
	}
}

func (s *server) spawn() (listening, exited chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cmd := exec.Command(s.program, append([]string{"serve"}, s.flags...)...)
	s.began = len(s.stderr.bytes())
	cmd.Env = s.env
	cmd.Stderr = &s.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	s.cmd = cmd
	guard.watch(cmd.Process.Pid)
	listening, exited = make(chan struct{}), make(chan struct{})
	s.exited = exited
	read := make(chan struct{})
	go s.readStdout(out, listening, read)
	go func() {
		<-read
		cmd.Wait()
		guard.forget(cmd.Process.Pid)
		close(exited)
	}()
	return listening, exited, nil
}

// readStdout picks the address and the first operator's key from what the
// program says.
func (s *server) readStdout(out io.Reader, listening, read chan struct{}) {
	defer close(read)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		s.stdout.Write([]byte(line + "\n"))
		if url, ok := strings.CutPrefix(line, "listening on "); ok {
			s.url.Store(&url)
			close(listening)
		}
		if key, ok := strings.CutPrefix(line, "operator key: "); ok {
			s.key.Store(&key) // the first start alone says it
			s.issued.add(key)
		}
	}
}

// stop ends the program in good order.
func (s *server) stop(t *testing.T) {
	t.Helper()
	s.signal(syscall.SIGTERM)
	s.waitExit(t)
}

// kill ends the program at once.
func (s *server) kill(t *testing.T) {
	t.Helper()
	s.signal(syscall.SIGKILL)
	s.waitExit(t)
}

func (s *server) restart(t *testing.T) {
	t.Helper()
	s.stop(t)
	s.run(t)
}

// rebuild starts over with views that are made from the log.
func (s *server) rebuild(t *testing.T) {
	t.Helper()
	s.stop(t)
	s.stores.forgetViews(t)
	s.run(t)
}

func (s *server) signal(sig syscall.Signal) { s.signalled(sig) }

// signalled fails while the program has not been started.
func (s *server) signalled(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil || s.cmd.Process == nil {
		return errors.New("not started")
	}
	return s.cmd.Process.Signal(sig)
}

func (s *server) waitExit(t *testing.T) {
	t.Helper()
	select {
	case <-s.exited:
	case <-time.After(30 * time.Second):
		t.Fatalf("the server does not end\n%s", s.stderr.tail())
	}
}

// shiftClock moves the server's clock to d after the true time.
func (s *server) shiftClock(t *testing.T, d time.Duration) {
	t.Helper()
	if err := os.WriteFile(s.hook("clock"), []byte(d.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(60 * time.Millisecond) // the server looks at the file every 20 ms
}

// stopClock has the server's clock stand still at a time.
func (s *server) stopClock(t *testing.T, at time.Time) {
	t.Helper()
	if err := os.WriteFile(s.hook("clock"), []byte(at.Format(time.RFC3339Nano)), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(60 * time.Millisecond) // the server looks at the file every 20 ms
}

// setClock moves the server's clock to a time.
func (s *server) setClock(t *testing.T, at time.Time) {
	t.Helper()
	s.shiftClock(t, time.Until(at))
}

// killAt has the program kill itself when it gets to the step.
func (s *server) killAt(t *testing.T, step string) {
	t.Helper()
	if err := os.WriteFile(s.hook("kill"), []byte(step), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *server) hook(name string) string { return filepath.Join(filepath.Dir(s.data), name) }

// end stops what is left and looks at what the program said in its life.
func (s *server) end(t *testing.T) {
	if s.cmd != nil {
		s.signal(syscall.SIGTERM)
		select {
		case <-s.exited:
		case <-time.After(20 * time.Second):
			s.signal(syscall.SIGKILL)
			t.Error("the server did not end on SIGTERM")
		}
	}
	for _, bad := range []string{"DATA RACE", "panic:", "fatal error:"} {
		if s.stderr.contains(bad) {
			t.Errorf("the server says %q\n%s", bad, s.stderr.around(bad))
		}
	}
	if n := s.failures.Load(); n > 0 {
		t.Errorf("the server answered %d times with 5xx, such as %s", n, *s.failed.Load())
	}
	if t.Failed() {
		t.Logf("the server's last words:\n%s", s.stderr.tail())
	}
}

// logBuffer keeps what a program writes.
type logBuffer struct {
	mu   sync.Mutex
	text []byte
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *logBuffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.text)
}

func (b *logBuffer) contains(text string) bool { return bytes.Contains(b.bytes(), []byte(text)) }

func (b *logBuffer) lines() []string {
	return strings.Split(strings.TrimRight(string(b.bytes()), "\n"), "\n")
}

func (b *logBuffer) tail() string {
	lines := b.lines()
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}

func (b *logBuffer) around(text string) string {
	all := string(b.bytes())
	at := strings.Index(all, text)
	return all[max(0, at-500):min(len(all), at+4000)]
}
