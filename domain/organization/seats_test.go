package organization_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/organization"
	"tenure/domain/policy"
)

var (
	seats        = builtin("seats")
	capabilities = builtin("capabilities")
	personal     = builtin("personal")
)

// seated is an organization of the seats policy with these many members and
// open invitations of the owner: i0, i1 and so on.
func seated(members, invitations int, more ...domain.Event) []domain.Event {
	events := []domain.Event{activated(seats)}
	for i := range members - 1 {
		events = append(events, joined(domain.AccountID("member"+string(rune('0'+i))), "Member"))
	}
	for i := range invitations {
		id := "i" + string(rune('0'+i))
		events = append(events, InvitationOpened{
			OrganizationID: org, InvitationID: domain.InvitationID(id), Generation: 1, Email: domain.Email(id + "@example.com"),
			Roles: []domain.Role{"Member"}, InvitedBy: owner, ExpiresAt: noon.Add(seats.Invitations.Lifetime),
		})
	}
	return append(events, more...)
}

func claimed(id domain.InvitationID) domain.Event {
	return SeatClaimed{OrganizationID: org, InvitationID: id}
}

func claimSeat(p *policy.Policy, id domain.InvitationID) decision {
	return func(s State) ([]domain.Event, error) { return ClaimSeat(s, p, id) }
}

func setSeats(p *policy.Policy, n int) decision {
	return func(s State) ([]domain.Event, error) { return SetSeats(s, p, n) }
}

// refuseSeats has the examples of the refusals of this file's decisions.
func refuseSeats(r domaintest.Refusals[State]) {
	r.Refused("ClaimSeat", domain.CodeNotFound, "never opened", seated(1, 0), claimSeat(seats, "i0"))
	r.Refused("ClaimSeat", domain.CodeNotFound, "closed", seated(1, 1, InvitationClosed{OrganizationID: org, InvitationID: "i0", Outcome: "revoked"}), claimSeat(seats, "i0"))
	r.Refused("ClaimSeat", domain.CodeSeatsFull, "ten members", seated(10, 1), claimSeat(seats, "i0"))
	r.Refused("ClaimSeat", domain.CodeSeatsFull, "nine members, and another is accepting", seated(9, 2, claimed("i1")), claimSeat(seats, "i0"))
	r.Refused("ClaimSeat", domain.CodeSeatsFull, "a suspended member keeps the seat", seated(10, 1, MemberSuspended{OrganizationID: org, AccountID: "member0"}), claimSeat(seats, "i0"))

	r.Refused("SetSeats", domain.CodeNotFound, "no organization", nil, setSeats(seats, 20))
	r.Refused("SetSeats", domain.CodeOrganizationClosed, "deleted", seated(1, 0, Deleted{OrganizationID: org}), setSeats(seats, 20))
	r.Refused("SetSeats", domain.CodeNotOffered, "any number of members", staffed(), setSeats(ownership, 20))
	r.Refused("SetSeats", domain.CodeSeatsTooFew, "fewer than members", seated(5, 0), setSeats(seats, 4))
	r.Refused("SetSeats", domain.CodeSeatsTooFew, "one is accepting", seated(5, 1, claimed("i0")), setSeats(seats, 5))
	r.Refused("SetSeats", domain.CodeSeatsTooFew, "back to what the policy says", seated(11, 0, SeatsChanged{OrganizationID: org, After: 20}), setSeats(seats, 0))

	r.Refused("ChangeRoles", domain.CodeOwnRolesFixed, "more", capable(), changeRoles(capabilities, owner, owner, "ADMINISTRATE_ORGANIZATION", "MANAGE_ACCESS"))
	r.Refused("ChangeRoles", domain.CodeOwnRolesFixed, "none", capable(), changeRoles(capabilities, owner, owner))
}

func TestASeatIsKeptForWhoAccepts(t *testing.T) {
	is := is.New(t)
	nine := domaintest.Given(t, Evolve, seated(9, 2)...)
	kept := nine.When(claimSeat(seats, "i0")).Then(claimed("i0"))
	is.Equal(kept.State.SeatsTaken(), 10)
	is.Equal(kept.State.ActiveMembers(), 9)
	kept.When(claimSeat(seats, "i0")).Then() // once

	is.Equal(kept.When(claimSeat(seats, "i1")).Refused(domain.CodeSeatsFull).Message, // whoever accepts can remove nobody
		"The organization has as many members as it may have. Ask an administrator to make room for you, then try again.")

	joiner := Joiner{AccountID: nobody, Email: "i0@example.com", DisplayName: "N", InvitationID: "i0", InvitedBy: owner}
	in := kept.When(domaintest.Always(func(s State) []domain.Event { return Admit(s, joiner) })).Then(MemberJoined{
		OrganizationID: org, AccountID: nobody, Email: "i0@example.com", DisplayName: "N", Roles: []domain.Role{"Member"}, InvitationID: "i0", InvitedBy: owner,
	})
	is.Equal(in.State.SeatsTaken(), 10) // the claim became the member
	is.Equal(in.State.OpenInvitations(), 1)
	in.When(claimSeat(seats, "i1")).Refused(domain.CodeSeatsFull)
	in.When(remove(seats, owner, "member0")).
		Then(MemberRemoved{OrganizationID: org, AccountID: "member0", Roles: []domain.Role{"Member"}}).
		When(claimSeat(seats, "i1")).Then(claimed("i1"))
}

func TestAClaimEndsWithTheInvitation(t *testing.T) {
	full := seated(9, 2, claimed("i0"))
	for _, outcome := range []string{"declined", "revoked"} {
		domaintest.Given(t, Evolve, full...).
			When(domaintest.Always(func(s State) []domain.Event { return CloseInvitation(s, "i0", outcome) })).
			Then(InvitationClosed{OrganizationID: org, InvitationID: "i0", Outcome: outcome}).
			When(claimSeat(seats, "i1")).Then(claimed("i1"))
	}
	domaintest.Given(t, Evolve, full...).
		When(domaintest.Always(func(s State) []domain.Event { return ExpireInvitation(s, "i0", 1) })).
		Then(InvitationClosed{OrganizationID: org, InvitationID: "i0", Outcome: "expired"}).
		When(claimSeat(seats, "i1")).Then(claimed("i1"))

	// A resend leaves it open, and so the seat kept.
	resent := InvitationOpened{OrganizationID: org, InvitationID: "i0", Generation: 2, Email: "i0@example.com", Roles: []domain.Role{"Member"}, InvitedBy: owner}
	is.New(t).Equal(domaintest.Given(t, Evolve, append(full, resent)...).State.SeatsTaken(), 10)
}

func TestTheOperatorSaysHowManySeatsThereAre(t *testing.T) {
	is := is.New(t)
	ten := domaintest.Given(t, Evolve, seated(10, 1)...)
	is.Equal(ten.State.Seats(seats), 10)
	more := ten.When(setSeats(seats, 11)).Then(SeatsChanged{OrganizationID: org, Before: 0, After: 11})
	is.Equal(more.State.Seats(seats), 11)
	more.When(setSeats(seats, 11)).Then()
	eleven := more.When(claimSeat(seats, "i0")).Then(claimed("i0"))
	eleven.When(setSeats(seats, 10)).Refused(domain.CodeSeatsTooFew)
	fewer := more.When(setSeats(seats, 10)).Then(SeatsChanged{OrganizationID: org, Before: 11, After: 10})
	fewer.When(setSeats(seats, 0)).Then(SeatsChanged{OrganizationID: org, Before: 10, After: 0}).When(claimSeat(seats, "i0")).Refused(domain.CodeSeatsFull)

	any := domaintest.Given(t, Evolve, staffed(opened(invited, 1, "USER"))...)
	is.Equal(any.State.Seats(ownership), 0)
	any.When(claimSeat(ownership, invited)).Then() // there are always enough
}
