package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// child is a server in a process of its own.
type child struct {
	cmd    *exec.Cmd
	client *fasthttp.HostClient
}

// start starts a program and waits for the line that says where it listens.
func start(program string, args ...string) (*child, error) {
	cmd := exec.Command(program, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "listening on http://"); ok {
			go func() {
				for lines.Scan() {
				}
			}()
			return &child{cmd: cmd, client: &fasthttp.HostClient{Addr: address, MaxConns: 1024, MaxConnWaitTimeout: time.Minute, MaxIdemponentCallAttempts: 1}}, nil
		}
	}
	err = cmd.Wait()
	return nil, fmt.Errorf("the server did not say where it listens: %w\n%s", err, complaints.String())
}

func (c *child) stop() {
	c.cmd.Process.Signal(syscall.SIGTERM)
	c.cmd.Wait()
}

// serveStatic is Fiber with a body that is there already: what the machine gives
// to whoever does nothing.
func serveStatic(size string) {
	n, err := strconv.Atoi(size)
	if err != nil {
		panic(err)
	}
	body := []byte(strings.Repeat("x", n))
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.All("/*", func(c *fiber.Ctx) error {
		c.Set("Content-Type", "application/json")
		return c.Send(body)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("listening on http://" + l.Addr().String())
	go app.Listener(l)
	wait := make(chan os.Signal, 1)
	<-wait
}

// request makes the n-th request of a connection.
type request func(r *fasthttp.Request, connection, n int)

// load sends requests over several connections as fast as they are answered, and
// answers with how many per second had the wanted status.
func (c *child) load(connections, status int, make request) (float64, error) {
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	begin := time.Now()
	for i := range connections {
		all.Go(func() {
			req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			for n := 0; time.Since(begin) < *window; n++ {
				req.Reset()
				make(req, i, n)
				req.SetHost(c.client.Addr)
				err := c.client.Do(req, resp)
				if err == nil && resp.StatusCode() != status {
					err = fmt.Errorf("status %d: %s", resp.StatusCode(), resp.Body())
				}
				if err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / time.Since(begin).Seconds(), nil
}

// tenant is a running server with the folder that it serves.
type tenant struct {
	*child
	*seeded
	invited, asked atomic.Int64
}

// serve starts the server on a seeded folder with further arguments, and waits
// until its views are there.
func serve(binary string, s *seeded, args ...string) (*tenant, error) {
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--data", s.dir, "--rate-limits", "off", "--log-level", "error", "--open-metrics", "--profile-listen", *profiles}, args...)
	c, err := start(binary, args...)
	if err != nil {
		return nil, err
	}
	t := &tenant{child: c, seeded: s}
	for range 1200 {
		last := s.orgs[len(s.orgs)-1]
		var body string
		body, err = t.get(t.members(last))
		if err == nil && strings.Contains(body, "account_id") && len(t.missing()) == 0 {
			return t, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.stop()
	return nil, fmt.Errorf("the server does not get ready: %w", err)
}

// idle waits until the mails of the invitations are written and recorded, so
// that they do not count against what is measured next.
func (t *tenant) idle() error {
	for last, same := "", 0; same < 5; time.Sleep(300 * time.Millisecond) {
		body, err := t.get(t.plain("/metrics"))
		if err != nil {
			return err
		}
		steps := ""
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "tenure_log_events_total") {
				steps += line
			}
		}
		if same++; steps != last {
			last, same = steps, 0
		}
	}
	return nil
}

// missing says what keeps the server from having built its views.
func (t *tenant) missing() string {
	_, err := t.get(t.plain("/readyz"))
	if err != nil {
		return err.Error()
	}
	for _, o := range t.orgs {
		body, err := t.get(t.plain("/v1/organizations/" + string(o.id)))
		if want := fmt.Sprintf(`"members":%d`, len(o.members)+1); err != nil || !strings.Contains(body, want) {
			return "members of " + string(o.id)
		}
	}
	return ""
}

func (t *tenant) get(r request) (string, error) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	r(req, 0, 0)
	req.SetHost(t.client.Addr)
	if err := t.client.Do(req, resp); err != nil {
		return "", err
	}
	if resp.StatusCode() != 200 {
		return "", fmt.Errorf("status %d: %s", resp.StatusCode(), resp.Body())
	}
	return string(resp.Body()), nil
}

func (t *tenant) plain(path string) request {
	return func(r *fasthttp.Request, _, _ int) {
		r.SetRequestURI(path)
		r.Header.Set("Authorization", "Bearer "+t.owner)
	}
}

// members asks for the first page of 50.
func (t *tenant) members(o seededOrganization) request {
	return t.plain("/v1/organizations/" + string(o.id) + "/members?limit=50")
}

// searches asks for a page with a search that no other request has had, so that
// none is answered from memory: the same words are written in another way.
func (t *tenant) searches(o seededOrganization) request {
	return func(r *fasthttp.Request, connection, n int) {
		asked := int(t.asked.Add(1))
		way := asked / len(o.members)
		word := []byte("member")
		for i := range word {
			if way>>i&1 == 1 {
				word[i] -= 'a' - 'A'
			}
		}
		spaces := strings.Repeat("+", way>>len(word)%180)
		t.plain(fmt.Sprintf("/v1/organizations/%s/members?limit=50&q=%s%d%s", o.id, word, asked%len(o.members)+1, spaces))(r, connection, n)
	}
}

func (t *tenant) changeRoles(o seededOrganization) request {
	return func(r *fasthttp.Request, connection, n int) {
		role := []string{"USER", "VIEWER"}[n%2]
		member := o.members[connection%len(o.members)]
		t.plain("/v1/organizations/"+string(o.id)+"/members/"+string(member)+"/roles")(r, connection, n)
		r.Header.SetMethod("PUT")
		r.Header.SetContentType("application/json")
		r.SetBodyString(`{"roles":["` + role + `"]}`)
	}
}

func (t *tenant) invite(o seededOrganization) request {
	return func(r *fasthttp.Request, connection, n int) {
		number := t.invited.Add(1)
		t.plain("/v1/organizations/"+string(o.id)+"/invitations")(r, connection, n)
		r.Header.SetMethod("POST")
		r.Header.SetContentType("application/json")
		r.SetBodyString(fmt.Sprintf(`{"email":"invitee%d@example.com","username":"invitee%d","roles":["USER"]}`, number, number))
	}
}

var connections = []int{1, 16, 64}

// benchHTTP compares an organization of 1,000 with static Fiber.
func benchHTTP(ctx context.Context, dir string) error {
	binary, err := build(dir)
	if err != nil {
		return err
	}
	data, err := seedServed(ctx, dir, 1000)
	if err != nil {
		return err
	}
	t, err := serve(binary, data)
	if err != nil {
		return err
	}
	defer t.stop()
	page, err := t.get(t.members(data.orgs[0]))
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fixed, err := start(self, "-static", strconv.Itoa(len(page)))
	if err != nil {
		return err
	}
	defer fixed.cmd.Process.Kill()
	small, err := start(self, "-static", "400")
	if err != nil {
		return err
	}
	defer small.cmd.Process.Kill()
	if err := warm(func() (float64, error) { return t.load(64, 200, t.changeRoles(data.orgs[0])) }); err != nil {
		return err
	}
	for _, n := range connections {
		o := data.orgs[0]
		reads, err := measure(
			func() (float64, error) { return fixed.load(n, 200, t.plain("/")) },
			func() (float64, error) { return t.load(n, 200, t.members(o)) },
			func() (float64, error) { return t.load(n, 200, t.searches(o)) },
		)
		if err != nil {
			return err
		}
		changes, err := measure(
			func() (float64, error) { return small.load(n, 200, t.plain("/")) },
			func() (float64, error) { return t.load(n, 200, t.changeRoles(o)) },
		)
		if err != nil {
			return err
		}
		invitations, err := measure(func() (float64, error) { return t.load(n, 201, t.invite(o)) })
		if err != nil {
			return err
		}
		m := append(append(reads, changes...), invitations...)
		if err := t.idle(); err != nil {
			return err
		}
		title("(b) HTTP, %d connections, organization of 1,000", n)
		row("%-44s %10.0f /s", fmt.Sprintf("static Fiber, body of %d bytes", len(page)), m[0])
		row("%-44s %10.0f /s   %.2f of static", "list page of 50", m[1], m[1]/m[0])
		row("%-44s %10.0f /s   %.2f of static", "search that was not asked before", m[2], m[2]/m[0])
		row("%-44s %10.0f /s", "static Fiber, body of 400 bytes", m[3])
		row("%-44s %10.0f /s   %.2f of static", "role changes", m[4], m[4]/m[3])
		row("%-44s %10.0f /s   %.2f of static", "invitations", m[5], m[5]/m[3])
	}
	return nil
}

// benchSize compares organizations of different sizes.
func benchSize(ctx context.Context, dir string) error {
	binary, err := build(dir)
	if err != nil {
		return err
	}
	sizes := []int{10, 1000, *members}
	data, err := seedServed(ctx, dir, sizes...)
	if err != nil {
		return err
	}
	t, err := serve(binary, data)
	if err != nil {
		return err
	}
	defer t.stop()
	if err := warm(func() (float64, error) { return t.load(64, 200, t.changeRoles(data.orgs[0])) }); err != nil {
		return err
	}
	requests := []struct {
		name   string
		status int
		make   func(seededOrganization) request
	}{
		{"list page of 50", 200, t.members}, {"search that was not asked before", 200, t.searches},
		{"role changes", 200, t.changeRoles}, {"invitations", 201, t.invite},
	}
	title("(c) The same requests by the size of the organization, 16 connections (time against that of the smallest)")
	for _, r := range requests {
		var functions []func() (float64, error)
		for _, o := range data.orgs {
			functions = append(functions, func() (float64, error) { return t.load(16, r.status, r.make(o)) })
		}
		m, err := measure(functions...)
		if err != nil {
			return err
		}
		for i, size := range sizes {
			row("%-34s %8d members %10.0f /s   time x %.2f", r.name, size, m[i], m[0]/m[i])
		}
	}
	return nil
}
