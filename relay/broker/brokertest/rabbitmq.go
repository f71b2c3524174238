package brokertest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// RabbitMQServer is a RabbitMQ node with a name, ports and folders of its own,
// and with a port mapper of its own, since Erlang's would outlive it.
type RabbitMQServer struct {
	t        testing.TB
	proxy    *proxy
	topic    string
	folder   string
	port     int
	distance int    // the port for other nodes
	mapped   string // the port of the mapper
	mapper   *process
	node     *process
	received []Received
}

// MaxMessage is how large the messages may be that a node takes.
const MaxMessage = 64 << 10

// scripts are where Debian's package has the program itself; the one in the path
// wants to be another user.
const scripts = "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"

// RabbitMQ starts a node.
func RabbitMQ(t testing.TB, topic string) *RabbitMQServer {
	t.Helper()
	r := &RabbitMQServer{t: t, proxy: newProxy(t), topic: topic, folder: t.TempDir(), port: freePort(t), distance: freePort(t)}
	mapped := strconv.Itoa(freePort(t))
	var err error
	r.mapper, err = start(exec.Command("epmd", "-port", mapped, "-address", "127.0.0.1"))
	must(t, "rabbitmq: `make tools` installs it, or apt-get install rabbitmq-server", err)
	t.Cleanup(r.mapper.kill)
	await(t, "epmd", func() error { return reachable("127.0.0.1:" + mapped) })
	settings := "listeners.tcp.1 = 127.0.0.1:" + strconv.Itoa(r.port) + "\nloopback_users.guest = true\nmax_message_size = " + strconv.Itoa(MaxMessage) + "\n"
	must(t, "rabbitmq", os.WriteFile(filepath.Join(r.folder, "rabbitmq.conf"), []byte(settings), 0o600))
	r.mapped = mapped
	r.Start()
	t.Cleanup(func() { r.node.kill() })
	return r
}

// Start implements Broker.
func (r *RabbitMQServer) Start() {
	r.t.Helper()
	found, err := filepath.Glob(scripts)
	if err != nil || len(found) == 0 {
		r.t.Fatal("brokertest: no rabbitmq-server: `make tools` installs it, or apt-get install rabbitmq-server")
	}
	command := exec.Command(found[len(found)-1])
	in := func(name string) string { return filepath.Join(r.folder, name) }
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.folder, "ERL_EPMD_PORT=" + r.mapped, "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_NODENAME=tenure-" + strconv.Itoa(r.port) + "@localhost", "RABBITMQ_DIST_PORT=" + strconv.Itoa(r.distance),
		"RABBITMQ_CONFIG_FILE=" + in("rabbitmq.conf"), "RABBITMQ_CONF_ENV_FILE=" + in("none"), "RABBITMQ_ENABLED_PLUGINS_FILE=" + in("plugins"),
		"RABBITMQ_MNESIA_BASE=" + in("mnesia"), "RABBITMQ_LOG_BASE=" + in("log"), "RABBITMQ_PID_FILE=" + in("pid"),
		"ERL_CRASH_DUMP=" + in("dump"), // one that is killed as it starts leaves it where it was started
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
	}
	r.node, err = start(command)
	must(r.t, "rabbitmq", err)
	await(r.t, "rabbitmq starts", func() error {
		if r.node.ended() {
			r.t.Fatalf("brokertest: rabbitmq has ended\n%s", r.node.output.String())
		}
		conn, err := amqp.Dial(r.url())
		if err != nil {
			return err
		}
		return conn.Close()
	})
	r.proxy.connectTo(r.addr())
}

// Stop implements Broker.
func (r *RabbitMQServer) Stop() {
	r.proxy.connectTo("")
	r.node.kill()
}

// Target implements Broker.
func (r *RabbitMQServer) Target() string { return "amqp://" + r.proxy.addr() + "/" + r.topic }

// Cut implements Broker.
func (r *RabbitMQServer) Cut() { r.proxy.cut() }

func (r *RabbitMQServer) addr() string { return "127.0.0.1:" + strconv.Itoa(r.port) }
func (r *RabbitMQServer) url() string  { return "amqp://guest:guest@" + r.addr() + "/" }

// Received implements Broker. It takes the messages from the queue.
func (r *RabbitMQServer) Received() []Received {
	r.t.Helper()
	conn, err := amqp.Dial(r.url())
	must(r.t, "rabbitmq", err)
	defer conn.Close()
	channel, err := conn.Channel()
	must(r.t, "rabbitmq", err)
	for {
		m, ok, err := channel.Get(r.topic, true)
		var missing *amqp.Error
		if errors.As(err, &missing) && missing.Code == amqp.NotFound || err == nil && !ok {
			return r.received
		}
		must(r.t, "rabbitmq", err)
		text := func(header string) string { s, _ := m.Headers["cloudEvents:"+header].(string); return s }
		r.received = append(r.received, Received{
			ID: text("id"), Type: text("type"), Organization: text("organization"), Key: m.MessageId, ContentType: m.ContentType, Body: m.Body,
		})
	}
}

// Unbind deletes the queue: messages go nowhere. Bind makes it again.
func (r *RabbitMQServer) Unbind() {
	r.t.Helper()
	r.admin(func(c *amqp.Channel) error {
		_, err := c.QueueDelete(r.topic, false, false, false)
		return err
	})
}

// Loosen takes the binding away, as a broker does that is killed and forgets it.
func (r *RabbitMQServer) Loosen() {
	r.t.Helper()
	r.admin(func(c *amqp.Channel) error { return c.QueueUnbind(r.topic, "#", r.topic, nil) })
}

// Bind makes the queue, and has it take all messages.
func (r *RabbitMQServer) Bind() {
	r.t.Helper()
	r.admin(func(c *amqp.Channel) error {
		_, err := c.QueueDeclare(r.topic, true, false, false, false, nil)
		return errors.Join(err, c.QueueBind(r.topic, "#", r.topic, false, nil))
	})
}

func (r *RabbitMQServer) admin(do func(*amqp.Channel) error) {
	r.t.Helper()
	conn, err := amqp.Dial(r.url())
	must(r.t, "rabbitmq", err)
	defer conn.Close()
	channel, err := conn.Channel()
	must(r.t, "rabbitmq", err)
	must(r.t, "rabbitmq", do(channel))
}

// process is a program and all that it starts.
type process struct {
	command *exec.Cmd
	output  bytes.Buffer
	done    chan struct{}
	guard   *exec.Cmd
	in      io.WriteCloser
}

// start starts a program in a group of its own, which is killed once ours is
// gone, however it ends: the guard's pipe breaks then.
func start(command *exec.Cmd) (*process, error) {
	p := &process{command: command, done: make(chan struct{})}
	command.Stdout, command.Stderr = &p.output, &p.output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		_ = command.Wait() // how it ended is in the output
	}()
	p.guard = exec.Command("sh", "-c", `read line || kill -9 -- "-$0"`, strconv.Itoa(command.Process.Pid))
	var err error
	if p.in, err = p.guard.StdinPipe(); err == nil {
		err = p.guard.Start()
	}
	return p, err
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) kill() {
	if p.in == nil {
		return
	}
	_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
	<-p.done
	_, _ = io.WriteString(p.in, "\n")
	_ = p.guard.Wait()
	p.in = nil
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, "port", err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func reachable(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}
