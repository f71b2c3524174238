package acceptance

import (
	"encoding/csv"
	"fmt"
	"net/url"
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

// glance is what an organization looks like at some time.
type glance struct {
	Organization organizationDoc
	Members      []memberDoc
	Invitations  []invitationDoc
	May          map[string]bool // by person and permission
}

// moment is a time at which the organization was looked at.
type moment struct {
	at       time.Time
	position uint64
	glance   glance
}

func (m moment) instant() string { return url.QueryEscape(m.at.UTC().Format(time.RFC3339Nano)) }

// glance looks at the organization as it was, or with an empty text as it is.
func (c *cast) glance(t *testing.T, host client, asOf string) (g glance) {
	t.Helper()
	query := ""
	if asOf != "" {
		query = "&as_of=" + asOf
	}
	reader := c.operator()
	g.Organization = decoded[organizationDoc](t, reader.get(orgPath(c.org)+"?"+query))
	for _, status := range []string{"active", "removed", "suspended"} {
		g.Members = append(g.Members, all[memberDoc](t, reader, orgPath(c.org, "members")+"?limit=2&status="+status+query)...)
	}
	g.Invitations = all[invitationDoc](t, reader, orgPath(c.org, "invitations")+"?limit=3"+query)
	g.May = make(map[string]bool)
	for _, p := range c.everybody() {
		for _, permission := range []string{"members.invite", "members.read", "organization.read"} {
			question := obj{"subject": user(p.AccountID), "action": todo(permission), "resource": inOrganization(c.org)}
			if asOf != "" {
				text, _ := url.QueryUnescape(asOf)
				question["context"] = obj{"as_of": text}
			}
			g.May[p.Name+" "+permission] = *decoded[decisionDoc](t, host.post(evaluation, question)).Decision
		}
	}
	return g
}

type diffDoc struct {
	From  struct{ Position string } `json:"from"`
	To    struct{ Position string } `json:"to"`
	Items []struct {
		Change    string `json:"change"`
		AccountID string `json:"account_id"`
		Before    struct {
			Roles  []string `json:"roles"`
			Status string   `json:"status"`
		} `json:"before"`
		After struct {
			Roles  []string `json:"roles"`
			Status string   `json:"status"`
		} `json:"after"`
		Event entryDoc `json:"event"`
	} `json:"items"`
}

func TestX5_AsOf(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t, withFlags("--session-lifetime", "2160h"))
		c := s.newCast(t)
		host := s.keyFor(t, "access.check")
		var moments []moment
		shift := time.Duration(0)
		look := func(t *testing.T) {
			t.Helper()
			moments = append(moments, moment{time.Now().Add(shift), s.position.Load(), c.glance(t, host, "")})
			shift += 20 * day
			s.shiftClock(t, shift)
		}
		look(t) // in March
		ok(t, c.owner.put(orgPath(c.org, "members", c.user.AccountID, "roles"), obj{"roles": []string{"ADMIN"}, "reason": "Stands in."}))
		guest := unique("guest")
		ok(t, c.owner.invite(c.org, guest+"@example.com", guest, "USER"))
		look(t)
		eventually(t, "the invitation expires", func() bool {
			return len(all[invitationDoc](t, c.owner.client, orgPath(c.org, "invitations")+"?status=expired")) == 1
		})
		ok(t, c.owner.do("DELETE", orgPath(c.org, "members", c.admin.AccountID), obj{"reason": "Left the company."}))
		look(t)
		ok(t, c.owner.changeRole(c.org, c.viewer, "USER"))
		ok(t, c.owner.rename(c.org, unique("Renamed")))
		look(t)

		same := func(t *testing.T) {
			t.Helper()
			for _, m := range moments {
				is.New(t).Equal(c.glance(t, host, m.instant()), m.glance)
				is.New(t).Equal(c.glance(t, host, fmt.Sprint(m.position)), m.glance)
			}
		}
		t.Run("members, roles, invitations and permissions at any past instant or position", same)

		t.Run("who was an admin in March, and by whose decision", func(t *testing.T) {
			is := is.New(t)
			admins := all[memberDoc](t, c.owner.client, orgPath(c.org, "members")+"?role=ADMIN&as_of="+moments[0].instant())
			is.Equal(len(admins), 1)
			is.Equal(admins[0].AccountID, c.admin.AccountID) // who has been removed
			is.Equal(len(all[memberDoc](t, c.owner.client, orgPath(c.org, "members")+"?q="+c.admin.Name)), 0)
			d := decoded[decisionDoc](t, c.owner.post(evaluation, obj{
				"subject": user(c.admin.AccountID), "action": todo("members.invite"), "resource": inOrganization(c.org),
				"context": obj{"as_of": moments[0].at.UTC().Format(time.RFC3339Nano), "tenure_explain": true},
			}))
			is.True(*d.Decision)
			is.Equal(d.Context.Explanation.Policy.Version, 1)
			is.Equal(d.Context.Explanation.Member.Invited.Actor.ID, c.owner.AccountID)
			is.Equal(d.Context.Explanation.Member.Roles[0].Role, "ADMIN")
		})

		t.Run("the difference between two instants", func(t *testing.T) {
			is := is.New(t)
			d := decoded[diffDoc](t, c.owner.get(orgPath(c.org, "history/diff")+"?from="+moments[0].instant()+"&to="+moments[2].instant()))
			is.Equal(len(d.Items), 2) // the invitation was opened and closed in between
			is.Equal(d.Items[0].Change, "roles_changed")
			is.Equal(d.Items[0].AccountID, c.user.AccountID)
			is.Equal(d.Items[0].Before.Roles, []string{"USER"})
			is.Equal(d.Items[0].After.Roles, []string{"ADMIN"})
			is.Equal(d.Items[0].Event.Reason, "Stands in.")
			is.Equal(d.Items[1].Change, "left")
			is.Equal(d.Items[1].AccountID, c.admin.AccountID)
			is.Equal(d.Items[1].Before.Roles, []string{"ADMIN"})
			is.Equal(d.Items[1].Event.Actor, actorDoc{"account", c.owner.AccountID})
			is.Equal(d.Items[1].Event.Reason, "Left the company.")
			for i, from := range moments {
				for _, to := range moments[i:] {
					d := decoded[diffDoc](t, c.owner.get(orgPath(c.org, "history/diff")+fmt.Sprintf("?from=%d&to=%d", from.position, to.position)))
					changed := make(map[string]string)
					for _, item := range d.Items {
						if item.AccountID != "" && !strings.HasPrefix(item.Change, "invitation") {
							changed[item.AccountID] = item.Change
						}
					}
					is.Equal(changed, differing(from.glance.Members, to.glance.Members))
				}
			}
			r := ok(t, c.owner.get(orgPath(c.org, "history/diff")+"?from="+moments[0].instant(), header("Accept", "text/csv")))
			rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(r.body), "\xef\xbb\xbf"))).ReadAll()
			is.NoErr(err)
			is.Equal(len(rows), 5) // and the viewer, and the name
		})

		t.Run("who joined since is shown as joining made them, and what became of them as whoever decided it", func(t *testing.T) {
			is := is.New(t)
			before := s.position.Load()
			joined := c.newMember(t, "USER")
			ok(t, c.owner.put(orgPath(c.org, "members", joined.AccountID, "roles"), obj{"roles": []string{"ADMIN"}, "reason": "Runs the office."}))
			d := decoded[diffDoc](t, c.owner.get(orgPath(c.org, "history/diff")+fmt.Sprint("?from=", before)))
			is.Equal(len(d.Items), 2)
			is.Equal(d.Items[0].Change, "joined")
			is.Equal(d.Items[0].After.Roles, []string{"USER"})
			is.Equal(d.Items[0].Event.Actor, actorDoc{"account", joined.AccountID})
			is.Equal(d.Items[1].Change, "roles_changed")
			is.Equal(d.Items[1].After.Roles, []string{"ADMIN"})
			is.Equal(d.Items[1].Event.Actor, actorDoc{"account", c.owner.AccountID})
			is.Equal(d.Items[1].Event.Reason, "Runs the office.")
		})

		t.Run("moments that have no past say so", func(t *testing.T) {
			is := is.New(t)
			for _, path := range []string{"", "/members", "/members/" + c.user.AccountID, "/invitations", "/spaces", "/history/review"} {
				refused(t, c.owner.get(orgPath(c.org)+path+"?as_of=9999-01-01T00:00:00Z"), 400, "ahead_of_log")
				refused(t, c.owner.get(orgPath(c.org)+path+"?as_of=9999999999999999999"), 400, "ahead_of_log")
				early := refused(t, c.owner.get(orgPath(c.org)+path+"?as_of=2001-01-01T00:00:00Z"), 404, "not_founded")
				is.True(strings.Contains(early.Detail, "founded on"))
			}
		})

		t.Run("the access review, as a page and as a table", func(t *testing.T) {
			is := is.New(t)
			review := func(args ...string) []byte {
				args = append([]string{"audit", "review", "--url", *s.url.Load(), "--org", c.org, "--as-of", moments[1].at.UTC().Format(time.RFC3339Nano)}, args...)
				command := exec.Command(s.program, args...)
				command.Env = append(os.Environ(), "TENURE_OPERATOR_KEY="+*s.key.Load())
				command.Stderr = os.Stderr
				out, err := command.Output()
				is.NoErr(err)
				return out
			}
			page := string(review())
			for _, wanted := range []string{c.admin.Email, c.owner.Email, "Stands in.", "members.invite"} {
				is.True(strings.Contains(page, wanted))
			}
			is.True(!strings.Contains(page, "<script"))
			file := filepath.Join(t.TempDir(), "review.csv")
			review("--format", "csv", "--output", file)
			text, err := os.ReadFile(file)
			is.NoErr(err)
			rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(text), "\xef\xbb\xbf"))).ReadAll()
			is.NoErr(err)
			is.Equal(len(rows), 5)
			mine := slices.IndexFunc(rows, func(row []string) bool { return row[0] == c.user.AccountID })
			is.True(strings.Contains(rows[mine][11], "ADMIN "+moments[1].at.UTC().Format("2006-01-02")))
			is.True(strings.Contains(rows[mine][14], "Stands in."))
		})

		t.Run("it survives a restart, and rebuilding the views", func(t *testing.T) {
			c.restart(t)
			same(t)
			c.rebuild(t)
			same(t)
		})
	})
}

// differing says what has become of members, of which removed ones are none.
func differing(before, after []memberDoc) map[string]string {
	present := func(list []memberDoc) map[string]memberDoc {
		found := make(map[string]memberDoc)
		for _, m := range list {
			if m.Status != "removed" {
				found[m.AccountID] = m
			}
		}
		return found
	}
	was, is := present(before), present(after)
	changed := make(map[string]string)
	for id, m := range was {
		if after, still := is[id]; !still {
			changed[id] = "left"
		} else if !slices.Equal(m.Roles, after.Roles) {
			changed[id] = "roles_changed"
		}
	}
	for id := range is {
		if _, known := was[id]; !known {
			changed[id] = "joined"
		}
	}
	return changed
}

// The examples of the page for auditors work when they are pasted.
func TestThePageForAuditorsWorks(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		page, err := os.ReadFile("../docs/auditors.md")
		is.NoErr(err)
		blocks := regexp.MustCompile("(?s)```sh audit\n(.*?)```").FindAllStringSubmatch(string(page), -1)
		is.True(len(blocks) >= 4)
		var script strings.Builder
		for _, block := range blocks {
			script.WriteString(block[1])
		}
		s := b.start(t)
		c := s.newCast(t)
		march := time.Now().UTC().Format(time.RFC3339Nano)
		ok(t, c.owner.remove(c.org, c.admin))
		shell := exec.Command("bash", "-euo", "pipefail", "-c", script.String())
		shell.Dir = t.TempDir()
		shell.Env = append(os.Environ(), "T="+*s.url.Load(), "KEY="+*s.key.Load(), "ORG="+c.org, "ACCOUNT="+c.admin.AccountID, "MARCH="+march,
			"PATH="+filepath.Dir(tenureIn(t, s.program))+":"+os.Getenv("PATH"))
		shell.Stderr = os.Stderr
		out, err := shell.Output()
		is.NoErr(err)
		is.True(!strings.Contains(string(out), `"code":`)) // nothing was refused
		shows(t, string(out), `"roles":["ADMIN"]`, `"decision":true`, `"type":"organization.member_joined.v1"`, `"change":"left"`, "at,change,name", "account_id,display_name")
	})
}

// tenureIn makes the program findable under its name.
func tenureIn(t *testing.T, program string) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), "tenure")
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	return link
}
