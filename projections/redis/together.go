package redis

import (
	"context"
	"slices"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// together sends what several callers ask at the same time in one pipeline, as
// the log commits the appends of several writers at once: the more callers there
// are, the fewer ways to Redis and back each of them costs. A caller alone waits
// for nobody. It is for one server: in a cluster a node that does not answer
// would hold up what others are asked.
type together struct {
	send func(ctx context.Context, commands []goredis.Cmder) error

	mu       sync.Mutex
	underWay int // pipelines
	waiting  []question
}

// question are the commands of one caller.
type question struct {
	ctx      context.Context
	commands []goredis.Cmder
	answered chan struct{}
}

const (
	mostUnderWay = 3   // while Redis works on one, the next is written and the last is read
	mostTogether = 256 // commands in a pipeline, about
)

// ask sends the commands, and comes back when they are answered or ctx ends; what
// became of each, the command itself says. After an end of ctx the commands are
// not the caller's any more: they may still be answered.
func (t *together) ask(ctx context.Context, commands []goredis.Cmder) error {
	t.mu.Lock()
	if t.underWay < mostUnderWay {
		t.underWay++
		t.mu.Unlock()
		defer t.next()
		return t.send(ctx, commands)
	}
	q := question{ctx, commands, make(chan struct{})}
	t.waiting = append(t.waiting, q)
	t.mu.Unlock()
	select {
	case <-q.answered:
		return firstError(commands)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// next sends what has gathered meanwhile, in a goroutine of its own, or counts
// the pipeline as gone.
func (t *together) next() {
	t.mu.Lock()
	defer t.mu.Unlock()
	var asked []question
	var commands []goredis.Cmder
	taken := 0
	for ; taken < len(t.waiting) && len(commands) < mostTogether; taken++ {
		if q := t.waiting[taken]; q.ctx.Err() == nil { // else nobody waits for the answer
			asked, commands = append(asked, q), append(commands, q.commands...)
		}
	}
	t.waiting = slices.Delete(t.waiting, 0, taken)
	if len(asked) == 0 {
		t.underWay--
		return
	}
	go func() {
		defer t.next()
		_ = t.send(context.Background(), commands) // each command has its own error
		for _, q := range asked {
			close(q.answered)
		}
	}()
}

func firstError(commands []goredis.Cmder) error {
	for _, c := range commands {
		if c.Err() != nil {
			return c.Err()
		}
	}
	return nil
}
