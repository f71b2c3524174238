package acceptance

import (
	"testing"

	"github.com/matryer/is"
)

func TestX12_Idempotency(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)

		t.Run("a retry of any command returns the first answer, and does nothing", func(t *testing.T) {
			for _, x := range c.script(t) {
				key := idempotencyKey(unique("key"))
				first := x.give(key)
				if !first.done() {
					t.Fatalf("%s: %v", x.name, first)
				}
				before := c.everything(t)
				again := x.give(key)
				sameAnswer(t, x.name, first, again)
				if after := c.endOfLog(t).Head; after != before { // no more was on its way
					t.Errorf("%s: the retry has changed something", x.name)
				}
				if x.done != nil {
					x.done(first)
				}
			}
		})

		t.Run("also after a restart", func(t *testing.T) {
			key := idempotencyKey(unique("key"))
			guest := unique("guest")
			invite := func() response { return c.owner.invite(c.org, guest+"@example.com", guest, "USER", key) }
			first := ok(t, invite())
			c.restart(t)
			sameAnswer(t, "invite", first, invite())
			c.rebuild(t)
			sameAnswer(t, "invite", first, invite())
			is.New(t).Equal(len(c.owner.invitations(t, c.org, "?q="+guest)), 1)
		})

		t.Run("many at the same time are one", func(t *testing.T) {
			key := idempotencyKey(unique("key"))
			guest := unique("guest")
			answers := make([]response, 32)
			runs := make([]func(), len(answers))
			for i := range answers {
				runs[i] = func() { answers[i] = c.owner.invite(c.org, guest+"@example.com", guest, "USER", key) }
			}
			together(runs...)
			for _, r := range answers {
				sameAnswer(t, "invite", answers[0], r)
			}
			is.New(t).Equal(len(c.owner.invitations(t, c.org, "?q="+guest)), 1)
		})

		t.Run("the key is for one request, and for one caller", func(t *testing.T) {
			key := idempotencyKey(unique("key"))
			ok(t, c.owner.rename(c.org, unique("First"), key))
			refused(t, c.owner.rename(c.org, unique("Second"), key), 422, "idempotency_key_reused")
			ok(t, c.admin.rename(c.org, unique("Third"), key))
		})

		t.Run("a first answer that was a refusal binds nobody", func(t *testing.T) {
			key := idempotencyKey(unique("key"))
			refused(t, c.viewer.rename(c.org, "Mine", key), 403, "permission_denied")
			ok(t, c.owner.changeRole(c.org, c.viewer, "ADMIN"))
			ok(t, c.viewer.rename(c.org, unique("Mine"), key))
			ok(t, c.owner.changeRole(c.org, c.viewer, "VIEWER"))
		})

		t.Run("what changed nothing changes nothing when it comes again later", func(t *testing.T) {
			key := idempotencyKey(unique("key"))
			first := ok(t, c.owner.changeRole(c.org, c.viewer, "VIEWER", key))
			is.New(t).Equal(len(decoded[receipt](t, first).Events), 0)
			ok(t, c.owner.changeRole(c.org, c.viewer, "USER"))
			sameAnswer(t, "change roles", first, c.owner.changeRole(c.org, c.viewer, "VIEWER", key))
			c.restart(t)
			sameAnswer(t, "change roles", first, c.owner.changeRole(c.org, c.viewer, "VIEWER", key))
			is.New(t).Equal(c.owner.member(t, c.org, c.viewer).Roles, []string{"USER"})
			ok(t, c.owner.changeRole(c.org, c.viewer, "VIEWER"))
		})

		t.Run("a retry under If-Match is the same retry", func(t *testing.T) {
			guest := unique("guest")
			id := decoded[receipt](t, c.owner.invite(c.org, guest+"@example.com", guest, "USER")).InvitationID
			tag := c.owner.get(orgPath(c.org)).header.Get("ETag")
			next := func(name string, give func(...extra) response) {
				key := idempotencyKey(unique("key"))
				first := ok(t, give(key, ifMatch(tag)))
				sameAnswer(t, name, first, give(key, ifMatch(tag)))
				tag = c.owner.get(orgPath(c.org)).header.Get("ETag")
			}
			name := unique("Conditional")
			next("rename", func(x ...extra) response { return c.owner.rename(c.org, name, x...) })
			next("resend", func(x ...extra) response { return c.owner.resend(c.org, id, x...) })
			next("revoke", func(x ...extra) response { return c.owner.revoke(c.org, id, x...) })
			next("change roles", func(x ...extra) response { return c.owner.changeRole(c.org, c.user, "VIEWER", x...) })
			next("request transfer", func(x ...extra) response { return c.owner.requestTransfer(c.org, c.admin, x...) })
			next("cancel transfer", func(x ...extra) response { return c.owner.cancelTransfer(c.org, x...) })
			next("remove", func(x ...extra) response { return c.owner.remove(c.org, c.user, x...) })
		})

		t.Run("a retry says what was, whatever has happened since", func(t *testing.T) {
			activation, key := unique("Moved"), idempotencyKey(unique("key"))
			first := ok(t, c.stranger.activate(activation, key))
			org := decoded[receipt](t, first).OrganizationID
			ok(t, c.stranger.rename(org, unique("Elsewhere")))
			ok(t, c.admin.activate(activation)) // the name was free
			sameAnswer(t, "activate", first, c.stranger.activate(activation, key))
			is.New(t).Equal(len(all[membershipDoc](t, c.stranger.client, "/v1/me/organizations")), 1)
		})

		t.Run("keys are visible ASCII, up to 255 characters", func(t *testing.T) {
			refused(t, c.owner.rename(c.org, "x", idempotencyKey("two words")), 400, "malformed")
			refused(t, c.owner.rename(c.org, "x", idempotencyKey(string(make256()))), 400, "malformed")
		})
	})
}

func make256() []byte {
	text := make([]byte, 256)
	for i := range text {
		text[i] = 'k'
	}
	return text
}

// sameAnswer compares what a client sees. A read of the log's end may lie
// between the two.
func sameAnswer(t *testing.T, name string, first, again response) {
	t.Helper()
	if first.status != again.status || string(first.body) != string(again.body) || first.header.Get("ETag") != again.header.Get("ETag") ||
		first.header.Get("Location") != again.header.Get("Location") {
		t.Errorf("%s: first %v\nand then %v", name, first, again)
	}
}
