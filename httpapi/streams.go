package httpapi

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
)

// Streams bounds who follows the event feed on this node.
type Streams struct {
	// Most is how many streams and waiting reads may be open. Default 1,000.
	Most int
	// PerCaller is how many of them one key or account may have. Default 100.
	PerCaller int
	// Heartbeat is the longest time without a word in a stream of server-sent
	// events. Default 15 seconds.
	Heartbeat time.Duration
	// Stall is how long a reader may leave what was sent to it. Default 15
	// seconds.
	Stall time.Duration
}

func (s Streams) withDefaults() Streams {
	return Streams{
		Most: cmp.Or(s.Most, 1000), PerCaller: cmp.Or(s.PerCaller, 100),
		Heartbeat: cmp.Or(s.Heartbeat, 15*time.Second), Stall: cmp.Or(s.Stall, 15*time.Second),
	}
}

// stream is a form of an answer that is written as it comes about.
type stream struct {
	contentType string
	says        string
	example     string
}

var errTooManyStreams = errors.New("too many streams")

// places are those for open streams.
type places struct {
	bounds Streams
	mu     sync.Mutex
	taken  int
	of     map[string]int // by caller
}

func newPlaces(bounds Streams) *places { return &places{bounds: bounds, of: make(map[string]int)} }

// take takes a place until give is called. It fails with errTooManyStreams.
func (p *places) take(caller string) (give func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.bounds.Most || p.of[caller] >= p.bounds.PerCaller {
		return nil, errTooManyStreams
	}
	p.taken++
	p.of[caller]++
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.taken--
		if p.of[caller]--; p.of[caller] == 0 {
			delete(p.of, caller)
		}
	}), nil
}

func (p *places) open() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return float64(p.taken)
}

// stream answers with what write writes, until that returns: with nil the answer
// is complete, with an error the connection breaks off, so that the reader can
// tell. Each Write waits until the reader has taken it, which it must within
// Streams.Stall; so nothing piles up for a slow one. Shutdown ends ctx.
func (a *API) stream(c *call, contentType string, write func(ctx context.Context, w io.Writer) error) {
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(a.stopping)
	c.fiber.Response().Header.SetContentType(contentType)
	c.fiber.Set("X-Accel-Buffering", "no") // proxies pass it on as it comes
	request := c.fiber.Context()
	if request.IsHead() {
		cancel()
		return
	}
	go func() {
		defer cancel()
		in.CloseWithError(write(ctx, in))
	}()
	request.SetBodyStream(&streamed{PipeReader: out, conn: request.Conn(), stall: a.config.Streams.Stall, cancel: cancel}, -1)
	c.fiber.Status(fiber.StatusOK)
}

// streamed is a body that the server reads piece by piece, each when the piece
// before is written.
type streamed struct {
	*io.PipeReader
	conn   net.Conn
	stall  time.Duration
	cancel context.CancelFunc
}

// Read implements io.Reader. The deadline of the whole answer, which the server
// has set, makes way for one of the piece.
func (s *streamed) Read(p []byte) (int, error) {
	n, err := s.PipeReader.Read(p)
	if deadline := s.conn.SetWriteDeadline(time.Now().Add(s.stall)); deadline != nil && err == nil {
		err = deadline
	}
	return n, err
}

// Close is called when the connection is of no use any more.
func (s *streamed) Close() error {
	s.cancel()
	return s.PipeReader.Close()
}
