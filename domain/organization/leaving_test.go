package organization_test

import (
	"errors"
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/organization"
	"tenure/domain/policy"
)

// leavable is the moderated policy without a minimum of administrators.
var leavable = func() *policy.Policy {
	p := *moderated
	p.Members.MinimumAdmins = 0
	return &p
}()

func left(id domain.AccountID, role domain.Role) domain.Event {
	return MemberRemoved{OrganizationID: org, AccountID: id, Roles: roles(role), Left: true}
}

// addedAdmin was made a member and an administrator without a word of their own.
func addedAdmin(id domain.AccountID) []domain.Event {
	return []domain.Event{addedUnasked(id), RolesChanged{OrganizationID: org, AccountID: id, Before: roles("participant"), After: roles("admin")}}
}

// refusedLeaving are examples for TestEveryRefusalOfEveryDecision.
func refusedLeaving(r domaintest.Refusals[State]) {
	personal := *leavable
	personal.Members.Personal = true
	space := activated(leavable).(Activated)
	space.Personal = true
	r.Refused("Remove", domain.CodeNotOffered, "one's own space", []domain.Event{space}, remove(&personal, owner, owner))
	r.Refused("Remove", domain.CodeLastAdmin, "the last member", []domain.Event{activated(leavable)}, remove(leavable, owner, owner))
	r.Refused("Remove", domain.CodeLastAdmin, "to a suspended one", []domain.Event{activated(leavable), joined(user, "participant"), suspendedMember(user, "participant")}, remove(leavable, owner, owner))
	r.Refused("Remove", domain.CodeLastAdmin, "to one added unasked", append([]domain.Event{activated(moderated)}, addedAdmin(user)...), remove(moderated, owner, owner))
	r.Refused("ChangeRoles", domain.CodeLastAdmin, "to one added unasked", append([]domain.Event{activated(moderated)}, addedAdmin(user)...), changeRoles(moderated, owner, owner, "participant"))
}

// Nobody is held fast in an organization that they never asked for.
func TestWhoWasAddedUnaskedLeaves(t *testing.T) {
	founded := domaintest.Given(t, Evolve, append([]domain.Event{activated(moderated)}, addedAdmin(user)...)...)
	founded.When(remove(moderated, user, user)).Then(left(user, "admin"))
	founded.When(remove(moderated, user, owner)).Then(removed(owner, "admin")) // which is the user's own decision
	two := domaintest.Given(t, Evolve, append([]domain.Event{activated(moderated), joined(admin, "admin")}, addedAdmin(user)...)...)
	two.When(remove(moderated, owner, owner)).Then(left(owner, "admin"))

	suspended := domaintest.Given(t, Evolve, activated(moderated), addedUnasked(user), suspendedMember(user, "participant"))
	away := suspended.When(remove(moderated, user, user)).Then(left(user, "participant"))
	is.New(t).Equal(away.State.ActiveMembers(), 1)
	domaintest.Given(t, Evolve, activated(leavable), joined(user, "participant")).When(remove(leavable, owner, owner)).Then(left(owner, "admin"))
}

// Who asks to join is told what they can do themselves.
func TestWhoAsksToJoinIsToldWhatToDo(t *testing.T) {
	is := is.New(t)
	for title, events := range map[string][]domain.Event{
		"You have left":   school(left(user, "participant")),
		"Member removed":  school(removed(user, "participant")),
		"You are invited": school(removed(admin, "author"), InvitationOpened{OrganizationID: org, InvitationID: invited, Email: "somebody@example.com"}),
	} {
		account := user
		if title == "You are invited" {
			account = "somebody"
		}
		_, err := requestToJoin(moderated, account, domain.Email(account+"@example.com"))(domaintest.Given(t, Evolve, events...).State)
		var refusal *domain.Error
		is.True(errors.As(err, &refusal))
		is.Equal(refusal.Title, title)
		if title != "You are invited" {
			is.Equal(refusal.Message, "Ask an administrator of the organization for an invitation.")
		}
	}
}
