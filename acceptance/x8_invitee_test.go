package acceptance

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

// invitedOnly is somebody who was invited, and has no account: once with a link
// that works, once with one that was revoked.
type invitedOnly struct {
	owner          *person
	open, revoked  string // organizations
	email          string
	openID, doneID string // invitations
}

func (c *cast) newInvitedOnly(t *testing.T) *invitedOnly {
	t.Helper()
	x := &invitedOnly{owner: c.owner, open: c.org, email: erasedEmail}
	x.openID = decoded[receipt](t, ok(t, c.owner.invite(c.org, x.email, erasedUser, "USER"))).InvitationID
	other := c.signUp(t, "Elsewhere")
	x.revoked = decoded[receipt](t, ok(t, other.activate(unique("Revoking")))).OrganizationID
	x.doneID = decoded[receipt](t, ok(t, other.invite(x.revoked, x.email, erasedUser, "USER"))).InvitationID
	ok(t, other.revoke(x.revoked, x.doneID))
	ok(t, c.owner.set(c.org, "settings", map[string]string{"contact": x.email}))
	c.tokenTo(t, x.email, invitePage, 1)
	return x
}

func (c *cast) eraseInvitee(email string, more ...extra) response {
	return c.operator().post("/v1/operator/invitees/erase", map[string]any{"email": email, "reason": erasedReason}, more...)
}

// invitedTrace is a trace of the invitee in what is shown and stored.
func (c *cast) invitedTrace(t *testing.T, x *invitedOnly) string {
	t.Helper()
	shown := ""
	for _, org := range []string{x.open, x.revoked} {
		for _, path := range []string{"members?status=invited", "invitations", "history"} {
			shown += string(ok(t, c.operator().get(orgPath(org, path))).body)
		}
	}
	shown += c.feedOf(t) + string(ok(t, c.owner.get(orgPath(c.org, "settings"))).body)
	if trace := leftOver([]byte(shown)); trace != "" {
		return trace
	}
	return c.searchStores(t)
}

// TestX8_WhoHasNoAccount erases somebody who was only invited.
func TestX8_WhoHasNoAccount(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		c := b.start(t).newCast(t)
		x := c.newInvitedOnly(t)
		token := c.tokenTo(t, x.email, invitePage, 1)
		is.True(c.invitedTrace(t, x) != "")
		refused(t, c.eraseInvitee("no address"), 422, "invalid")
		refused(t, c.admin.post("/v1/operator/invitees/erase", map[string]any{"email": x.email}), 403, "permission_denied")
		r := c.eraseInvitee(c.owner.Email)
		refused(t, r, 422, "account_exists")
		is.True(strings.Contains(r.problem().Detail, c.owner.AccountID))
		is.True(decoded[receipt](t, ok(t, c.eraseInvitee(x.email, dryRun))).DryRun)

		key := idempotencyKey(unique("erase"))
		first := ok(t, c.eraseInvitee(strings.ToUpper(x.email), key))
		is.Equal(decoded[receipt](t, first).types(), "erasure.requested")
		left := ""
		defer func() {
			if t.Failed() {
				t.Logf("left: %q", left)
			}
		}()
		eventually(t, "nothing is left of the invitee", func() bool { left = c.invitedTrace(t, x); return left == "" })
		sameAnswer(t, "erase", first, c.eraseInvitee(strings.ToUpper(x.email), key))
		is.True(!c.anonymous().accept(token).done())
		eventually(t, "the feed says whose invitations are to be forgotten", func() bool {
			said := c.feedOf(t)
			return strings.Count(said, "organization.invitation_erased.v1") >= 2 && strings.Contains(said, x.openID) && strings.Contains(said, x.doneID)
		})
		c.restart(t)
		is.Equal(c.invitedTrace(t, x), "")

		// The address is anybody's, and may be invited, and erased, again.
		ok(t, c.owner.invite(c.org, x.email, erasedUser, "USER"))
		eventually(t, "there is something to erase", func() bool { return c.invitedTrace(t, x) != "" })
		ok(t, c.eraseInvitee(x.email))
		eventually(t, "nothing is left of it again", func() bool { left = c.invitedTrace(t, x); return left == "" })
	})
}

// erasingInvitee is the fate of one who has no account.
func erasingInvitee(t *testing.T, c *cast) doing {
	x := c.newInvitedOnly(t)
	return doing{
		give:     func(more ...extra) response { return c.eraseInvitee(x.email, more...) },
		finished: func() bool { return c.invitedTrace(t, x) == "" },
	}
}
