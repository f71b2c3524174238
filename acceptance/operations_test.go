package acceptance

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestOperations_WrongSettingsAreNamed(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	is := is.New(t)
	is.NoErr(os.WriteFile(file, []byte("x"), 0o600))
	for _, wrong := range [][]string{
		{"listen", "--listen", "nonsense"},
		{"listen", "--listen", taken.Addr().String()},
		{"data", "--data", filepath.Join(file, "below")},
		{"public-url", "--public-url", "ftp://example.com"},
		{"session-lifetime", "--session-lifetime", "1s"},
		{"password-memory", "--password-memory", "1"},
		{"password-iterations", "--password-iterations", "0"},
		{"read-wait", "--read-wait", "0s"},
		{"cached-events", "--cached-events", "1"},
		{"publish", "--publish", "nats://localhost:4222"},
		{"publish", "--publish", "nats://a/tenure nats://b/tenure"},
		{"ledger-interval", "--ledger-interval", "1ms"},
		{"ledger-witness", "--ledger-witness", "witness.example+00000000+AAAA"},
		{"trace-sample", "--trace-sample", "2"},
		{"smtp-host", "--smtp-port", "25"},
		{"smtp-password", "--smtp-host", "localhost", "--smtp-username", "somebody"},
		{"smtp-tls", "--smtp-host", "localhost", "--smtp-tls", "perhaps"},
		{"smtp-password-file", "--smtp-host", "localhost", "--smtp-password-file", "/nowhere/at/all"},
		{"smtp-ca-file", "--smtp-host", "localhost", "--smtp-ca-file", file},
		{"trusted-proxies", "--trusted-proxies", "somewhere"},
		{"cors-origins", "--cors-origins", "example.com"},
		{"mail-from", "--mail-from", "nobody"},
		{"otlp-endpoint", "--otlp-endpoint", "localhost:4318"},
		{"log-level", "--log-level", "loud"},
		{"log-format", "--log-format", "xml"},
		{"rate-limits", "--rate-limits", "perhaps"},
		{"onboarding", "--onboarding", "nowhere"},
		{"onboarding", "--onboarding", "seats"},
		{"views-prefix", "--views-prefix", "mine{"},
		{"secret-file", "--log", "esdb://127.0.0.1:2113?tls=false"},
		{"colour", "--colour", "blue"},
	} {
		t.Run(strings.Join(wrong[1:3], " "), func(t *testing.T) {
			is := is.New(t)
			args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data")}, wrong[1:]...)
			out, code := runProgram(t, nil, args...)
			is.True(code != 0)
			if !strings.Contains(out, wrong[0]) {
				t.Errorf("the error does not name %s: %s", wrong[0], out)
			}
			is.True(!strings.Contains(out, "goroutine "))
		})
	}
}

// runProgram runs the plain program to its end.
func runProgram(t *testing.T, env []string, args ...string) (output string, code int) {
	t.Helper()
	cmd := exec.Command(programs.plain.binary(t), args...)
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer timer.Stop()
	cmd.Wait()
	return out.String(), cmd.ProcessState.ExitCode()
}

func TestOperations_VersionAndConfig(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	out, code := runProgram(t, nil, "version")
	is.Equal(code, 0)
	is.Equal(out, "tenure acceptance\n")

	env := []string{"TENURE_SMTP_PASSWORD=very-secret", "TENURE_SMTP_HOST=mail.example.com", "TENURE_READ_WAIT=3s"}
	out, code = runProgram(t, env, "config", "--log-level", "warn")
	is.Equal(code, 0)
	is.True(!strings.Contains(out, "very-secret"))
	for _, line := range []string{
		`--smtp-password +TENURE_SMTP_PASSWORD +\(set\) +environment`,
		`--smtp-host +TENURE_SMTP_HOST +mail\.example\.com +environment`,
		`--read-wait +TENURE_READ_WAIT +3s +environment`,
		`--log-level +TENURE_LOG_LEVEL +WARN +flag`,
		`--listen +TENURE_LISTEN +127\.0\.0\.1:8080 +default`,
	} {
		if !regexp.MustCompile(line).MatchString(out) {
			t.Errorf("no line like %s in\n%s", line, out)
		}
	}
	out, code = runProgram(t, append(env, "TENURE_READ_WAIT=1h"), "config")
	is.True(code != 0)
	is.True(strings.Contains(out, "read-wait"))
}

func TestOperations_TheFolder(t *testing.T) {
	onTheFolder(t, func(t *testing.T, b backend) {
		s := b.start(t)
		is := is.New(t)

		t.Run("is its owner's alone", func(t *testing.T) {
			for name, mode := range map[string]os.FileMode{"": 0o700, "secret.key": 0o600} {
				info, err := os.Stat(filepath.Join(s.data, name))
				is.NoErr(err)
				is.Equal(info.Mode().Perm(), mode)
			}
		})

		t.Run("has one server", func(t *testing.T) {
			second := exec.Command(s.program, append([]string{"serve"}, s.flags...)...)
			out, err := second.CombinedOutput()
			is.True(err != nil)
			is.True(strings.Contains(string(out), "setting data"))
			is.True(strings.Contains(string(out), s.data))
			ok(t, s.anonymous().get("/healthz")) // the first one does not mind
		})

		t.Run("has a secret that others cannot read", func(t *testing.T) {
			s.stop(t)
			is.NoErr(os.Chmod(filepath.Join(s.data, "secret.key"), 0o644))
			is.True(s.launch() != nil)
			is.True(s.stderr.contains("chmod 600"))
			is.NoErr(os.Chmod(filepath.Join(s.data, "secret.key"), 0o600))
			s.run(t)
		})

		t.Run("is not opened with another secret's leftovers", func(t *testing.T) {
			s.stop(t)
			whole, err := os.ReadFile(filepath.Join(s.data, "secret.key"))
			is.NoErr(err)
			is.NoErr(os.WriteFile(filepath.Join(s.data, "secret.key"), whole[:10], 0o600))
			is.True(s.launch() != nil)
			is.True(s.stderr.contains("restore it from the backup"))
			is.NoErr(os.WriteFile(filepath.Join(s.data, "secret.key"), whole, 0o600))
			s.run(t)
			ok(t, s.operator().get("/v1/operator/api-keys"))
		})
	})
}

func TestOperations_ShuttingDown(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t, withFlags("--read-wait", "2s"))
		ada := s.signUp(t, "Ada")
		answers := make(chan response, 8)
		for range cap(answers) {
			go func() { answers <- ada.get("/v1/me/organizations", atPosition(1<<62)) }() // which takes two seconds
		}
		time.Sleep(300 * time.Millisecond)
		s.signal(syscall.SIGTERM)
		for range cap(answers) {
			refused(t, <-answers, 503, "view_behind") // and not a broken connection
		}
		s.waitExit(t)
		is := is.New(t)
		is.Equal(s.cmd.ProcessState.ExitCode(), 0)
		is.True(!s.stderr.contains(`"msg":"process step failed"`)) // a stop is no failure
		s.run(t)
		ok(t, ada.get("/v1/me"))
	})
}

func TestOperations_ReadyAndNot(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t, withOwnRedis())
		is := is.New(t)
		ada, grace, forced := s.signUp(t, "Ada"), s.signUp(t, "Grace"), s.signUp(t, "Forced")
		ok(t, s.anonymous().get("/healthz"))
		ok(t, s.anonymous().get("/readyz"))

		release := s.stores.blockViews(t)
		org := decoded[receipt](t, ada.activate(unique("Blocked"))).OrganizationID // commands do not mind
		school := decoded[receipt](t, ok(t, ada.foundAs("moderated", unique("School")))).OrganizationID
		ok(t, ada.add(school, grace.Email, "", "participant"))
		var said response
		eventually(t, "a halted view makes the server not ready", func() bool {
			said = s.anonymous().get("/readyz")
			return said.status == 503 && strings.Contains(said.problem().Detail, "views")
		})
		is.Equal(said.code(), "not_ready")
		ok(t, s.anonymous().get("/healthz"))
		halted := string(ok(t, s.operator().get("/metrics")).body)
		is.Equal(metric(halted, "tenure_projection_halted"), "1")

		// A person is erased all the same (X8), which is finished when the views go
		// on; that nobody can do without them, the log says.
		erase := func(p *person, body obj) response {
			return s.operator().post("/v1/operator/accounts/"+p.AccountID+"/erase", body)
		}
		state := func(id string) response { return s.operator().get("/v1/operator/erasures/" + id) }
		blocked := refused(t, erase(ada, obj{}), 409, "erasure_blocked").Detail
		is.True(strings.Contains(blocked, school) && !strings.Contains(blocked, org))
		refused(t, state(grace.AccountID), 404, "not_found")
		ok(t, erase(grace, obj{}))
		ok(t, erase(forced, obj{"force": true}))
		refused(t, grace.get("/v1/me"), 401, "not_signed_in")
		for _, p := range []*person{grace, forced} {
			is.Equal(decoded[erasureDoc](t, state(p.AccountID)), erasureDoc{p.AccountID, "under_way", "views"})
		}

		release()
		for _, p := range []*person{grace, forced} {
			eventually(t, "the erasure is done", func() bool { return decoded[erasureDoc](t, state(p.AccountID)) == erasureDoc{p.AccountID, "done", ""} })
		}
		eventually(t, "it is ready again", func() bool { return s.anonymous().get("/readyz").done() })
		is.Equal(ada.roleOf(t, org, ada), "OWNER")
	})
}

// erasureDoc is how far an erasure is.
type erasureDoc struct {
	ErasureID string `json:"erasure_id"`
	State     string `json:"state"`
	WaitsFor  string `json:"waits_for"`
}

// The page for operators names every metric of ours, with its type and labels,
// and no other. A broker that is away is measured as well.
func TestOperations_MetricsAreOnThePageForOperators(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t, withFlags("--publish", "nats://127.0.0.1:1/tenure"))
		ok(t, s.anonymous().get("/healthz")) // so that there is a request to count
		var text string
		eventually(t, "the processes are counted", func() bool {
			text = string(ok(t, s.operator().get("/metrics")).body)
			return strings.Contains(text, "tenure_process_position{") && strings.Contains(text, "tenure_broker_failures_total{")
		})
		page, err := os.ReadFile("../docs/operators.md")
		is.NoErr(err)
		served, written := servedMetrics(text), make(map[string]string)
		for _, row := range regexp.MustCompile("(?m)^\\| `(tenure_[a-z_]+)` \\| (\\w+) \\| (.*?) *\\| ").FindAllStringSubmatch(string(page), -1) {
			written[row[1]] = row[2] + " " + strings.NewReplacer("`", "", ",", "").Replace(row[3])
		}
		is.True(len(served) > 8)
		for name, is := range served {
			if written[name] != is {
				t.Errorf("%s is %q; the page says %q", name, is, written[name])
			}
		}
		for name := range written {
			if served[name] == "" {
				t.Errorf("the page names %s, which there is not", name)
			}
		}
	})
}

// servedMetrics are our metrics with their types and labels: "gauge process".
func servedMetrics(text string) map[string]string {
	served := make(map[string]string)
	for _, line := range regexp.MustCompile(`(?m)^# TYPE (tenure_[a-z_]+) (\w+)$`).FindAllStringSubmatch(text, -1) {
		labels := ""
		sample := regexp.MustCompile(`(?m)^` + line[1] + `(?:_bucket)?\{(.*)\} `).FindStringSubmatch(text)
		if sample != nil {
			for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(sample[1], -1) {
				if label[1] != "le" {
					labels += " " + label[1]
				}
			}
		}
		served[line[1]] = line[2] + " " + strings.TrimSpace(labels)
	}
	return served
}

func TestOperations_Metrics(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		c := s.newCast(t)
		c.everything(t)
		is := is.New(t)
		text := string(ok(t, s.operator().get("/metrics")).body)
		for _, name := range []string{
			"tenure_log_events_total", "tenure_projected_events_total", "tenure_projection_position", "tenure_projection_lag", "tenure_projection_halted",
			"tenure_log_commit_seconds_count", "tenure_projection_apply_seconds_count", "go_goroutines", "process_resident_memory_bytes",
		} {
			if metric(text, name) == "" {
				t.Errorf("there is no metric %s", name)
			}
		}
		is.True(metric(text, "tenure_log_events_total") != "0")
		is.Equal(metric(text, "tenure_projection_lag"), "0")
		is.True(strings.Contains(text, `route="/v1/organizations/{org}/invitations"`)) // the route, not the path
		is.True(!strings.Contains(text, c.org))
		eventually(t, "every process gets to the end of the log", func() bool {
			text = string(ok(t, s.operator().get("/metrics")).body)
			return stuckProcess(text, c.everything(t)) == ""
		})
		for _, process := range []string{"issuing", "admission", "offboarding", "reservations", "profiles", "onboarding"} {
			is.True(strings.Contains(text, fmt.Sprintf("tenure_process_position{process=%q}", process)))
		}

		open := b.start(t, withFlags("--open-metrics"))
		ok(t, open.anonymous().get("/metrics"))
	})
}
