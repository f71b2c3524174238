package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	goredis "github.com/redis/go-redis/v9"

	"tenure/eventstore"
	"tenure/projections"
)

// most is how many documents or partitions one pipeline asks for.
const most = 4096

// Documents implements projections.Storage.
func (s *Storage) Documents(ctx context.Context, view string, keys []projections.Key) ([][]byte, error) {
	bodies := make([][]byte, len(keys))
	for first := 0; first < len(keys); first += most {
		last := min(first+most, len(keys))
		if err := s.documents(ctx, view, keys[first:last], bodies[first:last]); err != nil {
			return nil, err
		}
	}
	return bodies, nil
}

// documents asks once for each partition.
func (s *Storage) documents(ctx context.Context, view string, keys []projections.Key, bodies [][]byte) error {
	places := make(map[string][]int) // partition → where its documents are in keys
	for i, key := range keys {
		places[key.Partition] = append(places[key.Partition], i)
	}
	commands := make([]goredis.Cmder, 0, len(places))
	wanted := make([][]int, 0, len(places))
	for partition, indexes := range places {
		documents, _ := s.keys.partition(view, partition)
		args := append(make([]any, 0, 2+len(indexes)), "hmget", documents)
		for _, i := range indexes {
			args = append(args, keys[i].ID)
		}
		commands, wanted = append(commands, goredis.NewSliceCmd(ctx, args...)), append(wanted, indexes)
	}
	if err := s.ask(ctx, commands...); err != nil {
		return err
	}
	for n, c := range commands {
		for i, value := range c.(*goredis.SliceCmd).Val() {
			at := wanted[n][i]
			if body, ok := value.(string); ok && keys[at].ID != "" {
				bodies[at] = bytesOf(body)
			}
		}
	}
	return nil
}

// Positions implements projections.Storage.
func (s *Storage) Positions(ctx context.Context, view string, partitions []string) ([]eventstore.Position, error) {
	positions := make([]eventstore.Position, 0, len(partitions))
	for first := 0; first < len(partitions); first += most {
		asked := partitions[first:min(first+most, len(partitions))]
		commands := make([]goredis.Cmder, len(asked))
		for i, partition := range asked {
			documents, _ := s.keys.partition(view, partition)
			commands[i] = goredis.NewStringCmd(ctx, "hget", documents, "")
		}
		if err := s.ask(ctx, commands...); err != nil {
			return nil, err
		}
		for _, c := range commands {
			p, err := parsePosition(c.(*goredis.StringCmd).Val())
			if err != nil {
				return nil, err
			}
			positions = append(positions, p)
		}
	}
	return positions, nil
}

// Range implements projections.Storage. Redis first finds the entries and then
// their documents. If the partition was changed in between, a script does both in
// one step: it is not the first choice because it takes Redis six times as long.
func (s *Storage) Range(ctx context.Context, view string, q projections.RangeQuery) ([]projections.Row, eventstore.Position, error) {
	if q.Limit < 1 {
		return nil, 0, fmt.Errorf("projections/redis: range of %d rows", q.Limit)
	}
	documents, entries := s.keys.partition(view, q.Partition)
	order, from, to := bounds(q)
	before := goredis.NewStringCmd(ctx, "hget", documents, "")
	found := goredis.NewStringSliceCmd(ctx, order, entries, from, to, "limit", 0, q.Limit)
	if err := s.ask(ctx, before, found); err != nil {
		return nil, 0, err
	}
	at, err := parsePosition(before.Val())
	members := found.Val()
	if err != nil || len(members) == 0 {
		return nil, at, err
	}
	rows := make([]projections.Row, len(members))
	args := make([]any, 0, 3+len(rows))
	args = append(args, "hmget", documents, "")
	for i, m := range members {
		rows[i].Place = placeOf(m, q.Index)
		args = append(args, &rows[i].ID) // a pointer costs no memory here, a string does
	}
	bodies := goredis.NewStringSliceCmd(ctx, args...)
	if err := s.ask(ctx, bodies); err != nil {
		return nil, 0, err
	}
	if bodies.Val()[0] != before.Val() {
		return s.rangeAtOnce(ctx, view, q)
	}
	for i, body := range bodies.Val()[1:] {
		if body == "" {
			return nil, 0, withoutDocument(view)
		}
		rows[i].Body = bytesOf(body)
	}
	return rows, at, nil
}

// rangeAtOnce is Range in one step. It writes nothing, so it is answered also
// while Redis is out of memory.
func (s *Storage) rangeAtOnce(ctx context.Context, view string, q projections.RangeQuery) ([]projections.Row, eventstore.Position, error) {
	documents, entries := s.keys.partition(view, q.Partition)
	order, from, to := bounds(q)
	command := goredis.NewStringSliceCmd(ctx, "evalsha_ro", stretchHash, 2, documents, entries, order, from, to, q.Limit, len(q.Index))
	if err := s.ask(ctx, command); err != nil {
		return nil, 0, err
	}
	at, err := parsePosition(command.Val()[0])
	if err != nil {
		return nil, 0, err
	}
	found := command.Val()[1:]
	rows := make([]projections.Row, len(found)/2)
	for i := range rows {
		if found[2*i+1] == "" {
			return nil, 0, withoutDocument(view)
		}
		rows[i] = projections.Row{Place: placeOf(found[2*i], q.Index), Body: bytesOf(found[2*i+1])}
	}
	return rows, at, nil
}

// bytesOf is a text that Redis answered with as bytes, without a copy: nobody
// changes what a Storage answers with.
func bytesOf(text string) []byte { return unsafe.Slice(unsafe.StringData(text), len(text)) }

// withoutDocument is the error for a body that is not there; JSON is never empty.
func withoutDocument(view string) error {
	return fmt.Errorf("%w (view %s: an entry without its document)", ErrCorrupt, view)
}

func placeOf(member, index string) projections.Place {
	sort, id, _ := strings.Cut(member[len(index)+len(zero):], zero)
	return projections.Place{Sort: sort, ID: id}
}

// bounds are the command for a range, and its ends: [ includes, ( excludes.
func bounds(q projections.RangeQuery) (order, from, to string) {
	first := q.Index + zero + q.Prefix
	if q.Index == "" {
		first = zero + zero + q.Prefix // the prefix is one of ids, and Sort is empty
	}
	end := successor(first)
	low, high := "["+first, "("+end
	if q.After != (projections.Place{}) {
		switch after := member(q.Index, q.After.Sort, q.After.ID); {
		case !q.Descending && after >= first:
			low = "(" + after
		case q.Descending && after < end:
			high = "(" + after
		}
	}
	if q.Descending {
		return "zrevrangebylex", high, low
	}
	return "zrangebylex", low, high
}

// successor is the least text that is greater than all that begin with prefix,
// which holds a zero byte.
func successor(prefix string) string {
	i := len(prefix) - 1
	for prefix[i] == 0xff {
		i--
	}
	return prefix[:i] + string([]byte{prefix[i] + 1})
}

func parsePosition(text string) (eventstore.Position, error) {
	if text == "" {
		return 0, nil
	}
	p, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w (a position is no number)", ErrCorrupt)
	}
	return eventstore.Position(p), nil
}

func formatPosition(p eventstore.Position) string { return strconv.FormatUint(uint64(p), 10) }
