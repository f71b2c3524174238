package brokertest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy stands before a broker, so that connections can be cut.
type proxy struct {
	listener net.Listener

	mu    sync.Mutex
	to    string // empty while there is nobody to connect to
	conns map[net.Conn]bool
}

func newProxy(t testing.TB) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, "proxy", err)
	p := &proxy{listener: listener, conns: make(map[net.Conn]bool)}
	go p.serve()
	t.Cleanup(func() {
		p.connectTo("")
		listener.Close()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// connectTo cuts all connections; others go to an address from now on, or are
// cut at once.
func (p *proxy) connectTo(address string) {
	p.mu.Lock()
	p.to = address
	p.mu.Unlock()
	p.cut()
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *proxy) serve() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		go p.carry(c)
	}
}

func (p *proxy) carry(from net.Conn) {
	defer from.Close()
	p.mu.Lock()
	address := p.to
	p.mu.Unlock()
	to, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer to.Close()
	p.mu.Lock()
	stale := p.to != address
	p.conns[from], p.conns[to] = true, true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, from)
		delete(p.conns, to)
	}()
	if stale {
		return
	}
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			_, _ = io.Copy(pair[1], pair[0])
			from.Close()
			to.Close()
		})
	}
	both.Wait()
}
