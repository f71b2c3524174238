package main

import (
	"context"
	"errors"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// roundTrip are commands that were sent together.
type roundTrip struct {
	commands [][]any
	applying bool
}

// send sends the commands in one pipeline and reads the replies.
func (r roundTrip) send(ctx context.Context, client *goredis.Client) error {
	pipeline := client.Pipeline()
	for _, args := range r.commands {
		pipeline.Do(ctx, args...)
	}
	_, err := pipeline.Exec(ctx)
	if errors.Is(err, goredis.Nil) {
		return nil
	}
	return err
}

func sendAll(ctx context.Context, client *goredis.Client, trips []roundTrip) error {
	for _, r := range trips {
		if err := r.send(ctx, client); err != nil {
			return err
		}
	}
	return nil
}

func commandsIn(trips []roundTrip) (n int) {
	for _, r := range trips {
		n += len(r.commands)
	}
	return n
}

// oncePipelined sends all commands of a page at once, as if the ids of its
// members were known before its index is read.
func oncePipelined(ctx context.Context, client *goredis.Client, pages [][]roundTrip) func(n int) error {
	joined := make([]roundTrip, len(pages))
	for i, trips := range pages {
		for _, r := range trips {
			joined[i].commands = append(joined[i].commands, r.commands...)
		}
	}
	return func(n int) error { return joined[n%len(joined)].send(ctx, client) }
}

// eachPipelined sends them as they were sent: together what was together.
func eachPipelined(ctx context.Context, client *goredis.Client, pages [][]roundTrip) func(n int) error {
	return func(n int) error {
		return sendAll(ctx, client, pages[n%len(pages)])
	}
}

// silent keeps the library from writing between the figures.
type silent struct{}

// Printf implements the logger of the library.
func (silent) Printf(context.Context, string, ...any) {}

// recorder records what a client sends. It implements goredis.Hook.
type recorder struct {
	mu    sync.Mutex
	trips []roundTrip
}

// take answers with what was recorded since it was last called.
func (r *recorder) take() []roundTrip {
	r.mu.Lock()
	defer r.mu.Unlock()
	trips := r.trips
	r.trips = nil
	return trips
}

func (r *recorder) record(ctx context.Context, commands ...goredis.Cmder) {
	if name := commands[0].Name(); name == "hello" || name == "client" {
		return // what a client says when it connects
	}
	trip := roundTrip{applying: ctx.Value(applying{}) != nil}
	for _, c := range commands {
		trip.commands = append(trip.commands, c.Args())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trips = append(r.trips, trip)
}

// DialHook implements goredis.Hook.
func (r *recorder) DialHook(next goredis.DialHook) goredis.DialHook { return next }

// ProcessHook implements goredis.Hook.
func (r *recorder) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, c goredis.Cmder) error {
		r.record(ctx, c)
		return next(ctx, c)
	}
}

// ProcessPipelineHook implements goredis.Hook.
func (r *recorder) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, commands []goredis.Cmder) error {
		r.record(ctx, commands...)
		return next(ctx, commands)
	}
}
