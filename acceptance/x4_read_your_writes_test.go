package acceptance

import (
	"net/http"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestX4_ReadYourWrites(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t, withFlags("--read-wait", "1s")).newCast(t)

		t.Run("every command answers with the position of its last event", func(t *testing.T) {
			is := is.New(t)
			for _, x := range c.script(t) {
				r := x.tell(t)
				if r.status == http.StatusAccepted {
					continue // which does not say whether there is an account
				}
				if r.position() == 0 {
					t.Errorf("%s: no position: %v", x.name, r)
				}
				if r.hasReceipt() && strings.HasPrefix(r.path, orgPath(c.org)) {
					newest := decoded[page[entryDoc]](t, c.owner.get(orgPath(c.org, "history")+"?limit=1"))
					is.True(r.header.Get("Tenure-Position") >= newest.Items[0].Position)
				}
			}
		})

		t.Run("a read that asks for it shows what the command did", func(t *testing.T) {
			is := is.New(t)
			for i := range 30 {
				role := []string{"VIEWER", "USER"}[i%2]
				changed := ok(t, c.owner.changeRole(c.org, c.user, role))
				asks := atPosition(changed.position())
				is.Equal(c.admin.roleOf(t, c.org, c.user, asks), role)
				listed, _ := find(c.admin.members(t, c.org, "", asks), func(m memberDoc) bool { return m.AccountID == c.user.AccountID })
				is.Equal(listed.Roles, []string{role})
				mine := all[membershipDoc](t, c.user.client, "/v1/me/organizations", asks)
				is.Equal(mine[0].Roles, []string{role})
				newest := decoded[page[entryDoc]](t, c.admin.get(orgPath(c.org, "history")+"?limit=1", asks)).Items[0]
				is.Equal(newest.Type, "organization.roles_changed.v1")
				is.Equal(newest.Position, changed.header.Get("Tenure-Position"))
				is.Equal(newest.Data["after"], []any{role})
			}
		})

		t.Run("every read takes a minimum position, and answers with view_behind when the view does not get there in time", func(t *testing.T) {
			is := is.New(t)
			beyond := atPosition(1 << 62)
			for _, path := range c.everyRead(t) {
				r := c.owner.get(path, beyond)
				if strings.HasPrefix(path, "/v1/operator") {
					r = c.operator().get(path, beyond)
				}
				refused(t, r, 503, "view_behind")
				is.True(r.header.Get("Retry-After") != "")
			}
		})

		t.Run("a position that is none is refused", func(t *testing.T) {
			for _, bad := range []string{"-1", "abc", "18446744073709551616", "1.5"} {
				refused(t, c.owner.get(orgPath(c.org), header("Tenure-Min-Position", bad)), 400, "malformed")
			}
		})

		t.Run("ETag is the stream's revision", func(t *testing.T) {
			is := is.New(t)
			r := ok(t, c.owner.changeRole(c.org, c.viewer, "USER"))
			is.Equal(c.owner.get(orgPath(c.org)).header.Get("ETag"), r.header.Get("ETag"))
			is.Equal(c.owner.get(orgPath(c.org, "members", c.viewer.AccountID)).header.Get("ETag"), r.header.Get("ETag"))
			entries := c.owner.history(t, c.org)
			last, _ := find(reversed(entries), func(e entryDoc) bool { return e.Stream == "organization" })
			is.Equal(*decoded[receipt](t, r).Revision, last.Revision)
			unchanged := c.owner.get(orgPath(c.org), header("If-None-Match", r.header.Get("ETag")))
			is.Equal(unchanged.status, http.StatusNotModified)
			ok(t, c.owner.changeRole(c.org, c.viewer, "VIEWER"))
		})

		t.Run("If-Match makes every command of an organization conditional", func(t *testing.T) {
			is := is.New(t)
			guest := decoded[receipt](t, c.owner.invite(c.org, unique("guest")+"@example.com", unique("guest"), "USER")).InvitationID
			stale := c.owner.get(orgPath(c.org)).header.Get("ETag")
			ok(t, c.owner.rename(c.org, unique("Renamed")))
			before := c.owner.history(t, c.org)
			for _, r := range []response{
				c.owner.rename(c.org, unique("Late"), ifMatch(stale)),
				c.owner.invite(c.org, unique("late")+"@example.com", unique("late"), "USER", ifMatch(stale)),
				c.owner.resend(c.org, guest, ifMatch(stale)),
				c.owner.revoke(c.org, guest, ifMatch(stale)),
				c.owner.changeRole(c.org, c.user, "ADMIN", ifMatch(stale)),
				c.owner.remove(c.org, c.user, ifMatch(stale)),
				c.owner.requestTransfer(c.org, c.admin, ifMatch(stale)),
				c.owner.cancelTransfer(c.org, ifMatch(stale)),
				c.owner.rename(c.org, unique("Odd"), ifMatch(`"no-revision"`)),
			} {
				refused(t, r, 412, "revision_mismatch")
			}
			is.Equal(c.owner.history(t, c.org), before)
			fresh := c.owner.get(orgPath(c.org)).header.Get("ETag")
			next := ok(t, c.owner.rename(c.org, unique("Fresh"), ifMatch(fresh)))
			next = ok(t, c.owner.resend(c.org, guest, ifMatch(next.header.Get("ETag"))))
			next = ok(t, c.owner.revoke(c.org, guest, ifMatch(next.header.Get("ETag"))))
			next = ok(t, c.owner.requestTransfer(c.org, c.admin, ifMatch(next.header.Get("ETag"))))
			ok(t, c.owner.cancelTransfer(c.org, ifMatch(next.header.Get("ETag"))))
			refused(t, c.owner.rename(c.org, "x", ifMatch("7")), 400, "malformed")
			refused(t, c.owner.rename(c.org, "x", ifMatch(`"1", "2"`)), 400, "malformed")
		})

		t.Run("of two who change the same thing at the same time under If-Match, one does", func(t *testing.T) {
			tag := c.owner.get(orgPath(c.org)).header.Get("ETag")
			oneWins(t, 16, func(i int) response {
				return c.owner.rename(c.org, unique("Race"), ifMatch(tag))
			}, "revision_mismatch")
		})

		t.Run("one's own account too", func(t *testing.T) {
			tag := c.user.get("/v1/me").header.Get("ETag")
			ok(t, c.user.patch("/v1/me", map[string]any{"display_name": "First"}, ifMatch(tag)))
			refused(t, c.user.patch("/v1/me", map[string]any{"display_name": "Second"}, ifMatch(tag)), 412, "revision_mismatch")
			eventually(t, "the organization has the new name", func() bool {
				return c.owner.member(t, c.org, c.user).DisplayName == "First"
			})
		})

		t.Run("positions and revisions survive a restart", func(t *testing.T) {
			is := is.New(t)
			tag := c.owner.get(orgPath(c.org)).header.Get("ETag")
			c.restart(t)
			is.Equal(c.owner.get(orgPath(c.org)).header.Get("ETag"), tag)
			ok(t, c.owner.rename(c.org, unique("Again"), ifMatch(tag)))
		})
	})
}

func reversed[T any](items []T) []T {
	turned := make([]T, len(items))
	for i, item := range items {
		turned[len(items)-1-i] = item
	}
	return turned
}

// everyRead are the reads of views.
func (c *cast) everyRead(t *testing.T) []string {
	t.Helper()
	invitation := c.owner.invitations(t, c.org, "")[0].InvitationID
	return []string{
		"/v1/me", "/v1/me/organizations", "/v1/me/invitations", orgPath(c.org), orgPath(c.org, "members"), orgPath(c.org, "members", c.user.AccountID),
		orgPath(c.org, "members", c.user.AccountID, "history"), orgPath(c.org, "invitations"), orgPath(c.org, "invitations", invitation),
		orgPath(c.org, "ownership-transfer"), orgPath(c.org, "history"), "/v1/operator/api-keys", "/v1/operator/organizations",
	}
}
