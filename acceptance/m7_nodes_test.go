package acceptance

import (
	"testing"

	"github.com/matryer/is"
)

// TestM7_AtOnceOnEveryNode is for S7, S8 and X1 as well: what is done at one node
// counts in the next answer of every other one, whatever its views know.
func TestM7_AtOnceOnEveryNode(t *testing.T) {
	onManyNodes(t, func(t *testing.T, b backend) {
		d := b.startNodes(t, 3, startMailServer(t, false))
		c := d.newSchool(t)
		host := d.keyFor(t, "access.check")

		// everywhere asks all nodes about a member, beginning with those that did
		// not take the command.
		everywhere := func(t *testing.T, from int, look func(t *testing.T, n *server)) {
			t.Helper()
			for i := range d.nodes {
				look(t, d.nodes[(from+1+i)%len(d.nodes)])
			}
		}
		// keptOut checks that a node lets a member with a session in nowhere.
		keptOut := func(org string, p *person, status int, code, reason string) func(*testing.T, *server) {
			return func(t *testing.T, n *server) {
				t.Helper()
				is := is.New(t)
				for _, path := range []string{orgPath(org), orgPath(org, "members"), orgPath(org, "notifications"), orgPath(org, "spaces")} {
					refused(t, p.at(n).get(path, anyPosition), status, code)
				}
				refused(t, p.at(n).rename(org, unique("Mine")), status, code)
				is.Equal(host.at(n).why(t, org, p.AccountID, "organization.read"), reason)
				both := decoded[decisionsDoc](t, host.at(n).post(evaluations, obj{"subject": user(p.AccountID), "resource": inOrganization(org), "evaluations": []obj{
					{"action": todo("organization.read")}, {"action": todo("app:scenarios.run")},
				}}))
				is.True(!*both.Evaluations[0].Decision && !*both.Evaluations[1].Decision)
				is.True(!*decoded[decisionDoc](t, p.at(n).ask(org, p.AccountID, "organization.read")).Decision) // as one's own question
				ok(t, p.at(n).get("/v1/me"))                                                                    // the account is at home elsewhere
			}
		}
		letIn := func(org string, p *person, permission string) func(*testing.T, *server) {
			return func(t *testing.T, n *server) {
				t.Helper()
				ok(t, p.at(n).get(orgPath(org), anyPosition))
				is.New(t).True(host.at(n).may(t, org, p.AccountID, permission))
			}
		}

		t.Run("suspended at one, and reactivated (M7)", func(t *testing.T) {
			for i, n := range d.nodes {
				everywhere(t, i, letIn(c.org, c.participant, "app:scenarios.run"))
				ok(t, c.admin.at(n).suspend(c.org, c.participant))
				everywhere(t, i, keptOut(c.org, c.participant, 403, "member_suspended", "member_suspended"))
				ok(t, c.admin.at(n).reactivate(c.org, c.participant))
			}
			everywhere(t, 0, letIn(c.org, c.participant, "app:scenarios.run"))
		})

		t.Run("roles changed at one (S7)", func(t *testing.T) {
			boss := d.signUp(t, "Boss")
			org := boss.found(t, "seats")
			member := boss.hire(t, org, d.newPerson("Member"), "Member")
			for i := range 6 {
				from := i % len(d.nodes)
				ok(t, boss.at(d.nodes[from]).changeRole(org, member, []string{"Administrator", "Member"}[i%2]))
				everywhere(t, from, func(t *testing.T, n *server) {
					t.Helper()
					is.New(t).Equal(host.at(n).may(t, org, member.AccountID, "members.invite"), i%2 == 0)
					if listed := member.at(n).get(orgPath(org, "invitations"), anyPosition); i%2 == 0 {
						ok(t, listed)
					} else {
						refused(t, listed, 403, "permission_denied")
					}
				})
			}
		})

		t.Run("removed at one (S8)", func(t *testing.T) {
			for i, n := range d.nodes {
				p := d.signUp(t, "Leaver")
				ok(t, c.admin.add(c.org, p.Email, "", "author"))
				everywhere(t, i, letIn(c.org, p, "app:scenarios.publish"))
				ok(t, c.admin.at(n).remove(c.org, p))
				everywhere(t, i, keptOut(c.org, p, 404, "not_found", "member_removed"))
			}
		})

		t.Run("sessions ended at one, by whatever way (X1)", func(t *testing.T) {
			ends := []func(p *person, n *server) response{
				func(p *person, n *server) response { return p.at(n).delete("/v1/sessions/current") },
				func(p *person, n *server) response { return c.admin.at(n).resetMember(c.org, p) },
				func(p *person, n *server) response { // by a link in a mail
					already := len(d.mailsTo(p.Email, resetPage))
					ok(t, d.anonymous().post("/v1/password-resets", obj{"email": p.Email}))
					token := d.tokenTo(t, p.Email, resetPage, already+1)
					p.Password = unique("another password")
					return d.anonymous().at(n).resetPassword(token, p.Password)
				},
			}
			for i, end := range ends {
				p := d.newPerson("Ending")
				ok(t, c.admin.add(c.org, p.Email, p.Password, "participant"))
				p.signIn(t)
				everywhere(t, i, func(t *testing.T, n *server) { t.Helper(); ok(t, p.at(n).get("/v1/me")) })
				ok(t, end(p, d.nodes[i]))
				everywhere(t, i, func(t *testing.T, n *server) {
					t.Helper()
					refused(t, p.at(n).get("/v1/me"), 401, "not_signed_in")
					refused(t, p.at(n).get(orgPath(c.org), anyPosition), 401, "not_signed_in")
					refused(t, p.at(n).ask(c.org, p.AccountID, "organization.read"), 401, "not_signed_in")
				})
			}
		})

		t.Run("a key made, and revoked, at one (X1)", func(t *testing.T) {
			for i, n := range d.nodes {
				made := decoded[receipt](t, d.operator().at(n).createKey(unique("key"), "access.check"))
				d.issued.add(made.Key)
				key := client{server: d.server, token: made.Key}
				everywhere(t, i, func(t *testing.T, n *server) {
					t.Helper()
					ok(t, key.at(n).ask(c.org, c.author.AccountID, "organization.read"))
					refused(t, key.at(n).get(orgPath(c.org), anyPosition), 403, "permission_denied")
				})
				ok(t, d.operator().at(n).delete("/v1/operator/api-keys/"+made.APIKeyID))
				everywhere(t, i, func(t *testing.T, n *server) {
					t.Helper()
					refused(t, key.at(n).ask(c.org, c.author.AccountID, "organization.read"), 401, "not_signed_in")
				})
			}
		})
	})
}
