package acceptance

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// logFlags name the log for the commands that read it beside the server.
func (s *server) logFlags() []string {
	if s.stores.events != nil {
		return []string{"--log", s.stores.events.url()}
	}
	return []string{"--data", s.data}
}

func (c *cast) exportAndVerify(t *testing.T, key string) {
	t.Helper()
	is := is.New(t)
	said, code := runProgram(t, nil, "ledger", "key", "--secret-file", c.stores.secret)
	is.Equal(code, 0)
	is.Equal(strings.TrimSpace(said), key)
	kept := filepath.Join(t.TempDir(), "checkpoint")
	is.NoErr(os.WriteFile(kept, []byte(c.newestCheckpoint(t).text), 0o600))
	out, code := runProgram(t, nil, append([]string{"audit", "verify", "--key", key, "--checkpoint", kept}, c.logFlags()...)...)
	t.Log(out)
	is.Equal(code, 0)
	is.True(strings.Contains(out, "complete, unaltered and in order"))
	for _, scope := range [][]string{nil, {"--org", c.org}} {
		file := filepath.Join(t.TempDir(), "export.ndjson")
		out, code := runProgram(t, nil, slices.Concat([]string{"audit", "export", "--to", file, "--secret-file", c.stores.secret}, c.logFlags(), scope)...)
		t.Log(out)
		is.Equal(code, 0)
		info, err := os.Stat(file)
		is.NoErr(err)
		is.Equal(info.Mode().Perm(), os.FileMode(0o600))
		_, code = runProgram(t, nil, append([]string{"audit", "export", "--to", file}, c.logFlags()...)...)
		is.Equal(code, 1) // it is there already

		out, code = runProgram(t, nil, "audit", "verify", file, "--key", key)
		t.Log(out)
		is.Equal(code, 0)
		shows(t, out, "signatures: valid", "end: signed by who exported it")
		is.True(!strings.Contains(out, "%")) // progress is for terminals
		for _, command := range [][]string{{"verify", file}, append([]string{"verify"}, c.logFlags()...), {"members", "--org", c.org, "--export", file}} {
			out, code = runProgram(t, nil, append([]string{"audit"}, command...)...)
			is.Equal(code, 80) // not 1, which says that something was altered
			is.True(strings.Contains(out, "give --key, the verifier key") && !strings.Contains(out, c.org))
		}
		out, code = runProgram(t, nil, "audit", "verify", file, "--without-key")
		is.Equal(code, 0)
		is.True(strings.Contains(out, "SIGNATURES NOT CHECKED") && !strings.Contains(out, "unaltered"))
		_, code = runProgram(t, []string{"TENURE_LEDGER_KEY=" + key}, "audit", "verify", file, "--without-key")
		is.Equal(code, 80)
		_, code = runProgram(t, []string{"TENURE_LEDGER_KEY=" + key}, "audit", "verify", file)
		is.Equal(code, 0)
		c.misused(t, file, key)

		older := filepath.Join(t.TempDir(), "older")
		is.NoErr(os.WriteFile(older, []byte(c.checkpoints(t)[0].text), 0o600))
		out, code = runProgram(t, nil, "audit", "verify", file, "--key", key, "--checkpoint", older)
		is.Equal(code, len(scope)/2) // the events of one organization do not tell what was before
		if code > 0 {
			proof := ok(t, c.anonymous().get(regexp.MustCompile(`/v1/ledger/proof/consistency\S+\d`).FindString(out)))
			between := filepath.Join(t.TempDir(), "between.json")
			is.NoErr(os.WriteFile(between, proof.body, 0o600))
			_, code = runProgram(t, nil, "audit", "verify", file, "--key", key, "--checkpoint", older, "--consistency", between)
			is.Equal(code, 0)
		}

		text, err := os.ReadFile(file)
		is.NoErr(err)
		for _, e := range c.owner.history(t, c.org) {
			is.True(bytes.Contains(text, []byte(`"type":"`+e.Type+`"`)))
		}
		end := bytes.Index(text, []byte(`,"signature":`))
		is.NoErr(os.WriteFile(file, append(text[:end:end], "}\n"...), 0o600))
		_, code = runProgram(t, nil, "audit", "verify", file, "--key", key)
		is.Equal(code, 1)
		for _, command := range []string{"verify", "members"} {
			args := []string{"audit", command, file, "--key", key, "--without-signed-end"}
			if command == "members" {
				args = []string{"audit", command, "--export", file, "--org", c.org, "--key", key, "--without-signed-end"}
			}
			out, code = runProgram(t, nil, args...)
			is.Equal(code, 0)
			is.True(strings.Contains(out, "END") && strings.Contains(out, "may have left out what came last"))
		}
		is.NoErr(os.WriteFile(file, bytes.Replace(text, []byte("organization.activated.v1"), []byte("organization.Activated.v1"), 1), 0o600))
		out, code = runProgram(t, nil, "audit", "verify", file, "--key", key)
		is.Equal(code, 1)
		is.True(strings.Contains(out, "organization.Activated.v1: the event is not what was signed"))
		out, code = runProgram(t, nil, "audit", "verify", file, "--key", key, "--json")
		is.Equal(code, 1)
		is.True(strings.Contains(out, `"ok": false`))
	}
}

// misused asks in ways that have no answer: 80 says that the command line is wrong, and
// not that something was altered.
func (c *cast) misused(t *testing.T, file, key string) {
	t.Helper()
	export := []string{"--export", file, "--org", c.org, "--key", key}
	for _, asked := range []struct {
		code int
		args []string
		says string
	}{
		{80, []string{"verify", "--key", key}, "give --data"},
		{80, []string{"verify", file, "--data", "elsewhere", "--key", key}, "not both"},
		{80, []string{"verify", file, "--key", key[:20]}, "give the whole line"},
		{80, append([]string{"members"}, c.logFlags()...), "give --org"},
		{80, append([]string{"members", "--as-of", "x"}, export...), "give an instant"},
		{80, append([]string{"replay", "--from", "9", "--until", "8"}, export...), "--from 9 is after --until 8"},
		{80, append([]string{"diff", "--from", "1", "--csv", "--json"}, export...), "not both"},
		{1, append([]string{"replay", "--from", "1000000"}, export...), "got to"},
		{1, append([]string{"history", "--member", "nobody"}, export...), "no event of the organization is about this account"},
		{1, append([]string{"members", "--role", "NOPE"}, export...), "has no such role"},
		{0, append([]string{"members", "--role", "ADMIN"}, export...), "Verified: "},
		{0, append([]string{"diff", "--from", "1", "--csv"}, export...), "End: signed"},
	} {
		out, code := runProgram(t, nil, append([]string{"audit"}, asked.args...)...)
		if code != asked.code || !strings.Contains(out, asked.says) {
			t.Errorf("%v: %d, %s", asked.args, code, out)
		}
	}
}
