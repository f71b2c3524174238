package projections

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
)

// Invitee is the document of an open invitation as the invitee sees it.
type Invitee struct {
	InvitationID   domain.InvitationID   `json:"invitation_id"`
	OrganizationID domain.OrganizationID `json:"organization_id"`
	Roles          []domain.Role         `json:"roles"`
	InvitedBy      domain.AccountID      `json:"invited_by,omitempty"`
	IssuedAt       time.Time             `json:"issued_at"`
	ExpiresAt      time.Time             `json:"expires_at"`
}

// InviteesQuery asks for a page of the open invitations to an e-mail address,
// the newest first. One whose time is over is open until that is recorded.
type InviteesQuery struct {
	Email  domain.Email
	Cursor string
	Limit  int // 1 to 200, default 50
}

// The events after the first do not say whom an invitation is for, so all open
// invitations are one partition, ordered by the address: by its hash, since
// indexes are not a place to keep addresses.
const (
	inviteesView      = "invitees.v2"
	inviteesPartition = "all"
)

// Invitees returns a page of Invitee documents, each with the organization's
// "name" and "policy" besides. It fails with CodeInvalid.
func (r *Reader) Invitees(ctx context.Context, q InviteesQuery) (Page, error) {
	s := scan{
		view: inviteesView, partition: inviteesPartition, index: "open", prefix: addressKey(q.Email), descending: true,
		cursor: q.Cursor, limit: q.Limit,
	}
	s.items = func(ctx context.Context, rows []Row) ([][]byte, error) {
		orgs, documents := make([]domain.OrganizationID, len(rows)), make([]inviteeDoc, len(rows))
		for i := range rows {
			if err := json.Unmarshal(rows[i].Body, &documents[i]); err != nil {
				return nil, err
			}
			orgs[i] = documents[i].OrganizationID
		}
		return r.withOrganization(ctx, orgs, func(i int, moves policyMoves) ([]byte, error) {
			doc := documents[i]
			doc.Roles = moves.now(doc.Roles, doc.heldRoles)
			return json.Marshal(doc.Invitee)
		})
	}
	return s.page(ctx, r.storage)
}

// inviteeDoc is what is stored. An invitation that has expired stays, since a
// resend opens it again, and stands in no index; nor does one that has no link
// yet. The roles are those that the organization says.
type inviteeDoc struct {
	Invitee
	Address string `json:"address"` // its key
	Open    bool   `json:"open"`
	heldRoles
}

func invitees() View[inviteeDoc] {
	return View[inviteeDoc]{
		Name:  inviteesView,
		Types: []string{"invitation.", "organization.invitation_opened."},
		Touches: func(e Event) []Key {
			if x, ok := e.Event.(organization.InvitationOpened); ok {
				return []Key{{inviteesPartition, string(x.InvitationID)}}
			}
			if _, id, ok := invitationOf(e.Event); ok {
				return []Key{{inviteesPartition, string(id)}}
			}
			return nil
		},
		Fold: foldInvitee,
		Entries: func(_ Key, i *inviteeDoc) []Entry {
			if !i.Open {
				return nil
			}
			return []Entry{{"open", i.Address + sortTime(i.IssuedAt)}}
		},
	}
}

func foldInvitee(i *inviteeDoc, in In[inviteeDoc]) *inviteeDoc {
	if x, ok := in.Event.Event.(organization.InvitationOpened); ok && i == nil && x.Generation == 1 {
		return &inviteeDoc{Invitee: Invitee{Roles: roles(x.Roles)}, heldRoles: heldRoles{}.after(in.Event)}
	}
	if x, ok := in.Event.Event.(invitation.Issued); ok && i == nil {
		i = &inviteeDoc{Invitee: Invitee{Roles: roles(x.Roles)}, heldRoles: heldRoles{RolesAt: in.Position}}
	}
	if i == nil {
		return nil
	}
	i.heldRoles = i.heldRoles.after(in.Event)
	switch x := in.Event.Event.(type) {
	case organization.InvitationOpened:
		i.Roles = roles(x.Roles)
	case invitation.Issued:
		i.InvitationID, i.OrganizationID, i.InvitedBy = x.InvitationID, x.OrganizationID, x.InvitedBy
		i.IssuedAt, i.ExpiresAt = in.Metadata.OccurredAt.UTC(), x.ExpiresAt.UTC()
		i.Address, i.Open = addressKey(x.Email), true
	case invitation.Resent:
		i.Open, i.InvitedBy, i.ExpiresAt = true, x.InvitedBy, x.ExpiresAt.UTC()
	case invitation.Expired:
		i.Open = false
	case invitation.Accepted, invitation.Declined, invitation.Revoked:
		return nil
	}
	return i
}

// addressKey is of one length, so that none begins with another.
func addressKey(e domain.Email) string {
	hash := sha256.Sum256([]byte(e.Key()))
	return hex.EncodeToString(hash[:])
}
