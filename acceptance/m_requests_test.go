package acceptance

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/matryer/is"
)

func TestM1_SelfRegistration(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newSchool(t)

		t.Run("a link says what to join, and nothing else", func(t *testing.T) {
			is := is.New(t)
			r := ok(t, c.signUp(t, "Reader").get(orgPath(c.org, "join")))
			is.Equal(string(r.body), `{"organization_id":"`+c.org+`","name":"`+c.admin.organization(t, c.org).Name+`","auto_activation":false,"your_status":"none"}`)
			refused(t, c.anonymous().get(orgPath(c.org, "join")), 401, "not_signed_in")
			closed := c.found(t, c.participant, "ownership") // takes no requests
			refused(t, c.author.get(orgPath(closed, "join")), 404, "not_found")
			refused(t, c.author.askToJoin(closed), 404, "not_found")
			refused(t, c.author.askToJoin("0190d5a1-7c3e-7b4a-9d2f-1e6b8a4c0d11"), 404, "not_found")
		})

		t.Run("a request is pending, and opens nothing", func(t *testing.T) {
			is := is.New(t)
			founded := c.position.Load()
			p := c.askers(t, 1)[0]
			asked := c.position.Load()
			changes := func(from uint64) string {
				t.Helper()
				d := decoded[diffDoc](t, c.operator().get(orgPath(c.org, "history/diff")+fmt.Sprint("?from=", from)))
				is.Equal(len(d.Items), 1)
				is.Equal(d.Items[0].AccountID, p.AccountID)
				return d.Items[0].Change + " " + d.Items[0].Before.Status + " > " + d.Items[0].After.Status
			}
			is.Equal(changes(founded), "requested  > pending")
			is.Equal(c.statusOf(t, p), "pending")
			refused(t, p.get(orgPath(c.org)), 404, "not_found")
			is.Equal(len(decoded[receipt](t, p.askToJoin(c.org)).Events), 0) // asks once
			is.Equal(p.askToJoin(c.org).header.Get("ETag"), "")              // how busy the organization is is not a stranger's
			is.Equal(outcomes(t, c.admin.decide(c.org, each("approve", p))), []string{"approved"})
			is.Equal(c.statusOf(t, p), "active")
			is.Equal(c.admin.roleOf(t, c.org, p), "participant")
			is.Equal(changes(founded), "joined  > active")
			is.Equal(changes(asked), "joined pending > active")
			ok(t, p.get(orgPath(c.org)))
			refused(t, p.askToJoin(c.org), 409, "member_active")
		})

		t.Run("a rejected request is removed, and may be made again", func(t *testing.T) {
			is := is.New(t)
			p := c.askers(t, 1)[0]
			is.Equal(outcomes(t, c.admin.decide(c.org, each("reject", p))), []string{"rejected"})
			is.Equal(c.statusOf(t, p), "none")
			refused(t, p.get(orgPath(c.org)), 404, "not_found")
			ok(t, p.askToJoin(c.org))
			ok(t, p.withdraw(c.org))
			is.Equal(c.statusOf(t, p), "none")
			is.Equal(len(decoded[receipt](t, p.withdraw(c.org)).Events), 0)
		})

		t.Run("only who may decide sees and decides", func(t *testing.T) {
			p := c.askers(t, 1)[0]
			for _, who := range []*person{c.author, c.participant} {
				refused(t, who.get(orgPath(c.org, "join-requests")), 403, "permission_denied")
				refused(t, who.get(orgPath(c.org, "notifications")), 403, "permission_denied")
				refused(t, who.decide(c.org, each("approve", p)), 403, "permission_denied")
				refused(t, who.autoActivate(c.org, true), 403, "permission_denied")
			}
			refused(t, p.decide(c.org, each("approve", p)), 404, "not_found")
			ok(t, p.withdraw(c.org))
		})

		t.Run("the bell counts, and the list is searched and paged", func(t *testing.T) {
			is := is.New(t)
			people := c.askers(t, 3)
			bell := decoded[struct {
				JoinRequests int         `json:"join_requests"`
				Newest       []memberDoc `json:"newest"`
			}](t, c.admin.get(orgPath(c.org, "notifications")))
			is.Equal(bell.JoinRequests, 3)
			is.Equal(bell.Newest[0].Email, people[2].Email)
			is.Equal(c.emails(t, orgPath(c.org, "join-requests")+"?limit=2"), c.emails(t, orgPath(c.org, "members")+"?status=pending"))
			is.Equal(c.emails(t, orgPath(c.org, "join-requests")+"?q="+people[1].Email), []string{people[1].Email})
			newest := all[memberDoc](t, c.admin.client, orgPath(c.org, "join-requests")+"?sort=-requested_at")
			is.Equal(newest[0].Email, people[2].Email)
			before := c.emails(t, orgPath(c.org, "join-requests"))
			c.restart(t)
			is.Equal(c.emails(t, orgPath(c.org, "join-requests")), before)
			c.rebuild(t)
			is.Equal(c.emails(t, orgPath(c.org, "join-requests")), before)
			is.Equal(outcomes(t, c.admin.decide(c.org, map[string]any{"all": "reject"})), []string{"rejected", "rejected", "rejected"})
		})
	})
}

func TestM2_AutoActivation(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		c := b.start(t).newSchool(t)
		before, p := c.askers(t, 1)[0], c.signUp(t, "Asker")
		ok(t, c.admin.autoActivate(c.org, true))
		is.Equal(string(ok(t, c.admin.get(orgPath(c.org, "auto-activation"))).body), `{"auto_activation":true}`)
		is.Equal(decoded[receipt](t, p.askToJoin(c.org)).types(), "organization.member_joined")
		is.Equal(c.statusOf(t, p), "active")
		ok(t, p.get(orgPath(c.org)))
		is.Equal(c.statusOf(t, before), "pending") // who asked before still waits
		c.restart(t)
		ok(t, c.admin.remove(c.org, p))
		refused(t, p.askToJoin(c.org), 409, "member_removed") // that is no way back (M8)
		ok(t, c.admin.autoActivate(c.org, false))
		late := c.askers(t, 1)[0]
		is.Equal(c.statusOf(t, late), "pending")
		changed := all[entryDoc](t, c.admin.client, orgPath(c.org, "history")+"?order=asc&type=organization.auto_activation_changed")
		is.Equal(len(changed), 2)
		is.Equal(changed[1].Data["before"], true)
		is.Equal(changed[1].Data["after"], false)
	})
}

func TestC7_DecideOneSeveralAll(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newSchool(t)

		t.Run("the answer says which succeeded", func(t *testing.T) {
			is := is.New(t)
			people := c.askers(t, 3)
			nobody, author := c.signUp(t, "Nobody"), people[2]
			elsewhere := c.found(t, author, "moderated") // is an admin there
			body := each("approve", people[0], nobody, people[1])
			decisions := body["decisions"].([]map[string]any)
			decisions[2]["decision"] = "reject"
			body["decisions"] = append(decisions, map[string]any{"account_id": author.AccountID, "decision": "approve", "roles": []string{"author"}})
			key := idempotencyKey(unique("key"))
			first := c.admin.decide(c.org, body, key)
			is.Equal(outcomes(t, first), []string{"approved", "request_not_there", "rejected", "role_exclusive"})
			sameAnswer(t, "decide", first, c.admin.decide(c.org, body, key))
			is.Equal(c.statusOf(t, people[0]), "active")
			is.Equal(c.statusOf(t, people[1]), "none")
			is.Equal(c.statusOf(t, author), "pending")
			is.Equal(outcomes(t, c.admin.decide(c.org, each("approve", author))), []string{"approved"}) // as a participant
			ok(t, author.get(orgPath(elsewhere)))
		})

		t.Run("who is invited as well is let in, and the invitation ends", func(t *testing.T) {
			is := is.New(t)
			p := c.askers(t, 1)[0]
			id := decoded[receipt](t, c.admin.inviteTo(c.org, p, []string{"author"})).InvitationID
			token := c.invitationTo(t, p.Email)
			key := idempotencyKey(unique("key"))
			first := c.admin.decide(c.org, each("approve", p), key, header("X-Request-Id", "the-approval"))
			is.Equal(outcomes(t, first), []string{"approved"})
			sameAnswer(t, "decide", first, c.admin.decide(c.org, each("approve", p), key))
			is.Equal(c.admin.roleOf(t, c.org, p), "participant")
			is.Equal(c.admin.invitation(t, c.org, id).Status, "revoked")
			refused(t, p.accept(token), 409, "invitation_revoked")
			revoked, found := find(c.admin.history(t, c.org), func(e entryDoc) bool {
				return e.Type == "invitation.revoked.v1" && e.Correlation == "the-approval"
			})
			is.True(found)
			is.Equal(revoked.Data["cause"], "approved")
			is.Equal(revoked.Actor.ID, c.admin.AccountID)
		})

		t.Run("all at once", func(t *testing.T) {
			is := is.New(t)
			people := c.askers(t, 5)
			key := idempotencyKey(unique("key"))
			first := c.admin.decide(c.org, map[string]any{"all": "approve"}, key)
			is.Equal(outcomes(t, first), slices.Repeat([]string{"approved"}, 5))
			late := c.askers(t, 1)[0]
			again := c.admin.decide(c.org, map[string]any{"all": "approve"}, key)
			is.Equal(decoded[receipt](t, again).Events, decoded[receipt](t, first).Events)
			is.Equal(c.statusOf(t, late), "pending") // a retry decides nothing more
			for _, p := range people {
				is.Equal(c.statusOf(t, p), "active")
			}
			is.Equal(outcomes(t, c.admin.decide(c.org, map[string]any{"all": "reject"})), []string{"rejected"})
			is.Equal(len(outcomes(t, c.admin.decide(c.org, map[string]any{"all": "approve"}))), 0)
		})

		t.Run("of two who decide alike at the same time each person is decided once", func(t *testing.T) {
			is := is.New(t)
			people := c.askers(t, 8)
			answers := make([]response, 4)
			runs := make([]func(), len(answers))
			for i := range answers {
				runs[i] = func() { answers[i] = c.admin.decide(c.org, each("approve", people...)) }
			}
			together(runs...)
			approved := 0
			for _, r := range answers {
				for _, o := range outcomes(t, r) {
					if o == "approved" {
						approved++
					} else {
						is.Equal(o, "request_not_there")
					}
				}
			}
			is.Equal(approved, len(people))
		})

		t.Run("what is not clear is refused as a whole", func(t *testing.T) {
			p := c.askers(t, 1)[0]
			for _, body := range []map[string]any{
				{}, {"decisions": []any{}}, {"all": "approve", "decisions": each("reject", p)["decisions"]}, {"all": "perhaps"}, each("perhaps", p), each("approve", p, p),
				{"decisions": []any{map[string]any{"account_id": "x", "decision": "approve"}}},
			} {
				r := c.admin.decide(c.org, body)
				if r.status != http.StatusUnprocessableEntity {
					t.Errorf("%v: %v", body, r)
				}
			}
			is.New(t).Equal(c.statusOf(t, p), "pending")
		})
	})
}
