// Package account is the aggregate of a person's account: the e-mail address
// and the proof of it, the password, the identities at OpenID providers that may
// sign in instead of it, the signed-in sessions. Links in mails are named by
// a generation; only the newest of a kind works, and only once.
package account

import (
	"slices"
	"time"

	"tenure/domain"
)

// MaxSessions is how many sessions an account has at most; signing in once more
// ends the oldest.
const MaxSessions = 20

// SeenEvery is how often an account in use is recorded as that.
const SeenEvery = 24 * time.Hour

// The kinds of links that prove an e-mail address, and the word of a provider.
const (
	ByVerification  = "verification"
	ByInvitation    = "invitation"
	ByPasswordReset = "password_reset"
	ByProvider      = "provider"
)

// State is what the decisions need to know of an account. The zero State is an
// account that was never registered.
type State struct {
	ID           domain.AccountID
	Email        domain.Email
	DisplayName  string
	Language     string
	AvatarURL    string                // empty for none
	Organization domain.OrganizationID // that the person chose to work in last; empty for none (C9)
	Verified     bool
	PasswordHash string // argon2id, PHC string

	// AssignedBy is the organization whose administrator has known a password of
	// the account since its address was proven last, or empty; MustChange holds
	// until that password is replaced.
	AssignedBy domain.OrganizationID
	MustChange bool

	// MadeBy is the organization whose administrator opened the account, before
	// anybody had proven its address; empty for others.
	MadeBy domain.OrganizationID

	verification link
	reset        link
	sessions     []Session  // oldest first
	identities   []Identity // in the order of linking
	seen         time.Time  // by Seen
	erased       bool
}

// Session is one signed-in session.
type Session struct {
	ID        domain.SessionID
	ExpiresAt time.Time
}

// link is the newest link of a kind; zero once it was used.
type link struct {
	generation int
	expiresAt  time.Time
	open       bool
}

// Exists reports whether the account was registered, and not erased since.
func (s State) Exists() bool { return s.ID != "" && !s.erased }

// Session finds a session that has not ended at that time.
func (s State) Session(id domain.SessionID, at time.Time) (Session, bool) {
	i := slices.IndexFunc(s.sessions, func(x Session) bool { return x.ID == id })
	if i < 0 || !at.Before(s.sessions[i].ExpiresAt) {
		return Session{}, false
	}
	return s.sessions[i], true
}

// VerificationExpires is when the newest link that proves the address stops to work.
func (s State) VerificationExpires() time.Time { return s.verification.expiresAt }

// PasswordResetExpires is when the newest link that sets a password stops to work.
func (s State) PasswordResetExpires() time.Time { return s.reset.expiresAt }

// Registration is what somebody signs up with.
type Registration struct {
	AccountID    domain.AccountID
	Email        domain.Email
	DisplayName  string
	Language     string
	PasswordHash string
}

// Register opens an account whose address has to be proven by a link that works
// until linkExpires. Until then signing up again starts over, with the new
// password, so that nobody can hold another person's address. For an account that
// is verified, or in use because an administrator made it, it records
// RegistrationRepeated and changes nothing.
func Register(s State, r Registration, linkExpires time.Time) []domain.Event {
	if s.Usable() {
		return []domain.Event{RegistrationRepeated{AccountID: s.ID}}
	}
	events := s.open(r)
	return append(events, VerificationRequested{AccountID: r.AccountID, Generation: s.verification.generation + 1, ExpiresAt: linkExpires})
}

// RegisterInvited opens an account for somebody who has come by an invitation's
// link, which proves the address. It fails with CodeNotSignedIn when a verified
// account has the address.
func RegisterInvited(s State, r Registration) ([]domain.Event, error) {
	if s.Verified {
		return nil, domain.Refuse(domain.CodeNotSignedIn, "Sign in first", "An account with this e-mail address exists; sign in and accept the invitation again.")
	}
	return append(s.open(r), EmailVerified{AccountID: r.AccountID, By: ByInvitation}), nil
}

// Verify proves the address by a link. The caller has checked the password, so
// that a link that was mailed to the owner of the address does not open an
// account with a stranger's password. It fails with CodeNotFound,
// CodeAlreadyVerified, CodeLinkInvalid and CodeLinkExpired.
func Verify(s State, generation int, at time.Time) ([]domain.Event, error) {
	if s.Verified {
		return nil, domain.Refuse(domain.CodeAlreadyVerified, "Address verified", "The address is verified already; sign in.")
	}
	if err := s.verification.check(s, generation, at); err != nil {
		return nil, err
	}
	return []domain.Event{EmailVerified{AccountID: s.ID, By: ByVerification}}, nil
}

// RequestPasswordReset makes a link that sets a new password; it fails with
// CodeNotFound.
func RequestPasswordReset(s State, linkExpires time.Time) ([]domain.Event, error) {
	if !s.Exists() {
		return nil, notFound()
	}
	return []domain.Event{PasswordResetRequested{AccountID: s.ID, Generation: s.reset.generation + 1, ExpiresAt: linkExpires}}, nil
}

// ResetPassword uses a reset link up, which also proves the address. All
// sessions end. It fails with CodeNotFound, CodeLinkInvalid and CodeLinkExpired.
func ResetPassword(s State, generation int, hash string, at time.Time) ([]domain.Event, error) {
	if err := s.reset.check(s, generation, at); err != nil {
		return nil, err
	}
	events := []domain.Event{PasswordSet{AccountID: s.ID, Hash: hash}}
	if !s.Verified || s.AssignedBy != "" {
		events = append(events, EmailVerified{AccountID: s.ID, By: ByPasswordReset})
	}
	return events, nil
}

// CheckResetLink refuses a reset link that does not work, before the costly
// hash of the new password is made. It fails as ResetPassword does.
func CheckResetLink(s State, generation int, at time.Time) error {
	return s.reset.check(s, generation, at)
}

// ChangePassword sets a new password and ends every session but kept. The
// caller has checked the old password. It fails with CodeNotFound.
func ChangePassword(s State, hash string, kept domain.SessionID) ([]domain.Event, error) {
	if !s.Exists() {
		return nil, notFound()
	}
	return []domain.Event{PasswordSet{AccountID: s.ID, Hash: hash, KeptSession: kept}}, nil
}

// StartSession signs in. The caller has checked the password. It fails with
// CodeEmailUnverified.
func StartSession(s State, id domain.SessionID, expiresAt, at time.Time) ([]domain.Event, error) {
	if !s.Usable() {
		return nil, domain.Refuse(domain.CodeEmailUnverified, "E-mail address not verified", "Open the link in the mail that was sent when you signed up, or sign up again for a new one.")
	}
	var events []domain.Event
	if len(s.sessions) >= MaxSessions && at.Before(s.sessions[0].ExpiresAt) {
		events = append(events, SessionEnded{AccountID: s.ID, SessionID: s.sessions[0].ID, Cause: "replaced"})
	}
	return append(events, SessionStarted{AccountID: s.ID, SessionID: id, ExpiresAt: expiresAt}), nil
}

// EndSession signs out; a session that has ended stays so.
func EndSession(s State, id domain.SessionID) []domain.Event {
	if !slices.ContainsFunc(s.sessions, func(x Session) bool { return x.ID == id }) {
		return nil
	}
	return []domain.Event{SessionEnded{AccountID: s.ID, SessionID: id, Cause: "signed_out"}}
}

// ChangeProfile changes the display name and the language of mails. It fails
// with CodeNotFound.
func ChangeProfile(s State, displayName, language string) ([]domain.Event, error) {
	switch {
	case !s.Exists():
		return nil, notFound()
	case s.DisplayName == displayName && s.Language == language:
		return nil, nil
	}
	return []domain.Event{ProfileChanged{
		AccountID: s.ID, DisplayNameBefore: s.DisplayName, DisplayNameAfter: displayName,
		LanguageBefore: s.Language, LanguageAfter: language,
	}}, nil
}

// ChangeAvatar changes the picture that others see, an https URL or empty. It
// fails with CodeNotFound.
func ChangeAvatar(s State, url string) ([]domain.Event, error) {
	switch {
	case !s.Exists():
		return nil, notFound()
	case s.AvatarURL == url:
		return nil, nil
	}
	return []domain.Event{AvatarChanged{AccountID: s.ID, Before: s.AvatarURL, After: url}}, nil
}

// SelectOrganization says in which of its organizations the person works; empty
// for none of them. The caller has checked that it is one. It fails with
// CodeNotFound.
func SelectOrganization(s State, id domain.OrganizationID) ([]domain.Event, error) {
	switch {
	case !s.Exists():
		return nil, notFound()
	case s.Organization == id:
		return nil, nil
	}
	return []domain.Event{OrganizationSelected{AccountID: s.ID, Before: s.Organization, After: id}}, nil
}

// See records that the account is in use, unless that was recorded, or a session
// was started, less than SeenEvery ago. Sessions live for sessionLifetime: their
// end tells when they began.
func See(s State, sessionLifetime time.Duration, at time.Time) []domain.Event {
	last := s.seen
	for _, x := range s.sessions {
		if began := x.ExpiresAt.Add(-sessionLifetime); began.After(last) {
			last = began
		}
	}
	if !s.Exists() || at.Before(last.Add(SeenEvery)) {
		return nil
	}
	return []domain.Event{Seen{AccountID: s.ID, At: at}}
}

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	if s.erased {
		return s
	}
	switch e := e.(type) {
	case Erased:
		return s.erase()
	case Registered:
		s.ID, s.Email, s.DisplayName, s.Language = e.AccountID, e.Email, e.DisplayName, e.Language
	case VerificationRequested:
		s.verification = link{e.Generation, e.ExpiresAt, true}
	case EmailVerified:
		s.Verified, s.verification.open, s.AssignedBy = true, false, ""
	case PasswordSet:
		s.PasswordHash, s.reset.open, s.MustChange = e.Hash, false, false
		s.sessions = keep(s.sessions, func(x Session) bool { return x.ID == e.KeptSession })
	case PasswordAssigned:
		if !s.Usable() {
			s.MadeBy = e.OrganizationID
		}
		s.PasswordHash, s.reset.open, s.MustChange, s.AssignedBy = e.Hash, false, true, e.OrganizationID
		s.sessions = nil
		s.verification.open = false // a link from before would prove the address with this password
	case PasswordResetRequested:
		s.reset = link{e.Generation, e.ExpiresAt, true}
	case ProfileChanged:
		s.DisplayName, s.Language = e.DisplayNameAfter, e.LanguageAfter
	case AvatarChanged:
		s.AvatarURL = e.After
	case OrganizationSelected:
		s.Organization = e.After
	case Seen:
		s.seen = e.At
	case SessionStarted:
		// Sessions that ran out leave no event; the oldest make room for new ones.
		s.sessions = append(slices.Clone(s.sessions[max(0, len(s.sessions)-MaxSessions+1):]), Session{e.SessionID, e.ExpiresAt})
	case IdentityLinked:
		s.identities = append(s.Identities(), Identity{e.Provider, e.Issuer, e.Subject})
	case IdentityUnlinked:
		s.identities = slices.DeleteFunc(s.Identities(), Identity{e.Provider, e.Issuer, e.Subject}.same)
	case SessionEnded:
		s.sessions = keep(s.sessions, func(x Session) bool { return x.ID != e.SessionID })
	}
	return s
}

// open starts an account, or starts one over whose address is not proven.
func (s State) open(r Registration) []domain.Event {
	return append(s.profile(r), PasswordSet{AccountID: r.AccountID, Hash: r.PasswordHash})
}

// profile registers an account, or gives the one that there is another profile.
func (s State) profile(r Registration) []domain.Event {
	var events []domain.Event
	switch {
	case !s.Exists():
		events = append(events, Registered{AccountID: r.AccountID, Email: r.Email, DisplayName: r.DisplayName, Language: r.Language})
	case s.DisplayName != r.DisplayName || s.Language != r.Language:
		events = append(events, ProfileChanged{
			AccountID: s.ID, DisplayNameBefore: s.DisplayName, DisplayNameAfter: r.DisplayName,
			LanguageBefore: s.Language, LanguageAfter: r.Language,
		})
	}
	return events
}

func (l link) check(s State, generation int, at time.Time) error {
	switch {
	case !s.Exists():
		return notFound()
	case !l.open || l.generation != generation:
		return domain.Refuse(domain.CodeLinkInvalid, "Link used or replaced", "Use the link in the newest mail, or ask for a new one.")
	case !at.Before(l.expiresAt):
		return domain.Refuse(domain.CodeLinkExpired, "Link expired", "Ask for a new link.")
	}
	return nil
}

func keep(sessions []Session, which func(Session) bool) []Session {
	return slices.DeleteFunc(slices.Clone(sessions), func(x Session) bool { return !which(x) })
}

func notFound() error {
	return domain.Refuse(domain.CodeNotFound, "No such account", "Sign up first.")
}
