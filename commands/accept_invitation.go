package commands

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"tenure/commands/token"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// Invited is what the holder of an invitation's link may know of it.
type Invited struct {
	Invitation       invitation.State
	OrganizationName domain.OrganizationName
	Proves           bool // the link proves the address; otherwise sign in to accept
	HasAccount       bool // of a link that proves: sign in to accept; otherwise choose a password
}

// presented is what somebody shows who has come by a link to an invitation.
type presented struct {
	id         domain.InvitationID
	generation int
	mailed     bool // the link in the mail, not the one to pass on by hand
}

// proves reports whether the link says that its holder reads the mailbox of the
// invitation's address. The link to pass on is in the hands of whoever invites,
// and so may be a mail that was sent elsewhere: it is no reason to open an account
// of that address, to set a password, or to take a provider's unverified word.
func (l presented) proves(inv invitation.State) bool { return l.mailed && inv.Proves() }

// readLink reads either link to an invitation. It fails with CodeLinkInvalid.
func (c *Commands) readLink(text string) (presented, error) {
	kind := token.Invitation
	if token.Is(token.PassedOn, text) {
		kind = token.PassedOn
	}
	t, err := c.readToken(kind, text)
	return presented{domain.InvitationID(t.Subject), t.Generation, kind == token.Invitation}, err
}

// LookUpInvitation tells the holder of a link what it is for. It fails as
// invitation.CheckLink does.
func (c *Commands) LookUpInvitation(ctx context.Context, link string) (Invited, error) {
	inv, proves, err := c.invited(ctx, link)
	if err != nil {
		return Invited{}, err
	}
	org, _, err := c.organizations.load(ctx, string(inv.Organization))
	if err != nil {
		return Invited{}, err
	}
	if roles, ok := org.RolesInvitedTo(inv.ID); ok {
		inv.Roles = roles
	}
	found := Invited{Invitation: inv, OrganizationName: org.Name, Proves: proves}
	if proves { // others are not told who has an account
		has, err := c.accountByEmail(ctx, inv.Email)
		if err != nil {
			return Invited{}, err
		}
		found.HasAccount = has.Verified
	}
	return found, nil
}

// Joining is who accepts an invitation without being signed in: somebody who
// has no account yet.
type Joining struct {
	DisplayName string // empty: the username of the invitation
	Password    string
	Language    string
}

// Accepted is an accepted invitation.
type Accepted struct {
	Receipt
	OrganizationID domain.OrganizationID
	AccountID      domain.AccountID
	Roles          []domain.Role
	Session        *SignedIn // of the account that was made, or nil
}

// AcceptInvitation makes the signed-in account a member, or a new account for
// somebody who is not signed in, if the link proves its address: the one in the
// mail. It fails as invitation.Accept does, with CodeWrongAccount when the signed-in
// account has another address, CodeEmailUnverified when an administrator has known
// its password or nobody is signed in and the link proves nothing, CodeRoleExclusive, CodeNotSignedIn when an account with the address
// exists, CodeProviderRequired when the invitation asks for a sign-in at a
// provider (see SignInWithProvider), CodeInvalid for a password that is too short
// or too long, and CodeSeatsFull, after which the link works still.
//
// Killed after the seat is kept, it stays kept until the invitation ends, and
// accepting again finds it; killed after the link is used, a process admits the
// member to that seat.
func (c *Commands) AcceptInvitation(ctx context.Context, r Request, link string, joining *Joining) (Accepted, error) {
	shown, err := c.readLink(link)
	if err != nil {
		return Accepted{}, err
	}
	known, replayed, err := c.invitations.replayed(ctx, string(shown.id), r)
	if err != nil {
		return Accepted{}, err
	}
	inv, _, err := c.invitations.load(ctx, string(shown.id))
	if err != nil {
		return Accepted{}, err
	}
	var before Receipt // an account made and a seat kept, before the link was used
	if !replayed {
		if before, known, err = c.accept(ctx, r, inv, shown, joining); err != nil {
			return Accepted{}, c.inLinkWords(ctx, inv.Organization, err)
		}
	}
	c.Step(StepInvitationAccepted)
	settled, err := c.SettleInvitation(ctx, r, inv.ID)
	if err != nil {
		return Accepted{}, err
	}
	answer := Accepted{Receipt: known.and(settled), OrganizationID: inv.Organization, Roles: rolesGiven(settled, inv)}
	for _, e := range known.Events {
		if accepted, ok := e.(invitation.Accepted); ok {
			answer.AccountID = accepted.AccountID
		}
	}
	if replayed {
		if before, _, err = c.accounts.replayed(ctx, string(answer.AccountID), c.part(r, "register")); err != nil {
			return Accepted{}, err
		}
		claimed, _, err := c.organizations.replayed(ctx, string(inv.Organization), c.part(r, "claim"))
		if err != nil {
			return Accepted{}, err
		}
		before = before.and(claimed)
	}
	answer.Events = slices.Concat(before.Events, answer.Events)
	if joining != nil && r.Actor.Kind == domain.ActorPublic && shown.proves(inv) {
		signedIn, err := c.startSession(ctx, c.part(r, "sign in"), answer.AccountID)
		if err != nil {
			return Accepted{}, err
		}
		answer.Session = &signedIn
		answer.Receipt = answer.and(signedIn.Receipt)
	}
	return answer, nil
}

// rolesGiven are the roles that an admission has given: not always those that the
// link was made with (X10). Who was a member already keeps theirs.
func rolesGiven(settled Receipt, inv invitation.State) []domain.Role {
	for _, e := range settled.Events {
		if joined, ok := e.(organization.MemberJoined); ok {
			return joined.Roles
		}
	}
	return inv.Roles
}

// DeclineInvitation uses the link up without an effect. It fails as
// invitation.Decline does.
func (c *Commands) DeclineInvitation(ctx context.Context, r Request, link string) (Receipt, error) {
	shown, err := c.readLink(link)
	if err != nil {
		return Receipt{}, err
	}
	var org domain.OrganizationID
	receipt, err := c.invitations.execute(ctx, string(shown.id), r, func(s invitation.State) ([]domain.Event, error) {
		org = s.Organization
		return invitation.Decline(s, shown.generation, c.Now())
	})
	if err != nil {
		return receipt, c.inLinkWords(ctx, org, err)
	}
	c.Step(StepInvitationDeclined)
	settled, err := c.SettleInvitation(ctx, r, shown.id)
	return receipt.and(settled), err
}

// accept uses the link up for the account that it finds or makes. Before is what
// it wrote until then.
func (c *Commands) accept(ctx context.Context, r Request, inv invitation.State, shown presented, joining *Joining) (before, accepted Receipt, err error) {
	limited, err := c.checkAcceptance(ctx, inv, shown.generation)
	if err != nil {
		return Receipt{}, Receipt{}, err
	}
	if err := invitation.CheckPresented(inv, invitation.Presented{}); err != nil {
		return Receipt{}, Receipt{}, err
	}
	who, before, err := c.accepter(ctx, r, inv, shown.proves(inv), joining)
	if err != nil {
		return Receipt{}, Receipt{}, err
	}
	claimed, accepted, err := c.useLink(ctx, r, inv, shown.generation, who, limited)
	return before.and(claimed), accepted, err
}

// useLink uses the link up for an account that may accept. It keeps the account's
// exclusive roles for the organization first (M9), then a seat where seats are
// limited, so that the accepted invitation finds one (S9). The seat comes last,
// when nothing but time stands between it and the link: it is not given back, since
// somebody else who accepts the same invitation may rely on it.
//
// Killed, or held up until the link has ended or the roles are another
// organization's, between the seat and the link: the seat stays kept until the
// invitation ends, and accepting again finds it.
func (c *Commands) useLink(ctx context.Context, r Request, inv invitation.State, generation int, who domain.AccountID, limited bool) (claimed, accepted Receipt, err error) {
	r.decidedBy = domain.ByAccount(who)
	accepted, err = c.exclusively(ctx, r, inv.Organization, func(held holds) (Receipt, error) {
		if err := c.checkHeld(ctx, held, inv, who); err != nil {
			return Receipt{}, err
		}
		if limited {
			kept, err := c.claimSeat(ctx, r, inv)
			if err != nil {
				return Receipt{}, err
			}
			limited, claimed = false, kept
		}
		return c.invitations.execute(ctx, string(inv.ID), r, func(s invitation.State) ([]domain.Event, error) {
			events, err := invitation.Accept(s, generation, who, c.Now())
			if err != nil {
				return nil, err
			}
			return events, held.outlived(c.Now())
		})
	})
	return claimed, accepted, err
}

// checkHeld looks whether what admission will give the account needs a
// reservation. While the invitation is open nothing else gives the account roles
// in the organization, since the invitation has its address.
func (c *Commands) checkHeld(ctx context.Context, held holds, inv invitation.State, who domain.AccountID) error {
	s, _, err := c.organizations.load(ctx, string(inv.Organization))
	if err != nil {
		return err
	}
	p, err := c.rules(s)
	if err != nil {
		return err
	}
	return held.lacking(s, p, organization.Admit(s, organization.Joiner{AccountID: who, Email: inv.Email, InvitationID: inv.ID}), c.Now())
}

// checkAcceptance refuses, before an account is made, what would be refused
// after. Limited says that the invitee has to claim a seat.
func (c *Commands) checkAcceptance(ctx context.Context, inv invitation.State, generation int) (limited bool, err error) {
	if err := invitation.CheckLink(inv, generation, c.Now()); err != nil {
		return false, err
	}
	org, _, err := c.organizations.load(ctx, string(inv.Organization))
	if err != nil {
		return false, err
	}
	p, err := c.rules(org)
	if err != nil {
		return false, err
	}
	if err := organization.CheckAdmission(org, p, inv.ID); err != nil {
		return false, err
	}
	_, err = organization.ClaimSeat(org, p, inv.ID)
	return org.Seats(p) > 0, err
}

// claimSeat keeps a seat for the invitee. It is the last step before the link is
// used, so that only those who are about to join hold one (S9).
func (c *Commands) claimSeat(ctx context.Context, r Request, inv invitation.State) (Receipt, error) {
	receipt, err := c.onOrganization(ctx, c.part(r, "claim"), inv.Organization, func(s organization.State, p *policy.Policy) ([]domain.Event, error) {
		return organization.ClaimSeat(s, p, inv.ID)
	})
	if err == nil {
		c.Step(StepSeatClaimed)
	}
	return receipt, err
}

// accepter answers with the account that accepts, and how it came to be if it is
// new, which takes a link that proves the address.
func (c *Commands) accepter(ctx context.Context, r Request, inv invitation.State, proves bool, joining *Joining) (domain.AccountID, Receipt, error) {
	if id, ok := r.Actor.Account(); ok {
		s, _, err := c.accounts.load(ctx, string(id))
		if err == nil && s.Email.Key() != inv.Email.Key() {
			err = wrongAccount()
		}
		if err == nil {
			err = account.CheckProven(s)
		}
		return id, Receipt{}, err
	}
	if !proves {
		return "", Receipt{}, domain.Refuse(domain.CodeEmailUnverified, "E-mail address not verified",
			"This link does not prove that the address is yours: open the link in the mail, or sign up with the address and verify it, or sign in, and accept again.")
	}
	if joining == nil {
		return "", Receipt{}, domain.Refuse(domain.CodeNotSignedIn, "Sign in first", "Sign in and accept again, or choose a display name and a password for a new account.")
	}
	if err := checkPassword(joining.Password); err != nil {
		return "", Receipt{}, err
	}
	in := Registrant{
		Email: inv.Email, DisplayName: cmp.Or(joining.DisplayName, string(inv.Username), "-"),
		Password: joining.Password, Language: joining.Language,
	}
	id, receipt, err := c.register(ctx, c.part(r, "register"), in, func(s account.State, a account.Registration) ([]domain.Event, error) {
		return account.RegisterInvited(s, a)
	})
	if err == nil {
		c.Step(StepAccepterRegistered)
	}
	return id, receipt, err
}

// invited finds the invitation of a link that works.
func (c *Commands) invited(ctx context.Context, link string) (s invitation.State, proves bool, err error) {
	shown, err := c.readLink(link)
	if err != nil {
		return invitation.State{}, false, err
	}
	s, _, err = c.invitations.load(ctx, string(shown.id))
	if err == nil {
		err = c.inLinkWords(ctx, s.Organization, invitation.CheckLink(s, shown.generation, c.Now()))
	}
	return s, shown.proves(s), err
}

func wrongAccount() error {
	return domain.Refuse(domain.CodeWrongAccount, "Invitation for another address", "Sign in with the account that has the address which the invitation was sent to.")
}

func isRefusal(err error) bool {
	var refusal *domain.Error
	return errors.As(err, &refusal)
}

// inLinkWords is inWordsOf for the holder of a link, who is no member: what the
// policy says to administrators about accepted invitations is not for them.
func (c *Commands) inLinkWords(ctx context.Context, org domain.OrganizationID, err error) error {
	if !errors.Is(err, &domain.Error{Code: domain.CodeInvitationExpired}) {
		return err
	}
	return c.inWordsOf(ctx, org, err)
}
