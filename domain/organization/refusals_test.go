package organization_test

import (
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/organization"
)

func TestEveryRefusalOfEveryDecision(t *testing.T) {
	const (
		hand = domain.Role("HAND")
		boss = domain.Role("BOSS")
		lead = domain.Role("LEAD")
	)
	r := domaintest.NewRefusals(t, Evolve)
	r.Refused("Activate", domain.CodeUsernameNeeded, "none given", nil, activate(ownership, ""))
	r.Refused("Activate", domain.CodeInvalid, "id in use", staffed(), activate(ownership, "owner"))

	r.Refused("Rename", domain.CodeNotFound, "no organization", nil, rename(by(owner), "Ajax"))
	r.Refused("Rename", domain.CodeNotFound, "no member", staffed(), rename(by(nobody), "Ajax"))
	r.Refused("Rename", domain.CodePermissionDenied, "user", staffed(), rename(by(user), "Ajax"))
	r.Refused("Rename", domain.CodePermissionDenied, "viewer", staffed(), rename(by(viewer), "Ajax"))

	r.Refused("Authorize", domain.CodeNotFound, "no organization", nil, authorize(by(owner), domain.ReadOrganization))
	r.Refused("Authorize", domain.CodeNotFound, "former member", staffed(), authorize(by(former), domain.ReadOrganization))
	r.Refused("Authorize", domain.CodeNotFound, "process", staffed(), authorize(domain.ByProcess(string(owner)), domain.ReadOrganization))
	r.Refused("Authorize", domain.CodeNotFound, "API key", staffed(), authorize(domain.ByAPIKey(domain.APIKeyID(owner)), domain.ReadOrganization))
	r.Refused("Authorize", domain.CodeNotFound, "public", staffed(), authorize(domain.Public(), domain.ReadOrganization))
	r.Refused("Authorize", domain.CodePermissionDenied, "admin asks for the owner's", staffed(), authorize(by(admin), domain.TransferOwnership))
	r.Refused("Authorize", domain.CodePermissionDenied, "user asks for the members", staffed(), authorize(by(user), domain.ReadMembers))

	member := func(by domain.Actor) decision {
		return func(s State) ([]domain.Event, error) { _, err := AuthorizeMember(s, by); return nil, err }
	}
	r.Refused("AuthorizeMember", domain.CodeNotFound, "no organization", nil, member(by(owner)))
	r.Refused("AuthorizeMember", domain.CodeNotFound, "former member", staffed(), member(by(former)))
	r.Refused("AuthorizeMember", domain.CodeNotFound, "process", staffed(), member(domain.ByProcess(string(owner))))

	r.Refused("Invite", domain.CodeNotFound, "former member", staffed(), invite(ownership, former, newcomer("USER")))
	r.Refused("Invite", domain.CodePermissionDenied, "viewer", staffed(), invite(ownership, viewer, newcomer("USER")))
	r.Refused("Invite", domain.CodeUsernameNeeded, "none given", staffed(), invite(ownership, admin, Invitee{InvitationID: invited, Email: "n@example.com", Roles: []domain.Role{"USER"}}))
	r.Refused("Invite", domain.CodeRoleCount, "none", staffed(), invite(ownership, admin, newcomer()))
	r.Refused("Invite", domain.CodeRoleCount, "two", staffed(), invite(ownership, admin, newcomer("USER", "VIEWER")))
	r.Refused("Invite", domain.CodeRoleCount, "none of several", levelled(), invite(flat, owner, newcomer()))
	r.Refused("Invite", domain.CodeRoleCount, "the same twice", levelled(), invite(flat, owner, newcomer(hand, hand)))
	r.Refused("Invite", domain.CodeRoleUnknown, "no such role", staffed(), invite(ownership, admin, newcomer("user")))
	r.Refused("Invite", domain.CodeRoleNotGranted, "owner by the owner", staffed(), invite(ownership, owner, newcomer("OWNER")))
	r.Refused("Invite", domain.CodeRoleNotGranted, "owner by an admin", staffed(), invite(ownership, admin, newcomer("OWNER")))
	r.Refused("Invite", domain.CodeRoleNotGranted, "one of two", levelled(), invite(flat, viewer, newcomer(hand, boss)))
	r.Refused("Invite", domain.CodeEmailTaken, "by a member", staffed(), invite(ownership, admin, Invitee{InvitationID: invited, Email: "USER@Example.com", Username: "n", Roles: []domain.Role{"USER"}}))
	r.Refused("Invite", domain.CodeEmailTaken, "by an open invitation", staffed(opened("other", 1, "USER")), invite(ownership, admin, Invitee{InvitationID: invited, Email: "newcomer@example.com", Username: "n", Roles: []domain.Role{"USER"}}))
	r.Refused("Invite", domain.CodeUsernameTaken, "by a member", staffed(), invite(ownership, admin, Invitee{InvitationID: invited, Email: "n@example.com", Username: "User", Roles: []domain.Role{"USER"}}))
	r.Refused("Invite", domain.CodeUsernameTaken, "by an open invitation", staffed(opened("other", 1, "USER")), invite(ownership, admin, Invitee{InvitationID: invited, Email: "n@example.com", Username: "NEWCOMER", Roles: []domain.Role{"USER"}}))

	bound := newcomer("USER")
	bound.Provider = "google"
	nameless := newcomer("USER")
	nameless.Email = ""
	r.Refused("Invite", domain.CodeProviderNotOffered, "none is", staffed(), invite(ownership, admin, bound))
	r.Refused("Invite", domain.CodeProviderNotOffered, "not this one", staffed(), invite(offering("microsoft", "any"), admin, bound))
	r.Refused("Invite", domain.CodeProviderNotOffered, "one is needed", staffed(), invite(offering("google"), admin, newcomer("USER")))
	r.Refused("Invite", domain.CodeInvalid, "no address", staffed(), invite(ownership, admin, nameless))
	r.Refused("Invite", domain.CodeInvalid, "neither address nor username", staffed(), invite(offering("google"), admin, Invitee{InvitationID: invited, Provider: "google", Roles: []domain.Role{"USER"}}))
	r.Refused("Resend", domain.CodeProviderNotOffered, "not any more", staffed(opened(invited, 1, "USER")), resend(ownership, admin, bound, 1))
	r.Refused("Resend", domain.CodeInvalid, "no address", staffed(opened(invited, 1, "USER")), resend(ownership, admin, nameless, 1))

	r.Refused("Resend", domain.CodeNotFound, "no member", staffed(opened(invited, 1, "USER")), resend(ownership, nobody, newcomer("USER"), 1))
	r.Refused("Resend", domain.CodePermissionDenied, "user", staffed(opened(invited, 1, "USER")), resend(ownership, user, newcomer("USER"), 1))
	r.Refused("Resend", domain.CodeRoleCount, "none", staffed(), resend(ownership, admin, newcomer(), 1))
	r.Refused("Resend", domain.CodeRoleUnknown, "no such role", staffed(), resend(ownership, admin, newcomer("GUEST"), 1))
	r.Refused("Resend", domain.CodeRoleNotGranted, "by a lesser role", levelled(opened(invited, 1, boss)), resend(flat, viewer, newcomer(boss), 1))
	r.Refused("Resend", domain.CodeEmailTaken, "since it expired", staffed(opened(invited, 1, "USER"), InvitationClosed{OrganizationID: org, InvitationID: invited, Outcome: "expired"}, opened("other", 1, "USER")), resend(ownership, admin, newcomer("USER"), 1))
	r.Refused("Resend", domain.CodeUsernameTaken, "since it expired", staffed(
		opened(invited, 1, "USER"), InvitationClosed{OrganizationID: org, InvitationID: invited, Outcome: "expired"},
		InvitationOpened{OrganizationID: org, InvitationID: "other", Generation: 1, Email: "another@example.com", Username: "Newcomer", Roles: []domain.Role{"USER"}, InvitedBy: admin},
	), resend(ownership, admin, newcomer("USER"), 1))

	r.Refused("AuthorizeRevocation", domain.CodeNotFound, "no member", staffed(), authorizeRevocation(ownership, nobody, "USER"))
	r.Refused("AuthorizeRevocation", domain.CodePermissionDenied, "viewer", staffed(), authorizeRevocation(ownership, viewer, "USER"))
	r.Refused("AuthorizeRevocation", domain.CodeRoleNotGranted, "to a higher role", levelled(), authorizeRevocation(flat, viewer, boss))

	r.Refused("CheckAdmission", domain.CodeNotFound, "never opened", staffed(), checkAdmission(ownership, invited))
	r.Refused("CheckAdmission", domain.CodeNotFound, "closed", staffed(opened(invited, 1, "USER"), InvitationClosed{OrganizationID: org, InvitationID: invited, Outcome: "revoked"}), checkAdmission(ownership, invited))
	r.Refused("CheckAdmission", domain.CodeInvitationRevoked, "inviter removed", staffed(opened(invited, 1, "USER"), removed(admin, "ADMIN")), checkAdmission(ownership, invited))

	r.Refused("ChangeRoles", domain.CodeNotFound, "actor no member", staffed(), changeRoles(ownership, nobody, user, "ADMIN"))
	r.Refused("ChangeRoles", domain.CodeNotFound, "nobody", staffed(), changeRoles(ownership, admin, nobody, "ADMIN"))
	r.Refused("ChangeRoles", domain.CodePermissionDenied, "user", staffed(), changeRoles(ownership, user, viewer, "USER"))
	r.Refused("ChangeRoles", domain.CodeMemberRemoved, "former member", staffed(), changeRoles(ownership, admin, former, "USER"))
	r.Refused("ChangeRoles", domain.CodeOwnerProtected, "by an admin", staffed(), changeRoles(ownership, admin, owner, "USER"))
	r.Refused("ChangeRoles", domain.CodeOwnerProtected, "by the owner", staffed(), changeRoles(ownership, owner, owner, "ADMIN"))
	r.Refused("ChangeRoles", domain.CodeRoleCount, "none", staffed(), changeRoles(ownership, admin, user))
	r.Refused("ChangeRoles", domain.CodeRoleCount, "two", staffed(), changeRoles(ownership, admin, user, "USER", "VIEWER"))
	r.Refused("ChangeRoles", domain.CodeRoleUnknown, "no such role", staffed(), changeRoles(ownership, admin, user, "GUEST"))
	r.Refused("ChangeRoles", domain.CodeRoleNotGranted, "to owner", staffed(), changeRoles(ownership, owner, admin, "OWNER"))
	r.Refused("ChangeRoles", domain.CodeRoleNotGranted, "to a higher role", levelled(), changeRoles(flat, viewer, user, boss))
	r.Refused("ChangeRoles", domain.CodeMemberProtected, "of a higher role", levelled(), changeRoles(flat, viewer, owner, hand))
	r.Refused("ChangeRoles", domain.CodeMemberProtected, "one role of several", levelled(joined(admin, hand, boss)), changeRoles(flat, viewer, admin, hand))
	r.Refused("ChangeRoles", domain.CodeLastAdmin, "oneself", levelled(), changeRoles(flat, owner, owner, lead))

	r.Refused("Remove", domain.CodeNotFound, "actor no member", staffed(), remove(ownership, nobody, user))
	r.Refused("Remove", domain.CodeNotFound, "nobody", staffed(), remove(ownership, admin, nobody))
	r.Refused("Remove", domain.CodePermissionDenied, "viewer", staffed(), remove(ownership, viewer, user))
	r.Refused("Remove", domain.CodeMemberRemoved, "again", staffed(), remove(ownership, admin, former))
	r.Refused("Remove", domain.CodeOwnerProtected, "by an admin", staffed(), remove(ownership, admin, owner))
	r.Refused("Remove", domain.CodeOwnerProtected, "by the owner", staffed(), remove(ownership, owner, owner))
	r.Refused("Remove", domain.CodeSelfRemoval, "an admin", staffed(), remove(ownership, admin, admin))
	r.Refused("Remove", domain.CodeMemberProtected, "a higher role", levelled(), remove(flat, viewer, owner))
	refusedLeaving(r)
	r.Refused("Remove", domain.CodeLastAdmin, "oneself", levelled(), remove(flat, owner, owner))

	r.Refused("RequestTransfer", domain.CodeNotFound, "no member", staffed(), requestTransfer(ownership, nobody, admin, noon))
	r.Refused("RequestTransfer", domain.CodeNotFound, "to nobody", staffed(), requestTransfer(ownership, owner, nobody, noon))
	r.Refused("RequestTransfer", domain.CodePermissionDenied, "by an admin", staffed(), requestTransfer(ownership, admin, user, noon))
	r.Refused("RequestTransfer", domain.CodeTransferNotOffered, "nobody owns", levelled(), requestTransfer(flat, owner, user, noon))
	r.Refused("RequestTransfer", domain.CodeTransferNotEligible, "to oneself", staffed(), requestTransfer(ownership, owner, owner, noon))
	r.Refused("RequestTransfer", domain.CodeTransferNotEligible, "to a former member", staffed(), requestTransfer(ownership, owner, former, noon))
	r.Refused("RequestTransfer", domain.CodeTransferNotEligible, "to a viewer", staffed(), requestTransfer(ownership, owner, viewer, noon))
	r.Refused("RequestTransfer", domain.CodeTransferPending, "until its last instant", staffed(requested(user)), requestTransfer(ownership, owner, admin, noon.Add(24*time.Hour-1)))

	r.Refused("CancelTransfer", domain.CodeNotFound, "no member", staffed(requested(user)), cancelTransfer(nobody))
	r.Refused("CancelTransfer", domain.CodePermissionDenied, "by its target", staffed(requested(user)), cancelTransfer(user))
	r.Refused("CancelTransfer", domain.CodeTransferNotPending, "none", staffed(), cancelTransfer(owner))

	r.Refused("ConfirmTransfer", domain.CodeTransferNotPending, "none", staffed(), confirmTransfer(request, noon))
	r.Refused("ConfirmTransfer", domain.CodeTransferNotPending, "another", staffed(requested(user)), confirmTransfer("another", noon))
	r.Refused("ConfirmTransfer", domain.CodeTransferExpired, "at its end", staffed(requested(user)), confirmTransfer(request, noon.Add(24*time.Hour)))
	r.Refused("ConfirmTransfer", domain.CodeTransferNotEligible, "target gone", staffed(requested(user), removed(user, "USER")), confirmTransfer(request, noon))
	r.Refused("ConfirmTransfer", domain.CodeTransferNotEligible, "target is a viewer", staffed(requested(viewer)), confirmTransfer(request, noon))
	r.Refused("ConfirmTransfer", domain.CodeTransferNotEligible, "no owner any more", staffed(requested(user), RolesChanged{OrganizationID: org, AccountID: owner, After: []domain.Role{"ADMIN"}}), confirmTransfer(request, noon))
	r.Refused("ConfirmTransfer", domain.CodeTransferNotEligible, "owner gone", staffed(requested(user), removed(owner, "OWNER")), confirmTransfer(request, noon))
	refusedSpaces(r)
	refusedSuspensions(r)
	refusedRequests(r)
	refuseSeats(r)
	refuseEmailDomains(r)
	refusedMoves(r)
	refusedErasures(r)
	r.Complete()
}

func TestRefusalsNameTheFieldAndUseThePolicysWords(t *testing.T) {
	is := is.New(t)
	staff := domaintest.Given(t, Evolve, staffed()...)
	email := staff.When(invite(ownership, admin, Invitee{InvitationID: invited, Email: "user@example.com", Username: "n", Roles: []domain.Role{"USER"}})).Refused(domain.CodeEmailTaken)
	is.Equal(email.Field, "email")
	is.Equal(email.Title, "Invite conflict")
	username := staff.When(invite(ownership, admin, Invitee{InvitationID: invited, Email: "n@example.com", Username: "user", Roles: []domain.Role{"USER"}})).Refused(domain.CodeUsernameTaken)
	is.Equal(username.Field, "username")
	is.Equal(username.Title, "Invite conflict")
	is.Equal(staff.When(rename(by(viewer), "Ajax")).Refused(domain.CodePermissionDenied).Title, "Admin access required")
	is.Equal(staff.When(changeRoles(ownership, admin, user)).Refused(domain.CodeRoleCount).Field, "roles")
	is.Equal(domaintest.Given(t, Evolve, levelled()...).When(invite(flat, owner, newcomer())).Refused(domain.CodeRoleCount).Message, "Give at least one role.")
}
