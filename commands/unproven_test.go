package commands_test

import (
	"context"
	"testing"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/eventstore"
)

// Whoever invites sees the link to pass on, and can have the mail sent anywhere:
// neither opens an account of the invitee's address.
func TestALinkThatOthersHoldProvesNoAddress(t *testing.T) {
	w := newWorld(t)
	c := w.node()
	org, by := w.seated(c)
	public := commands.Request{Actor: domain.Public()}
	joining := &commands.Joining{Password: secret, Language: "en"}
	passedOn := func(email domain.Email) (domain.InvitationID, string) {
		id, receipt, err := c.InviteMember(w.ctx, by, org, organization.Invitee{Email: email, Roles: []domain.Role{"Member"}, Language: "en"})
		if err != nil {
			t.Fatal(err)
		}
		link, err := c.LinkToPassOn(w.ctx, receipt)
		if err != nil {
			t.Fatal(err)
		}
		return id, link
	}

	t.Run("passed on", func(t *testing.T) {
		is := is.New(t)
		id, link := passedOn("victim@example.com")
		for _, who := range []*commands.Joining{joining, nil} {
			_, err := c.AcceptInvitation(w.ctx, public, link, who)
			is.True(refusedWith(err, domain.CodeEmailUnverified))
		}
		_, err := c.SignIn(w.ctx, public, "victim@example.com", secret)
		is.True(refusedWith(err, domain.CodeCredentialsWrong)) // no account is made
		victim := w.account(c, "victim@example.com")
		_, err = c.AcceptInvitation(w.ctx, public, link, joining)
		is.True(refusedWith(err, domain.CodeEmailUnverified))
		accepted, err := c.AcceptInvitation(w.ctx, commands.Request{Actor: domain.ByAccount(victim.AccountID)}, link, nil)
		is.NoErr(err)
		is.Equal(accepted.AccountID, victim.AccountID)
		_, err = c.LookUpInvitation(w.ctx, w.invitationLink(id, 1))
		is.True(refusedWith(err, domain.CodeInvitationAccepted))
	})
	t.Run("passed on, for an account that an administrator made", func(t *testing.T) {
		is := is.New(t)
		school, admin := w.moderated(c, "School", "")
		_, _, err := c.AddMember(w.ctx, admin, school, commands.Addition{Email: "pupil@example.com", Password: "chalk and slate", Roles: []domain.Role{"participant"}})
		is.NoErr(err)
		_, link := passedOn("pupil@example.com")
		_, err = c.AcceptInvitation(w.ctx, public, link, joining)
		is.True(refusedWith(err, domain.CodeEmailUnverified))
		_, err = c.SignIn(w.ctx, public, "pupil@example.com", "chalk and slate")
		is.NoErr(err) // with the password it had
	})
	t.Run("mailed elsewhere", func(t *testing.T) {
		is := is.New(t)
		id, _, err := c.InviteMember(w.ctx, by, org, organization.Invitee{Email: "other@example.com", Notify: "mine@example.com", Roles: []domain.Role{"Member"}, Language: "en"})
		is.NoErr(err)
		_, err = c.AcceptInvitation(w.ctx, public, w.invitationLink(id, 1), joining)
		is.True(refusedWith(err, domain.CodeEmailUnverified))
	})
	t.Run("declined", func(t *testing.T) {
		_, link := passedOn("no@example.com")
		_, err := c.DeclineInvitation(w.ctx, public, link)
		is.New(t).NoErr(err)
	})
}

// A provider that does not vouch for an address needs the link in the mail; one
// that does needs no proof.
func TestTheLinkToPassOnTakesNoProvidersUnverifiedWord(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.seated(c)
	_, receipt, err := c.InviteMember(w.ctx, by, org, organization.Invitee{Email: "grace@example.com", Username: "grace", Roles: []domain.Role{"Member"}, Language: "en"})
	is.NoErr(err)
	link, err := c.LinkToPassOn(w.ctx, receipt)
	is.NoErr(err)
	doubtful := grace("one")
	doubtful.EmailVerified = false
	_, err = c.SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, doubtful, link)
	is.True(refusedWith(err, domain.CodeEmailUnverified))
	done, err := c.SignInWithProvider(w.ctx, commands.Request{Actor: domain.Public()}, grace("two"), link)
	is.NoErr(err)
	is.Equal(done.Joined.OrganizationID, org)
}

func nowhereElse(context.Context, eventstore.Position) (bool, error) { return false, nil }

// Nobody is let in together with an administrator who knows their password.
func TestNobodyIsApprovedWhosePasswordAnotherKnows(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	ada := w.account(c, "ada@example.com").AccountID
	one, oneAdmin := w.moderated(c, "One", "")
	other, otherAdmin := w.moderated(c, "Other", "")
	own := commands.Request{Actor: domain.ByAccount(ada)}
	_, err := c.RequestToJoin(w.ctx, own, one)
	is.NoErr(err)
	_, err = c.DecideRequests(w.ctx, oneAdmin, one, []commands.RequestDecision{{AccountID: ada, Approve: true}})
	is.NoErr(err)
	_, err = c.RequestToJoin(w.ctx, own, other)
	is.NoErr(err)
	_, err = c.ResetMemberPassword(w.ctx, oneAdmin, one, ada, nowhereElse) // of a view that does not know yet
	is.NoErr(err)
	decided, err := c.DecideAllRequests(w.ctx, otherAdmin, other, commands.RequestDecision{Approve: true})
	is.NoErr(err)
	is.Equal(len(decided.Events), 0)
	is.True(refusedWith(decided.Outcomes[0].Refusal, domain.CodeEmailUnverified))
	_, err = c.DecideRequests(w.ctx, otherAdmin, other, []commands.RequestDecision{{AccountID: ada}})
	is.NoErr(err) // it may be rejected
}

// With a password that an administrator has reset nobody takes from its owner an
// account that was proven before. One that an organization has opened has no other
// owner yet.
func TestATemporaryPasswordDoesNotMakeAnOwner(t *testing.T) {
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
	pupil, _, err := c.AddMember(w.ctx, admin, org, commands.Addition{Email: "pupil@example.com", Password: "chalk and slate", Roles: []domain.Role{"participant"}})
	is.NoErr(err)

	name, all := "Another", func(account.Identity) bool { return true }
	try := func(id domain.AccountID, email domain.Email) []error {
		reset, err := c.ResetMemberPassword(w.ctx, admin, org, id, nowhereElse)
		is.NoErr(err)
		session, err := c.SignIn(w.ctx, commands.Request{Actor: domain.Public()}, email, reset.Password)
		is.NoErr(err)
		own := commands.Request{Actor: domain.ByAccount(id)}
		_, renamed := c.ChangeProfile(w.ctx, own, id, &name, nil)
		_, pictured := c.ChangeAvatar(w.ctx, own, id, "https://example.com/other.png")
		_, unlinked := c.UnlinkIdentity(w.ctx, own, id, all)
		_, erased := c.EraseOwnAccount(w.ctx, own, id, session.SessionID, reset.Password, commands.Erasure{})
		return []error{renamed, pictured, unlinked, erased}
	}
	for _, err := range try(known.AccountID, grace("one").Email) {
		is.True(refusedWith(err, domain.CodeEmailUnverified))
	}
	made := try(pupil, "pupil@example.com")
	for _, err := range made[:3] {
		is.NoErr(err)
	}
	is.True(refusedWith(made[3], domain.CodeEmailUnverified)) // an erasure goes by the address, which may be somebody else's
}

// A password is reset for whom the organization made, or who came by themselves.
func TestNobodyResetsThePasswordOfSomebodyAddedUnasked(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	ada := w.account(c, "ada@example.com").AccountID
	org, by := w.moderated(c, "One", "ada@example.com")
	_, err := c.ResetMemberPassword(w.ctx, by, org, ada, nowhereElse)
	is.True(refusedWith(err, domain.CodeMemberElsewhere))
	_, _, err = c.AddMember(w.ctx, by, org, commands.Addition{Email: "pupil@example.com", Password: "chalk", Roles: []domain.Role{"participant"}})
	is.Equal(err.Error(), "invalid: password: Choose a password of at least 6 characters.")
	pupil, _, err := c.AddMember(w.ctx, by, org, commands.Addition{Email: "pupil@example.com", Password: "chalk and slate", Roles: []domain.Role{"participant"}})
	is.NoErr(err)
	_, err = c.ResetMemberPassword(w.ctx, by, org, pupil, nowhereElse)
	is.NoErr(err)

	// Removed and invited, Ada comes back by her own deed.
	_, err = c.RemoveMember(w.ctx, by, org, ada)
	is.NoErr(err)
	id, _, err := c.InviteMember(w.ctx, by, org, organization.Invitee{Email: "ada@example.com", Roles: []domain.Role{"participant"}, Language: "en"})
	is.NoErr(err)
	_, err = c.AcceptInvitation(w.ctx, commands.Request{Actor: domain.ByAccount(ada)}, w.invitationLink(id, 1), nil)
	is.NoErr(err)
	_, err = c.ResetMemberPassword(w.ctx, by, org, ada, nowhereElse)
	is.NoErr(err)
}

// Whoever gave somebody a password does not get into their own space with it, nor
// is the host product told so.
func TestNobodyElseGetsIntoAPersonalSpace(t *testing.T) {
	is := is.New(t)
	w := newOnboardingWorld(t)
	c := w.node()
	ada := w.account(c, "ada@gmail.com")
	own := commands.Request{Actor: domain.ByAccount(ada.AccountID)}
	_, err := c.Onboard(w.ctx, own, ada.AccountID, ada.SessionID)
	is.NoErr(err)
	space := c.PersonalSpace(ada.AccountID)
	question := commands.AccessQuestion{Organization: space, Account: ada.AccountID, Permission: domain.ReadOrganization}
	is.True(w.decide(c, own.Actor, false, question).Allowed)
	org, by := w.moderated(c, "One", "")
	_, err = c.RequestToJoin(w.ctx, own, org)
	is.NoErr(err)
	_, err = c.DecideAllRequests(w.ctx, by, org, commands.RequestDecision{Approve: true})
	is.NoErr(err)
	_, err = c.ResetMemberPassword(w.ctx, by, org, ada.AccountID, nowhereElse)
	is.NoErr(err)
	is.Equal(w.decide(c, own.Actor, false, question).Reason, commands.AccessUnproven)
	_, err = c.SelectOrganization(w.ctx, own, space)
	is.True(refusedWith(err, domain.CodeEmailUnverified))
	_, err = c.SelectOrganization(w.ctx, own, org)
	is.NoErr(err)
}
