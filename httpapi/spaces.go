package httpapi

import (
	"context"
	"net/http"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/projections"
)

// SpacePath is the input of routes below a space.
type SpacePath struct {
	OrgPath
	Space string `path:"space" doc:"The space's id." example:"0190d5a1-e5fd-7176-b729-b3c4df80a188"`
}

type spacesInput struct {
	OrgPath
	PageInput
	AsOfInput
	Q    string `query:"q" maxLength:"200" doc:"Beginnings of words in the name; all have to be found." example:"nor"`
	Sort string `query:"sort" enum:"name,-name" doc:"Default name. Not together with q."`
}

type spaceBody struct {
	Name   string `json:"name" maxLength:"400" doc:"Unique in the organization, whatever the case. At most 100 characters."`
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type spaceMade struct {
	SpaceID domain.SpaceID `json:"space_id" format:"uuid"`
	Receipt
}

func (a *API) addSpaces() {
	manage := Member(domain.ManageSpaces)
	add(a, route{
		id: "list-spaces", method: http.MethodGet, path: "/v1/organizations/{org}/spaces", tag: "Spaces", access: MemberOrOwn(domain.ReadSpaces), status: http.StatusOK,
		summary: "Spaces of an organization", description: "A page; searched and sorted by name. A member without the permission sees the spaces that they may enter.",
		codes:    []domain.Code{domain.CodeInvalid},
		response: list[projections.Space]{Items: []projections.Space{{SpaceID: exampleSpace, Name: "North", CreatedAt: exampleTime()}}, NextCursor: exampleCursor},
	}, a.listSpaces)
	add(a, route{
		id: "create-space", method: http.MethodPost, path: "/v1/organizations/{org}/spaces", tag: "Spaces", access: manage, status: http.StatusCreated, created: true, etag: true,
		summary: "Make a space", description: "Nobody is assigned to it yet; whose role opens every space may enter it at once.",
		codes:    []domain.Code{domain.CodeNotOffered, domain.CodeSpaceNameTaken, domain.CodeTooManySpaces},
		request:  spaceBody{Name: "North"},
		response: spaceMade{exampleSpace, exampleReceipt(organization.SpaceCreated{OrganizationID: exampleOrganization, SpaceID: exampleSpace, Name: "North"})},
	}, a.createSpace)
	add(a, route{
		id: "rename-space", method: http.MethodPatch, path: "/v1/organizations/{org}/spaces/{space}", tag: "Spaces", access: manage, status: http.StatusOK, etag: true,
		summary: "Rename a space", description: "Who may enter it stays as it is.",
		codes:    []domain.Code{domain.CodeNotOffered, domain.CodeSpaceNameTaken},
		request:  spaceBody{Name: "North-West"},
		response: exampleReceipt(organization.SpaceRenamed{OrganizationID: exampleOrganization, SpaceID: exampleSpace, Before: "North", After: "North-West"}),
	}, a.renameSpace)
	add(a, route{
		id: "delete-space", method: http.MethodDelete, path: "/v1/organizations/{org}/spaces/{space}", tag: "Spaces", access: manage, status: http.StatusOK, etag: true,
		summary: "Delete a space", description: "Nobody is assigned to it any more, and the work in it is released.",
		codes:    []domain.Code{domain.CodeNotOffered, domain.CodeTooMuchWork},
		request:  reasonBody{"The branch was closed."},
		response: exampleReceipt(organization.SpaceDeleted{OrganizationID: exampleOrganization, SpaceID: exampleSpace, Name: "North"}),
	}, a.deleteSpace)
}

func (a *API) listSpaces(ctx context.Context, c *call, in *spacesInput) (answer, error) {
	q := projections.SpacesQuery{Organization: c.organization(), Q: in.Q, Sort: in.Sort, Cursor: in.Cursor, Limit: in.Limit}
	rules, roles := c.membership.Policy, c.membership.Roles
	account, member := c.caller.Actor.Account()
	if member && !rules.Allows(roles, domain.ReadSpaces) && !rules.AllSpaces(roles) {
		return c.page(a.reader(c).SpacesOf(ctx, account, q))
	}
	return c.page(a.reader(c).Spaces(ctx, q))
}

func (a *API) createSpace(ctx context.Context, c *call, in *struct {
	OrgPath
	CommandHeaders
	Body spaceBody
}) (answer, error) {
	var k checks
	name := k.spaceName("name", in.Body.Name)
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	id, done, err := do.CreateSpace(ctx, r, c.organization(), name)
	ans, err := commanded(done, err, func(r Receipt) any { return spaceMade{id, r} })
	ans.location = c.fiber.Path() + "/" + string(id)
	return ans, err
}

func (a *API) renameSpace(ctx context.Context, c *call, in *struct {
	SpacePath
	CommandHeaders
	Body spaceBody
}) (answer, error) {
	var k checks
	name := k.spaceName("name", in.Body.Name)
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	done, err := do.RenameSpace(ctx, r, c.organization(), c.space(), name)
	return commanded(done, err, plainly)
}

func (a *API) deleteSpace(ctx context.Context, c *call, in *struct {
	SpacePath
	CommandHeaders
	Body *reasonBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.reason())
	if err != nil {
		return answer{}, err
	}
	done, err := do.DeleteSpace(ctx, r, c.organization(), c.space())
	return commanded(done, err, plainly)
}
