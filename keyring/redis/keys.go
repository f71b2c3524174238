package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"tenure/keyring"
	"tenure/redisfiles"
)

// destroyed is the field of a hash whose keys were destroyed.
const destroyed = "destroyed"

// The scripts are short, and sent each time.
const (
	add = `if redis.call("HEXISTS", KEYS[1], "destroyed") == 0 then redis.call("HSETNX", KEYS[1], ARGV[1], ARGV[2]) end
return redis.call("HGETALL", KEYS[1])`

	destroy = `redis.call("DEL", KEYS[1])
return redis.call("HSET", KEYS[1], "destroyed", "1")`

	replace = `if redis.call("HGET", KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call("HSET", KEYS[1], ARGV[1], ARGV[3])
return 1`
)

// Find implements keyring.Store.
func (s *Store) Find(ctx context.Context, subjects []string) ([]keyring.Holding, error) {
	hashes := make([]*goredis.MapStringStringCmd, len(subjects))
	_, err := s.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for i, subject := range subjects {
			hashes[i] = p.HGetAll(ctx, s.key(subject))
		}
		return nil
	})
	if err != nil {
		return nil, explain(ctx, err)
	}
	found := make([]keyring.Holding, len(subjects))
	for i, subject := range subjects {
		if found[i], err = holding(subject, hashes[i].Val()); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Add implements keyring.Store.
func (s *Store) Add(ctx context.Context, keys []keyring.Wrapped) ([]keyring.Holding, error) {
	answers := make([]*goredis.Cmd, len(keys))
	var identity *goredis.StringCmd
	_, err := s.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for i, k := range keys {
			answers[i] = p.Eval(ctx, add, []string{s.key(k.Subject)}, k.Generation, encode(k))
		}
		identity = p.Get(ctx, s.prefix+"identity") // after them: it answers for a store that has them
		return nil
	})
	if err != nil && !errors.Is(err, goredis.Nil) {
		return nil, explain(ctx, err)
	}
	if identity.Val() != s.identity {
		return nil, fmt.Errorf("%w under the prefix %s: this Redis was emptied, or is another one: restore the keys", keyring.ErrNoStore, s.prefix)
	}
	found := make([]keyring.Holding, len(keys))
	for i, k := range keys {
		pairs, err := answers[i].StringSlice()
		if err != nil {
			return nil, explain(ctx, err)
		}
		fields := make(map[string]string, len(pairs)/2)
		for j := 0; j+1 < len(pairs); j += 2 {
			fields[pairs[j]] = pairs[j+1]
		}
		if found[i], err = holding(k.Subject, fields); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Destroy implements keyring.Store.
func (s *Store) Destroy(ctx context.Context, subjects []string) error {
	_, err := s.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for _, subject := range subjects {
			p.Eval(ctx, destroy, []string{s.key(subject)})
		}
		return nil
	})
	if err != nil {
		return explain(ctx, err)
	}
	return s.eachMaster(ctx, func(ctx context.Context, node *goredis.Client) error {
		return redisfiles.Rewrite(ctx, node, s.logger)
	})
}

// Page implements keyring.Store. The cursor names a server and where it is in
// SCAN; the servers come in the order of their addresses.
func (s *Store) Page(ctx context.Context, cursor string, limit int) (keys []keyring.Wrapped, next string, err error) {
	masters := make(map[string]*goredis.Client)
	err = s.eachMaster(ctx, func(_ context.Context, node *goredis.Client) error {
		masters[node.Options().Addr] = node
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	var addresses []string
	for address := range masters {
		addresses = append(addresses, address)
	}
	slices.Sort(addresses)
	at, position, _ := strings.Cut(cursor, " ")
	i, same := slices.BinarySearch(addresses, at)
	if i == len(addresses) { // the servers are others now
		return nil, "", nil
	}
	from := uint64(0)
	if same && position != "" {
		if from, err = strconv.ParseUint(position, 10, 64); err != nil {
			return nil, "", err
		}
	}
	node := masters[addresses[i]]
	names, from, err := node.Scan(ctx, from, globbed(s.prefix)+"of:*", int64(limit)).Result()
	if err != nil {
		return nil, "", explain(ctx, err)
	}
	subjects := make([]string, len(names))
	for j, name := range names {
		subjects[j] = strings.TrimPrefix(name, s.key(""))
	}
	if len(subjects) > 0 {
		found, err := s.Find(ctx, subjects)
		if err != nil {
			return nil, "", err
		}
		for _, h := range found {
			keys = append(keys, h.Keys...)
		}
	}
	switch {
	case from != 0:
		next = addresses[i] + " " + strconv.FormatUint(from, 10)
	case i+1 < len(addresses):
		next = addresses[i+1] + " 0"
	}
	return keys, next, nil
}

// Replace implements keyring.Store.
func (s *Store) Replace(ctx context.Context, before, after []keyring.Wrapped) (changed int, err error) {
	answers, err := s.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for i, b := range before {
			p.Eval(ctx, replace, []string{s.key(b.Subject)}, b.Generation, encode(b), encode(after[i]))
		}
		return nil
	})
	if err != nil {
		return 0, explain(ctx, err)
	}
	for _, answer := range answers {
		n, err := answer.(*goredis.Cmd).Int()
		if err != nil {
			return changed, explain(ctx, err)
		}
		changed += n
	}
	return changed, nil
}

func sortKeys(keys []keyring.Wrapped) {
	slices.SortFunc(keys, func(a, b keyring.Wrapped) int { return cmp.Compare(a.Generation, b.Generation) })
}

// globbed is a text as SCAN's patterns have it.
func globbed(text string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`).Replace(text)
}
