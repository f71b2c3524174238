// Package invitation is the aggregate of one invitation's link: issued, resent,
// accepted, declined, revoked or expired. Whether somebody may be invited, and
// which names that takes, is decided by package organization; here it is
// decided whether a link still works. The end of an invitation is one event of
// one stream, so of a revocation and an acceptance at the same time exactly one
// happens.
package invitation

import (
	"cmp"
	"time"

	"tenure/domain"
)

// State is what the decisions need to know of an invitation. The zero State is
// an invitation that was never issued.
type State struct {
	ID           domain.InvitationID
	Organization domain.OrganizationID
	Email        domain.Email
	Username     domain.Username
	Roles        []domain.Role
	Language     string
	InvitedBy    domain.AccountID
	Generation   int // of the only link that works
	ExpiresAt    time.Time
	Status       Status
	AcceptedBy   domain.AccountID
	Provider     string       // that who accepts has to sign in with; empty: in any way
	Tenant       string       // of the provider; empty: any
	Notify       domain.Email // where the mail goes; empty: to Email
}

// Status is where an invitation stands.
type Status string

// The statuses of an invitation.
const (
	StatusPending  Status = "pending"
	StatusAccepted Status = "accepted"
	StatusDeclined Status = "declined"
	StatusRevoked  Status = "revoked"
	StatusExpired  Status = "expired"
)

// The causes of a revocation.
const (
	CauseRevoked             = "revoked"              // by a member
	CauseInviterLeft         = "inviter_left"         // X14
	CauseOrganizationDeleted = "organization_deleted" // D9
	CauseApproved            = "approved"             // the invitee had asked to join as well, and is let in by that (C7)
)

// Exists reports whether the invitation was issued.
func (s State) Exists() bool { return s.ID != "" }

// Proves reports whether who has come by the link in the invitation's mail reads
// the mailbox of its address: the mail went there, and nowhere else.
func (s State) Proves() bool {
	return s.Email != "" && (s.Notify == "" || s.Notify.Key() == s.Email.Key())
}

// MailedTo is where the mail with the link goes; empty: the link is passed on by
// hand.
func (s State) MailedTo() domain.Email { return cmp.Or(s.Notify, s.Email) }

// Over reports whether nothing can bring the invitation back: not even a
// resend, as it could for one that has expired.
func (s State) Over() bool {
	return s.Status == StatusAccepted || s.Status == StatusDeclined || s.Status == StatusRevoked
}

// Details are what an invitation is issued with.
type Details struct {
	InvitationID   domain.InvitationID
	OrganizationID domain.OrganizationID
	Email          domain.Email
	Username       domain.Username
	Roles          []domain.Role
	Language       string
	InvitedBy      domain.AccountID
	ExpiresAt      time.Time
	Provider       string
	Tenant         string
	Notify         domain.Email
}

// Issue makes the first link; an invitation that was issued already stays as it is.
func Issue(s State, d Details) []domain.Event {
	if s.Exists() {
		return nil
	}
	return []domain.Event{Issued(d)}
}

// Resend makes the link of a generation, and kills the ones below (O6). It
// does nothing when the link is of that generation already. It fails as
// CheckResend does.
func Resend(s State, generation int, by domain.AccountID, expiresAt time.Time) ([]domain.Event, error) {
	if err := CheckResend(s); err != nil {
		return nil, err
	}
	if s.Generation >= generation {
		return nil, nil
	}
	return []domain.Event{Resent{InvitationID: s.ID, OrganizationID: s.Organization, Generation: generation, InvitedBy: by, ExpiresAt: expiresAt}}, nil
}

// CheckResend refuses what cannot be sent again: CodeNotFound,
// CodeInvitationAccepted, CodeInvitationDeclined, CodeInvitationRevoked.
func CheckResend(s State) error {
	switch s.Status {
	case StatusPending, StatusExpired:
		return nil
	}
	return s.over("Send a new invitation.")
}

// CheckLink refuses a link that does not work at that time: CodeNotFound,
// CodeLinkInvalid when it was replaced, CodeInvitationExpired, and for an
// invitation that is over CodeInvitationAccepted, CodeInvitationDeclined or
// CodeInvitationRevoked.
func CheckLink(s State, generation int, at time.Time) error {
	if s.Status != StatusPending && s.Status != StatusExpired {
		return s.over("Ask the organization for a new invitation.")
	}
	if s.Generation != generation {
		return domain.Refuse(domain.CodeLinkInvalid, "Link replaced", "Use the link in the newest mail.")
	}
	if s.Status == StatusExpired || !at.Before(s.ExpiresAt) {
		return domain.Refuse(domain.CodeInvitationExpired, "Invite expired", "Ask the organization to resend the invitation, which makes a new link.")
	}
	return nil
}

// Accept uses the link up for an account. It fails as CheckLink does.
func Accept(s State, generation int, by domain.AccountID, at time.Time) ([]domain.Event, error) {
	if err := CheckLink(s, generation, at); err != nil {
		return nil, err
	}
	return []domain.Event{Accepted{InvitationID: s.ID, OrganizationID: s.Organization, AccountID: by}}, nil
}

// Decline uses the link up without an effect. It fails as CheckLink does.
func Decline(s State, generation int, at time.Time) ([]domain.Event, error) {
	if err := CheckLink(s, generation, at); err != nil {
		return nil, err
	}
	return []domain.Event{Declined{InvitationID: s.ID, OrganizationID: s.Organization}}, nil
}

// Revoke withdraws the link; one that has expired, was revoked or declined
// stays as it is (O6). It fails with CodeNotFound and CodeInvitationAccepted.
func Revoke(s State, cause string) ([]domain.Event, error) {
	switch s.Status {
	case StatusPending:
		return []domain.Event{Revoked{InvitationID: s.ID, OrganizationID: s.Organization, Cause: cause}}, nil
	case StatusExpired, StatusRevoked, StatusDeclined:
		return nil, nil
	}
	return nil, s.over("Remove the member instead.")
}

// Expire records that the lifetime is over; it never fails.
func Expire(s State, at time.Time) []domain.Event {
	if s.Status != StatusPending || at.Before(s.ExpiresAt) {
		return nil
	}
	return []domain.Event{Expired{InvitationID: s.ID, OrganizationID: s.Organization, Generation: s.Generation}}
}

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	switch e := e.(type) {
	case Issued:
		return State{
			ID: e.InvitationID, Organization: e.OrganizationID, Email: e.Email, Username: e.Username, Roles: e.Roles,
			Language: e.Language, InvitedBy: e.InvitedBy, Generation: 1, ExpiresAt: e.ExpiresAt, Status: StatusPending,
			Provider: e.Provider, Tenant: e.Tenant, Notify: e.Notify,
		}
	case Resent:
		s.Generation, s.InvitedBy, s.ExpiresAt, s.Status = e.Generation, e.InvitedBy, e.ExpiresAt, StatusPending
	case Accepted:
		s.Status, s.AcceptedBy = StatusAccepted, e.AccountID
	case Declined:
		s.Status = StatusDeclined
	case Revoked:
		s.Status = StatusRevoked
	case Expired:
		s.Status = StatusExpired
	}
	return s
}

func (s State) over(advice string) error {
	switch s.Status {
	case StatusAccepted:
		return domain.Refuse(domain.CodeInvitationAccepted, "Invitation accepted", "The invitation was accepted already. "+advice)
	case StatusDeclined:
		return domain.Refuse(domain.CodeInvitationDeclined, "Invitation declined", "The invitee has declined. "+advice)
	case StatusRevoked:
		return domain.Refuse(domain.CodeInvitationRevoked, "Invitation revoked", "The invitation was withdrawn. "+advice)
	}
	return domain.Refuse(domain.CodeNotFound, "No such invitation", "Look the invitation up in the list of invitations.")
}
