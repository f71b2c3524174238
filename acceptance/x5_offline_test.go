package acceptance

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// An auditor with nothing but an export answers as the server does, at every
// position, and gets no answer from a file that somebody has touched.
func TestX5_AuditorsAnswerOffline(t *testing.T) {
	onBothLogs(t, func(t *testing.T, b backend) {
		s := b.start(t)
		key := s.verifierKey(t)
		c := s.newCast(t)
		positions := []uint64{s.position.Load()}
		for _, change := range []func(){
			func() {
				ok(t, c.owner.put(orgPath(c.org, "members", c.user.AccountID, "roles"), obj{"roles": []string{"ADMIN"}, "reason": `Stands in \o/ 代理`}))
			},
			func() { ok(t, c.owner.invite(c.org, unique("guest")+"@example.com", unique("guest"), "USER")) },
			func() {
				ok(t, c.owner.do("DELETE", orgPath(c.org, "members", c.admin.AccountID), obj{"reason": "Left."}))
			},
			func() { ok(t, c.owner.rename(c.org, unique("Renamed"))) },
		} {
			change()
			positions = append(positions, s.position.Load())
		}
		last := positions[len(positions)-1]
		sources := map[string][]string{
			"the log":               append(s.logFlags(), "--org", c.org),
			"NDJSON of the log":     {"--export", s.export(t, last, "ndjson"), "--org", c.org, "--key", key},
			"Parquet of the log":    {"--export", s.export(t, last, "parquet"), "--org", c.org, "--key", key},
			"NDJSON of Acme alone":  {"--export", s.export(t, last, "ndjson", "--org", c.org), "--key", key},
			"Parquet of Acme alone": {"--export", s.export(t, last, "parquet", "--org", c.org), "--key", key},
		}
		for name, flags := range sources {
			if name != "NDJSON of the log" {
				flags = append(flags, append([]string{"--unseal"}, s.keyFlags()...)...)
			} else {
				c.checkSealed(t, flags)
			}
			switch name {
			case "NDJSON of the log":
				continue
			case "Parquet of the log":
			default: // the first, and the last
				c.checkOffline(t, name, flags, []uint64{positions[0], last})
				continue
			}
			c.checkOffline(t, name, flags, positions)
			t.Run(name+", touched", func(t *testing.T) {
				is := is.New(t)
				text, err := os.ReadFile(flags[1])
				is.NoErr(err)
				text[len(text)/2] ^= 4
				file := filepath.Join(t.TempDir(), "touched")
				is.NoErr(os.WriteFile(file, text, 0o600))
				out, code := runProgram(t, nil, "audit", "members", "--export", file, "--org", c.org, "--key", key)
				is.Equal(code, 1)
				is.True(strings.Contains(out, "nothing is answered from an export that is not right"))
				is.True(!strings.Contains(out, c.owner.Email))
			})
		}
	})
}

// keyFlags lead an auditor's command to the keys of the deployment.
func (s *server) keyFlags() []string {
	if s.stores.keys == nil {
		return []string{"--keys-folder", s.data}
	}
	return []string{"--secret-file", s.stores.secret, "--keys", s.stores.keys.url(), "--keys-prefix", s.stores.keysPrefix}
}

// checkSealed looks at what an auditor without keys is shown.
func (c *cast) checkSealed(t *testing.T, flags []string) {
	t.Helper()
	is := is.New(t)
	for _, command := range []string{"members", "replay", "history"} {
		out, code := runProgram(t, nil, slices.Concat([]string{"audit", command}, flags)...)
		is.Equal(code, 0)
		is.True(strings.Contains(out, c.user.AccountID) && strings.Contains(out, "Sealed person "))
		is.True(!strings.Contains(out, c.user.Email) && !strings.Contains(out, "代理"))
	}
}

func (c *cast) checkOffline(t *testing.T, name string, flags []string, positions []uint64) {
	t.Run(name, func(t *testing.T) { c.answersOffline(t, flags, positions) })
}

func (c *cast) answersOffline(t *testing.T, flags []string, positions []uint64) {
	is := is.New(t)
	ask := func(into any, command string, args ...string) {
		t.Helper()
		out, code := runProgram(t, nil, slices.Concat([]string{"audit", command, "--json"}, flags, args)...)
		if code != 0 || json.Unmarshal([]byte(out), into) != nil {
			t.Fatalf("%s %v: %d, %s", command, args, code, out)
		}
	}
	operator := c.operator()
	for i, p := range positions {
		at := fmt.Sprint(p)
		var seen struct {
			Position string      `json:"position"`
			Items    []memberDoc `json:"items"`
		}
		ask(&seen, "members", "--as-of", at, "--status", "active")
		want := ok(t, operator.get(orgPath(c.org, "members")+"?limit=200&as_of="+at))
		is.Equal(seen.Items, decoded[struct{ Items []memberDoc }](t, want).Items)
		is.Equal(seen.Position, want.header.Get("Tenure-Position"))

		var diff struct{ Diff json.RawMessage }
		ask(&diff, "diff", "--from", fmt.Sprint(positions[0]), "--to", at)
		if i > 0 {
			is.Equal(sortedItems(t, diff.Diff), sortedItems(t, ok(t, operator.get(orgPath(c.org, "history/diff")+fmt.Sprintf("?from=%d&to=%d", positions[0], p))).body))
		}
		table, code := runProgram(t, nil, slices.Concat([]string{"audit", "review", "--format", "csv", "--as-of", at}, flags)...)
		is.Equal(code, 0)
		is.True(strings.Contains(table, string(ok(t, operator.get(orgPath(c.org, "history/review")+"?format=csv&as_of="+at)).body)))
	}
	for member, path := range map[string]string{"": orgPath(c.org, "history"), c.user.AccountID: orgPath(c.org, "members", c.user.AccountID, "history")} {
		var told struct{ Items []entryDoc }
		args := []string{"--until", fmt.Sprint(positions[len(positions)-1])}
		if member != "" {
			args = append(args, "--member", member)
		}
		ask(&told, "history", args...)
		want := all[entryDoc](t, operator, path+"?order=asc&limit=200")
		is.Equal(told.Items, want[:len(told.Items)])
		is.True(len(told.Items) > 2)
	}
	for _, command := range []string{"replay", "history", "members", "diff"} {
		args := slices.Concat([]string{"audit", command}, flags)
		if command == "diff" {
			args = append(args, "--from", fmt.Sprint(positions[0]))
		}
		out, code := runProgram(t, nil, args...)
		is.Equal(code, 0)
		is.True(!strings.Contains(out, "\x1b")) // a pipe has no colours
		is.True(strings.Contains(out, `Stands in \\o/ 代理`))
		is.True(command != "diff" || strings.Contains(out, c.owner.Name+" ("+c.owner.AccountID+")")) // whose decision it was
		if flags[0] == "--export" {
			is.True(strings.Contains(out, "Verified: ") && strings.Contains(out, "Signature: valid"))
		}
	}
}

// sortedItems are the items of a difference in an order of their own: those of one
// event come in any.
func sortedItems(t *testing.T, body []byte) []string {
	t.Helper()
	var d struct{ Items []json.RawMessage }
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatal(err)
	}
	items := make([]string, len(d.Items))
	for i, item := range d.Items {
		var v any
		if err := json.Unmarshal(item, &v); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		items[i] = string(text)
	}
	slices.Sort(items)
	return items
}

// The commands of the page for auditors that need no server work when they are
// pasted.
func TestX5_ThePageForAuditorsWorksOffline(t *testing.T) {
	onTheFolder(t, func(t *testing.T, b backend) {
		is := is.New(t)
		page, err := os.ReadFile("../docs/auditors.md")
		is.NoErr(err)
		var script strings.Builder
		for _, block := range regexp.MustCompile("(?s)```sh offline\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
			script.WriteString(block[1])
		}
		s := b.start(t)
		c := s.newCast(t)
		march := time.Now().UTC().Format(time.RFC3339Nano)
		ok(t, c.owner.remove(c.org, c.admin))
		s.export(t, s.position.Load(), "ndjson") // waits until it is signed
		shell := exec.Command("bash", "-euo", "pipefail", "-c", script.String())
		shell.Dir = t.TempDir()
		shell.Env = append(os.Environ(), "ORG="+c.org, "ACCOUNT="+c.admin.AccountID, "MARCH="+march, "DATA="+s.data,
			"PATH="+filepath.Dir(programs.plain.binary(t))+":"+os.Getenv("PATH"))
		shell.Stderr = os.Stderr
		out, err := shell.Output()
		is.NoErr(err)
		shows(t, string(out), "GIVEN BY", c.admin.AccountID, "1 member\n", "Signature: valid", "was founded by", "– → ADMIN", "became a member", " is no member any more", "left", "1 change,")
		written, err := os.ReadFile(filepath.Join(shell.Dir, "offline.html"))
		is.NoErr(err)
		is.True(strings.Contains(string(written), c.admin.Email))
	})
}
