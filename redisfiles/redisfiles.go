// Package redisfiles has a Redis write its files anew, so that what was overwritten
// or deleted in it does not stay in them.
package redisfiles

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// askAgain is the pause before a server is asked again that is writing a file.
const askAgain = 200 * time.Millisecond

// Rewrite asks a server to write its append-only file anew, and its snapshot, as
// far as it keeps them. That goes on when Rewrite answers; a rewrite that was under
// way has begun too early, so it is waited for. A server that does not let this be
// done is named in the log, and its operator has to see to it. Replicas, and copies
// of files, are out of reach.
func Rewrite(ctx context.Context, server *goredis.Client, logger *slog.Logger) error {
	info, err := server.Info(ctx, "persistence").Result()
	if err != nil {
		return err
	}
	if field(info, "aof_enabled") == "1" {
		if err := ask(ctx, server, logger, "BGREWRITEAOF"); err != nil {
			return err
		}
	}
	if !snapshots(ctx, server, info) {
		return nil
	}
	return ask(ctx, server, logger, "BGSAVE", "SCHEDULE")
}

// snapshots reports whether a server writes snapshots by itself, or has written one
// since it runs.
func snapshots(ctx context.Context, server *goredis.Client, info string) bool {
	if saves := field(info, "rdb_saves"); saves != "" && saves != "0" {
		return true
	}
	set, err := server.ConfigGet(ctx, "save").Result() // not everybody may ask for it
	return err == nil && set["save"] != ""
}

func ask(ctx context.Context, server *goredis.Client, logger *slog.Logger, command ...any) error {
	for {
		err := server.Do(ctx, command...).Err()
		refused := goredis.Error(nil)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case goredis.HasErrorPrefix(err, "Background"), goredis.HasErrorPrefix(err, "Another child"): // is under way
		case goredis.HasErrorPrefix(err, "LOADING"), !errors.As(err, &refused):
			return err
		default:
			logger.Warn("Redis does not let its file be written anew: what was deleted stays in it until you see to that",
				"server", server.Options().Addr, "command", fmt.Sprint(command[0]), "error", err)
			return nil
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// field is the value of a line of INFO.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
