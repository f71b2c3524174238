package commands_test

import (
	"errors"
	"testing"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
)

// What an approval writes to end an invitation is told by its dry run, by its receipt
// and by a retry.
func TestAnApprovalTellsOfTheInvitationThatItEnds(t *testing.T) {
	for name, all := range map[string]bool{"each": false, "all": true} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			c := w.node()
			org, admin := w.moderated(c, "School", "")
			ada, bob := w.asker(c, org, "ada"), w.asker(c, org, "bob")
			decide := func(c *commands.Commands, r commands.Request) commands.Decided {
				if all {
					done, err := c.DecideAllRequests(w.ctx, r, org, commands.RequestDecision{Approve: true})
					is.NoErr(err)
					return done
				}
				done, err := c.DecideRequests(w.ctx, r, org, []commands.RequestDecision{approval(ada), approval(bob)})
				is.NoErr(err)
				return done
			}
			for _, invitee := range []string{"ada", "bob"} {
				_, _, err := w.invite(c, admin, org, invitee, "author")
				is.NoErr(err)
			}
			told := []string{
				"invitation.revoked.v1", "organization.invitation_closed.v1", "invitation.revoked.v1", "organization.invitation_closed.v1",
				"organization.member_joined.v1", "organization.member_joined.v1",
			}
			is.Equal(types(decide(c.DryRun(), admin).Receipt), told)
			admin.IdempotencyKey, admin.Fingerprint = "approve", "both"
			is.Equal(types(decide(c.DryRun(), admin).Receipt), told)
			first := decide(c, admin)
			is.Equal(types(first.Receipt), told)
			retried := decide(w.node(), admin)
			is.Equal(retried.Events, first.Events)
			is.Equal(retried.Position, first.Position)
			is.Equal(retried.Revision, first.Revision)
		})
	}
}

// Killed after the revocation, a request that was for a revision goes on: the
// organization has moved by the request itself.
func TestAnApprovalThatWasKilledGoesOnForItsRevision(t *testing.T) {
	for step, role := range map[string]domain.Role{commands.StepInvitationRevoked: "participant", commands.StepExclusiveRoleReserved: "author"} {
		t.Run(step, func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			c := w.node()
			org, admin := w.moderated(c, "School", "")
			ada := w.asker(c, org, "ada")
			id, invited, err := w.invite(c, admin, org, "ada", "author")
			is.NoErr(err)
			approve := admin
			approve.IfRevision, approve.IdempotencyKey, approve.Fingerprint = &invited.Revision, "approve", "ada"
			decisions := []commands.RequestDecision{approval(ada, role)}
			w.killedIn(step, func(c *commands.Commands) { _, _ = c.DecideRequests(w.ctx, approve, org, decisions) })

			// A process carries the end of the link over.
			recorded, err := w.store.ReadStream(w.ctx, "invitation-"+string(id), 0, 10)
			is.NoErr(err)
			revoked, err := w.codec.Decode(recorded[len(recorded)-1])
			is.NoErr(err)
			is.Equal(revoked.Event, invitation.Revoked{InvitationID: id, OrganizationID: org, Cause: invitation.CauseApproved})
			_, err = c.SettleInvitation(w.ctx, commands.Request{Actor: domain.ByProcess("memberships"), Continues: revoked.Metadata.CommandID}, id)
			is.NoErr(err)
			other := approve
			other.IdempotencyKey = "another"
			_, err = c.DecideRequests(w.ctx, other, org, decisions)
			is.True(refusedWith(err, domain.CodeRevisionMismatch))

			done, err := w.node().DecideRequests(w.ctx, approve, org, decisions)
			is.NoErr(err)
			is.NoErr(done.Outcomes[0].Refusal)
			is.Equal(types(done.Receipt), []string{"invitation.revoked.v1", "organization.invitation_closed.v1", "organization.member_joined.v1"})
			again, err := c.DecideRequests(w.ctx, approve, org, decisions)
			is.NoErr(err)
			is.Equal(again.Events, done.Events)
		})
	}
}

// Invited again after the first invitation has ended and before the approval, the
// person is let in as well.
func TestAnApprovalEndsASecondInvitation(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, admin := w.moderated(c, "School", "")
	ada := w.asker(c, org, "ada")
	_, _, err := w.invite(c, admin, org, "ada", "author")
	is.NoErr(err)
	approve := admin
	approve.IdempotencyKey, approve.Fingerprint = "approve", "ada"
	decisions := []commands.RequestDecision{approval(ada, "author")}
	w.killedIn(commands.StepExclusiveRoleReserved, func(c *commands.Commands) { _, _ = c.DecideRequests(w.ctx, approve, org, decisions) })
	second, _, err := w.invite(c, admin, org, "ada", "author")
	is.NoErr(err)
	done, err := c.DecideRequests(w.ctx, approve, org, decisions)
	is.NoErr(err)
	is.NoErr(done.Outcomes[0].Refusal)
	_, err = c.LookUpInvitation(w.ctx, w.invitationLink(second, 1))
	is.True(refusedWith(err, domain.CodeInvitationRevoked))
}

// An invitation whose link is not there yet waits, and holds up no other.
func TestAnApprovalWaitsForALinkThatIsNotThere(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, admin := w.moderated(c, "School", "")
	ada, bob := w.asker(c, org, "ada"), w.asker(c, org, "bob")
	w.killedIn(commands.StepInvitationOpened, func(c *commands.Commands) { _, _, _ = w.invite(c, admin, org, "ada", "author") })
	id, _, err := w.invite(c, admin, org, "bob", "author")
	is.NoErr(err)
	_, err = c.DecideRequests(w.ctx, admin, org, []commands.RequestDecision{approval(ada), approval(bob)})
	is.True(errors.Is(err, commands.ErrNotYet))
	_, err = c.LookUpInvitation(w.ctx, w.invitationLink(id, 1))
	is.True(refusedWith(err, domain.CodeInvitationRevoked))
	done, err := c.DecideRequests(w.ctx, admin, org, []commands.RequestDecision{approval(bob)})
	is.NoErr(err)
	is.NoErr(done.Outcomes[0].Refusal)
}

// Who decides on requests alone revokes nobody's invitation by that.
func TestAnApprovalTakesTheRightToRevokeTheInvitation(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	w.published("moderated", "name: moderated", "name: clerks", "      - spaces.read\n      - app:scenarios.create\n", "      - spaces.read\n      - requests.decide\n      - app:scenarios.create\n")
	c := w.node()
	founder := commands.Request{Actor: domain.ByAccount(w.account(c, "founder@example.com").AccountID)}
	org, _, err := c.ActivateOrganization(w.ctx, founder, "clerks", "School", "founder")
	is.NoErr(err)
	clerk := commands.Request{Actor: domain.ByAccount(w.member(c, founder, org, "clerk", "author"))}
	ada, bob := w.asker(c, org, "ada"), w.asker(c, org, "bob")
	id, _, err := w.invite(c, founder, org, "ada", "admin")
	is.NoErr(err)
	done, err := c.DecideRequests(w.ctx, clerk, org, []commands.RequestDecision{approval(ada), approval(bob)})
	is.NoErr(err)
	is.True(refusedWith(done.Outcomes[0].Refusal, domain.CodePermissionDenied))
	is.NoErr(done.Outcomes[1].Refusal)
	_, err = c.LookUpInvitation(w.ctx, w.invitationLink(id, 1))
	is.NoErr(err)
	_, err = c.RevokeInvitation(w.ctx, founder, org, id)
	is.NoErr(err)
	done, err = c.DecideRequests(w.ctx, clerk, org, []commands.RequestDecision{approval(ada)})
	is.NoErr(err)
	is.NoErr(done.Outcomes[0].Refusal)
	var joined int
	for _, e := range done.Events {
		if _, ok := e.(organization.MemberJoined); ok {
			joined++
		}
	}
	is.Equal(joined, 1)
}
