package acceptance

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestX6_History(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)
		began := time.Now()

		t.Run("the organization's timeline says what, when and by whom", func(t *testing.T) {
			is := is.New(t)
			h := c.owner.history(t, c.org)
			is.Equal(h[0].Type, "organization.activated.v1")
			is.Equal(h[0].Actor, actorDoc{"account", c.owner.AccountID})
			is.Equal(h[0].Data["name"], c.name)
			joined, found := find(h, func(e entryDoc) bool {
				return e.Type == "organization.member_joined.v1" && e.Data["account_id"] == c.admin.AccountID
			})
			is.True(found)
			is.Equal(joined.Actor, actorDoc{"account", c.admin.AccountID})
			is.Equal(joined.Data["roles"], []any{"ADMIN"})
			is.Equal(joined.Data["invited_by"], c.owner.AccountID)
			is.True(slices.IsSortedFunc(h, func(a, b entryDoc) int { return a.At.Compare(b.At) }))
			for _, e := range h {
				is.True(e.At.Before(time.Now()) && e.At.After(began.Add(-time.Minute)))
				is.True(e.Actor.Kind != "")
			}
		})

		t.Run("why: an optional reason on every command", func(t *testing.T) {
			is := is.New(t)
			reason := func(name string) map[string]any { return map[string]any{"reason": "because of " + name} }
			with := func(body map[string]any, name string) map[string]any {
				body["reason"] = "because of " + name
				return body
			}
			p := c.newMember(t, "USER")
			guest := unique("guest")
			ok(t, c.owner.patch(orgPath(c.org), with(map[string]any{"name": unique("Acme")}, "rename")))
			id := decoded[receipt](t, c.owner.inviteWith(c.org, with(map[string]any{"email": guest + "@example.com", "username": guest, "roles": []string{"USER"}}, "invite"))).InvitationID
			ok(t, c.owner.post(orgPath(c.org, "invitations", id, "resend"), reason("resend")))
			ok(t, c.owner.post(orgPath(c.org, "invitations", id, "revoke"), reason("revoke")))
			ok(t, c.owner.put(orgPath(c.org, "members", p.AccountID, "roles"), with(map[string]any{"roles": []string{"ADMIN"}}, "roles")))
			ok(t, c.owner.post(orgPath(c.org, "ownership-transfer"), with(map[string]any{"to": p.AccountID}, "transfer")))
			ok(t, c.owner.do("DELETE", orgPath(c.org, "ownership-transfer"), reason("cancel")))
			ok(t, c.owner.do("DELETE", orgPath(c.org, "members", p.AccountID), reason("remove")))
			declining := c.newPerson("Declining")
			ok(t, c.owner.invite(c.org, declining.Email, declining.Name, "USER"))
			ok(t, c.anonymous().post("/v1/invitations/decline", with(map[string]any{"token": c.invitationTo(t, declining.Email)}, "decline")))
			given := make(map[string]string)
			for _, e := range c.owner.history(t, c.org) {
				if e.Reason != "" {
					given[strings.TrimPrefix(e.Reason, "because of ")] = e.Type
				}
			}
			is.Equal(given, map[string]string{
				"rename": "organization.renamed.v1", "invite": "organization.invitation_opened.v1", "resend": "organization.invitation_opened.v1",
				"revoke": "invitation.revoked.v1", "roles": "organization.roles_changed.v1", "transfer": "organization.ownership_transfer_requested.v1",
				"cancel": "organization.ownership_transfer_ended.v1", "remove": "organization.member_removed.v1", "decline": "invitation.declined.v1",
			})
			refused(t, c.owner.patch(orgPath(c.org), map[string]any{"name": "x", "reason": strings.Repeat("a", 501)}), 422, "invalid")
		})

		t.Run("what follows from something else says from what, and its request", func(t *testing.T) {
			is := is.New(t)
			inviter := c.newMember(t, "ADMIN")
			guest := unique("guest")
			ok(t, inviter.invite(c.org, guest+"@example.com", guest, "USER"))
			ok(t, c.owner.remove(c.org, inviter, header("X-Request-Id", "the-removal")))
			var follows entryDoc
			eventually(t, "the invitation of the removed member is revoked", func() bool {
				var found bool
				follows, found = find(c.owner.history(t, c.org), func(e entryDoc) bool {
					return e.Type == "invitation.revoked.v1" && e.Data["cause"] == "inviter_left"
				})
				return found
			})
			is.Equal(follows.Actor.Kind, "process")
			is.True(follows.CausedBy != "")
			byRequest := func(e entryDoc) bool { return e.Correlation == "the-removal" }
			_, removed := find(c.owner.history(t, c.org), func(e entryDoc) bool { return byRequest(e) && e.Type == "organization.member_removed.v1" })
			is.True(removed)
			is.True(byRequest(follows))
		})

		t.Run("before and after stand in every change", func(t *testing.T) {
			is := is.New(t)
			ok(t, c.owner.changeRole(c.org, c.user, "VIEWER"))
			ok(t, c.owner.changeRole(c.org, c.user, "USER"))
			h := c.owner.historyOf(t, c.org, c.user)
			is.Equal(h[len(h)-2].Data["before"], []any{"USER"})
			is.Equal(h[len(h)-2].Data["after"], []any{"VIEWER"})
			is.Equal(h[len(h)-1].Data["before"], []any{"VIEWER"})
			is.Equal(h[len(h)-1].Data["after"], []any{"USER"})
		})

		t.Run("each member's full timeline", func(t *testing.T) {
			is := is.New(t)
			h := c.owner.historyOf(t, c.org, c.removed)
			types := make([]string, len(h))
			for i, e := range h {
				types[i] = e.Type
			}
			is.True(slices.Contains(types, "organization.member_joined.v1"))
			is.Equal(types[len(types)-1], "organization.member_removed.v1")
			own := c.user.historyOf(t, c.org, c.user) // everybody may read their own
			is.Equal(own, c.owner.historyOf(t, c.org, c.user))
			refused(t, c.user.get(orgPath(c.org, "members", c.admin.AccountID, "history")), 403, "permission_denied")
		})

		t.Run("by type and by time, in both orders", func(t *testing.T) {
			is := is.New(t)
			whole := c.owner.history(t, c.org)
			newest := all[entryDoc](t, c.owner.client, orgPath(c.org, "history"))
			is.Equal(reversed(newest), whole)
			renamed := all[entryDoc](t, c.owner.client, orgPath(c.org, "history")+"?type=organization.renamed")
			is.Equal(len(renamed), 1)
			middle := whole[len(whole)/2].At
			since := all[entryDoc](t, c.owner.client, orgPath(c.org, "history")+"?order=asc&since="+url.QueryEscape(middle.Format(time.RFC3339Nano)))
			until := all[entryDoc](t, c.owner.client, orgPath(c.org, "history")+"?order=asc&until="+url.QueryEscape(middle.Format(time.RFC3339Nano)))
			is.Equal(append(until, since...), whole)
			is.True(len(since) > 0 && len(until) > 0)
		})

		t.Run("it survives a restart, and rebuilding the views", func(t *testing.T) {
			is := is.New(t)
			before := c.snapshot(t)
			c.restart(t)
			is.Equal(c.snapshot(t), before)
			c.rebuild(t)
			is.Equal(c.snapshot(t), before)
		})
	})
}
