package invitation

import "tenure/domain"

// CauseErased is why an invitation to somebody who is erased is revoked.
const CauseErased = "erased"

// Erase ends an invitation to somebody who is erased, if it is open or may be sent
// again; see organization.InvitationErased. It never fails, and does nothing
// twice.
func Erase(s State) []domain.Event {
	if s.Status != StatusPending && s.Status != StatusExpired {
		return nil
	}
	return []domain.Event{Revoked{InvitationID: s.ID, OrganizationID: s.Organization, Cause: CauseErased}}
}
