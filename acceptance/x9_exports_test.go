package acceptance

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// duckDB is a folder with DuckDB and what runs statements in it, installed as
// package-lock.json says.
func duckDB(t *testing.T) string {
	t.Helper()
	is := is.New(t)
	folder := filepath.Join(t.TempDir(), "duckdb")
	is.NoErr(os.CopyFS(folder, os.DirFS("testdata/duckdb")))
	npm := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = folder
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s\nThe test needs Node.js 20 or later with npm, and a registry of npm packages: set npm_config_registry to a mirror where the public one cannot be reached", err, out)
	}
	return folder
}

// export exports the log, once it is signed up to a position.
func (s *server) export(t *testing.T, position uint64, format string, more ...string) (file string) {
	t.Helper()
	eventually(t, "it is signed", func() bool {
		return s.operator().get(fmt.Sprintf("/v1/ledger/proof/inclusion?position=%d", position), anyPosition).done()
	})
	file = filepath.Join(t.TempDir(), "log."+format)
	out, code := runProgram(t, nil, slices.Concat([]string{"audit", "export", "--format", format, "--to", file, "--secret-file", s.stores.secret}, s.logFlags(), more)...)
	if code != 0 {
		t.Fatal(out)
	}
	return file
}

// The worked example of the page for pipelines answers from real exports in both
// formats what the API answers.
func TestX9_ExportsAreReadInDuckDB(t *testing.T) {
	onTheFolder(t, func(t *testing.T, b backend) {
		is := is.New(t)
		page, err := os.ReadFile("../docs/pipelines.md")
		is.NoErr(err)
		blocks := func(name string) (found []string) {
			for _, block := range regexp.MustCompile("(?s)```sql "+name+"\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
				found = append(found, block[1])
			}
			return found
		}
		is.Equal(len(blocks("duckdb")), 3)

		s := b.start(t)
		c := s.newCast(t)
		other := c.newMember(t, "USER")
		ok(t, c.owner.put(orgPath(c.org, "members", c.user.AccountID, "roles"), obj{"roles": []string{"ADMIN"}, "reason": "Stands in; it's “urgent”."}))
		march := time.Now().UTC()
		ok(t, c.owner.remove(c.org, c.admin))
		ok(t, c.owner.changeRole(c.org, c.user, "USER"))
		last := c.owner.history(t, c.org)

		type admin struct {
			Account   string `json:"account"`
			DecidedBy string `json:"decided_by"`
		}
		var admins []admin
		for _, m := range all[memberDoc](t, s.operator(), orgPath(c.org, "members")+"?role=ADMIN&as_of="+moment{at: march}.instant()) {
			d := decoded[decisionDoc](t, c.owner.post(evaluation, obj{
				"subject": user(m.AccountID), "action": todo("members.invite"), "resource": inOrganization(c.org),
				"context": obj{"as_of": march.Format(time.RFC3339Nano), "tenure_explain": true},
			}))
			admins = append(admins, admin{m.AccountID, d.Context.Explanation.Member.Roles[0].Given.Actor.ID})
		}
		slices.SortFunc(admins, func(a, b admin) int { return strings.Compare(a.Account, b.Account) })
		is.Equal(len(admins), 2)
		members := len(all[memberDoc](t, s.operator(), orgPath(c.org, "members")))
		removed := len(all[memberDoc](t, s.operator(), orgPath(c.org, "members")+"?status=removed"))

		folder := duckDB(t)
		position := uint64(0)
		for _, e := range last {
			position = max(position, number(t, e.Position))
		}
		for _, format := range []string{"parquet", "ndjson"} {
			view := blocks(format)
			is.Equal(len(view), 1)
			file := s.export(t, position, format)
			script := strings.ReplaceAll(view[0], "log."+format, file) +
				fmt.Sprintf("SET VARIABLE organization = '%s';\nSET VARIABLE moment = TIMESTAMPTZ '%s';\nSET VARIABLE patience = INTERVAL '0 days';\n", c.org, march.Format(time.RFC3339Nano)) +
				strings.Join(blocks("duckdb"), "")
			node := exec.Command("node", "run.mjs")
			node.Dir, node.Stdin, node.Stderr = folder, strings.NewReader(script), os.Stderr
			out, err := node.Output()
			is.NoErr(err)
			answers := strings.Split(strings.TrimSpace(string(out)), "\n")
			is.Equal(len(answers), 3)

			is.Equal(rows[admin](t, answers[0]), admins)
			months := rows[struct{ Month, Joined, Gone string }](t, answers[1])
			joined, gone := 0, 0
			for _, m := range months {
				joined, gone = joined+int(number(t, m.Joined)), gone+int(number(t, m.Gone))
			}
			is.Equal([]int{joined - gone, gone}, []int{members, removed})
			late := rows[struct {
				Account   string `json:"account_id"`
				InvitedBy string `json:"invited_by"`
			}](t, answers[2])
			is.Equal(len(late), joined-1) // all but the founder came by invitation
			is.True(slices.ContainsFunc(late, func(l struct {
				Account   string `json:"account_id"`
				InvitedBy string `json:"invited_by"`
			}) bool {
				return l.Account == other.AccountID && l.InvitedBy == c.owner.AccountID
			}))
		}
	})
}

// rows are what DuckDB answers with.
func rows[T any](t *testing.T, line string) (found []T) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &found); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return found
}

func number(t *testing.T, digits string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
