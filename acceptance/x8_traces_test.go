package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func fileBytes(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// feedOf is the whole feed as one who may see personal data reads it, in pages
// and as lines.
func (c *cast) feedOf(t *testing.T) string {
	t.Helper()
	if c.pipeline == nil {
		key := c.follower(t, "events.read", "events.read_personal")
		c.pipeline = &key
	}
	var all strings.Builder
	for cursor := ""; ; {
		r := ok(t, c.pipeline.get("/v1/events?limit=1000&cursor="+cursor))
		all.Write(r.body)
		p := decoded[struct {
			Next string `json:"next_cursor"`
			Head bool   `json:"head"`
		}](t, r)
		if cursor = p.Next; p.Head {
			break
		}
	}
	all.Write(ok(t, c.pipeline.get("/v1/events", header("Accept", "application/x-ndjson"))).body)
	return all.String()
}

// pastOf is what is shown of an organization as it was at a position, and of what
// has changed since.
func (c *cast) pastOf(t *testing.T, org string, position uint64) string {
	t.Helper()
	var all strings.Builder
	for _, path := range []string{
		"members?limit=200&as_of=%d", "members?limit=200&status=removed&as_of=%d", "members?limit=200&status=invited&as_of=%d", "invitations?limit=200&as_of=%d",
		"history/review?as_of=%d&format=csv", "history/review?as_of=%d&format=html", "history/diff?from=%d", "history/diff?from=%d&format=csv", "history/diff?from=1&to=%d",
	} {
		all.Write(ok(t, c.operator().get(orgPath(org)+"/"+fmt.Sprintf(path, position))).body)
	}
	return all.String()
}

// exportTraces looks for somebody in exports of the log and of the organization,
// and has these verified.
func (c *cast) exportTraces(t *testing.T) {
	t.Helper()
	key := c.verifierKey(t)
	verify := func(what ...string) {
		t.Helper()
		if out, code := runProgram(t, nil, append([]string{"audit", "verify", "--key", key}, what...)...); code != 0 || !strings.Contains(out, "signatures: valid") {
			t.Error(out)
		}
	}
	verify(c.logFlags()...)
	for i, scope := range [][]string{{}, {"--org", c.org}} {
		file := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if out, code := runProgram(t, nil, append(append([]string{"audit", "export", "--to", file}, c.logFlags()...), scope...)...); code != 0 {
			t.Error(out)
		}
		if trace := leftOver(fileBytes(t, file)); trace != "" {
			t.Errorf("an export has %s", trace)
		}
		verify(file)
	}
}
