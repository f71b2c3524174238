package account

import "tenure/domain"

// An administrator may open an account for somebody, and give somebody's account
// a temporary password (M4, M6). Then somebody besides the owner knows, or may
// have known, the password, and nothing says that the owner of the address is
// behind the account. So it serves in that organization and goes nowhere else,
// not even into the person's own space, until a link in a mail proves the address:
// not even a changed password ends that, since the administrator could have
// changed it.

// RegisterAdded opens an account with a password that an administrator of the
// organization has chosen. Its address is not proven, and yet it is good for
// signing in. Whoever reads the mailbox takes it over with a link that sets a new
// password. It fails with CodeAccountExists.
func RegisterAdded(s State, r Registration, by domain.OrganizationID) ([]domain.Event, error) {
	if s.Usable() {
		return nil, &domain.Error{
			Code: domain.CodeAccountExists, Title: "The person has an account", Field: "password",
			Message: "Leave the password out: the person keeps the one they have.",
		}
	}
	return append(s.profile(r), PasswordAssigned{AccountID: r.AccountID, OrganizationID: by, Hash: r.PasswordHash}), nil
}

// AssignPassword gives an account a temporary password, which ends its sessions.
// It fails with CodeNotFound.
func AssignPassword(s State, by domain.OrganizationID, hash string) ([]domain.Event, error) {
	if !s.Exists() {
		return nil, notFound()
	}
	return []domain.Event{PasswordAssigned{AccountID: s.ID, OrganizationID: by, Hash: hash}}, nil
}

// CheckProven refuses what only the proven owner of the address may do: to found
// an organization, ask for or accept a membership, read who invites the address.
// It fails with CodeEmailUnverified.
func CheckProven(s State) error {
	if s.Verified && s.AssignedBy == "" {
		return nil
	}
	return domain.Refuse(domain.CodeEmailUnverified, "E-mail address not verified", "Ask for a link to set a new password; the link in the mail proves that the address is yours.")
}

// CheckEnters refuses an account whose password an administrator of another
// organization has known, in whatever organization it is a member. It fails with
// CodeEmailUnverified.
func CheckEnters(s State, org domain.OrganizationID) error {
	if s.AssignedBy == org {
		return nil
	}
	return CheckProven(s)
}

// CheckOwner refuses what would take from the owner, who has proven the address,
// what is theirs, by a password that an administrator has known since: an identity,
// the name, a membership. The account itself takes CheckProven. Whoever was only ever known to the organization
// that opened the account has nothing else to lose. It fails with
// CodeEmailUnverified.
func CheckOwner(s State) error {
	if !s.Verified {
		return nil
	}
	return CheckProven(s)
}

// Usable reports whether the account is good for signing in.
func (s State) Usable() bool { return s.Verified || s.AssignedBy != "" }
