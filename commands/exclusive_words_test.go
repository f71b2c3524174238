package commands_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/commands/token"
	"tenure/domain"
	"tenure/policies"
)

// Whoever is refused a role, because of another organization, is told what they
// themselves can do: those who give roles to give another, and the person whom it
// is about where to ask.
func TestARoleHeldElsewhereIsRefusedInWordsForWhoAsks(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	builtin := policies.Builtin()
	p, _ := builtin.Latest("moderated")
	moderated := string(builtin.Document(p))
	plain := moderated[:strings.Index(moderated, "# The words of")] // the same without words of its own
	joining := strings.NewReplacer("name: moderated", "name: joining", "roles: [participant]\n", "roles: [author]\n  auto_activate: true\n").Replace(plain)
	owned := strings.NewReplacer("name: moderated", "name: owned", "    permissions:\n      - organization.update\n", "    permissions:\n      - ownership.transfer\n",
		"grants: [participant, author, admin]", "grants: [participant, author]", "members:\n  founder", "ownership: {role: admin, candidates: [participant], previous_owner_becomes: author, transfer_lifetime: 1 day}\nmembers:\n  founder").Replace(plain)
	for _, document := range []string{joining, owned} {
		_, _, err := c.PublishPolicy(w.ctx, operator, []byte(document))
		is.NoErr(err)
	}
	said := func(err error) *domain.Error {
		t.Helper()
		var refusal *domain.Error
		if !errors.As(err, &refusal) || refusal.Code != domain.CodeRoleExclusive {
			t.Fatalf("expected %s, found %v", domain.CodeRoleExclusive, err)
		}
		return refusal
	}
	const ownWords = "You are an author or admin in another organization, and can be one in only one. Ask an admin there to make you a participant, then try again."
	const plainWords = "You hold such a role in another organization, and may in one only. Ask an administrator there to give you another role, then try again."

	ada := commands.Request{Actor: domain.ByAccount(w.account(c, "ada@example.com").AccountID)}
	adaID, _ := ada.Actor.Account()
	_, _, err := c.ActivateOrganization(w.ctx, ada, "moderated", "First", "")
	is.NoErr(err)

	// Founding.
	_, _, err = c.ActivateOrganization(w.ctx, ada, "moderated", "Second", "")
	is.Equal(*said(err), domain.Error{Code: domain.CodeRoleExclusive, Title: "Author or admin elsewhere", Message: ownWords})
	_, _, err = c.ActivateOrganization(w.ctx, ada, "owned", "Second", "")
	is.Equal(*said(err), domain.Error{Code: domain.CodeRoleExclusive, Title: "Role held elsewhere", Message: plainWords})

	// Joining where nobody has to decide, and by an invitation.
	boss := commands.Request{Actor: domain.ByAccount(w.account(c, "boss@example.com").AccountID)}
	open, _, err := c.ActivateOrganization(w.ctx, boss, "joining", "Open", "")
	is.NoErr(err)
	_, err = c.RequestToJoin(w.ctx, ada, open)
	is.Equal(*said(err), domain.Error{Code: domain.CodeRoleExclusive, Title: "Role held elsewhere", Message: plainWords})
	other, byAdmin := w.moderated(c, "Other", "")
	id, _, err := w.invite(c, byAdmin, other, "ada", "author")
	is.NoErr(err)
	_, err = c.AcceptInvitation(w.ctx, ada, w.invitationLink(id, 1), nil)
	is.Equal(*said(err), domain.Error{Code: domain.CodeRoleExclusive, Title: "Author or admin elsewhere", Message: ownWords})
	_, err = c.RevokeInvitation(w.ctx, byAdmin, other, id)
	is.NoErr(err)

	// Giving the role.
	_, _, err = c.AddMember(w.ctx, byAdmin, other, commands.Addition{Email: "ada@example.com", Roles: []domain.Role{"author"}})
	is.Equal(said(err).Field, "roles")
	is.True(strings.HasSuffix(said(err).Message, "Give the participant role."))

	// Transferring the ownership.
	owner := commands.Request{Actor: domain.ByAccount(w.account(c, "owner@example.com").AccountID)}
	third, _, err := c.ActivateOrganization(w.ctx, owner, "owned", "Third", "")
	is.NoErr(err)
	_, _, err = c.AddMember(w.ctx, owner, third, commands.Addition{Email: "ada@example.com", Roles: []domain.Role{"participant"}})
	is.NoErr(err)
	transfer, _, err := c.RequestTransfer(w.ctx, owner, third, adaID)
	is.NoErr(err)
	link, err := w.keys.Make(token.Token{Kind: token.Transfer, Subject: string(third), Detail: string(transfer)})
	is.NoErr(err)
	_, _, err = c.ConfirmTransfer(w.ctx, commands.Request{Actor: domain.Public()}, link)
	is.Equal(*said(err), domain.Error{
		Code: domain.CodeRoleExclusive, Title: "Role held elsewhere",
		Message: "The member who is to become the owner holds such a role in another organization, and may in one only. Have them give it up there, or transfer the ownership to somebody else.",
	})
}
