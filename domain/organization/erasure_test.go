package organization_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/organization"
	"tenure/domain/policy"
)

func checkErasure(p *policy.Policy, id domain.AccountID) decision {
	return func(s State) ([]domain.Event, error) { return nil, CheckErasure(s, p, id) }
}

func erase(id domain.AccountID) decision {
	return func(s State) ([]domain.Event, error) { return Erase(s, id, "4f1c9a2b00112233"), nil }
}

// refusedErasures has the examples of the refusals of this file's decisions.
func refusedErasures(r domaintest.Refusals[State]) {
	r.Refused("CheckErasure", domain.CodeOwnerProtected, "others are left", staffed(), checkErasure(ownership, owner))
	r.Refused("CheckErasure", domain.CodeLastAdmin, "others are left", levelled(), checkErasure(flat, owner))
}

func TestErasure(t *testing.T) {
	erased := func(id domain.AccountID) domain.Event {
		return MemberErased{OrganizationID: org, AccountID: id, Pseudonym: "4f1c9a2b00112233"}
	}
	t.Run("a member leaves", func(t *testing.T) {
		s := domaintest.Given(t, Evolve, staffed()...).When(erase(user)).Then(removed(user, "USER"), erased(user))
		s.When(erase(user)).Then()
	})
	t.Run("a side of a transfer voids it", func(t *testing.T) {
		domaintest.Given(t, Evolve, staffed(requested(user))...).When(erase(user)).Then(
			removed(user, "USER"), OwnershipTransferEnded{OrganizationID: org, TransferID: request, From: owner, To: user, Outcome: "voided"}, erased(user))
	})
	t.Run("the last member ends the organization", func(t *testing.T) {
		alone := staffed()[:1]
		s := domaintest.Given(t, Evolve, alone...).When(erase(owner)).Then(removed(owner, "OWNER"), Deleted{OrganizationID: org, Name: "Acme"}, erased(owner))
		s.When(erase(owner)).Then()
	})
	t.Run("a personal space goes with its name", func(t *testing.T) {
		is := is.New(t)
		own := Activated{OrganizationID: org, Name: "Personal space", AccountID: owner, Roles: []domain.Role{"OWNER"}, Policy: "ownership", PolicyVersion: 1, Personal: true}
		named := PersonalSpaceRenamed{OrganizationID: org, AccountID: owner, Before: "Personal space", After: "Zoë's own"}
		domaintest.Given(t, Evolve, own).When(rename(by(owner), "Zoë's own")).Then(named)
		gone := domaintest.Given(t, Evolve, own, named).When(erase(owner)).Then(
			MemberRemoved{OrganizationID: org, AccountID: owner, Roles: []domain.Role{"OWNER"}}, Deleted{OrganizationID: org, Name: "Erased person 4f1c9a2b"}, erased(owner))
		is.Equal(gone.State.Name, domain.OrganizationName("Erased person 4f1c9a2b"))
	})
	t.Run("an invitation", func(t *testing.T) {
		gone := InvitationErased{OrganizationID: org, InvitationID: invited, Pseudonym: "4f1c9a2b00112233"}
		forget := func(s State) ([]domain.Event, error) { return EraseInvitation(s, invited, "4f1c9a2b00112233"), nil }
		domaintest.Given(t, Evolve, staffed()...).When(forget).Then(gone).When(forget).Then()
		domaintest.Given(t, Evolve).When(forget).Then()
	})
	t.Run("a former member, and a stranger", func(t *testing.T) {
		domaintest.Given(t, Evolve, staffed()...).When(erase(former)).Then(erased(former))
		domaintest.Given(t, Evolve, staffed()...).When(erase(nobody)).Then(erased(nobody))
		domaintest.Given(t, Evolve).When(erase(user)).Then()
	})
	t.Run("one who asks", func(t *testing.T) {
		asks := JoinRequested{OrganizationID: org, AccountID: nobody, Email: "n@example.com", DisplayName: "N"}
		domaintest.Given(t, Evolve, staffed(asks)...).When(erase(nobody)).Then(
			JoinRequestClosed{OrganizationID: org, AccountID: nobody, Outcome: "withdrawn"}, erased(nobody))
	})
	t.Run("a command that was under way", func(t *testing.T) {
		back := joined(user, "USER")
		domaintest.Given(t, Evolve, staffed(removed(user, "USER"), erased(user), back)...).When(erase(user)).Then(removed(user, "USER"), erased(user)).When(erase(user)).Then()
	})
	t.Run("nobody is left to keep an owner for", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(CheckErasure(folded(staffed()[:1]...), ownership, owner))
		is.NoErr(CheckErasure(folded(staffed()...), ownership, user))
	})
	t.Run("who was erased is not admitted", func(t *testing.T) {
		s := folded(staffed(erased(nobody))...)
		is.New(t).Equal(len(Admit(s, Joiner{AccountID: nobody, InvitationID: invited})), 0)
	})
}

func folded(events ...domain.Event) (s State) {
	for _, e := range events {
		s = Evolve(s, e)
	}
	return s
}
