package history

import (
	"context"
	"encoding/json"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/projections"
)

// everything reads a list from its first page to its last.
func everything[D any](next func(cursor string) (projections.Page, error), each func(document D, text []byte)) error {
	for cursor := ""; ; {
		page, err := next(cursor)
		if err != nil {
			return err
		}
		items, err := page.Items()
		if err != nil {
			return err
		}
		for _, item := range items {
			var document D
			if err := json.Unmarshal(item, &document); err != nil {
				return err
			}
			each(document, item)
		}
		if cursor = page.NextCursor(); cursor == "" {
			return nil
		}
	}
}

const pageLimit = 200

// eachMember lists those who are members, suspended or not, in the order of
// their names.
func (p *Past) eachMember(ctx context.Context, each func(m projections.Member, text []byte)) error {
	for _, status := range []organization.Status{organization.Active, organization.Suspended} {
		err := everything(func(cursor string) (projections.Page, error) {
			return p.Reader.Members(ctx, projections.MembersQuery{
				Organization: p.org, Status: string(status), Cursor: cursor, Limit: pageLimit, AllSpaces: projections.RoleList(p.allSpaces()),
			})
		}, each)
		if err != nil {
			return err
		}
	}
	return nil
}

// member is one's document.
func (p *Past) member(ctx context.Context, id domain.AccountID) (m projections.Member, err error) {
	body, err := p.Reader.Member(ctx, p.org, id, p.allSpaces()...)
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	return m, err
}

// allSpaces are the roles whose holders might enter every space.
func (p *Past) allSpaces() (roles []domain.Role) {
	if p.Rules.Spaces == nil {
		return nil
	}
	for _, role := range p.Rules.Roles {
		if p.Rules.AllSpaces([]domain.Role{role.Name}) {
			roles = append(roles, role.Name)
		}
	}
	return roles
}

// pending are the invitations that were open.
func (p *Past) pending(ctx context.Context) (all []projections.Invitation, err error) {
	err = everything(func(cursor string) (projections.Page, error) {
		return p.Reader.Invitations(ctx, projections.InvitationsQuery{
			Organization: p.org, Status: string(invitation.StatusPending), Sort: "issued_at", Cursor: cursor, Limit: pageLimit,
		})
	}, func(i projections.Invitation, _ []byte) { all = append(all, i) })
	return all, err
}

func (p *Past) spaces(ctx context.Context) (all []projections.Space, err error) {
	err = everything(func(cursor string) (projections.Page, error) {
		return p.Reader.Spaces(ctx, projections.SpacesQuery{Organization: p.org, Cursor: cursor, Limit: pageLimit})
	}, func(s projections.Space, _ []byte) { all = append(all, s) })
	return all, err
}

// organization is its document.
func (p *Past) organization(ctx context.Context) (o projections.Organization, err error) {
	body, err := p.Reader.Organization(ctx, p.org)
	if err == nil {
		err = json.Unmarshal(body, &o)
	}
	return o, err
}

func (p *Past) invitation(ctx context.Context, id domain.InvitationID) (i projections.Invitation, err error) {
	body, err := p.Reader.Invitation(ctx, p.org, id)
	if err == nil {
		err = json.Unmarshal(body, &i)
	}
	return i, err
}
