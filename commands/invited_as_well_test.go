package commands_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/invitation"
)

// asker is somebody with an account who has asked to join.
func (w *world) asker(c *commands.Commands, org domain.OrganizationID, name string) commands.Request {
	w.t.Helper()
	by := commands.Request{Actor: domain.ByAccount(w.account(c, domain.Email(name+"@example.com")).AccountID)}
	if _, err := c.RequestToJoin(w.ctx, by, org); err != nil {
		w.t.Fatal(err)
	}
	return by
}

// eventsOf are those of a stream.
func (w *world) eventsOf(stream string) (events []domain.Event) {
	w.t.Helper()
	recorded, err := w.store.ReadStream(w.ctx, stream, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range recorded {
		e, err := w.codec.Decode(r)
		if err != nil {
			w.t.Fatal(err)
		}
		events = append(events, e.Event)
	}
	return events
}

func approval(who commands.Request, roles ...domain.Role) commands.RequestDecision {
	id, _ := who.Actor.Account()
	return commands.RequestDecision{AccountID: id, Approve: true, Roles: roles}
}

func TestAnApprovalEndsTheInvitationOfWhoHasAskedAsWell(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, admin := w.moderated(c, "School", "")
	ada, bob := w.asker(c, org, "ada"), w.asker(c, org, "bob")
	id, _, err := w.invite(c, admin, org, "ada", "author")
	is.NoErr(err)
	link := w.invitationLink(id, 1)

	// What speaks against the approval leaves the invitation alone, and so does a dry run.
	elsewhere, there := w.moderated(c, "Elsewhere", "")
	_, _, err = c.AddMember(w.ctx, there, elsewhere, commands.Addition{Email: "ada@example.com", Roles: []domain.Role{"author"}})
	is.NoErr(err)
	for _, refused := range []struct {
		roles []domain.Role
		code  domain.Code
	}{{[]domain.Role{"author"}, domain.CodeRoleExclusive}, {[]domain.Role{"teacher"}, domain.CodeRoleUnknown}} {
		done, err := c.DecideRequests(w.ctx, admin, org, []commands.RequestDecision{approval(ada, refused.roles...)})
		is.NoErr(err)
		is.True(refusedWith(done.Outcomes[0].Refusal, refused.code))
	}
	would, err := c.DryRun().DecideRequests(w.ctx, admin, org, []commands.RequestDecision{approval(ada)})
	is.NoErr(err)
	is.NoErr(would.Outcomes[0].Refusal)
	_, err = c.LookUpInvitation(w.ctx, link)
	is.NoErr(err)

	// A server that dies in between leaves a request that is approved next time.
	before := len(w.eventsOf("organization-" + string(org)))
	w.killedIn(commands.StepInvitationRevoked, func(c *commands.Commands) {
		_, _ = c.DecideRequests(w.ctx, admin, org, []commands.RequestDecision{approval(ada)})
	})
	is.Equal(len(w.eventsOf("organization-"+string(org))), before)
	again := admin
	again.IdempotencyKey, again.Fingerprint = "approve", "both"
	both := []commands.RequestDecision{approval(ada), approval(bob)}
	first, err := c.DecideRequests(w.ctx, again, org, both)
	is.NoErr(err)
	for _, o := range first.Outcomes {
		is.NoErr(o.Refusal)
	}
	retried, err := w.node().DecideRequests(w.ctx, again, org, both)
	is.NoErr(err)
	is.Equal(retried.Events, first.Events)
	is.Equal(retried.Outcomes, first.Outcomes)
	_, err = c.LookUpInvitation(w.ctx, link)
	is.True(refusedWith(err, domain.CodeInvitationRevoked))
	var revoked []invitation.Revoked
	for _, e := range w.eventsOf("invitation-" + string(id)) {
		if e, ok := e.(invitation.Revoked); ok {
			revoked = append(revoked, e)
		}
	}
	is.Equal(revoked, []invitation.Revoked{{InvitationID: id, OrganizationID: org, Cause: invitation.CauseApproved}})
	limits, err := c.Limits(w.ctx, org)
	is.NoErr(err)
	is.Equal(limits, commands.Limits{Taken: 3})
}

// Whoever accepts while they are approved is a member by one of the two.
func TestAnApprovalAndAnAcceptanceAtTheSameTimeMakeOneMember(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, admin := w.moderated(c, "School", "")
	ada := w.asker(c, org, "ada")
	id, _, err := w.invite(c, admin, org, "ada", "author")
	is.NoErr(err)
	w.killedIn(commands.StepInvitationAccepted, func(c *commands.Commands) {
		_, _ = c.AcceptInvitation(w.ctx, ada, w.invitationLink(id, 1), nil)
	})
	done, err := c.DecideRequests(w.ctx, admin, org, []commands.RequestDecision{approval(ada)})
	is.NoErr(err)
	is.True(refusedWith(done.Outcomes[0].Refusal, domain.CodeRequestNotThere)) // the invitation was faster
	membership, err := c.AuthorizeMember(w.ctx, ada.Actor, org)
	is.NoErr(err)
	is.Equal(membership.Roles, []domain.Role{"author"})
}
