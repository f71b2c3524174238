package redis

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"tenure/eventstore"
	"tenure/projections"
)

// lineages remembers, for each view that this process applies, in which stretch
// of uninterrupted writes each shard was when the process read its checkpoint.
// If it is in another one when the next checkpoint is to be written, changes may
// be lost that were acknowledged in between, and the checkpoint must not pass
// over them.
type lineages struct {
	mu    sync.Mutex
	known map[string][]string // view → lineage of each shard
}

func (l *lineages) find(view string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[view]
}

// remember keeps the lineages of a view unless there are some: a look at the
// checkpoint by somebody else must not hide that they have changed.
func (l *lineages) remember(view string, found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		l.known = make(map[string][]string)
	}
	if _, known := l.known[view]; !known {
		l.known[view] = found
	}
}

func (l *lineages) forget(view string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, view)
}

// learn answers with the lineages of each batch's view, and looks for those that
// are not known yet. That is before the batches change anything.
func (l *lineages) learn(ctx context.Context, s *Storage, batches []projections.Batch) ([][]string, error) {
	found := make([][]string, len(batches))
	for i, b := range batches {
		if found[i] = l.find(b.View); found[i] != nil {
			continue
		}
		_, looked, err := s.look(ctx, b.View)
		if err != nil {
			return nil, err
		}
		l.remember(b.View, looked)
		found[i] = looked
	}
	return found, nil
}

// Checkpoint implements projections.Storage. Each shard knows up to where it has
// all changes of a view; what they have in common is the view's.
func (s *Storage) Checkpoint(ctx context.Context, name string) (eventstore.Position, error) {
	view, found, err := s.look(ctx, name)
	if err != nil {
		return 0, err
	}
	s.lineages.remember(name, found)
	consumer := goredis.NewStringCmd(ctx, "hget", s.keys.positions(), name)
	if err := s.run(ctx, consumer); err != nil {
		return 0, err
	}
	saved, err := parsePosition(consumer.Val())
	return max(view, saved), err
}

// look reads the checkpoints of all shards and answers with the earliest, and
// with the lineages.
func (s *Storage) look(ctx context.Context, view string) (eventstore.Position, []string, error) {
	commands := make([]goredis.Cmder, shards)
	for i := range commands {
		commands[i] = script(ctx, lookHash, []string{s.keys.checkpoints(i)}, rand.Text(), view)
	}
	if err := s.run(ctx, commands...); err != nil {
		return 0, nil, err
	}
	found, positions := make([]string, shards), make([]eventstore.Position, shards)
	for i, c := range commands {
		answer, err := c.(*goredis.Cmd).StringSlice()
		if err == nil {
			found[i] = answer[0]
			positions[i], err = parsePosition(answer[1])
		}
		if err != nil {
			return 0, nil, err
		}
	}
	return slices.Min(positions), found, nil
}

// mark writes the checkpoints of the batches into every shard. It fails with
// ErrSuperseded if a shard is no longer in the lineage of before the batches: it
// may have lost what it had acknowledged.
func (s *Storage) mark(ctx context.Context, batches []projections.Batch, lineages [][]string) error {
	commands := make([]goredis.Cmder, 0, shards)
	for shard := range shards {
		var args []any
		for i, b := range batches {
			if b.Checkpoint > 0 {
				args = append(args, b.View, formatPosition(b.Checkpoint), lineages[i][shard])
			}
		}
		if len(args) == 0 {
			return nil
		}
		commands = append(commands, script(ctx, markHash, []string{s.keys.checkpoints(shard)}, args...))
	}
	if err := s.run(ctx, commands...); err != nil {
		return err
	}
	for _, c := range commands {
		if kept, err := c.(*goredis.Cmd).Int(); err != nil || kept == 0 {
			return s.interrupted(batches[0].View)
		}
	}
	return nil
}

// watchEvery is how often Watch looks.
const watchEvery = time.Second

// Watch implements projections.Watcher. It fails as well when Redis cannot be
// reached.
func (s *Storage) Watch(ctx context.Context, views []string) error {
	for len(views) > 0 {
		select {
		case <-time.After(watchEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
		_, found, err := s.look(ctx, views[0])
		if err != nil {
			return err
		}
		for _, view := range views {
			if known := s.lineages.find(view); known != nil && !slices.Equal(known, found) {
				s.lineages.forget(view)
				return s.interrupted(view)
			}
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

// interrupted is the error after what may have been a loss.
func (s *Storage) interrupted(view string) error {
	s.logger.Warn("Redis was restarted, replaced or emptied, and may have lost changes: they are made again from the checkpoint", "view", view)
	return superseded(view)
}

// Newest is the highest position that any view or consumer has got to.
func (s *Storage) Newest(ctx context.Context) (newest eventstore.Position, err error) {
	command := goredis.NewStringSliceCmd(ctx, "hvals", s.keys.positions())
	if err := s.run(ctx, command); err != nil {
		return 0, err
	}
	for _, text := range command.Val() {
		p, err := parsePosition(text)
		if err != nil {
			return 0, err
		}
		newest = max(newest, p)
	}
	return newest, nil
}
