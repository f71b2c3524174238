package httpapi

import (
	"context"
	"net/http"

	"tenure/domain"
	"tenure/domain/organization"
)

type assignmentBody struct {
	Spaces []string `json:"spaces" maxItems:"1000" doc:"The ids of all spaces that the member may enter from now on. The policy says how many can be new at once."`
	Reason string   `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type editBody struct {
	Roles  []string `json:"roles,omitempty" maxItems:"20" doc:"All roles that the member has from now on; left out, they stay. Other roles take the permission members.change_roles."`
	Spaces []string `json:"spaces,omitempty" maxItems:"1000" doc:"The ids of all spaces that the member may enter from now on; left out, they stay. Takes the permission spaces.assign."`
	Reason string   `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

func exampleSpacesAssigned() domain.Event {
	return organization.SpacesAssigned{OrganizationID: exampleOrganization, AccountID: exampleGrace, Before: []domain.SpaceID{}, After: []domain.SpaceID{exampleSpace}}
}

func (a *API) addEditing() {
	assign := []domain.Code{domain.CodeNotOffered, domain.CodeTooManySpaces}
	add(a, route{
		id: "assign-spaces", method: http.MethodPut, path: "/v1/organizations/{org}/members/{user}/spaces", tag: "Spaces", access: Member(domain.AssignSpaces), status: http.StatusOK, etag: true,
		summary: "Say which spaces a member may enter", description: "Work in other spaces is released. For whose role opens every space, it shows when they get another role.",
		codes:    append([]domain.Code{domain.CodeMemberRemoved}, assign...),
		request:  assignmentBody{Spaces: []string{exampleSpace}},
		response: exampleReceipt(exampleSpacesAssigned()),
	}, a.assignSpaces)
	add(a, route{
		id: "assign-invitation-spaces", method: http.MethodPut, path: "/v1/organizations/{org}/invitations/{invitation}/spaces", tag: "Spaces", access: Member(domain.AssignSpaces), status: http.StatusOK, etag: true,
		summary: "Say which spaces an invitee may enter", description: "As soon as they are a member; spaces that are deleted until then are left out. A resend keeps them.",
		codes:   assign,
		request: assignmentBody{Spaces: []string{exampleSpace}},
		response: exampleReceipt(organization.InvitationSpacesChanged{
			OrganizationID: exampleOrganization, InvitationID: exampleInvitation, Before: []domain.SpaceID{}, After: []domain.SpaceID{exampleSpace},
		}),
	}, a.assignInvitationSpaces)
	add(a, route{
		id: "edit-member", method: http.MethodPatch, path: "/v1/organizations/{org}/members/{user}", tag: "Members", access: Member(domain.AssignSpaces), status: http.StatusOK, etag: true,
		summary: "Edit roles and spaces of a member", description: "Both are changed, or neither. With spaces alone, or with roles that are the same as before, it takes no permission to change roles; with roles alone, no other.",
		codes: append([]domain.Code{
			domain.CodeMemberRemoved, domain.CodeOwnerProtected, domain.CodeRoleCount, domain.CodeRoleUnknown,
			domain.CodeRoleNotGranted, domain.CodeMemberProtected, domain.CodeLastAdmin, domain.CodeOwnRolesFixed,
		}, assign...),
		request:  editBody{Roles: []string{"USER"}, Spaces: []string{exampleSpace}},
		response: exampleReceipt(exampleRolesChanged(), exampleSpacesAssigned()),
	}, a.editMember)
}

func (a *API) assignSpaces(ctx context.Context, c *call, in *struct {
	MemberPath
	CommandHeaders
	Body assignmentBody
}) (answer, error) {
	var k checks
	spaces := k.spaces("spaces", in.Body.Spaces)
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	done, err := do.AssignSpaces(ctx, r, c.organization(), c.member(), spaces)
	return commanded(done, err, plainly)
}

func (a *API) assignInvitationSpaces(ctx context.Context, c *call, in *struct {
	InvitationPath
	CommandHeaders
	Body assignmentBody
}) (answer, error) {
	var k checks
	spaces := k.spaces("spaces", in.Body.Spaces)
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	done, err := do.AssignInvitationSpaces(ctx, r, c.organization(), c.invitation(), spaces)
	return commanded(done, err, plainly)
}

func (a *API) editMember(ctx context.Context, c *call, in *struct {
	MemberPath
	CommandHeaders
	Body editBody
}) (answer, error) {
	var k checks
	var roles []domain.Role // nil for those that stay
	if in.Body.Roles != nil {
		roles = k.roles(in.Body.Roles, "")
	}
	spaces := k.spaces("spaces", in.Body.Spaces)
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	done, err := do.EditMember(ctx, r, c.organization(), c.member(), roles, spaces)
	return commanded(done, err, plainly)
}
