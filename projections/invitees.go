package projections

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"tenure/domain"
	"tenure/domain/invitation"
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
	inviteesView      = "invitees.v1"
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
		orgs := make([]domain.OrganizationID, len(rows))
		for i := range rows {
			var doc inviteeDoc
			if err := json.Unmarshal(rows[i].Body, &doc); err != nil {
				return nil, err
			}
			shown, err := json.Marshal(doc.Invitee)
			if err != nil {
				return nil, err
			}
			orgs[i], rows[i].Body = doc.OrganizationID, shown
		}
		return r.withOrganization(ctx, rows, orgs)
	}
	return s.page(ctx, r.storage)
}

// inviteeDoc is what is stored. An invitation that has expired stays, since a
// resend opens it again, and stands in no index.
type inviteeDoc struct {
	Invitee
	Address string `json:"address"` // its key
	Open    bool   `json:"open"`
}

func invitees() View[inviteeDoc] {
	return View[inviteeDoc]{
		Name:  inviteesView,
		Types: []string{"invitation."},
		Touches: func(e Event) []Key {
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
	if x, ok := in.Event.Event.(invitation.Issued); ok {
		shown := Invitee{
			InvitationID: x.InvitationID, OrganizationID: x.OrganizationID, Roles: roles(x.Roles), InvitedBy: x.InvitedBy,
			IssuedAt: in.Metadata.OccurredAt.UTC(), ExpiresAt: x.ExpiresAt.UTC(),
		}
		return &inviteeDoc{Invitee: shown, Address: addressKey(x.Email), Open: true}
	}
	if i == nil {
		return nil
	}
	switch x := in.Event.Event.(type) {
	case invitation.Resent:
		i.Open, i.InvitedBy, i.ExpiresAt = true, x.InvitedBy, x.ExpiresAt.UTC()
	case invitation.Expired:
		i.Open = false
	case invitation.Accepted, invitation.Declined, invitation.Revoked, invitation.Erased:
		return nil
	}
	return i
}

// addressKey is of one length, so that none begins with another.
func addressKey(e domain.Email) string {
	hash := sha256.Sum256([]byte(e.Key()))
	return hex.EncodeToString(hash[:])
}
