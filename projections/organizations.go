package projections

import (
	"context"
	"time"

	"tenure/domain"
	"tenure/domain/organization"
)

// Organization is the document of an organization.
type Organization struct {
	OrganizationID    domain.OrganizationID   `json:"organization_id"`
	Name              domain.OrganizationName `json:"name"`
	Policy            string                  `json:"policy"`
	PolicyVersion     int                     `json:"policy_version"`
	Status            string                  `json:"status"`  // active or deleted
	Members           int                     `json:"members"` // who have access
	SuspendedMembers  int                     `json:"suspended_members"`
	OpenInvitations   int                     `json:"open_invitations"` // whose e-mail and username are held
	CreatedAt         time.Time               `json:"created_at"`
	DeletedAt         *time.Time              `json:"deleted_at,omitempty"`
	EmailDomain       string                  `json:"email_domain,omitempty"` // with which people ask to join by signing in
	Personal          bool                    `json:"personal,omitempty"`     // somebody's own space
	OwnershipTransfer *PendingTransfer        `json:"ownership_transfer,omitempty"`
}

// PendingTransfer is a request to transfer the ownership that was not answered.
type PendingTransfer struct {
	TransferID  domain.TransferID `json:"transfer_id"`
	From        domain.AccountID  `json:"from"`
	To          domain.AccountID  `json:"to"`
	RequestedAt time.Time         `json:"requested_at"`
	ExpiresAt   time.Time         `json:"expires_at"`
}

const organizationsView = "organizations.v2"

// Organization returns an organization's document. It fails with CodeNotFound.
func (r *Reader) Organization(ctx context.Context, id domain.OrganizationID) ([]byte, error) {
	return r.document(ctx, organizationsView, organizationKey(id), "No such organization", "Look the organization up in your list of organizations.")
}

// organizationDoc is a document of the view: the organization, its changes of
// policy, the mark of a suspended member, who is not counted when removed, or the
// mark of an open invitation. A resend opens an invitation that has expired and leaves
// one open that has not; the marks tell these apart, so that both count as one.
type organizationDoc struct {
	*Organization
	Moves policyMoves `json:"moves,omitempty"`
}

func organizations() View[organizationDoc] {
	return View[organizationDoc]{
		Name:    organizationsView,
		Types:   []string{"organization."},
		Touches: touchOrganization,
		Fold: func(doc *organizationDoc, in In[organizationDoc]) *organizationDoc {
			if in.Key.ID == in.Key.Partition {
				return foldOrganization(doc, in)
			}
			switch in.Event.Event.(type) {
			case organization.InvitationOpened, organization.MemberSuspended:
				return &organizationDoc{}
			case organization.PolicyChanged:
				if doc == nil {
					doc = &organizationDoc{}
				}
				return &organizationDoc{Moves: doc.Moves.and(in.Event)}
			}
			return nil
		},
	}
}

// touchOrganization names the organization first, so that it is folded while
// the mark is as it was before the event.
func touchOrganization(e Event) []Key {
	switch x := e.Event.(type) {
	case organization.InvitationOpened:
		return []Key{organizationKey(x.OrganizationID), openKey(x.OrganizationID, x.InvitationID)}
	case organization.InvitationClosed:
		return []Key{organizationKey(x.OrganizationID), openKey(x.OrganizationID, x.InvitationID)}
	case organization.MemberJoined:
		if x.InvitationID == "" {
			return []Key{organizationKey(x.OrganizationID)}
		}
		return []Key{organizationKey(x.OrganizationID), openKey(x.OrganizationID, x.InvitationID)}
	case organization.Activated:
		return []Key{organizationKey(x.OrganizationID)}
	case organization.Renamed:
		return []Key{organizationKey(x.OrganizationID)}
	case organization.PersonalSpaceRenamed:
		return []Key{organizationKey(x.OrganizationID)}
	case organization.MemberErased:
		return []Key{organizationKey(x.OrganizationID)}
	case organization.EmailDomainChanged:
		return []Key{organizationKey(x.OrganizationID)}
	case organization.Deleted:
		return []Key{organizationKey(x.OrganizationID)}
	case organization.MemberSuspended:
		return []Key{organizationKey(x.OrganizationID), suspendedKey(x.OrganizationID, x.AccountID)}
	case organization.MemberReactivated:
		return []Key{organizationKey(x.OrganizationID), suspendedKey(x.OrganizationID, x.AccountID)}
	case organization.MemberRemoved:
		return []Key{organizationKey(x.OrganizationID), suspendedKey(x.OrganizationID, x.AccountID)}
	case organization.PolicyChanged:
		return []Key{organizationKey(x.OrganizationID), movesKey(x.OrganizationID)}
	case organization.OwnershipTransferRequested:
		return []Key{organizationKey(x.OrganizationID)}
	case organization.OwnershipTransferEnded:
		return []Key{organizationKey(x.OrganizationID)}
	case organization.OwnershipTransferred:
		return []Key{organizationKey(x.OrganizationID)}
	}
	return nil
}

func foldOrganization(doc *organizationDoc, in In[organizationDoc]) *organizationDoc {
	at := in.Metadata.OccurredAt.UTC()
	if x, ok := in.Event.Event.(organization.Activated); ok {
		return &organizationDoc{Organization: &Organization{
			OrganizationID: x.OrganizationID, Name: x.Name, Policy: x.Policy, PolicyVersion: x.PolicyVersion,
			Status: "active", Members: 1, CreatedAt: at, Personal: x.Personal,
		}}
	}
	if doc == nil {
		return nil
	}
	o := doc.Organization
	isOpen := func(id domain.InvitationID) bool {
		return in.Other(openKey(o.OrganizationID, id)) != nil
	}
	switch x := in.Event.Event.(type) {
	case organization.Renamed:
		o.Name = x.After
	case organization.PersonalSpaceRenamed:
		o.Name = x.After
	case organization.MemberErased:
		if o.Personal {
			o.Name = domain.OrganizationName(x.Pseudonym.DisplayName())
		}
	case organization.EmailDomainChanged:
		o.EmailDomain = x.After
	case organization.PolicyChanged:
		o.Policy, o.PolicyVersion = x.After.Policy, x.After.Version
	case organization.Deleted:
		o.Status, o.DeletedAt, o.Members, o.EmailDomain = "deleted", &at, 0, ""
	case organization.InvitationOpened:
		if !isOpen(x.InvitationID) {
			o.OpenInvitations++
		}
	case organization.InvitationClosed:
		if isOpen(x.InvitationID) {
			o.OpenInvitations--
		}
	case organization.MemberJoined:
		o.Members++
		if isOpen(x.InvitationID) {
			o.OpenInvitations--
		}
	case organization.MemberSuspended:
		o.Members--
		o.SuspendedMembers++
	case organization.MemberReactivated:
		o.Members++
		o.SuspendedMembers--
	case organization.MemberRemoved:
		if in.Other(suspendedKey(o.OrganizationID, x.AccountID)) != nil {
			o.SuspendedMembers--
		} else {
			o.Members--
		}
	case organization.OwnershipTransferRequested:
		o.OwnershipTransfer = &PendingTransfer{TransferID: x.TransferID, From: x.From, To: x.To, RequestedAt: at, ExpiresAt: x.ExpiresAt.UTC()}
	case organization.OwnershipTransferEnded, organization.OwnershipTransferred:
		o.OwnershipTransfer = nil
	}
	return doc
}

func organizationKey(id domain.OrganizationID) Key {
	return Key{Partition: string(id), ID: string(id)}
}

func suspendedKey(org domain.OrganizationID, id domain.AccountID) Key {
	return Key{Partition: string(org), ID: "suspended/" + string(id)}
}

func openKey(org domain.OrganizationID, id domain.InvitationID) Key {
	return Key{Partition: string(org), ID: "open/" + string(id)}
}
