package organization_test

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/organization"
)

func ended(to domain.AccountID, outcome string) domain.Event {
	return OwnershipTransferEnded{OrganizationID: org, TransferID: request, From: owner, To: to, Outcome: outcome}
}

func TestATransferWaitsForItsConfirmation(t *testing.T) {
	is := is.New(t)
	asked := domaintest.Given(t, Evolve, staffed()...).When(requestTransfer(ownership, owner, user, noon)).Then(OwnershipTransferRequested{
		OrganizationID: org, TransferID: "next", From: owner, To: user, ExpiresAt: noon.Add(24 * time.Hour),
	})
	is.Equal(*asked.State.Transfer, Transfer{ID: "next", From: owner, To: user, ExpiresAt: noon.Add(24 * time.Hour)})
	m, _ := asked.State.Member(owner)
	is.Equal(m.Roles, []domain.Role{"OWNER"}) // nothing has changed yet

	done := asked.When(confirmTransfer("next", noon.Add(24*time.Hour-1))).Then(OwnershipTransferred{
		OrganizationID: org, TransferID: "next",
		From: owner, FromBefore: []domain.Role{"OWNER"}, FromAfter: []domain.Role{"ADMIN"},
		To: user, ToBefore: []domain.Role{"USER"}, ToAfter: []domain.Role{"OWNER"},
	})
	is.True(done.State.Transfer == nil)
	m, _ = done.State.Member(owner)
	is.Equal(m.Roles, []domain.Role{"ADMIN"})
	m, _ = done.State.Member(user)
	is.Equal(m.Roles, []domain.Role{"OWNER"})
	is.Equal(done.State.ActiveMembers(), 4)
	done.When(confirmTransfer("next", noon)).Refused(domain.CodeTransferNotPending) // once
	done.When(requestTransfer(ownership, owner, admin, noon)).Refused(domain.CodePermissionDenied)
	done.When(remove(ownership, user, owner)).Then(removed(owner, "ADMIN")) // the former owner is an admin like others
}

func TestATransferThatHasRunOutIsReplaced(t *testing.T) {
	is := is.New(t)
	late := noon.Add(24 * time.Hour)
	next := domaintest.Given(t, Evolve, staffed(requested(user))...).When(requestTransfer(ownership, owner, admin, late)).Then(
		ended(user, "expired"),
		OwnershipTransferRequested{OrganizationID: org, TransferID: "next", From: owner, To: admin, ExpiresAt: late.Add(24 * time.Hour)},
	)
	is.Equal(next.State.Transfer.To, admin)
	next.When(confirmTransfer(request, noon)).Refused(domain.CodeTransferNotPending) // the old link is dead
}

func TestATransferEnds(t *testing.T) {
	is := is.New(t)
	pending := domaintest.Given(t, Evolve, staffed(requested(user))...)
	expire := func(id domain.TransferID, at time.Time) decision {
		return domaintest.Always(func(s State) []domain.Event { return ExpireTransfer(s, id, at) })
	}
	is.True(pending.When(cancelTransfer(owner)).Then(ended(user, "cancelled")).State.Transfer == nil)

	pending.When(expire(request, noon.Add(24*time.Hour-1))).Then()
	pending.When(expire("another", noon.Add(48*time.Hour))).Then()
	pending.When(expire(request, noon.Add(24*time.Hour))).Then(ended(user, "expired")).When(expire(request, noon.Add(48*time.Hour))).Then()
}

func TestATransferDiesWithItsTarget(t *testing.T) {
	is := is.New(t)
	pending := domaintest.Given(t, Evolve, staffed(requested(user))...)
	change := func(after domain.Role) domain.Event {
		return RolesChanged{OrganizationID: org, AccountID: user, Before: []domain.Role{"USER"}, After: []domain.Role{after}}
	}
	is.True(pending.When(remove(ownership, admin, user)).Then(removed(user, "USER"), ended(user, "voided")).State.Transfer == nil)
	is.True(pending.When(changeRoles(ownership, admin, user, "VIEWER")).Then(change("VIEWER"), ended(user, "voided")).State.Transfer == nil)

	is.True(pending.When(changeRoles(ownership, admin, user, "ADMIN")).Then(change("ADMIN")).State.Transfer != nil) // still eligible
	is.True(pending.When(remove(ownership, owner, admin)).Then(removed(admin, "ADMIN")).State.Transfer != nil)      // no part of it
}
