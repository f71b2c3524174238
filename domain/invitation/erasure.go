package invitation

import "tenure/domain"

// Erased says that the person who was invited is erased; see
// organization.MemberErased.
type Erased struct {
	InvitationID   domain.InvitationID   `json:"invitation_id"`
	OrganizationID domain.OrganizationID `json:"organization_id"`
	Pseudonym      domain.Pseudonym      `json:"pseudonym"`
}

// EventType implements domain.Event.
func (Erased) EventType() string { return "invitation.erased.v1" }

// CauseErased is why an invitation to somebody who is erased is revoked.
const CauseErased = "erased"

// Erase ends the invitation, if it is open or may be sent again, and has views
// forget whom it was for. It never fails, and does nothing twice.
func Erase(s State, pseudonym domain.Pseudonym) []domain.Event {
	if !s.Exists() || s.Erased {
		return nil
	}
	var events []domain.Event
	if s.Status == StatusPending || s.Status == StatusExpired {
		events = append(events, Revoked{InvitationID: s.ID, OrganizationID: s.Organization, Cause: CauseErased})
	}
	return append(events, Erased{InvitationID: s.ID, OrganizationID: s.Organization, Pseudonym: pseudonym})
}
