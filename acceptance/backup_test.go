package acceptance

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestBackup_WhileTheServerRuns makes a backup while many people give commands,
// starts a server on it, and looks for what had been acknowledged before.
func TestBackup_WhileTheServerRuns(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	s := onFiles.start(t)
	c := s.newCrowd(t, 16, 4)
	ledger := &acknowledged{}
	c.after = func(org, name string, r response) { ledger.note(t, name, r) }
	stop := c.keepRioting(t)
	eventually(t, "there is something to lose", func() bool { return len(ledger.copy().events) >= 100 })

	before := ledger.copy()
	file, keys := filepath.Join(t.TempDir(), "log of today.db"), filepath.Join(t.TempDir(), "keys of today.db")
	out, code := runProgram(t, nil, "backup", "--data", s.data, "--to", file, "--keys-to", keys)
	if code != 0 {
		t.Fatal(out)
	}
	said := regexp.MustCompile(`^(\d+) events up to position (\d+), (\d+) bytes`).FindStringSubmatch(out)
	if said == nil {
		t.Fatalf("the backup does not say what is in it: %s", out)
	}
	is.True(strings.Contains(out, filepath.Join(s.data, "secret.key")))
	is.True(!strings.Contains(out, "%")) // progress is for terminals
	position, err := strconv.ParseUint(said[2], 10, 64)
	is.NoErr(err)
	is.True(position >= slices.MaxFunc(before.events, acknowledgedEvent.compare).position)
	info, err := os.Stat(file)
	is.NoErr(err)
	is.Equal(info.Mode().Perm(), os.FileMode(0o600))
	is.Equal(strconv.FormatInt(info.Size(), 10), said[3])
	for _, made := range []string{file, keys} {
		info, err := os.Stat(made)
		is.NoErr(err)
		is.Equal(info.Mode().Perm(), os.FileMode(0o600))
		beside, err := filepath.Glob(filepath.Join(filepath.Dir(made), "*"))
		is.NoErr(err)
		is.Equal(beside, []string{made}) // and nothing else
	}

	enough := len(before.events) + 100
	eventually(t, "the server goes on", func() bool { return len(ledger.copy().events) >= enough })
	stop()

	t.Run("the restored server has all that was acknowledged before", func(t *testing.T) {
		is := is.New(t)
		restored := s.restore(t, file, keys)
		there := &crowd{server: restored, people: c.people, orgs: c.orgs}
		before.check(t, there)
		there.settled(t)
		there.checkAll(t)
		lists := there.snapshots(t)
		restored.rebuild(t)
		is.Equal(there.snapshots(t), lists)
		ok(t, c.people[0].at(restored).get("/v1/me")) // its secret is the same: the session holds
	})

	t.Run("the backup costs the server nothing that it acknowledged after", func(t *testing.T) {
		s.kill(t)
		s.run(t)
		ledger.check(t, c)
	})

	t.Run("without its secret the log is refused", func(t *testing.T) {
		is := is.New(t)
		bare := onFiles.prepare(t)
		copyFile(t, file, filepath.Join(bare.data, "log.db"))
		is.True(bare.launch() != nil)
		is.True(bare.stderr.contains("secret.key is missing"))
	})

	t.Run("without its keys the log is refused, and with others", func(t *testing.T) {
		is := is.New(t)
		bare := onFiles.prepare(t)
		copyFile(t, file, filepath.Join(bare.data, "log.db"))
		copyFile(t, filepath.Join(s.data, "secret.key"), filepath.Join(bare.data, "secret.key"))
		is.True(bare.launch() != nil)
		is.True(bare.stderr.contains("there are no keys"))
		_, err := os.Stat(filepath.Join(bare.data, "keys.db"))
		is.True(os.IsNotExist(err))
		copyFile(t, filepath.Join(onFiles.start(t).data, "keys.db"), filepath.Join(bare.data, "keys.db"))
		is.True(bare.launch() != nil)
		is.True(bare.stderr.contains("the keys are not those of this log"))
	})

	t.Run("keys that belong to a log serve no new one", func(t *testing.T) {
		is := is.New(t)
		bare := onFiles.prepare(t)
		copyFile(t, keys, filepath.Join(bare.data, "keys.db"))
		copyFile(t, filepath.Join(s.data, "secret.key"), filepath.Join(bare.data, "secret.key"))
		if err := bare.launch(); err == nil {
			bare.waitExit(t)
		}
		is.True(bare.stderr.contains("the keys are not those of this log"))
	})
}

// restore does what docs/operators.md says: the backups and the secret into an
// empty folder, and start.
func (s *server) restore(t *testing.T, file, keys string) *server {
	t.Helper()
	restored := onFiles.prepare(t)
	restored.key.Store(s.key.Load())
	copyFile(t, file, filepath.Join(restored.data, "log.db"))
	copyFile(t, keys, filepath.Join(restored.data, "keys.db"))
	copyFile(t, filepath.Join(s.data, "secret.key"), filepath.Join(restored.data, "secret.key"))
	restored.run(t)
	return restored
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o700)
	}
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (a *acknowledged) copy() *acknowledged {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &acknowledged{events: slices.Clone(a.events)}
}

func (e acknowledgedEvent) compare(other acknowledgedEvent) int {
	return int(int64(e.position) - int64(other.position))
}

func TestBackup_IsRefused(t *testing.T) {
	t.Parallel()
	s := onFiles.start(t)
	folder := t.TempDir()
	taken := filepath.Join(folder, "taken.db")
	if err := os.WriteFile(taken, []byte("the backup of yesterday"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, wrong := range map[string]struct{ data, to, says string }{
		"where there is no log":             {folder, filepath.Join(folder, "new.db"), "there is no log in " + folder},
		"where a file is":                   {s.data, taken, "is there already"},
		"into a folder that is not there":   {s.data, filepath.Join(folder, "nowhere", "new.db"), "no such file or directory"},
		"into what is no folder":            {s.data, filepath.Join(taken, "new.db"), "not a directory"},
		"into a folder that takes no files": {s.data, "/proc/new.db", "/proc/new.db"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			out, code := runProgram(t, nil, "backup", "--data", wrong.data, "--to", wrong.to)
			is.Equal(code, 1)
			if !strings.Contains(out, wrong.says) || strings.Contains(out, "goroutine ") {
				t.Errorf("it does not say %q: %s", wrong.says, out)
			}
			left, err := filepath.Glob(filepath.Join(folder, "*"))
			is.NoErr(err)
			is.Equal(left, []string{taken})
			text, err := os.ReadFile(taken)
			is.NoErr(err)
			is.Equal(string(text), "the backup of yesterday")
		})
	}
	out, code := runProgram(t, nil, "backup", "--data", s.data)
	is := is.New(t)
	is.True(code != 0)
	is.True(strings.Contains(out, "--to") && strings.Contains(out, "--keys-to"))
	out, code = runProgram(t, nil, "backup", "--data", s.data, "--keys-to", taken)
	is.True(code != 0)
	is.True(strings.Contains(out, "is there already"))
	ok(t, s.anonymous().get("/readyz"))
}

func TestOperations_MakingTheSecret(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	first, code := runProgram(t, nil, "secret")
	is.Equal(code, 0)
	second, _ := runProgram(t, nil, "secret")
	is.True(first != second)
	secret, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(first, "\n"))
	is.NoErr(err)
	is.True(len(secret) >= 32)

	t.Run("a server takes it", func(t *testing.T) {
		is := is.New(t)
		s := onFiles.prepare(t)
		is.NoErr(os.MkdirAll(s.data, 0o700))
		is.NoErr(os.WriteFile(filepath.Join(s.data, "secret.key"), []byte(first), 0o600))
		s.run(t)
		ok(t, s.operator().get("/v1/operator/api-keys"))
		text, err := os.ReadFile(filepath.Join(s.data, "secret.key"))
		is.NoErr(err)
		is.Equal(string(text), first)
	})

	t.Run("in a file it is made once", func(t *testing.T) {
		is := is.New(t)
		file := filepath.Join(t.TempDir(), "secret.key")
		var texts [2][]byte
		for i := range texts {
			out, code := runProgram(t, nil, "secret", "--to", file)
			is.Equal(out, "")
			is.Equal(code, 0)
			texts[i], err = os.ReadFile(file)
			is.NoErr(err)
		}
		is.Equal(texts[0], texts[1])
		info, err := os.Stat(file)
		is.NoErr(err)
		is.Equal(info.Mode().Perm(), os.FileMode(0o600))

		is.NoErr(os.WriteFile(file, []byte("rubbish"), 0o600))
		out, code := runProgram(t, nil, "secret", "--to", file)
		is.Equal(code, 1)
		is.True(strings.Contains(out, file))
	})
}

func TestOperations_AskingForHealth(t *testing.T) {
	onTheFolder(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t, withFlags("--max-lag", "1"))
		ada := s.signUp(t, "Ada")
		url := *s.url.Load()
		listen := strings.TrimPrefix(url, "http://")
		_, port, _ := strings.Cut(listen, ":")
		healthy := func(env []string, args ...string) (string, bool) {
			out, code := runProgram(t, env, append([]string{"health"}, args...)...)
			is.True(code == 0 || code == 1)
			is.True(!strings.Contains(out, "goroutine "))
			return out, code == 0
		}
		eventually(t, "it is ready", func() bool { return s.anonymous().get("/readyz").done() })
		for _, asked := range []struct{ env, args []string }{
			{nil, []string{"--url", url}},
			{nil, []string{"--url", url, "--live"}},
			{[]string{"TENURE_LISTEN=" + listen}, nil},
			{[]string{"TENURE_LISTEN=:" + port}, nil},
			{[]string{"TENURE_LISTEN=0.0.0.0:" + port, "HTTP_PROXY=http://127.0.0.1:1"}, nil},
		} {
			if out, ok := healthy(asked.env, asked.args...); !ok {
				t.Error(asked, out)
			}
		}

		release := s.stores.blockViews(t)
		ok(t, ada.activate(unique("Blocked"))) // what the views cannot show
		eventually(t, "it is not ready, and says why", func() bool {
			out, ok := healthy(nil, "--url", url)
			return !ok && regexp.MustCompile("/readyz: .*(halted|behind)").MatchString(out)
		})
		_, alive := healthy(nil, "--url", url, "--live")
		is.True(alive)
		release()
		eventually(t, "it is ready again", func() bool { _, ok := healthy(nil, "--url", url); return ok })

		s.stop(t)
		_, alive = healthy(nil, "--url", url, "--live")
		is.True(!alive)
		_, code := runProgram(t, []string{"TENURE_LISTEN=nonsense"}, "health")
		is.Equal(code, 1)
	})
}
