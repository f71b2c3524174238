package redis

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/matryer/is"
	goredis "github.com/redis/go-redis/v9"
)

// sender answers each pipeline when the test says so.
type sender struct {
	began   chan []goredis.Cmder
	release chan error
}

func newTogether() (*together, *sender) {
	s := &sender{began: make(chan []goredis.Cmder), release: make(chan error)}
	return &together{send: func(_ context.Context, commands []goredis.Cmder) error {
		s.began <- commands
		err := <-s.release
		for _, c := range commands {
			if c.SetErr(err); err == nil {
				c.(*goredis.StringCmd).SetVal("answer to " + c.Args()[1].(string))
			}
		}
		return err
	}}, s
}

// until waits for so many callers to wait, and so many pipelines under way.
func (t *together) until(waiting, underWay int) {
	for {
		t.mu.Lock()
		reached := len(t.waiting) == waiting && t.underWay == underWay
		t.mu.Unlock()
		if reached {
			return
		}
		runtime.Gosched()
	}
}

func get(name string) *goredis.StringCmd {
	return goredis.NewStringCmd(context.Background(), "get", name)
}

func TestReadsOfCallersAtTheSameTimeShareAPipeline(t *testing.T) {
	is := is.New(t)
	shared, server := newTogether()
	var callers sync.WaitGroup
	ask := func(name string) {
		callers.Go(func() {
			c := get(name)
			if err := shared.ask(t.Context(), []goredis.Cmder{c}); err != nil || c.Val() != "answer to "+name {
				t.Errorf("%s: %q, %v", name, c.Val(), err)
			}
		})
	}
	for n := range mostUnderWay {
		ask(fmt.Sprint("first ", n))
		is.Equal(len(<-server.began), 1) // nobody waits while there is room
	}
	const others = 20
	for n := range others {
		ask(fmt.Sprint("other ", n))
	}
	shared.until(others, mostUnderWay)
	server.release <- nil
	is.Equal(len(<-server.began), others)
	for range mostUnderWay {
		server.release <- nil
	}
	callers.Wait()
	shared.until(0, 0)
}

func TestAPipelineOfReadsIsBounded(t *testing.T) {
	is := is.New(t)
	shared, server := newTogether()
	var callers sync.WaitGroup
	ask := func() {
		callers.Go(func() { is.NoErr(shared.ask(t.Context(), []goredis.Cmder{get("a")})) })
	}
	for range mostUnderWay {
		ask()
		<-server.began
	}
	for range mostTogether + 1 {
		ask()
	}
	shared.until(mostTogether+1, mostUnderWay)
	server.release <- nil
	is.Equal(len(<-server.began), mostTogether)
	server.release <- nil
	is.Equal(len(<-server.began), 1)
	for range mostUnderWay {
		server.release <- nil
	}
	callers.Wait()
}

func TestAReadWhoseCallerHasGoneIsNotSent(t *testing.T) {
	is := is.New(t)
	shared, server := newTogether()
	var callers sync.WaitGroup
	for range mostUnderWay {
		callers.Go(func() { _ = shared.ask(t.Context(), []goredis.Cmder{get("a")}) })
		<-server.began
	}
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { gone <- shared.ask(ctx, []goredis.Cmder{get("b")}) }()
	shared.until(1, mostUnderWay)
	cancel()
	is.True(errors.Is(<-gone, context.Canceled)) // though Redis does not answer
	for range mostUnderWay {
		server.release <- nil
	}
	callers.Wait()
	shared.until(0, 0)
}

func TestAFailureOfAPipelineIsEveryCallers(t *testing.T) {
	is := is.New(t)
	shared, server := newTogether()
	failure := errors.New("connection lost")
	answers := make(chan error, mostUnderWay+2)
	for range mostUnderWay {
		go func() { answers <- shared.ask(t.Context(), []goredis.Cmder{get("a")}) }()
		<-server.began
	}
	for range 2 {
		go func() { answers <- shared.ask(t.Context(), []goredis.Cmder{get("b")}) }()
	}
	shared.until(2, mostUnderWay)
	server.release <- failure
	<-server.began
	for range mostUnderWay {
		server.release <- failure
	}
	for range mostUnderWay + 2 {
		is.True(errors.Is(<-answers, failure))
	}
}
