package acceptance

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program that serves the ones under test.
type process struct {
	cmd    *exec.Cmd
	said   logBuffer
	exited chan struct{}
}

// startProcess starts a program and waits until it says a line that begins with
// ready, and answers with what comes after it.
func startProcess(ready string, name string, args ...string) (p *process, rest string, err error) {
	p = &process{cmd: exec.Command(name, args...), exited: make(chan struct{})}
	p.cmd.Stderr = &p.said
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, "", err
	}
	guard.watch(p.cmd.Process.Pid)
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			p.said.Write([]byte(lines.Text() + "\n"))
			if _, rest, ok := strings.Cut(lines.Text(), ready); ok {
				select {
				case found <- rest:
				default:
				}
			}
		}
		p.cmd.Wait()
		guard.forget(p.cmd.Process.Pid)
		close(p.exited)
	}()
	select {
	case rest = <-found:
		return p, rest, nil
	case <-p.exited:
		return nil, "", fmt.Errorf("%s has ended:\n%s", name, p.said.tail())
	case <-time.After(patience):
		return nil, "", errors.Join(fmt.Errorf("%s does not get ready:\n%s", name, p.said.tail()), p.end(syscall.SIGKILL))
	}
}

func (p *process) signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

// end ends the program, also one that is stopped.
func (p *process) end(sig syscall.Signal) error {
	for _, each := range []syscall.Signal{sig, syscall.SIGCONT} {
		if err := p.signal(each); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(patience):
		return errors.New("the process does not end")
	}
}

// guard ends all programs that the tests have started when the tests end,
// however they do: it is a program of its own, and the pipe to it breaks.
var guard guardProcess

type guardProcess struct {
	mu sync.Mutex
	in io.Writer
}

func (g *guardProcess) start() error {
	script := `trap '' INT TERM; declare -A all
while read -r what pid; do if [ "$what" = watch ]; then all[$pid]=1; else unset "all[$pid]"; fi; done
[ ${#all[@]} = 0 ] || kill -9 "${!all[@]}"`
	cmd := exec.Command("bash", "-c", script)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	g.in = in
	return cmd.Start()
}

func (g *guardProcess) watch(pid int)  { g.tell("watch", pid) }
func (g *guardProcess) forget(pid int) { g.tell("forget", pid) }

func (g *guardProcess) tell(what string, pid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fmt.Fprintln(g.in, what, pid)
}
