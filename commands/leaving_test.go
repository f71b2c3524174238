package commands_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
)

// With a password that an administrator has reset nobody leaves in the member's
// name, as nobody does anything else that is the owner's (see
// TestATemporaryPasswordDoesNotMakeAnOwner).
func TestNobodyLeavesInAnothersName(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, admin := w.moderated(c, "One", "")
	known, err := c.SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, grace("one"), "")
	is.NoErr(err)
	own := commands.Request{Actor: domain.ByAccount(known.AccountID)}
	_, err = c.RequestToJoin(w.ctx, own, org)
	is.NoErr(err)
	_, err = c.DecideRequests(w.ctx, admin, org, []commands.RequestDecision{{AccountID: known.AccountID, Approve: true}})
	is.NoErr(err)
	_, err = c.ResetMemberPassword(w.ctx, admin, org, known.AccountID, nowhereElse)
	is.NoErr(err)
	_, err = c.RemoveMember(w.ctx, own, org, known.AccountID)
	is.True(refusedWith(err, domain.CodeEmailUnverified))
	_, err = c.RemoveMember(w.ctx, admin, org, known.AccountID)
	is.NoErr(err)

	// Suspended, one who was added unasked goes all the same.
	ada := w.account(c, "ada@example.com").AccountID
	_, _, err = c.AddMember(w.ctx, admin, org, commands.Addition{Email: "ada@example.com", Roles: []domain.Role{"participant"}})
	is.NoErr(err)
	_, err = c.SuspendMember(w.ctx, admin, org, ada)
	is.NoErr(err)
	_, err = c.RemoveMember(w.ctx, commands.Request{Actor: domain.ByAccount(ada)}, org, ada)
	is.NoErr(err)
}
