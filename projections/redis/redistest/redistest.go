// Package redistest starts real Redis servers for tests: one alone, a cluster
// of three, a master with a replica and a Sentinel. They listen on loopback,
// keep their files in a folder of the caller's, and end with the test's process.
//
// A test package starts what it shares in TestMain and stops it there.
package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// patience is how long a server may take to answer, or a cluster to agree.
const patience = 30 * time.Second

// Server is one redis-server process.
type Server struct {
	port    int
	folder  string
	args    []string
	process *os.Process
	ended   chan struct{} // closed when the process is gone
	guard   io.Closer
}

// Start starts a server that appends what is written to a file in the folder,
// each second. Further arguments are those of redis-server's command line.
func Start(folder string, args ...string) (*Server, error) {
	return startOne(folder, append([]string{"--appendonly", "yes", "--appendfsync", "everysec", "--save", ""}, args...)...)
}

// Addr is the server's host and port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is where clients find the server.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Client is a plain connection to the server; close it.
func (s *Server) Client() *goredis.Client {
	return goredis.NewClient(&goredis.Options{Addr: s.Addr(), MaxRetries: -1, DialerRetries: 1})
}

// Flush empties the server and makes it forget its scripts.
func (s *Server) Flush(ctx context.Context) error {
	client := s.Client()
	defer client.Close()
	return errors.Join(client.FlushAll(ctx).Err(), client.ScriptFlush(ctx).Err())
}

// Pause stops the process where it is: it accepts connections and does not answer.
func (s *Server) Pause() error { return s.process.Signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() error { return s.process.Signal(syscall.SIGCONT) }

// Kill ends the process at once.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

// Stop ends the server in order.
func (s *Server) Stop() error { return s.end(syscall.SIGTERM) }

// Restart starts a killed or stopped server again, on the same port with the
// same files.
func (s *Server) Restart() error { return s.start() }

// Empty removes the files of a killed or stopped server.
func (s *Server) Empty() error {
	entries, err := os.ReadDir(s.folder)
	for _, e := range entries {
		if e.Name() != "nodes.conf" { // what a node knows of its cluster
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.folder, e.Name())))
		}
	}
	return err
}

func startOne(folder string, args ...string) (*Server, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, errors.New("redistest: no redis-server in PATH: `make tools` installs it, or apt-get install redis-server")
	}
	// The port is free when it is chosen, and may not be a moment later.
	var failures error
	for range 5 {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		s := &Server{port: port, folder: filepath.Join(folder, strconv.Itoa(port)), args: args}
		if err = os.MkdirAll(s.folder, 0o700); err == nil {
			err = s.start()
		}
		if err == nil {
			return s, nil
		}
		failures = errors.Join(failures, err)
	}
	return nil, failures
}

func (s *Server) start() error {
	var output bytes.Buffer
	command := exec.Command("redis-server", append(s.args[:len(s.args):len(s.args)],
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.folder, "--daemonize", "no")...)
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		return err
	}
	s.process, s.ended = command.Process, make(chan struct{})
	go func() {
		defer close(s.ended)
		_ = command.Wait() // how it ended is in the output
	}()
	guard, err := guardProcess(s.process.Pid)
	if err != nil {
		return errors.Join(err, s.process.Kill())
	}
	s.guard = guard
	client := s.Client()
	defer client.Close()
	err = await(func(ctx context.Context) error {
		select {
		case <-s.ended:
			return fatal{fmt.Errorf("redistest: redis-server ended\n%s", output.String())}
		default:
			return client.Ping(ctx).Err()
		}
	})
	if err != nil {
		return errors.Join(err, s.Kill())
	}
	return nil
}

func (s *Server) end(signal syscall.Signal) error {
	if s.guard == nil {
		return nil // it has ended
	}
	for _, each := range []syscall.Signal{signal, syscall.SIGCONT} { // the second in case it is paused
		if err := s.process.Signal(each); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
	}
	select {
	case <-s.ended:
		guard := s.guard
		s.guard = nil
		return guard.Close()
	case <-time.After(patience):
		return fmt.Errorf("redistest: redis-server has not ended after %v", patience)
	}
}

// guardProcess kills the process once ours is gone, however it ends: the pipe
// breaks then.
func guardProcess(pid int) (io.Closer, error) {
	guard := exec.Command("sh", "-c", `read line || kill -9 "$0"`, strconv.Itoa(pid))
	in, err := guard.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := guard.Start(); err != nil {
		return nil, err
	}
	return closeFunc(func() error {
		_, err := io.WriteString(in, "\n") // the process is gone: its number may be another's
		return errors.Join(err, guard.Wait())
	}), nil
}

type closeFunc func() error

func (f closeFunc) Close() error { return f() }

func freePort() (int, error) {
	// A cluster node also takes the port 10,000 above.
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return 0, err
		}
		if port < 55_000 {
			return port, nil
		}
	}
}

// fatal is an error that waiting does not mend.
type fatal struct{ error }

func (f fatal) Unwrap() error { return f.error }

// await tries until it works.
func await(try func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil || errors.As(err, new(fatal)) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("redistest: waited %v: %w", patience, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
