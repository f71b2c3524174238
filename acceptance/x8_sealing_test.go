package acceptance

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestX8_TheLogHoldsNoPersonalDataInPlain looks for what the cast has said of
// itself in the raw bytes of the log.
func TestX8_TheLogHoldsNoPersonalDataInPlain(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		c := b.start(t).newCast(t)
		guest := c.newPerson("Guest")
		ok(t, c.owner.invite(c.org, guest.Email, guest.Name, "USER"))
		reason := unique("Words-about-somebody")
		ok(t, c.owner.put(orgPath(c.org, "members", c.user.AccountID, "roles"), map[string]any{"roles": []string{"VIEWER"}, "reason": reason}))
		before := c.snapshot(t)
		c.stop(t)
		log := c.logBytes(t)
		is.True(bytes.Contains(log, []byte("tnr_sealed1.")))
		for _, p := range []*person{c.owner, c.admin, c.user, guest} {
			for _, text := range []string{p.Email, strings.ToLower(p.Email), p.Name} {
				if bytes.Contains(log, []byte(text)) {
					t.Errorf("the log holds %s", text)
				}
			}
		}
		is.True(!bytes.Contains(log, []byte(reason)))
		is.True(!bytes.Contains(log, []byte("$argon2id$")))
		c.run(t)
		is.Equal(c.snapshot(t), before)
		c.rebuild(t)
		is.Equal(c.snapshot(t), before)
	})
}

// logBytes are all files of the log, of a server that is stopped.
func (s *server) logBytes(t *testing.T) []byte {
	t.Helper()
	folder := s.data
	if s.stores.events != nil {
		folder = s.stores.events.folder
	}
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, file := range files {
		if name := filepath.Base(file); strings.HasPrefix(name, "views.db") || strings.HasPrefix(name, "keys.db") || name == "outbox" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
}

// TestX8_KeysAreLookedAfter rotates and rewraps keys while the server runs.
func TestX8_KeysAreLookedAfter(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t)
		ada := s.signUp(t, "Ada")
		keys := func(args ...string) (string, int) {
			flags := []string{"--data", s.data}
			if s.stores.keys != nil {
				flags = append(flags, "--secret-file", s.stores.secret, "--keys", s.stores.keys.url(), "--keys-prefix", s.stores.keysPrefix)
			}
			return runProgram(t, nil, append(append([]string{"keys"}, args...), flags...)...)
		}
		out, code := keys("rotate", ada.AccountID)
		is.Equal(code, 0)
		is.True(strings.Contains(out, ada.AccountID+": key 2"))
		_, code = keys("rotate", "0192d2a1-7f5e-7c3a-9a41-000000000001")
		is.Equal(code, 1)
		s.restart(t)
		ok(t, ada.patch("/v1/me", map[string]any{"display_name": "Ada Renamed"}))
		if s.stores.events == nil { // an event store's file may hold it elsewhere
			s.stop(t)
			is.True(bytes.Contains(s.logBytes(t), []byte("tnr_sealed1.0002.")))
			s.run(t)
		}

		master := filepath.Join(t.TempDir(), "master.key")
		is.NoErr(os.WriteFile(master, []byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))), 0o600))
		out, code = keys("rewrap", "--master-key-file", master)
		is.Equal(code, 0)
		is.True(regexp.MustCompile(`(?m)^[1-9]\d* keys wrapped anew`).MatchString(out))
		out, _ = keys("status", "--master-key-file", master)
		is.True(strings.Contains(out, "current") && !strings.Contains(out, "former"))
		out, _ = keys("status")
		is.True(strings.Contains(out, "unknown"))

		// With the new master key it goes on; the old one is not asked for.
		s.stop(t)
		s.flags = append(s.flags, "--master-key-file", master)
		s.run(t)
		is.Equal(decoded[meDoc](t, ada.get("/v1/me")).DisplayName, "Ada Renamed")
		s.rebuild(t)
		ok(t, ada.get("/v1/me/organizations"))
	})
}

// TestX8_TheCommandsOfThePage runs every command of docs/erasure.md in its order,
// while the server runs.
func TestX8_TheCommandsOfThePage(t *testing.T) {
	onTheFolder(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t)
		ada := s.signUp(t, "Ada")
		page, err := os.ReadFile("../docs/erasure.md")
		is.NoErr(err)
		folder := t.TempDir()
		for _, name := range []string{"bin", "backup", "elsewhere"} {
			is.NoErr(os.Mkdir(filepath.Join(folder, name), 0o700))
		}
		is.NoErr(os.Symlink(programs.plain.binary(t), filepath.Join(folder, "bin", "tenure")))
		_, code := runProgram(t, nil, "secret", "--to", filepath.Join(folder, "master.key"))
		is.Equal(code, 0)
		here := strings.NewReplacer(
			"/var/lib/tenure", s.data, "/backup/", folder+"/backup/", "/elsewhere/", folder+"/elsewhere/", "/etc/tenure/", folder+"/",
			"0192d2a1-7f5e-7c3a-9a41-000000000002", ada.AccountID,
		)
		blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(page, -1)
		is.True(len(blocks) >= 4)
		for _, block := range blocks {
			script := exec.Command("bash", "-euc", here.Replace(string(block[1])))
			script.Env = append(os.Environ(), "PATH="+filepath.Join(folder, "bin")+":"+os.Getenv("PATH"))
			if strings.Contains(string(block[1]), "rotate") { // the page has changed the master key
				script.Env = append(script.Env, "TENURE_MASTER_KEY_FILE="+filepath.Join(folder, "master.key"))
			}
			if out, err := script.CombinedOutput(); err != nil {
				t.Errorf("%s\n%v\n%s", block[1], err, out)
			}
		}
	})
}
