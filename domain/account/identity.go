package account

import (
	"slices"

	"tenure/domain"
)

// MaxIdentities is how many identities an account has at most.
const MaxIdentities = 20

// Identity is somebody at an OpenID provider. Issuer and Subject tell identities
// apart; Provider is what the server's settings call the provider.
type Identity struct {
	Provider string
	Issuer   string
	Subject  string
}

// Key is what two spellings of one identity have in common, for its reservation.
func (i Identity) Key() string { return i.Issuer + "\x00" + i.Subject }

func (i Identity) same(other Identity) bool {
	return i.Issuer == other.Issuer && i.Subject == other.Subject
}

// Identities are those that may sign in, in the order of linking.
func (s State) Identities() []Identity {
	if s.erased {
		return nil
	}
	return slices.Clone(s.identities)
}

// Linked reports whether the identity may sign in.
func (s State) Linked(i Identity) bool { return !s.erased && slices.ContainsFunc(s.identities, i.same) }

// RegisterIdentified links an identity with the account that has the address:
// a new one, or one that is there. The caller has seen that by proves the
// address: a provider that vouches for it, or the link of an invitation.
//
// An account whose address was not proven, or whose password an administrator has
// known since, loses the password. One that is proven takes no
// invitation's link for a proof: it fails with CodeNotSignedIn then. It fails
// with CodeIdentityConflict when the account has another identity of the same
// issuer, since the provider may have given the address to somebody else, and
// when it has MaxIdentities.
func RegisterIdentified(s State, r Registration, i Identity, by string) ([]domain.Event, error) {
	if s.Linked(i) {
		return nil, nil
	}
	if s.Verified && by != ByProvider {
		return nil, domain.Refuse(domain.CodeNotSignedIn, "Sign in first", "An account with this e-mail address exists, and the provider does not say that the address is yours; sign in to the account the way you did before, and have the organization invite you for any provider.")
	}
	if err := s.checkRoom(i); err != nil {
		return nil, err
	}
	var events []domain.Event
	if CheckProven(s) != nil {
		if s.Verified { // the owner's own profile
			r.DisplayName, r.Language = s.DisplayName, s.Language
		}
		if events = s.open(r); s.PasswordHash == "" {
			events = events[:len(events)-1] // there is no password to take away
		}
		events = append(events, EmailVerified{AccountID: r.AccountID, By: by})
	}
	return append(events, IdentityLinked{AccountID: r.AccountID, Provider: i.Provider, Issuer: i.Issuer, Subject: i.Subject}), nil
}

// checkRoom refuses an identity that the account cannot have besides its others.
func (s State) checkRoom(i Identity) error {
	if len(s.identities) >= MaxIdentities {
		return domain.Refuse(domain.CodeIdentityConflict, "Too many identities", "Sign in another way, and unlink an identity that you no longer use.")
	}
	if slices.ContainsFunc(s.identities, func(x Identity) bool { return x.Issuer == i.Issuer }) {
		return domain.Refuse(domain.CodeIdentityConflict, "Account linked already", "The account with this e-mail address belongs to another identity at this provider; sign in with that one, or set a password by mail and unlink it.")
	}
	return nil
}

// Unlink takes an identity's right to sign in away; sessions go on. One that is
// not linked stays so. Whoever has no password then sets one by mail.
func Unlink(s State, i Identity) []domain.Event {
	at := slices.IndexFunc(s.identities, i.same)
	if at < 0 {
		return nil
	}
	x := s.identities[at]
	return []domain.Event{IdentityUnlinked{AccountID: s.ID, Provider: x.Provider, Issuer: x.Issuer, Subject: x.Subject}}
}
