package commands_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/reservation"
	"tenure/policies"
)

type becoming = map[domain.Role][]domain.Role

var (
	toModerated = becoming{"OWNER": {"admin"}, "ADMIN": {"author"}, "USER": {"participant"}, "VIEWER": {"participant"}}
	toOwnership = becoming{"admin": {"OWNER"}, "author": {"ADMIN"}, "participant": {"USER"}}
	operator    = commands.Request{Actor: domain.ByAPIKey("operator")}
)

// guild is a policy like ownership, in a version.
func guild(version int) []byte {
	builtin := policies.Builtin()
	p, _ := builtin.Latest("ownership")
	return []byte(strings.NewReplacer("name: ownership", "name: guild", "version: 1", fmt.Sprint("version: ", version)).Replace(string(builtin.Document(p))))
}

func TestAPolicyIsKnownToEveryNodeAtOnce(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	one, other := w.node(), w.node()
	org, by := w.organization(one, "acme")
	_, _, err := other.ActivateOrganization(w.ctx, by, "guild", "Early", "owner")
	is.True(refusedWith(err, domain.CodeInvalid))
	for version := 1; version <= 2; version++ {
		p, receipt, err := one.PublishPolicy(w.ctx, operator, guild(version))
		is.NoErr(err)
		is.Equal(p.Version, version)
		is.Equal(types(receipt), []string{"policy.published.v1"})
		made, _, err := other.ActivateOrganization(w.ctx, by, "guild", domain.OrganizationName(fmt.Sprint("Guild", version)), "owner")
		is.NoErr(err)
		p, err = one.PolicyOf(w.ctx, made)
		is.NoErr(err)
		is.Equal(p.Version, version)
	}
	_, receipt, err := other.PublishPolicy(w.ctx, operator, guild(1))
	is.NoErr(err)
	is.Equal(len(receipt.Events), 0)
	_, _, err = other.DryRun().PublishPolicy(w.ctx, operator, guild(3))
	is.NoErr(err)
	_, err = other.MoveOrganization(w.ctx, operator, org, "guild", 3, organization.Move{})
	is.True(refusedWith(err, domain.CodeInvalid)) // it was a dry run
	_, err = other.MoveOrganization(w.ctx, operator, org, "guild", 1, organization.Move{})
	is.NoErr(err)
	_, err = one.MoveOrganization(w.ctx, operator, org, "guild", 0, organization.Move{})
	is.NoErr(err)
	p, err := other.PolicyOf(w.ctx, org)
	is.NoErr(err)
	is.Equal(fmt.Sprint(p.Name, p.Version), "guild2")
	p, err = w.node().PolicyOf(w.ctx, org) // which has read nothing yet
	is.NoErr(err)
	is.Equal(fmt.Sprint(p.Name, p.Version), "guild2")
}

// killedIn gives a command to a node that is killed at a step.
func (w *world) killedIn(step string, give func(*commands.Commands)) {
	w.t.Helper()
	killed := w.node()
	killed.Step = func(name string) {
		if name == step {
			panic("killed")
		}
	}
	defer func() {
		if recover() == nil {
			w.t.Fatalf("the command did not get to %q", step)
		}
	}()
	give(killed)
}

// A move that was killed after it has reserved exclusive roles, and before or
// after its event, is finished by whoever looks at reservations whose time is
// over.
func TestAMoveThatIsKilledLeavesNoRoleHeldByNobody(t *testing.T) {
	for step, done := range map[string]bool{commands.StepExclusiveRoleReserved: false, commands.StepExclusiveRoleGiven: true} {
		t.Run(step, func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			c := w.node()
			first, by := w.organization(c, "first")
			owner, _ := by.Actor.Account()
			keyed := operator
			keyed.IdempotencyKey, keyed.Fingerprint = "key", "request"
			w.killedIn(step, func(killed *commands.Commands) {
				_, _ = killed.MoveOrganization(w.ctx, keyed, first, "moderated", 0, organization.Move{Roles: toModerated})
			})
			p, err := c.PolicyOf(w.ctx, first)
			is.NoErr(err)
			is.Equal(p.Name == "moderated", done)

			_, _, err = c.ActivateOrganization(w.ctx, by, "moderated", "Second", "owner")
			is.True(refusedWith(err, domain.CodeRoleExclusive)) // the move may still be under way
			w.pass(commands.ReservationLifetime)
			is.NoErr(c.ResolveReservation(w.ctx, commands.Request{Actor: domain.ByProcess("reservations")}, reservation.KindExclusiveRole, string(owner)))
			if done {
				_, _, err = c.ActivateOrganization(w.ctx, by, "moderated", "Second", "owner")
				is.True(refusedWith(err, domain.CodeRoleExclusive))
			}
			again, err := c.MoveOrganization(w.ctx, keyed, first, "moderated", 0, organization.Move{Roles: toModerated})
			is.NoErr(err)
			is.Equal(types(again), []string{"organization.policy_changed.v1"})
			_, _, err = c.ActivateOrganization(w.ctx, by, "moderated", "Second", "owner")
			is.True(refusedWith(err, domain.CodeRoleExclusive))

			// What a move takes away is free at once.
			_, err = c.MoveOrganization(w.ctx, operator, first, "ownership", 0, organization.Move{Roles: toOwnership})
			is.NoErr(err)
			_, _, err = c.ActivateOrganization(w.ctx, by, "moderated", "Second", "owner")
			is.NoErr(err)
			_, err = c.MoveOrganization(w.ctx, operator, first, "moderated", 0, organization.Move{Roles: toModerated})
			is.True(refusedWith(err, domain.CodeRoleExclusive))
		})
	}
}

// Two moves at once give an account exclusive roles in one organization.
func TestOfTwoMovesThatGiveAnExclusiveRoleOneHappens(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	nodes := []*commands.Commands{w.node(), w.node()}
	first, by := w.organization(nodes[0], "first")
	for i := range 10 {
		second, _, err := nodes[1].ActivateOrganization(w.ctx, by, "ownership", domain.OrganizationName(fmt.Sprint("second", i)), "owner")
		is.NoErr(err)
		errs := make([]error, 2)
		var both sync.WaitGroup
		for n, org := range []domain.OrganizationID{first, second} {
			both.Go(func() {
				_, errs[n] = nodes[n].MoveOrganization(w.ctx, operator, org, "moderated", 0, organization.Move{Roles: toModerated})
			})
		}
		both.Wait()
		is.True((errs[0] == nil) != (errs[1] == nil)) // one wins
		for n, org := range []domain.OrganizationID{first, second} {
			if errs[n] != nil {
				is.True(refusedWith(errs[n], domain.CodeRoleExclusive))
				continue
			}
			_, err := nodes[n].MoveOrganization(w.ctx, operator, org, "ownership", 0, organization.Move{Roles: toOwnership})
			is.NoErr(err)
		}
	}
}

// An invitation that is accepted and not settled when the organization moves
// makes a member with what its role has become.
func TestAnAcceptanceUnderWayGetsWhatItsRoleHasBecome(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.organization(c, "acme")
	id, _, err := w.invite(c, by, org, "ada", "USER")
	is.NoErr(err)
	joining := &commands.Joining{DisplayName: "Ada", Password: secret, Language: "en"}
	w.killedIn(commands.StepInvitationAccepted, func(killed *commands.Commands) {
		_, _ = killed.AcceptInvitation(w.ctx, commands.Request{Actor: domain.Public()}, w.invitationLink(id, 1), joining)
	})
	_, err = c.MoveOrganization(w.ctx, operator, org, "seats", 0, organization.Move{Roles: becoming{"OWNER": {"Administrator"}, "ADMIN": {"Administrator"}, "USER": {"Member"}, "VIEWER": {"Member"}}})
	is.NoErr(err)
	limits, err := c.Limits(w.ctx, org)
	is.NoErr(err)
	is.Equal(limits.Taken, 2) // the seat of who is accepting
	settled, err := c.SettleInvitation(w.ctx, commands.Request{Actor: domain.ByProcess("admission")}, id)
	is.NoErr(err)
	is.Equal(types(settled), []string{"organization.member_joined.v1"})
	is.Equal(settled.Events[0].(organization.MemberJoined).Roles, []domain.Role{"Member"})
	limits, err = c.Limits(w.ctx, org)
	is.NoErr(err)
	is.Equal(limits.Taken, 2)
}

// Under a policy that lets the invitations of those who leave be, one of them is
// still open; the next policy revokes such invitations.
func TestAMoveEndsTheInvitationsOfThoseWhoHaveLeft(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.organization(c, "acme")
	lenient := strings.Replace(string(guild(1)), "revoke_when_inviter_leaves: true", "revoke_when_inviter_leaves: false", 1)
	_, _, err := c.PublishPolicy(w.ctx, operator, []byte(lenient))
	is.NoErr(err)
	_, err = c.MoveOrganization(w.ctx, operator, org, "guild", 0, organization.Move{})
	is.NoErr(err)
	admin := w.member(c, by, org, "admin", "ADMIN")
	left, _, err := w.invite(c, commands.Request{Actor: domain.ByAccount(admin)}, org, "guest", "USER")
	is.NoErr(err)
	kept, _, err := w.invite(c, by, org, "other", "USER")
	is.NoErr(err)
	_, err = c.RemoveMember(w.ctx, by, org, admin)
	is.NoErr(err)
	process := commands.Request{Actor: domain.ByProcess("offboarding")}
	is.NoErr(c.RevokeInvitationsOf(w.ctx, process, org, admin))
	is.NoErr(c.RevokeInvitationsOfFormer(w.ctx, process, org))
	_, err = c.LookUpInvitation(w.ctx, w.invitationLink(left, 1))
	is.NoErr(err) // the policy lets it be

	_, err = c.MoveOrganization(w.ctx, operator, org, "ownership", 0, organization.Move{})
	is.NoErr(err)
	is.NoErr(c.RevokeInvitationsOfFormer(w.ctx, process, org))
	_, err = c.LookUpInvitation(w.ctx, w.invitationLink(left, 1))
	is.True(refusedWith(err, domain.CodeInvitationRevoked))
	_, err = c.LookUpInvitation(w.ctx, w.invitationLink(kept, 1))
	is.NoErr(err)
}
