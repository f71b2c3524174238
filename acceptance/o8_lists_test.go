package acceptance

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestO8_Lists(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)
		var pending, accepted, declined, revoked, resent *person
		pending, accepted, declined = c.newPerson("Pending"), c.newPerson("Accepted"), c.newPerson("Declined")
		revoked, resent = c.newPerson("Revoked"), c.newPerson("Resent")
		ids := make(map[*person]string)
		for p, role := range map[*person]string{pending: "USER", accepted: "VIEWER", declined: "ADMIN", revoked: "USER", resent: "ADMIN"} {
			ids[p] = decoded[receipt](t, c.owner.invite(c.org, p.Email, p.Name, role)).InvitationID
		}
		made := decoded[receipt](t, accepted.acceptNew(c.tokenTo(t, accepted.Email, invitePage, 1)))
		accepted.enter(*made.Session)
		ok(t, c.anonymous().decline(c.tokenTo(t, declined.Email, invitePage, 1)))
		ok(t, c.owner.revoke(c.org, ids[revoked]))
		ok(t, c.owner.resend(c.org, ids[resent]))

		t.Run("invitations appear with role, status and expiry", func(t *testing.T) {
			is := is.New(t)
			list := c.admin.invitations(t, c.org, "")
			want := map[*person]string{pending: "pending", accepted: "accepted", declined: "declined", revoked: "revoked", resent: "pending"}
			for p, status := range want {
				i, found := find(list, func(i invitationDoc) bool { return i.InvitationID == ids[p] })
				is.True(found)
				is.Equal(i.Status, status)
				is.Equal(i.Email, p.Email)
				is.Equal(i.Username, p.Name)
				is.Equal(len(i.Roles), 1)
				is.True(time.Until(i.ExpiresAt) > 6*day)
				is.Equal(c.admin.invitation(t, c.org, ids[p]), i)
			}
		})

		t.Run("they are listed by status, by role and by a word", func(t *testing.T) {
			is := is.New(t)
			is.Equal(len(c.admin.invitations(t, c.org, "?status=pending")), 2)
			is.Equal(len(c.admin.invitations(t, c.org, "?status=declined&role=ADMIN")), 1)
			is.Equal(len(c.admin.invitations(t, c.org, "?q="+url.QueryEscape(strings.ToUpper(revoked.Name)))), 1)
			byMail := c.admin.invitations(t, c.org, "?sort=email")
			is.True(slices.IsSortedFunc(byMail, func(a, b invitationDoc) int { return strings.Compare(a.Email, b.Email) }))
		})

		t.Run("accepted users appear among the members with the role given", func(t *testing.T) {
			is := is.New(t)
			m := c.admin.member(t, c.org, accepted)
			is.Equal(m.Roles, []string{"VIEWER"})
			is.Equal(m.Username, accepted.Name)
			is.Equal(m.Email, accepted.Email)
			is.Equal(m.DisplayName, accepted.Name)
			is.Equal(m.InvitationID, ids[accepted])
			listed, found := find(c.admin.members(t, c.org, ""), func(m memberDoc) bool { return m.AccountID == accepted.AccountID })
			is.True(found)
			is.Equal(listed, m)
			for _, p := range []*person{pending, declined, revoked, resent} {
				_, found := find(c.admin.members(t, c.org, ""), func(m memberDoc) bool { return m.Email == p.Email })
				is.True(!found)
			}
		})

		t.Run("a member is found by the beginning of a word in name, username or e-mail", func(t *testing.T) {
			is := is.New(t)
			for _, q := range []string{strings.ToLower(accepted.Name), accepted.Email, strings.ToUpper(accepted.Name[:5]), "accep", "example accepted"} {
				found := c.admin.members(t, c.org, "?q="+url.QueryEscape(q))
				is.True(slices.Contains(usernames(found), accepted.Name))
			}
			is.Equal(len(c.admin.members(t, c.org, "?q=nobodyatall")), 0)
		})

		t.Run("lists come in pages that hold everybody once", func(t *testing.T) {
			is := is.New(t)
			for _, sort := range []string{"display_name", "-display_name", "joined_at", "-joined_at"} {
				whole := c.admin.members(t, c.org, "?sort="+sort)
				is.True(len(whole) >= 5)
				is.Equal(c.admin.members(t, c.org, "?limit=1&sort="+sort), whole)
				is.Equal(c.admin.members(t, c.org, "?limit=2&sort="+sort), whole)
			}
			whole := c.admin.invitations(t, c.org, "")
			is.Equal(c.admin.invitations(t, c.org, "?limit=2"), whole)
			h := c.admin.history(t, c.org)
			is.Equal(all[entryDoc](t, c.admin.client, orgPath(c.org, "history")+"?order=asc&limit=3"), h)
		})

		t.Run("the invitee sees their open invitations when signed in", func(t *testing.T) {
			is := is.New(t)
			invitee := c.signUp(t, "Invitee")
			id := decoded[receipt](t, c.owner.invite(c.org, strings.ToUpper(invitee.Email), invitee.Name, "USER")).InvitationID
			open := all[map[string]any](t, invitee.client, "/v1/me/invitations")
			is.Equal(len(open), 1)
			is.Equal(open[0]["invitation_id"], id)
			is.Equal(open[0]["name"], c.name)
			ok(t, c.owner.revoke(c.org, id))
			is.Equal(len(all[map[string]any](t, invitee.client, "/v1/me/invitations")), 0)
		})

		t.Run("role and invitation actions persist after a restart", func(t *testing.T) {
			ok(t, c.owner.changeRole(c.org, accepted, "USER"))
			before := c.snapshot(t)
			c.restart(t)
			is.New(t).Equal(c.snapshot(t), before)
			is.New(t).Equal(c.admin.roleOf(t, c.org, accepted), "USER")
		})

		t.Run("and when the views are made again from the log", func(t *testing.T) {
			before := c.snapshot(t)
			c.rebuild(t)
			is.New(t).Equal(c.snapshot(t), before)
		})
	})
}

// snapshot is everything that the organization shows, byte for byte.
func (c *cast) snapshot(t *testing.T) string { return snapshotOf(t, c.owner.client, c.org) }

// snapshotOf is what an organization shows to a member who may read everything.
func snapshotOf(t *testing.T, reader client, org string) string {
	t.Helper()
	var b strings.Builder
	add := func(path string) {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		for cursor := ""; ; {
			r := ok(t, reader.get(path+cursor))
			b.WriteString(path + "\n" + string(r.body) + "\n")
			next := decoded[page[any]](t, r).Next
			if next == "" {
				return
			}
			cursor = separator + "cursor=" + next
		}
	}
	add(orgPath(org))
	add(orgPath(org, "members") + "?limit=200")
	add(orgPath(org, "members") + "?limit=200&sort=-joined_at")
	add(orgPath(org, "members") + "?limit=200&status=removed")
	add(orgPath(org, "invitations") + "?limit=200")
	add(orgPath(org, "history") + "?limit=200&order=asc")
	for _, status := range []string{"active", "removed"} {
		for _, m := range all[memberDoc](t, reader, orgPath(org, "members")+"?limit=200&status="+status) {
			add(orgPath(org, "members", m.AccountID, "history") + "?limit=200&order=asc")
		}
	}
	return b.String()
}
