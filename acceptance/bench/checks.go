package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/valyala/fasthttp"

	"tenure/commands/token"
	"tenure/projections/redis/redistest"
)

// batchSize is how many questions the evaluations of one request have.
const batchSize = 20

// benchChecks compares permission checks over HTTP with static Fiber and with
// what a host would have if it kept the answers in Redis itself.
func benchChecks(ctx context.Context, dir string) error {
	binary, err := build(dir)
	if err != nil {
		return err
	}
	data, err := seed(ctx, dir, 0, 1000)
	if err != nil {
		return err
	}
	key, err := firstKey(dir)
	if err != nil {
		return err
	}
	t, err := serve(binary, data)
	if err != nil {
		return err
	}
	defer t.stop()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o := data.orgs[0]
	check, explained, batch := checker(key, o, ""), checker(key, o, `,"context":{"tenure_explain":true}`), batchChecker(key, o)
	answer, err := t.get(check)
	if err != nil {
		return err
	}
	if answer != `{"decision":true}` {
		return fmt.Errorf("the answer is %s", answer)
	}
	fixed, err := start(self, "-static", strconv.Itoa(len(answer)))
	if err != nil {
		return err
	}
	defer fixed.cmd.Process.Kill()
	cache, err := redistest.Start(filepath.Join(dir, "redis"))
	if err != nil {
		return err
	}
	defer cache.Kill()
	for _, n := range connections {
		client := goredis.NewClient(&goredis.Options{Addr: cache.Addr(), PoolSize: n})
		m, err := measure(
			func() (float64, error) { return fixed.load(n, 200, check) },
			func() (float64, error) { return redisGets(ctx, client, o, n) },
			func() (float64, error) { return t.load(n, 200, check) },
			func() (float64, error) { return t.load(n, 200, explained) },
			func() (float64, error) { return t.load(n, 200, batch) },
		)
		client.Close()
		if err != nil {
			return err
		}
		title("(h) Permission checks, %d connections, organization of 1,000", n)
		row("%-44s %10.0f /s", fmt.Sprintf("static Fiber, body of %d bytes", len(answer)), m[0])
		row("%-44s %10.0f /s", "Redis GET", m[1])
		against := func(name string, v float64) {
			row("%-44s %10.0f /s   %.2f of static   %.2f of Redis", name, v, v/m[0], v/m[1])
		}
		against("checks", m[2])
		against("checks with an explanation", m[3])
		against(fmt.Sprintf("checks, %d in a request", batchSize), batchSize*m[4])
	}
	return nil
}

// firstKey is the key of the first operator, which has every scope.
func firstKey(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "secret.key"))
	if err != nil {
		return "", err
	}
	secret, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		return "", err
	}
	keys, err := token.NewKeys(secret)
	if err != nil {
		return "", err
	}
	return keys.Make(token.Token{Kind: token.APIKey, Subject: keys.ID("first api key").String()})
}

// checker asks about one member after the other.
func checker(key string, o seededOrganization, more string) request {
	return func(r *fasthttp.Request, connection, n int) {
		ask(r, key, "/access/v1/evaluation")
		r.SetBodyString(fmt.Sprintf(`{"subject":{"type":"user","id":"%s"},"action":{"name":"app:delivery.manage"},"resource":{"type":"organization","id":"%s"}%s}`,
			o.asked(connection, n), o.id, more))
	}
}

func batchChecker(key string, o seededOrganization) request {
	return func(r *fasthttp.Request, connection, n int) {
		var body strings.Builder
		fmt.Fprintf(&body, `{"action":{"name":"app:delivery.manage"},"resource":{"type":"organization","id":"%s"},"evaluations":[`, o.id)
		for i := range batchSize {
			if i > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `{"subject":{"type":"user","id":"%s"}}`, o.asked(connection, n+i))
		}
		body.WriteString("]}")
		ask(r, key, "/access/v1/evaluations")
		r.SetBodyString(body.String())
	}
}

func ask(r *fasthttp.Request, key, path string) {
	r.SetRequestURI(path)
	r.Header.SetMethod("POST")
	r.Header.SetContentType("application/json")
	r.Header.Set("Authorization", "Bearer "+key)
}

func (o seededOrganization) asked(connection, n int) string {
	return string(o.members[(connection*7919+n)%len(o.members)])
}

// redisGets reads a member's answer per request, over as many connections.
func redisGets(ctx context.Context, client *goredis.Client, o seededOrganization, connections int) (float64, error) {
	for _, member := range o.members {
		if err := client.Set(ctx, "may:"+string(member), "1", 0).Err(); err != nil {
			return 0, err
		}
	}
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	begin := time.Now()
	for i := range connections {
		all.Go(func() {
			for n := 0; time.Since(begin) < *window; n++ {
				if err := client.Get(ctx, "may:"+o.asked(i, n)).Err(); err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / time.Since(begin).Seconds(), nil
}
