package organization

import "tenure/domain"

// PersonalSpaceRenamed gives the holder's own space another name, which is the
// holder's as well.
type PersonalSpaceRenamed struct {
	OrganizationID domain.OrganizationID   `json:"organization_id"`
	AccountID      domain.AccountID        `json:"account_id"`
	Before         domain.OrganizationName `json:"before" personal:"account_id"`
	After          domain.OrganizationName `json:"after" personal:"account_id"`
}

// EventType implements domain.Event.
func (PersonalSpaceRenamed) EventType() string { return "organization.personal_space_renamed.v1" }
