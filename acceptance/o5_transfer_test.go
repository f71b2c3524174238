package acceptance

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestO5_TransferOwnership(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)
		link := func(t *testing.T) string {
			t.Helper()
			return c.newestTransferLink(t, c.owner)
		}

		t.Run("only the owner asks for a transfer", func(t *testing.T) {
			for _, p := range []*person{c.admin, c.user, c.viewer} {
				refused(t, p.requestTransfer(c.org, c.admin), 403, "permission_denied")
			}
			refused(t, c.stranger.requestTransfer(c.org, c.admin), 404, "not_found")
		})

		t.Run("not to self, a removed member, a VIEWER or somebody who does not belong", func(t *testing.T) {
			for _, p := range []*person{c.owner, c.removed, c.viewer} {
				r := refused(t, c.owner.requestTransfer(c.org, p), 409, "transfer_not_eligible")
				is.New(t).True(strings.HasPrefix(r.Detail, "Ownership cannot be transferred to yourself, removed users, VIEWER members, or the current owner."))
			}
			refused(t, c.owner.requestTransfer(c.org, c.stranger), 404, "not_found")
		})

		t.Run("a mail goes to the current owner's address, and to nobody else", func(t *testing.T) {
			is := is.New(t)
			r := c.owner.requestTransfer(c.org, c.admin)
			is.Equal(r.status, 201)
			is.Equal(decoded[receipt](t, r).types(), "organization.ownership_transfer_requested")
			m := c.mailTo(t, c.owner.Email, transferPage, 1)
			is.True(strings.Contains(m.Text, c.admin.Name))
			for _, p := range []*person{c.admin, c.user, c.viewer} {
				is.Equal(len(c.mailsTo(p.Email, transferPage)), 0)
			}
		})

		t.Run("until the confirmation nothing changes, and the request is visible", func(t *testing.T) {
			is := is.New(t)
			is.Equal(c.owner.roleOf(t, c.org, c.owner), "OWNER")
			is.Equal(c.owner.roleOf(t, c.org, c.admin), "ADMIN")
			pending := decoded[transferDoc](t, c.owner.transfer(c.org))
			is.Equal(pending.From, c.owner.AccountID)
			is.Equal(pending.To, c.admin.AccountID)
			is.Equal(c.admin.organization(t, c.org).Transfer.TransferID, pending.TransferID)
		})

		t.Run("there is one request at a time", func(t *testing.T) {
			refused(t, c.owner.requestTransfer(c.org, c.user), 409, "transfer_pending")
		})

		t.Run("it can be cancelled, which kills the link", func(t *testing.T) {
			dead := link(t)
			ok(t, c.owner.cancelTransfer(c.org))
			refused(t, c.anonymous().confirmTransfer(dead), 409, "transfer_not_pending")
			refused(t, c.owner.transfer(c.org), 404, "not_found")
			refused(t, c.owner.cancelTransfer(c.org), 409, "transfer_not_pending")
			is.New(t).Equal(c.owner.organization(t, c.org).Transfer, nil)
		})

		t.Run("it dies when the target is removed", func(t *testing.T) {
			p := c.newMember(t, "USER")
			ok(t, c.owner.requestTransfer(c.org, p))
			dead := link(t)
			ok(t, c.admin.remove(c.org, p))
			refused(t, c.anonymous().confirmTransfer(dead), 409, "transfer_not_pending")
			is.New(t).Equal(c.owner.organization(t, c.org).Transfer, nil)
		})

		t.Run("it dies when the target is no longer eligible", func(t *testing.T) {
			ok(t, c.owner.requestTransfer(c.org, c.user))
			dead := link(t)
			ok(t, c.owner.changeRole(c.org, c.user, "ADMIN")) // still eligible
			ok(t, c.owner.transfer(c.org))
			changed := decoded[receipt](t, c.owner.changeRole(c.org, c.user, "VIEWER"))
			is.New(t).Equal(changed.types(), "organization.roles_changed organization.ownership_transfer_ended")
			refused(t, c.anonymous().confirmTransfer(dead), 409, "transfer_not_pending")
			ok(t, c.owner.changeRole(c.org, c.user, "USER"))
		})

		t.Run("a pending request survives a restart", func(t *testing.T) {
			ok(t, c.owner.requestTransfer(c.org, c.user))
			before := c.owner.transfer(c.org).body
			c.restart(t)
			is.New(t).Equal(string(c.owner.transfer(c.org).body), string(before))
		})

		t.Run("on confirmation owner becomes ADMIN and target OWNER, in one event", func(t *testing.T) {
			is := is.New(t)
			r := decoded[receipt](t, c.anonymous().confirmTransfer(link(t)))
			is.Equal(r.types(), "organization.ownership_transferred")
			is.Equal(c.user.roleOf(t, c.org, c.owner), "ADMIN")
			is.Equal(c.user.roleOf(t, c.org, c.user), "OWNER")
			owners, _ := find(c.user.members(t, c.org, "?role=OWNER"), func(memberDoc) bool { return true })
			is.Equal(owners.AccountID, c.user.AccountID)
			is.Equal(len(c.user.members(t, c.org, "?role=OWNER")), 1)
			ok(t, c.user.rename(c.org, unique("Mine")))
			refused(t, c.owner.requestTransfer(c.org, c.admin), 403, "permission_denied")
		})

		t.Run("the link works once", func(t *testing.T) {
			refused(t, c.anonymous().confirmTransfer(link(t)), 409, "transfer_not_pending")
			refused(t, c.anonymous().confirmTransfer("tnr_own_"+strings.Repeat("A", 71)), 404, "link_invalid")
		})

		t.Run("the owner is on record as the one who decided", func(t *testing.T) {
			is := is.New(t)
			h := c.user.history(t, c.org)
			last, found := find(h, func(e entryDoc) bool { return e.Type == "organization.ownership_transferred.v1" })
			is.True(found)
			is.Equal(last.Actor.ID, c.owner.AccountID)
			is.Equal(last.Data["from_after"], []any{"ADMIN"})
			is.Equal(last.Data["to_after"], []any{"OWNER"})
		})

		t.Run("all of it survives a restart", func(t *testing.T) {
			c.restart(t)
			is := is.New(t)
			is.Equal(c.user.roleOf(t, c.org, c.user), "OWNER")
			is.Equal(c.user.roleOf(t, c.org, c.owner), "ADMIN")
		})
	})
}

func TestO5_APendingTransferExpires(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t, withFlags("--session-lifetime", "1000h")).newCast(t)
		ok(t, c.owner.requestTransfer(c.org, c.admin))
		dead := c.newestTransferLink(t, c.owner)
		pending := decoded[transferDoc](t, c.owner.transfer(c.org))

		c.stopClock(t, pending.ExpiresAt) // to the second
		r := c.anonymous().confirmTransfer(dead)
		if r.status != 410 && r.status != 409 {
			t.Fatal(r)
		}
		if code := r.code(); code != "transfer_expired" && code != "transfer_not_pending" {
			t.Fatal(r)
		}
		eventually(t, "the request is gone", func() bool {
			return c.owner.organization(t, c.org).Transfer == nil
		})
		refused(t, c.anonymous().confirmTransfer(dead), 409, "transfer_not_pending")
		ended, _ := find(c.owner.history(t, c.org), func(e entryDoc) bool { return e.Type == "organization.ownership_transfer_ended.v1" })
		is := is.New(t)
		is.Equal(ended.Data["outcome"], "expired")
		is.Equal(c.owner.roleOf(t, c.org, c.owner), "OWNER")

		ok(t, c.owner.requestTransfer(c.org, c.admin)) // again
		again := decoded[transferDoc](t, c.owner.transfer(c.org))
		link := c.newestTransferLink(t, c.owner)
		is.Equal(again.ExpiresAt.Sub(pending.ExpiresAt), 24*time.Hour)
		c.stopClock(t, again.ExpiresAt.Add(-time.Second))
		ok(t, c.anonymous().confirmTransfer(link))
		is.Equal(c.admin.roleOf(t, c.org, c.admin), "OWNER")
	})
}

// newestTransferLink waits for the mail of the pending request.
func (c *cast) newestTransferLink(t *testing.T, owner *person) string {
	t.Helper()
	requested := 0
	for _, e := range owner.history(t, c.org) {
		if e.Type == "organization.ownership_transfer_requested.v1" && e.Data["from"] == owner.AccountID {
			requested++
		}
	}
	return c.tokenTo(t, owner.Email, transferPage, requested)
}
