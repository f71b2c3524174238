package domain

import "fmt"

// Code is the stable name of a refusal. Clients match on it; it never changes
// its meaning.
type Code string

// The codes of refusals. httpapi maps each to a status.
const (
	CodeInvalid             Code = "invalid"                // a value is malformed; Field says which
	CodePermissionDenied    Code = "permission_denied"      // the actor lacks the permission
	CodeNotSignedIn         Code = "not_signed_in"          // no valid session or key was presented
	CodeNotFound            Code = "not_found"              // no such thing, or none that the actor may see
	CodeRevisionMismatch    Code = "revision_mismatch"      // If-Match names another revision
	CodeIdempotencyMismatch Code = "idempotency_key_reused" // the key was used for another request

	CodeNameTaken      Code = "organization_name_taken" // O1
	CodeEmailTaken     Code = "email_taken"             // O3: member or open invitation has it
	CodeUsernameTaken  Code = "username_taken"          // O3
	CodeUsernameNeeded Code = "username_required"       // O3: the policy asks for usernames
	CodeRoleUnknown    Code = "role_unknown"            // the policy has no such role
	CodeRoleNotGranted Code = "role_not_grantable"      // the actor may not give this role
	CodeRoleCount      Code = "role_count"              // the policy wants another number of roles
	CodeSeatsFull      Code = "seats_full"              // S9

	CodeMemberRemoved   Code = "member_removed"        // O4: a removed member is not modified
	CodeOwnerProtected  Code = "owner_protected"       // O4, O7: use the ownership transfer
	CodeLastAdmin       Code = "last_admin"            // O4, O7: an active admin-like member must remain
	CodeSelfRemoval     Code = "self_removal"          // O7: admins do not remove themselves
	CodeMemberSuspended Code = "member_suspended"      // M7: reactivate the member first
	CodeMemberActive    Code = "member_active"         // a member is one already
	CodeOwnRolesFixed   Code = "own_roles_fixed"       // C4: nobody changes their own roles
	CodeRoleExclusive   Code = "role_exclusive"        // M9: the account holds such a role elsewhere
	CodeMemberProtected Code = "member_not_manageable" // the actor may not manage holders of this role

	CodeNotOffered       Code = "not_offered"         // the organization's policy does not have this
	CodeRequestPending   Code = "request_pending"     // the account has asked to join already
	CodeRequestNotThere  Code = "request_not_there"   // nobody asks, or it is decided
	CodeSpaceNameTaken   Code = "space_name_taken"    // another space of the organization has it
	CodeTooManySpaces    Code = "too_many_spaces"     // D6
	CodeTooMuchWork      Code = "too_much_work"       // a member has as much as a removal can release at once
	CodeSeatsTooFew      Code = "seats_too_few"       // fewer than are taken
	CodeDomainTaken      Code = "email_domain_taken"  // another organization holds it
	CodeDomainPublic     Code = "email_domain_public" // anybody gets an address there
	CodePolicyImpossible Code = "policy_impossible"   // X10: the organization cannot be moved to this policy
	CodeRoleUnmapped     Code = "role_unmapped"       // X10: nobody has said what a role becomes that somebody has
	CodePolicyBuiltIn    Code = "policy_built_in"     // X10: the name is that of a policy of Tenure's own
	CodePolicyVersion    Code = "policy_version"      // X10: versions never change, and leave no gaps

	CodeInvitationAccepted Code = "invitation_accepted"  // O6: an accepted invitation is not revoked or resent
	CodeInvitationRevoked  Code = "invitation_revoked"   // the link was withdrawn
	CodeInvitationDeclined Code = "invitation_declined"  // the invitee said no
	CodeInvitationExpired  Code = "invitation_expired"   // O3: older than its lifetime
	CodeLinkInvalid        Code = "link_invalid"         // a token that was never issued, or was replaced by a newer one
	CodeLinkExpired        Code = "link_expired"         // a token past its time
	CodeWrongAccount       Code = "wrong_account"        // the link is for another e-mail address or username
	CodeWrongProvider      Code = "wrong_provider"       // S6: the link is for those who sign in with another provider
	CodeWrongTenant        Code = "wrong_tenant"         // S6: the link is for another tenant of the provider
	CodeProviderRequired   Code = "provider_required"    // S6: the link is for those who sign in with a provider
	CodeProviderNotOffered Code = "provider_not_offered" // S2: the policy does not let invitations ask for this provider

	CodeTransferNotOffered  Code = "transfer_not_offered"  // the policy has no ownership
	CodeTransferPending     Code = "transfer_pending"      // O5: one request at a time
	CodeTransferNotPending  Code = "transfer_not_pending"  // O5: nothing to confirm or cancel
	CodeTransferNotEligible Code = "transfer_not_eligible" // O5: self, removed, or a role that cannot own
	CodeTransferExpired     Code = "transfer_expired"      // O5

	CodeCheckpointOutdated Code = "checkpoint_outdated" // X7: sizes of checkpoints only grow

	CodeCredentialsWrong   Code = "credentials_wrong"    // no such account, or another password
	CodeEmailUnverified    Code = "email_unverified"     // the address has not been proven yet
	CodeAccountExists      Code = "account_exists"       // M4: no password for somebody who has one
	CodePasswordNeeded     Code = "password_required"    // M4: a new account needs one
	CodeMemberElsewhere    Code = "member_elsewhere"     // M6: the account matters to other organizations too
	CodeAlreadyVerified    Code = "already_verified"     // nothing left to prove
	CodeIdentityConflict   Code = "identity_conflict"    // the account is linked with another identity of this issuer
	CodeTooManyAttempts    Code = "too_many_attempts"    // throttled
	CodeErasureBlocked     Code = "erasure_blocked"      // X8: organizations cannot do without the person
	CodeOrganizationClosed Code = "organization_deleted" // D9
)

// Error is a refusal: the command was understood and changes nothing.
type Error struct {
	Code    Code
	Title   string // a few words, the source's own where it has them
	Message string // one sentence that says what to do
	Field   string // the JSON field at fault, or empty
}

func (e *Error) Error() string {
	if e.Field != "" {
		return fmt.Sprintf("%s: %s: %s", e.Code, e.Field, e.Message)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Is reports whether target is a refusal with the same code, so that
// errors.Is(err, &domain.Error{Code: domain.CodeEmailTaken}) asks for the code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Refuse makes a refusal.
func Refuse(code Code, title, message string) *Error {
	return &Error{Code: code, Title: title, Message: message}
}

// Invalid refuses a malformed value of the JSON field.
func Invalid(field, message string) *Error {
	return &Error{Code: CodeInvalid, Title: "Invalid value", Message: message, Field: field}
}
