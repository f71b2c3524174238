package account

import (
	"time"

	"tenure/domain"
)

// The events of an account's stream.
type (
	// Registered opens the account; its e-mail address is not proven yet.
	Registered struct {
		AccountID   domain.AccountID `json:"account_id"`
		Email       domain.Email     `json:"email" personal:"account_id"`
		DisplayName string           `json:"display_name" personal:"account_id"`
		Language    string           `json:"language"`
	}

	// RegistrationRepeated records that somebody signed up again with the
	// address of a verified account; the owner is told by mail.
	RegistrationRepeated struct {
		AccountID domain.AccountID `json:"account_id"`
	}

	// VerificationRequested makes a link that proves the e-mail address; those
	// of lower generations are dead.
	VerificationRequested struct {
		AccountID  domain.AccountID `json:"account_id"`
		Generation int              `json:"generation"`
		ExpiresAt  time.Time        `json:"expires_at"`
	}

	// EmailVerified records that the owner can read the mailbox.
	EmailVerified struct {
		AccountID domain.AccountID `json:"account_id"`
		By        string           `json:"by"` // verification, invitation or password_reset: the kind of link; or provider
	}

	// IdentityLinked lets the holder of an identity at a provider sign in to the
	// account. Issuer and Subject are what tells identities apart; Provider is
	// what the server's settings called the provider.
	IdentityLinked struct {
		AccountID domain.AccountID `json:"account_id"`
		Provider  string           `json:"provider"`
		Issuer    string           `json:"issuer"`
		Subject   string           `json:"subject" personal:"account_id" erased:"id"`
	}

	// IdentityUnlinked takes that back.
	IdentityUnlinked struct {
		AccountID domain.AccountID `json:"account_id"`
		Provider  string           `json:"provider"`
		Issuer    string           `json:"issuer"`
		Subject   string           `json:"subject" personal:"account_id" erased:"id"`
	}

	// PasswordSet replaces the password; an empty hash leaves none. All sessions
	// but KeptSession end.
	PasswordSet struct {
		AccountID   domain.AccountID `json:"account_id"`
		Hash        string           `json:"hash" personal:"account_id" secret:"true"` // argon2id, PHC string
		KeptSession domain.SessionID `json:"kept_session,omitempty"`
	}

	// PasswordAssigned replaces the password by one that an administrator of the
	// organization knows. All sessions end; the owner of the account is asked to
	// choose another password (M4, M6).
	PasswordAssigned struct {
		AccountID      domain.AccountID      `json:"account_id"`
		OrganizationID domain.OrganizationID `json:"organization_id"`
		Hash           string                `json:"hash" personal:"account_id" secret:"true"` // argon2id, PHC string
	}

	// PasswordResetRequested makes a link that sets a new password; those of
	// lower generations are dead.
	PasswordResetRequested struct {
		AccountID  domain.AccountID `json:"account_id"`
		Generation int              `json:"generation"`
		ExpiresAt  time.Time        `json:"expires_at"`
	}

	// ProfileChanged changes how others see the account, and the language of
	// its mails.
	ProfileChanged struct {
		AccountID         domain.AccountID `json:"account_id"`
		DisplayNameBefore string           `json:"display_name_before" personal:"account_id"`
		DisplayNameAfter  string           `json:"display_name_after" personal:"account_id"`
		LanguageBefore    string           `json:"language_before"`
		LanguageAfter     string           `json:"language_after"`
	}

	// AvatarChanged changes the picture that others see; empty is none.
	AvatarChanged struct {
		AccountID domain.AccountID `json:"account_id"`
		Before    string           `json:"before" personal:"account_id" erased:"empty"`
		After     string           `json:"after" personal:"account_id" erased:"empty"`
	}

	// OrganizationSelected says in which organization the person works from now
	// on (C9); empty is none.
	OrganizationSelected struct {
		AccountID domain.AccountID      `json:"account_id"`
		Before    domain.OrganizationID `json:"before"`
		After     domain.OrganizationID `json:"after"`
	}

	// Seen records that a session of the account is in use, at most once in
	// SeenEvery.
	Seen struct {
		AccountID domain.AccountID `json:"account_id"`
		At        time.Time        `json:"at"`
	}

	// SessionStarted signs in; the session ends by itself at ExpiresAt.
	SessionStarted struct {
		AccountID domain.AccountID `json:"account_id"`
		SessionID domain.SessionID `json:"session_id"`
		ExpiresAt time.Time        `json:"expires_at"`
	}

	// SessionEnded signs out before the session's time is over.
	SessionEnded struct {
		AccountID domain.AccountID `json:"account_id"`
		SessionID domain.SessionID `json:"session_id"`
		Cause     string           `json:"cause"` // signed_out or replaced (too many sessions)
	}
)

// EventType implements domain.Event.
func (Registered) EventType() string { return "account.registered.v1" }

// EventType implements domain.Event.
func (RegistrationRepeated) EventType() string { return "account.registration_repeated.v1" }

// EventType implements domain.Event.
func (VerificationRequested) EventType() string { return "account.verification_requested.v1" }

// EventType implements domain.Event.
func (EmailVerified) EventType() string { return "account.email_verified.v1" }

// EventType implements domain.Event.
func (IdentityLinked) EventType() string { return "account.identity_linked.v1" }

// EventType implements domain.Event.
func (IdentityUnlinked) EventType() string { return "account.identity_unlinked.v1" }

// EventType implements domain.Event.
func (PasswordSet) EventType() string { return "account.password_set.v1" }

// EventType implements domain.Event.
func (PasswordAssigned) EventType() string { return "account.password_assigned.v1" }

// EventType implements domain.Event.
func (PasswordResetRequested) EventType() string { return "account.password_reset_requested.v1" }

// EventType implements domain.Event.
func (ProfileChanged) EventType() string { return "account.profile_changed.v1" }

// EventType implements domain.Event.
func (AvatarChanged) EventType() string { return "account.avatar_changed.v1" }

// EventType implements domain.Event.
func (OrganizationSelected) EventType() string { return "account.organization_selected.v1" }

// EventType implements domain.Event.
func (Seen) EventType() string { return "account.seen.v1" }

// EventType implements domain.Event.
func (SessionStarted) EventType() string { return "account.session_started.v1" }

// EventType implements domain.Event.
func (SessionEnded) EventType() string { return "account.session_ended.v1" }
