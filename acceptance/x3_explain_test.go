package acceptance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestX3_Explain(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		c := s.newCast(t)
		host := s.keyFor(t, "access.check")

		// An event of an explanation is that of the history, but for what it changed.
		inHistory := func(t *testing.T, e entryDoc, kind string) {
			t.Helper()
			is := is.New(t)
			is.Equal(e.Type, kind)
			found, ok := find(c.owner.history(t, c.org), func(h entryDoc) bool { return h.Position == e.Position })
			is.True(ok)
			is.Equal(e, entryDoc{Position: found.Position, Revision: found.Revision, Type: found.Type, At: found.At, Actor: found.Actor, Reason: found.Reason})
			is.Equal(found.Stream, "organization")
		}

		t.Run("why: the invitation, the membership, the role, the policy", func(t *testing.T) {
			is := is.New(t)
			p := c.signUp(t, "Grace")
			ok(t, c.admin.inviteWith(c.org, obj{"email": p.Email, "username": p.Name, "roles": []string{"USER"}, "reason": "She writes our compiler."}))
			ok(t, p.accept(c.tokenTo(t, p.Email, invitePage, 1)))
			change := ok(t, c.owner.put(orgPath(c.org, "members", p.AccountID, "roles"), obj{"roles": []string{"ADMIN"}, "reason": "Ada is on leave."}))
			d := host.explain(t, c.org, p.AccountID, "app:endpoints.manage")
			is.True(*d.Decision)
			is.Equal(d.Context.Reason, "allowed")
			x := d.Context.Explanation
			is.Equal(x.Position, change.header.Get("Tenure-Position"))
			is.Equal(`"`+fmt.Sprint(x.Revision)+`"`, change.header.Get("ETag"))
			is.Equal(x.Policy.Name, "ownership")
			is.Equal(x.Policy.Version, 1)
			is.Equal(x.GrantedBy, []string{"OWNER", "ADMIN"})
			inHistory(t, x.Policy.Since, "organization.activated.v1")
			is.Equal(x.Member.AccountID, p.AccountID)
			is.Equal(x.Member.Status, "active")
			is.True(x.Member.Changed == nil)
			inHistory(t, *x.Member.Invited, "organization.invitation_opened.v1")
			is.Equal(x.Member.Invited.Actor.ID, c.admin.AccountID)
			is.Equal(x.Member.Invited.Reason, "She writes our compiler.")
			inHistory(t, x.Member.Joined, "organization.member_joined.v1")
			is.Equal(len(x.Member.Roles), 1)
			is.Equal(x.Member.Roles[0].Role, "ADMIN")
			is.True(x.Member.Roles[0].Grants)
			inHistory(t, x.Member.Roles[0].Given, "organization.roles_changed.v1")
			is.Equal(x.Member.Roles[0].Given.Actor.ID, c.owner.AccountID)
			is.Equal(x.Member.Roles[0].Given.Reason, "Ada is on leave.")
		})

		t.Run("why not: what the member has, and which roles would do", func(t *testing.T) {
			is := is.New(t)
			x := host.explain(t, c.org, c.user.AccountID, "ownership.transfer").Context.Explanation
			is.Equal(x.GrantedBy, []string{"OWNER"})
			is.Equal(x.Member.Roles[0].Role, "USER")
			is.True(!x.Member.Roles[0].Grants)
			inHistory(t, x.Member.Roles[0].Given, "organization.member_joined.v1")
			x = host.explain(t, c.org, c.removed.AccountID, "organization.read").Context.Explanation
			is.Equal(x.Member.Status, "removed")
			is.Equal(len(x.Member.Roles), 0)
			inHistory(t, *x.Member.Changed, "organization.member_removed.v1")
			is.Equal(x.Member.Changed.Actor.ID, c.owner.AccountID)
			inHistory(t, x.Member.Joined, "organization.member_joined.v1")
			x = host.explain(t, c.org, c.stranger.AccountID, "app:nothing.do").Context.Explanation
			is.True(x.Member == nil)
			is.Equal(len(x.GrantedBy), 0)
			is.True(host.explain(t, "x", c.stranger.AccountID, "app:nothing.do").Context.Explanation == nil)
		})

		t.Run("a membership begins again after a removal", func(t *testing.T) {
			is := is.New(t)
			p := c.newMember(t, "ADMIN")
			first := host.explain(t, c.org, p.AccountID, "members.invite").Context.Explanation.Member
			ok(t, c.owner.remove(c.org, p))
			c.join(t, p, "ADMIN")
			again := host.explain(t, c.org, p.AccountID, "members.invite").Context.Explanation.Member
			is.True(again.Joined.Revision > first.Joined.Revision)
			is.Equal(again.Roles[0].Given, again.Joined)
			is.True(again.Changed == nil)
			inHistory(t, again.Joined, "organization.member_joined.v1")
		})

		t.Run("a role that comes by a transfer", func(t *testing.T) {
			is := is.New(t)
			is.Equal(host.explain(t, c.org, c.owner.AccountID, "ownership.transfer").Context.Explanation.Member.Roles[0].Given.Type, "organization.activated.v1")
			ok(t, c.owner.requestTransfer(c.org, c.user))
			ok(t, s.anonymous().confirmTransfer(s.tokenTo(t, c.owner.Email, transferPage, 1)))
			for p, role := range map[*person]string{c.user: "OWNER", c.owner: "ADMIN"} {
				given := host.explain(t, c.org, p.AccountID, "members.invite").Context.Explanation.Member.Roles[0]
				is.Equal(given.Role, role)
				inHistory(t, given.Given, "organization.ownership_transferred.v1")
			}
		})

		t.Run("nobody learns more than they may read", func(t *testing.T) {
			is := is.New(t)
			ordinary := c.signUp(t, "Ordinary")
			ok(t, c.admin.inviteWith(c.org, obj{"email": ordinary.Email, "username": ordinary.Name, "roles": []string{"USER"}, "reason": "Not to be told."}))
			ok(t, ordinary.accept(c.tokenTo(t, ordinary.Email, invitePage, 1)))
			own := ordinary.explain(t, c.org, ordinary.AccountID, "organization.read").Context.Explanation
			is.Equal(own.Member.Invited.Reason, "") // not in the history that a USER may read
			is.Equal(c.viewer.explain(t, c.org, ordinary.AccountID, "organization.read").Context.Explanation.Member.Invited.Reason, "Not to be told.")
			r := host.post(evaluation, obj{"subject": user(ordinary.AccountID), "action": todo("organization.read"), "resource": inOrganization(c.org), "context": obj{"tenure_explain": true}})
			for _, personal := range []string{ordinary.Email, ordinary.Name, c.admin.Email, c.admin.Name} {
				is.True(!strings.Contains(string(r.body), personal))
			}
		})
	})
}
