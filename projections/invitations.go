package projections

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
)

// Invitation is the document of an invitation of an organization.
type Invitation struct {
	InvitationID domain.InvitationID `json:"invitation_id"`
	Email        domain.Email        `json:"email,omitempty"`
	Username     domain.Username     `json:"username,omitempty"`
	Roles        []domain.Role       `json:"roles"`
	Status       invitation.Status   `json:"status"`
	Generation   int                 `json:"generation"`
	InvitedBy    domain.AccountID    `json:"invited_by,omitempty"`
	Language     string              `json:"language"`
	IssuedAt     time.Time           `json:"issued_at"`
	ResentAt     *time.Time          `json:"resent_at,omitempty"`
	ExpiresAt    time.Time           `json:"expires_at"`
	ClosedAt     *time.Time          `json:"closed_at,omitempty"` // when it stopped pending
	AcceptedBy   domain.AccountID    `json:"accepted_by,omitempty"`
	Provider     string              `json:"provider,omitempty"` // that the invitee has to sign in with
	Tenant       string              `json:"tenant,omitempty"`
	Notify       domain.Email        `json:"notify,omitempty"` // where the mail goes instead
	Spaces       []domain.SpaceID    `json:"spaces,omitempty"` // for the member that it makes; those that are deleted by then are left out
}

// InvitationsQuery asks for a page of an organization's invitations.
type InvitationsQuery struct {
	Organization domain.OrganizationID
	Status       string // pending, accepted, declined, revoked or expired; empty for all
	Role         string // only invitations to this role; empty for all
	Q            string // beginnings of words in e-mail address and username, as in MembersQuery
	Sort         string // -issued_at (default), issued_at, email, -email; empty with Q
	Cursor       string
	Limit        int  // 1 to 200, default 50
	NeverMoved   bool // see MembersQuery
}

const invitationsView = "invitations.v2"

// Invitation returns one invitation's document. It fails with CodeNotFound.
func (r *Reader) Invitation(ctx context.Context, org domain.OrganizationID, id domain.InvitationID) ([]byte, error) {
	body, moves, err := r.documentOf(ctx, invitationsView, org, Key{string(org), string(id)}, "No such invitation", "Look the invitation up in the list of invitations.")
	if err != nil {
		return nil, err
	}
	return shownInvitation(body, moves)
}

// Invitations returns a page. It fails with CodeInvalid. A page of a search can
// be short and still have a cursor.
func (r *Reader) Invitations(ctx context.Context, q InvitationsQuery) (Page, error) {
	return r.cached(ctx, invitationsView, string(q.Organization), q, func(storage Storage) (Page, error) {
		moves, err := readMoves(ctx, storage, invitationsView, q.Organization, q.NeverMoved)
		if err != nil {
			return Page{}, err
		}
		s, err := q.scan(moves)
		if err != nil {
			return Page{}, err
		}
		s.items = func(_ context.Context, rows []Row) ([][]byte, error) {
			items := make([][]byte, len(rows))
			for i, row := range rows {
				if items[i], err = shownInvitation(row.Body, moves); err != nil {
					return nil, err
				}
			}
			return items, nil
		}
		return s.page(ctx, storage)
	})
}

func shownInvitation(body []byte, moves policyMoves) ([]byte, error) {
	return shown(body, moves, func(i *Invitation) *[]domain.Role { return &i.Roles })
}

func (q InvitationsQuery) scan(moves policyMoves) (scan, error) {
	switch invitation.Status(q.Status) {
	case "", invitation.StatusPending, invitation.StatusAccepted, invitation.StatusDeclined, invitation.StatusRevoked, invitation.StatusExpired:
	default:
		return scan{}, domain.Invalid("status", "Use pending, accepted, declined, revoked or expired.")
	}
	if err := checkFilter("role", q.Role); err != nil {
		return scan{}, err
	}
	s := scan{view: invitationsView, partition: string(q.Organization), cursor: q.Cursor, limit: q.Limit}
	words, err := searchWords(q.Q)
	if err != nil {
		return scan{}, err
	}
	if len(words) > 0 {
		if q.Sort != "" {
			return scan{}, errSortedSearch()
		}
		s.index = "word"
		return s.search(words, []string{q.Status, q.Role}, func(body []byte) ([]string, bool, error) {
			var i invitationDoc
			err := json.Unmarshal(body, &i)
			matches := (q.Status == "" || string(i.Status) == q.Status) && (q.Role == "" || slices.Contains(moves.now(i.Roles, i.heldRoles), domain.Role(q.Role)))
			return i.words(), matches, err
		}), nil
	}
	field, descending, err := parseSort(cmp.Or(q.Sort, "-issued_at"), "issued_at", "email")
	if err != nil {
		return scan{}, err
	}
	s.index, s.descending = invitationIndex(q.Status, domain.Role(q.Role), field), descending
	if q.Role == "" || len(moves) == 0 {
		return s, nil
	}
	for _, source := range moves.sources(domain.Role(q.Role)) {
		s.also = append(s.also, invitationIndex(q.Status, source, field))
	}
	s.keep = func(row Row) (bool, bool, error) {
		var i invitationDoc
		err := json.Unmarshal(row.Body, &i)
		return slices.Contains(moves.now(i.Roles, i.heldRoles), domain.Role(q.Role)), false, err
	}
	return s, nil
}

// invitationDoc is what is stored: an invitation, the mark of one that has no
// link yet, or the changes of policy. The roles are those that the organization
// says.
type invitationDoc struct {
	Invitation
	heldRoles
	Moves policyMoves `json:"moves,omitempty"`
}

func invitations() View[invitationDoc] {
	return View[invitationDoc]{
		Name:  invitationsView,
		Types: []string{"invitation.", "organization.invitation_opened.", "organization.invitation_spaces_changed.", "organization.invitation_erased.", "organization.policy_changed."},
		Touches: func(e Event) []Key {
			switch x := e.Event.(type) {
			case organization.InvitationOpened:
				return []Key{{string(x.OrganizationID), string(x.InvitationID)}, unissuedKey(x.OrganizationID, x.InvitationID)}
			case organization.InvitationSpacesChanged:
				return []Key{{string(x.OrganizationID), string(x.InvitationID)}, unissuedKey(x.OrganizationID, x.InvitationID)}
			case invitation.Issued:
				return []Key{{string(x.OrganizationID), string(x.InvitationID)}, unissuedKey(x.OrganizationID, x.InvitationID)}
			case organization.PolicyChanged:
				return []Key{movesKey(x.OrganizationID)}
			}
			if org, id, ok := invitationOf(e.Event); ok {
				return []Key{{Partition: string(org), ID: string(id)}}
			}
			return nil
		},
		Fold:    foldInvitation,
		Entries: func(_ Key, i *invitationDoc) []Entry { return i.entries() },
	}
}

func foldInvitation(i *invitationDoc, in In[invitationDoc]) *invitationDoc {
	at := in.Metadata.OccurredAt.UTC()
	switch x := in.Event.Event.(type) {
	case organization.PolicyChanged:
		if i == nil {
			i = &invitationDoc{}
		}
		return &invitationDoc{Moves: i.Moves.and(in.Event)}
	case organization.InvitationOpened:
		return foldOpened(i, in, x.OrganizationID, x.InvitationID, func(i *invitationDoc) {
			if i.RolesUntil == 0 { // else it was accepted while it was sent again
				i.Roles, i.heldRoles = roles(x.Roles), i.heldRoles.after(in.Event)
			}
		})
	case organization.InvitationSpacesChanged:
		return foldOpened(i, in, x.OrganizationID, x.InvitationID, func(i *invitationDoc) { i.Spaces = x.After })
	case invitation.Issued:
		if in.Key == unissuedKey(x.OrganizationID, x.InvitationID) {
			return nil
		}
		mark := in.Other(unissuedKey(x.OrganizationID, x.InvitationID))
		if mark == nil {
			mark = &invitationDoc{Invitation: Invitation{Roles: roles(x.Roles)}, heldRoles: heldRoles{RolesAt: in.Position}}
		}
		return &invitationDoc{heldRoles: mark.heldRoles, Invitation: Invitation{
			Spaces:       mark.Spaces,
			InvitationID: x.InvitationID, Email: x.Email, Username: x.Username, Roles: mark.Roles, Status: invitation.StatusPending,
			Generation: 1, InvitedBy: x.InvitedBy, Language: x.Language, IssuedAt: at, ExpiresAt: x.ExpiresAt.UTC(),
			Provider: x.Provider, Tenant: x.Tenant, Notify: x.Notify,
		}}
	}
	if i == nil {
		return nil
	}
	i.heldRoles = i.heldRoles.after(in.Event)
	close := func(status invitation.Status) { i.Status, i.ClosedAt = status, &at }
	switch x := in.Event.Event.(type) {
	case invitation.Resent:
		i.Status, i.ClosedAt = invitation.StatusPending, nil
		i.Generation, i.InvitedBy, i.ResentAt, i.ExpiresAt = x.Generation, x.InvitedBy, &at, x.ExpiresAt.UTC()
	case invitation.Accepted:
		close(invitation.StatusAccepted)
		i.AcceptedBy = x.AccountID
	case invitation.Declined:
		close(invitation.StatusDeclined)
	case invitation.Revoked:
		close(invitation.StatusRevoked)
	case invitation.Expired:
		close(invitation.StatusExpired)
	case organization.InvitationErased:
		i.erase(x.Pseudonym)
	}
	return i
}

// erase leaves what says nothing about whom the invitation was for.
func (i *Invitation) erase(p domain.Pseudonym) {
	for _, address := range []*domain.Email{&i.Email, &i.Notify} {
		if *address != "" {
			*address = p.Email()
		}
	}
	if i.Username != "" {
		i.Username = p.Username()
	}
}

// foldOpened changes what the organization says of an invitation. Of one that has
// no link yet that is kept under a mark: the organization opens it, and then it
// is issued.
func foldOpened(i *invitationDoc, in In[invitationDoc], org domain.OrganizationID, id domain.InvitationID, change func(*invitationDoc)) *invitationDoc {
	mark := in.Key == unissuedKey(org, id)
	switch {
	case i == nil && !mark, mark && in.Other(Key{string(org), string(id)}) != nil:
		return nil
	case i == nil:
		i = &invitationDoc{}
	}
	change(i)
	return i
}

func (i *Invitation) entries() []Entry {
	if i.InvitationID == "" { // a mark
		return nil
	}
	issued, email := sortTime(i.IssuedAt), i.Email.Key()
	var entries []Entry
	for _, status := range []string{"", string(i.Status)} {
		for _, role := range append([]domain.Role{""}, i.Roles...) {
			entries = append(entries,
				Entry{invitationIndex(status, role, "issued_at"), issued},
				Entry{invitationIndex(status, role, "email"), email})
		}
	}
	for _, word := range i.words() {
		entries = append(entries, Entry{"word", word})
	}
	return entries
}

func (i *Invitation) words() []string { return findableWords(i.Email, string(i.Username)) }

// invitationIndex names the index of invitations in the order of a field, with
// a status and a role unless these are empty.
func invitationIndex(status string, role domain.Role, field string) string {
	return status + "." + field + "." + string(role)
}

func unissuedKey(org domain.OrganizationID, id domain.InvitationID) Key {
	return Key{Partition: string(org), ID: "unissued/" + string(id)}
}

// invitationOf says which invitation of which organization an event is about.
func invitationOf(e domain.Event) (domain.OrganizationID, domain.InvitationID, bool) {
	switch x := e.(type) {
	case invitation.Issued:
		return x.OrganizationID, x.InvitationID, true
	case invitation.Resent:
		return x.OrganizationID, x.InvitationID, true
	case invitation.Accepted:
		return x.OrganizationID, x.InvitationID, true
	case invitation.Declined:
		return x.OrganizationID, x.InvitationID, true
	case invitation.Revoked:
		return x.OrganizationID, x.InvitationID, true
	case invitation.Expired:
		return x.OrganizationID, x.InvitationID, true
	case organization.InvitationErased:
		return x.OrganizationID, x.InvitationID, true
	}
	return "", "", false
}
