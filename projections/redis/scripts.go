package redis

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"

	goredis "github.com/redis/go-redis/v9"
)

// The scripts are what has to happen in one step. Positions are uint64 and
// Lua's numbers are doubles, so positions stay text there: equal texts are equal
// positions, and of two the longer, or else the greater text, is the greater.
const (
	// apply changes a partition that is at ARGV[1]. Lua passes on a few thousand
	// values at once, so commands are cut into pieces; the last piece written
	// holds the position. ARGV[2] to [4] are where the members to remove, the
	// scores and members to add, and the ids to delete end; what follows are the
	// fields to set.
	apply = `
if (redis.call('HGET', KEYS[1], '') or '0') ~= ARGV[1] then return 0 end
local at = 5
local function each(command, key, last)
  while at <= last do
    local stop = math.min(at + 3999, last)
    redis.call(command, key, unpack(ARGV, at, stop))
    at = stop + 1
  end
end
each('ZREM', KEYS[2], tonumber(ARGV[2]))
each('ZADD', KEYS[2], tonumber(ARGV[3]))
each('HDEL', KEYS[1], tonumber(ARGV[4]))
each('HSET', KEYS[1], #ARGV)
return 1`

	// stretch answers with the position and up to ARGV[4] members of an index,
	// each followed by its document. ARGV[5] is the length of the index's name.
	stretch = `
local members = redis.call(ARGV[1], KEYS[2], ARGV[2], ARGV[3], 'LIMIT', 0, ARGV[4])
local from, ids, rows = ARGV[5] + 2, {}, {redis.call('HGET', KEYS[1], '') or '0'}
for i, member in ipairs(members) do
  ids[i] = string.sub(member, string.find(member, '\0', from, true) + 1)
end
for first = 1, #ids, 4000 do
  local bodies = redis.call('HMGET', KEYS[1], unpack(ids, first, math.min(first + 3999, #ids)))
  for i = 1, #bodies do
    local at = first + i - 1
    rows[2 * at], rows[2 * at + 1] = members[at], bodies[i]
  end
end
return rows`

	// later says whether position a comes after b.
	later = `
local function later(a, b)
  if #a ~= #b then return #a > #b end
  return a > b
end
`
	// raise sets fields to positions, unless they are there or further.
	raise = later + `
for i = 1, #ARGV, 2 do
  if later(ARGV[i + 1], redis.call('HGET', KEYS[1], ARGV[i]) or '0') then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
return 1`

	// lineage names the uninterrupted stretch of writes that this is in: it is
	// another one once the server was started anew, another server has taken its
	// place, or the keys are gone.
	lineage = `
local lineage = (string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or '') .. (redis.call('HGET', KEYS[1], '') or '')
`
	// look answers with the lineage and with the checkpoint of the view ARGV[2];
	// ARGV[1] is random and marks the keys if they are new.
	look = `
if redis.call('HEXISTS', KEYS[1], '') == 0 then redis.call('HSET', KEYS[1], '', ARGV[1]) end
` + lineage + `
return {lineage, redis.call('HGET', KEYS[1], ARGV[2]) or '0'}`

	// mark raises checkpoints: triples of a view, a position, and the lineage in
	// which all changes up to there were made.
	mark = later + lineage + `
for i = 3, #ARGV, 3 do
  if ARGV[i] ~= lineage then return 0 end
end
for i = 1, #ARGV, 3 do
  if later(ARGV[i + 1], redis.call('HGET', KEYS[1], ARGV[i]) or '0') then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
return 1`
)

// sources finds a script by the hash that Redis knows it under.
var sources = map[string]string{
	hashOf(apply): apply, hashOf(stretch): stretch, hashOf(raise): raise, hashOf(look): look, hashOf(mark): mark,
}

var (
	applyHash, stretchHash, raiseHash = hashOf(apply), hashOf(stretch), hashOf(raise)
	lookHash, markHash                = hashOf(look), hashOf(mark)
)

func hashOf(source string) string {
	sum := sha1.Sum([]byte(source))
	return hex.EncodeToString(sum[:])
}

// script is the command that runs a script by its hash. All keys are of one slot.
func script(ctx context.Context, hash string, keys []string, args ...any) *goredis.Cmd {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, "evalsha", hash, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	return goredis.NewCmd(ctx, append(all, args...)...)
}

// run sends commands together and waits for all answers. A server that does not
// know a script (it was restarted, or told to forget them) gets its source.
func (s *Storage) run(ctx context.Context, commands ...goredis.Cmder) error {
	return s.runBy(ctx, s.send, commands)
}

// ask is run for reads, which share their way with those of other callers.
func (s *Storage) ask(ctx context.Context, commands ...goredis.Cmder) error {
	if _, many := s.client.(*goredis.ClusterClient); many {
		return s.run(ctx, commands...)
	}
	return s.runBy(ctx, s.reads.ask, commands)
}

func (s *Storage) runBy(ctx context.Context, send func(context.Context, []goredis.Cmder) error, commands []goredis.Cmder) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := send(ctx, commands); err == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var unknown []goredis.Cmder
	var failures error
	for _, c := range commands {
		switch err := c.Err(); {
		case err == nil || errors.Is(err, goredis.Nil):
		case goredis.HasErrorPrefix(err, "NOSCRIPT"):
			c.SetErr(nil)
			args := c.Args()
			args[0], args[1] = "eval", sources[args[1].(string)]
			unknown = append(unknown, c)
		case failures == nil:
			failures = err
		}
	}
	if failures == nil && len(unknown) > 0 {
		failures = s.send(ctx, unknown)
	}
	if errors.Is(failures, goredis.Nil) {
		failures = nil
	}
	return explain(ctx, failures)
}

func (s *Storage) send(ctx context.Context, commands []goredis.Cmder) error {
	if len(commands) == 1 {
		return s.client.Process(ctx, commands[0])
	}
	pipeline := s.client.Pipeline()
	for _, c := range commands {
		if err := pipeline.Process(ctx, c); err != nil {
			return err
		}
	}
	_, err := pipeline.Exec(ctx)
	return err
}
