package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"tenure/eventstore"
	"tenure/projections"
)

// pipelineBytes is how much a pipeline carries before it is sent: enough to make
// little of the way there and back, and little enough that others get a turn.
const pipelineBytes = 256 << 10

// Apply implements projections.Storage. Each change is one step of Redis; the
// checkpoints follow once all changes are made.
func (s *Storage) Apply(ctx context.Context, batches []projections.Batch) (err error) {
	if len(batches) == 0 {
		return ctx.Err()
	}
	lineages, err := s.lineages.learn(ctx, s, batches)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // whoever applies begins anew from what is stored
			for _, b := range batches {
				s.lineages.forget(b.View)
			}
		}
	}()
	if err := s.change(ctx, batches); err != nil {
		return err
	}
	return s.mark(ctx, batches, lineages)
}

// change makes the changes, in pipelines of a bounded size.
func (s *Storage) change(ctx context.Context, batches []projections.Batch) error {
	commands := []goredis.Cmder{s.raise(ctx, "", newest(batches))}
	views := []string{""}
	size := 0
	for _, b := range batches {
		for _, c := range b.Changes {
			args, bytes := s.changeArgs(b.View, c)
			commands, views = append(commands, goredis.NewIntCmd(ctx, args...)), append(views, b.View)
			if size += bytes; size >= pipelineBytes {
				if err := s.runChanges(ctx, commands, views); err != nil {
					return err
				}
				commands, views, size = nil, nil, 0
			}
		}
	}
	if len(commands) == 0 {
		return nil
	}
	return s.runChanges(ctx, commands, views)
}

func (s *Storage) runChanges(ctx context.Context, commands []goredis.Cmder, views []string) error {
	if err := s.run(ctx, commands...); err != nil {
		return err
	}
	for i, c := range commands {
		if done, ok := c.(*goredis.IntCmd); ok && done.Val() == 0 {
			return superseded(views[i])
		}
	}
	return nil
}

func superseded(view string) error {
	return fmt.Errorf("view %s: %w", view, projections.ErrSuperseded)
}

// changeArgs is the command that makes a change, and roughly its size.
func (s *Storage) changeArgs(view string, c projections.Change) (args []any, size int) {
	documents, entries := s.keys.partition(view, c.Partition)
	removed := len(c.Removed) + len(c.Deletes)
	added := 2 * (len(c.Added) + len(c.Puts))
	const before = 5 // the script's name and its keys
	args = make([]any, 0, before+4+removed+added+len(c.Deletes)+2*len(c.Puts)+2)
	end := 4 + removed
	args = append(args, "evalsha", applyHash, 2, documents, entries,
		formatPosition(c.From), strconv.Itoa(end), strconv.Itoa(end+added), strconv.Itoa(end+added+len(c.Deletes)))
	text := func(t string) {
		args, size = append(args, t), size+len(t)
	}
	for _, e := range c.Removed {
		text(member(e.Index, e.Sort, e.ID))
	}
	for _, id := range c.Deletes {
		text(member("", "", id))
	}
	for _, e := range c.Added {
		text("0")
		text(member(e.Index, e.Sort, e.ID))
	}
	for _, d := range c.Puts {
		text("0")
		text(member("", "", d.ID))
	}
	for _, id := range c.Deletes {
		text(id)
	}
	for _, d := range c.Puts {
		text(d.ID)
		args, size = append(args, d.Body), size+len(d.Body)
	}
	return append(args, "", formatPosition(c.To)), size
}

func newest(batches []projections.Batch) (p eventstore.Position) {
	for _, b := range batches {
		p = max(p, b.Checkpoint)
		for _, c := range b.Changes {
			p = max(p, c.To)
		}
	}
	return p
}

// Drop implements projections.Storage. The checkpoints go first: if it is cut
// short, a projector starts from the beginning, and skips in the partitions that
// are left what they have seen.
func (s *Storage) Drop(ctx context.Context, view string) error {
	commands := make([]goredis.Cmder, shards)
	for i := range commands {
		commands[i] = goredis.NewIntCmd(ctx, "hdel", s.keys.checkpoints(i), view)
	}
	if err := s.run(ctx, commands...); err != nil {
		return err
	}
	// Keys that move to another server meanwhile may escape a scan, not two.
	for {
		dropped, err := s.dropPartitions(ctx, view)
		if err != nil || dropped == 0 {
			return err
		}
	}
}

// dropPartitions removes what a scan of all servers finds, a page at a time. The
// keys of a partition go in one step.
func (s *Storage) dropPartitions(ctx context.Context, view string) (dropped int, err error) {
	nodes, err := s.masters(ctx)
	if err != nil {
		return 0, err
	}
	for _, node := range nodes {
		for cursor := uint64(0); ; {
			found, next, err := node.Scan(ctx, cursor, s.keys.pattern(view), 1000).Result()
			if err != nil {
				return dropped, explain(ctx, err)
			}
			commands := make([]goredis.Cmder, len(found))
			for i, documents := range found {
				commands[i] = goredis.NewIntCmd(ctx, "unlink", documents, s.keys.entriesOf(documents))
			}
			if len(commands) > 0 {
				if err := s.run(ctx, commands...); err != nil {
					return dropped, err
				}
			}
			dropped += len(found)
			if cursor = next; cursor == 0 {
				break
			}
		}
	}
	return dropped, nil
}

// SaveCheckpoint implements projections.Storage.
func (s *Storage) SaveCheckpoint(ctx context.Context, name string, p eventstore.Position) error {
	if name == "" {
		return errors.New("projections/redis: a consumer without a name")
	}
	return s.run(ctx, s.raise(ctx, name, p))
}

func (s *Storage) raise(ctx context.Context, name string, p eventstore.Position) *goredis.Cmd {
	return script(ctx, raiseHash, []string{s.keys.positions()}, name, formatPosition(p))
}
