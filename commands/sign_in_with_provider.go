package commands

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/invitation"
	"tenure/domain/reservation"
)

// Identified is somebody as an OpenID provider says who they are. The caller has
// verified that.
type Identified struct {
	account.Identity

	SignIn        string // names this sign-in at the provider, which gives one session
	Tenant        string // the identity's organization at the provider, or empty
	Email         domain.Email
	EmailVerified bool   // the provider vouches for Email
	Username      string // or empty
	DisplayName   string // of a new account
	Language      string // of mails to a new account
}

// WithProvider is a session that was started at a provider's word.
type WithProvider struct {
	SignedIn
	Joined *Joined // by the invitation's link that was presented; nil for none
}

// Joined is what an accepted invitation has made of its accepter.
type Joined struct {
	InvitationID   domain.InvitationID
	OrganizationID domain.OrganizationID
	Roles          []domain.Role

	account domain.AccountID
}

// SignInWithProvider starts a session of the account that the identity is linked
// with. An identity that is new is linked with the account that has the same
// address, or with a new one that has no password; it fails with
// CodeEmailUnverified unless the provider vouches for the address, and as
// account.RegisterIdentified does.
//
// With the link of an invitation the account accepts it besides; the link in the
// mail then also proves the address of the invitation to a new account, where the
// invitation asks for an account at this provider. It fails as
// invitation.CheckPresented and invitation.Accept do, and with CodeWrongAccount
// when an invitation that asks for no provider is for another address. Nothing
// has happened then.
//
// A sign-in at the provider gives one session: it fails with CodeLinkInvalid the
// second time, unless that is the same request with its Idempotency-Key. Killed
// at any point, it is finished by sending it again, by signing in again, or by
// the processes that finish reservations and acceptances.
func (c *Commands) SignInWithProvider(ctx context.Context, r Request, who Identified, link string) (WithProvider, error) {
	r.part, r.Fingerprint = c.Keys.Request("sign in with provider", who.SignIn), cmp.Or(r.IdempotencyKey, rand.Text())
	r.IdempotencyKey = ""
	mine, err := c.accountByIdentity(ctx, who.Identity)
	if err != nil {
		return WithProvider{}, err
	}
	if err := c.checkUnused(ctx, r, mine.ID); err != nil {
		return WithProvider{}, err
	}
	var done WithProvider
	var before Receipt
	if link == "" {
		before, err = c.identify(ctx, r, who, &mine, who.Email, account.ByProvider)
	} else {
		before, done.Joined, err = c.acceptIdentified(ctx, r, who, mine, link)
		if err == nil {
			mine.ID = done.Joined.account
		}
	}
	if err != nil {
		return WithProvider{}, err
	}
	session := c.sessionPart(r)
	session.Actor = domain.ByAccount(mine.ID)
	done.SignedIn, err = c.startSession(ctx, session, mine.ID)
	done.Receipt = before.and(done.Receipt)
	return done, usedUp(err)
}

// acceptIdentified accepts an invitation for the account of the identity, which
// it makes if there is none.
func (c *Commands) acceptIdentified(ctx context.Context, r Request, who Identified, mine account.State, link string) (Receipt, *Joined, error) {
	shown, err := c.readLink(link)
	if err != nil {
		return Receipt{}, nil, err
	}
	accepting := c.part(r, "accept")
	receipt, replayed, err := c.invitations.replayed(ctx, string(shown.id), accepting)
	if err != nil {
		return Receipt{}, nil, err
	}
	inv, _, err := c.invitations.load(ctx, string(shown.id))
	if err != nil {
		return Receipt{}, nil, err
	}
	for _, e := range receipt.Events { // of the first time
		if accepted, ok := e.(invitation.Accepted); ok {
			mine.ID = accepted.AccountID
		}
	}
	if !replayed {
		registered, limited, err := c.accountToAccept(ctx, r, who, &mine, inv, shown)
		if err != nil {
			return Receipt{}, nil, c.inLinkWords(ctx, inv.Organization, err)
		}
		claimed, accepted, err := c.useLink(ctx, accepting, inv, shown.generation, mine.ID, limited)
		if err != nil {
			return Receipt{}, nil, c.inLinkWords(ctx, inv.Organization, err)
		}
		receipt = accepted
		receipt.Events = slices.Concat(registered.Events, claimed.Events, accepted.Events)
	}
	c.Step(StepInvitationAccepted)
	settled, err := c.SettleInvitation(ctx, r, inv.ID)
	return receipt.and(settled), &Joined{inv.ID, inv.Organization, rolesGiven(settled, inv), mine.ID}, err
}

// accountToAccept checks that the identity may accept the invitation, and links
// it with an account if it is new. Limited says that the invitee has to claim a seat.
func (c *Commands) accountToAccept(ctx context.Context, r Request, who Identified, mine *account.State, inv invitation.State, shown presented) (registered Receipt, limited bool, err error) {
	if limited, err = c.checkAcceptance(ctx, inv, shown.generation); err != nil {
		return Receipt{}, false, err
	}
	if err := invitation.CheckPresented(inv, who.presented()); err != nil {
		return Receipt{}, false, err
	}
	email, by := who.Email, account.ByProvider
	switch {
	case mine.Exists():
		email = mine.Email
	case !who.EmailVerified && inv.Provider != "" && shown.proves(inv):
		email, by = inv.Email, account.ByInvitation // the link was sent there
	case !who.EmailVerified:
		return Receipt{}, false, emailUnverified()
	}
	if inv.Provider == "" && email.Key() != inv.Email.Key() {
		return Receipt{}, false, wrongAccount()
	}
	if mine.Exists() { // whoever has given it a password would be let in as well
		if err := account.CheckProven(*mine); err != nil {
			return Receipt{}, false, err
		}
	}
	registered, err = c.identify(ctx, r, who, mine, email, by)
	return registered, limited, err
}

// presented is what the identity shows to an invitation.
func (who Identified) presented() invitation.Presented {
	p := invitation.Presented{Provider: who.Provider, Tenant: who.Tenant, Names: []string{who.Username}}
	if who.EmailVerified {
		p.Names = append(p.Names, string(who.Email))
	}
	return p
}

// identify links the identity with the account of the address, unless mine has
// it already, and makes that mine.
//
// The address and the identity are reserved before the account is written, and
// confirmed after. Killed in between, whoever signs in next goes on with the
// account that the reservations name, or a process gives them back.
func (c *Commands) identify(ctx context.Context, r Request, who Identified, mine *account.State, email domain.Email, by string) (Receipt, error) {
	switch {
	case mine.Linked(who.Identity):
		return Receipt{}, nil
	case by == account.ByProvider && !who.EmailVerified:
		return Receipt{}, emailUnverified()
	}
	r = c.part(r, "register")
	fresh := c.newID(r, "account", email.Key())
	for range 3 {
		address, err := c.reserveAddress(ctx, r, email, fresh)
		if err != nil {
			return Receipt{}, err
		}
		c.Step(StepEmailReserved)
		identity, err := c.reserve(ctx, r, reservation.KindIdentity, who.Key(), address.holder)
		if err == nil && identity.attempt == 0 {
			err = ErrBusy // another account is about to be linked
		}
		if err != nil {
			c.finish(ctx, r, nil, address) // nothing was written that needs it
			return Receipt{}, err
		}
		c.Step(StepIdentityReserved)
		id := accountOf(address.holder)
		receipt, err := c.accounts.execute(ctx, string(id), r, func(s account.State) ([]domain.Event, error) {
			if s.Erased() {
				return nil, errErased
			}
			if address.outlived(c.Now()) { // the other claim is younger
				return nil, ErrBusy
			}
			in := account.Registration{AccountID: id, Email: email, DisplayName: who.DisplayName, Language: who.Language}
			return account.RegisterIdentified(s, in, who.Identity, by)
		})
		if err == nil {
			c.Step(StepIdentityLinked)
		}
		c.finish(ctx, r, err, identity, address)
		switch {
		case errors.Is(err, errErased):
			continue // its address is free by now, unless another command wants it
		case err != nil:
			return Receipt{}, err
		}
		*mine, _, err = c.accounts.load(ctx, string(id))
		return receipt, err
	}
	return Receipt{}, ErrBusy
}

// UnlinkIdentity takes an identity's right to sign in away; which one, chosen
// picks. It does nothing when there is none, and fails as account.CheckOwner does.
// Killed before the identity is given back, a process does that.
func (c *Commands) UnlinkIdentity(ctx context.Context, r Request, id domain.AccountID, chosen func(account.Identity) bool) (Receipt, error) {
	var gone account.Identity
	receipt, err := c.accounts.execute(ctx, string(id), r, func(s account.State) ([]domain.Event, error) {
		if err := account.CheckOwner(s); err != nil {
			return nil, err
		}
		for _, i := range s.Identities() {
			if chosen(i) {
				gone = i
				return account.Unlink(s, i), nil
			}
		}
		return nil, nil
	})
	if err != nil || gone == (account.Identity{}) {
		return receipt, err
	}
	c.Step(StepIdentityUnlinked)
	c.left(c.FinishUnlinking(ctx, r, gone))
	return receipt, nil
}

// FinishUnlinking gives an identity back that its account no longer has.
func (c *Commands) FinishUnlinking(ctx context.Context, r Request, i account.Identity) error {
	return c.settleText(ctx, r, reservation.KindIdentity, i.Key())
}

// accountByIdentity finds the account that an identity is linked with; the zero
// State where there is none.
func (c *Commands) accountByIdentity(ctx context.Context, i account.Identity) (account.State, error) {
	holder, err := c.holder(ctx, reservation.KindIdentity, i.Key())
	if err != nil || holder == "" {
		return account.State{}, err
	}
	s, _, err := c.accounts.load(ctx, string(accountOf(holder)))
	if !s.Linked(i) {
		return account.State{}, err
	}
	return s, err
}

// checkUnused refuses a sign-in at the provider that has given its session,
// before anything else happens.
func (c *Commands) checkUnused(ctx context.Context, r Request, id domain.AccountID) error {
	if id == "" {
		return nil
	}
	_, _, err := c.accounts.replayed(ctx, string(id), c.sessionPart(r))
	return usedUp(err)
}

// sessionPart is the part of the request that starts the session. Unlike others
// it tells requests apart, so that only the one that was first gets the session.
func (c *Commands) sessionPart(r Request) Request {
	part := c.part(r, "sign in")
	part.Fingerprint = r.Fingerprint
	return part
}

func usedUp(err error) error {
	if errors.Is(err, &domain.Error{Code: domain.CodeIdempotencyMismatch}) {
		return domain.Refuse(domain.CodeLinkInvalid, "Code used", "Sign in again; the code works once.")
	}
	return err
}

func emailUnverified() error {
	return domain.Refuse(domain.CodeEmailUnverified, "E-mail address not verified", "The provider does not say that the e-mail address is yours. Verify it there, or sign in another way.")
}
