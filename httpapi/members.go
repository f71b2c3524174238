package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/projections"
)

// MemberPath is the input of routes below a member.
type MemberPath struct {
	OrgPath
	User string `path:"user" doc:"The id of the member's account." example:"0190d5a1-93d4-7c21-a2d4-6e8f0a3b5c33"`
}

type membersInput struct {
	OrgPath
	PageInput
	AsOfInput
	Q       string `query:"q" maxLength:"200" doc:"Beginnings of words in display name, username and e-mail address; all have to be found." example:"gra"`
	Role    string `query:"role" maxLength:"100" doc:"Only holders of this role." example:"ADMIN"`
	Status  string `query:"status" enum:"active,suspended,pending,invited,removed,present" doc:"Default active. pending: those who ask to join; it takes requests.read to see them. invited: people whose invitation is open, as members in waiting. present: all but those who were removed."`
	Include string `query:"include" enum:"profile" doc:"profile adds avatar_url, and last_active_at: when a session of the account was started, or found in use, which is recorded once a day."`
	Sort    string `query:"sort" enum:"display_name,-display_name,joined_at,-joined_at" doc:"Default display_name. Not together with q."`
}

type rolesBody struct {
	Roles  []string `json:"roles" maxItems:"20" doc:"All roles that the member has from now on."`
	Reason string   `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

func exampleMember() projections.Member {
	return projections.Member{
		AccountID: exampleGrace, Email: "grace@example.com", Username: "grace", DisplayName: "Grace Hopper", Roles: []domain.Role{"USER"},
		Status: organization.Active, JoinedAt: exampleTime(), InvitedBy: exampleAda, InvitationID: exampleInvitation,
	}
}

func (a *API) addMembers() {
	add(a, route{
		id: "list-members", method: http.MethodGet, path: "/v1/organizations/{org}/members", tag: "Members", access: Member(domain.ReadMembers), status: http.StatusOK,
		summary: "Members of an organization", description: "A page; searched, filtered and sorted.",
		codes:    []domain.Code{domain.CodeInvalid},
		response: list[memberBody]{Items: []memberBody{{exampleMember(), nil}}, NextCursor: exampleCursor},
	}, a.listMembers)
	add(a, route{
		id: "get-member", method: http.MethodGet, path: "/v1/organizations/{org}/members/{user}", tag: "Members", access: MemberOrSelf(domain.ReadMembers), status: http.StatusOK, etag: true,
		summary: "One member", description: "Also one that was removed. Every member may read their own record.",
		response: memberBody{exampleMember(), nil},
	}, a.getMember)
	add(a, route{
		id: "change-roles", method: http.MethodPut, path: "/v1/organizations/{org}/members/{user}/roles", tag: "Members", access: Member(domain.ChangeRoles), status: http.StatusOK, etag: true,
		summary: "Change a member's roles", description: "Takes effect at once.",
		codes: []domain.Code{
			domain.CodeMemberRemoved, domain.CodeOwnerProtected, domain.CodeRoleCount, domain.CodeRoleUnknown,
			domain.CodeRoleNotGranted, domain.CodeMemberProtected, domain.CodeLastAdmin, domain.CodeOwnRolesFixed, domain.CodeRoleExclusive,
		},
		request:  rolesBody{Roles: []string{"ADMIN"}, Reason: "Takes over the office in Paris."},
		response: exampleReceipt(exampleRolesChanged()),
	}, a.changeRoles)
	add(a, route{
		id: "remove-member", method: http.MethodDelete, path: "/v1/organizations/{org}/members/{user}", tag: "Members", access: Member(domain.RemoveMembers), status: http.StatusOK, etag: true,
		summary: "Remove a member", description: "Takes effect at once. The account stays; only a new invitation leads back. Oneself, where the policy lets members leave: that takes no permission, and does not wait for the end of a suspension. The last member stays.",
		codes: []domain.Code{
			domain.CodeMemberRemoved, domain.CodeOwnerProtected, domain.CodeSelfRemoval, domain.CodeMemberProtected, domain.CodeLastAdmin,
			domain.CodeNotOffered,
		},
		request:  reasonBody{"Left the company."},
		response: exampleReceipt(organization.MemberRemoved{OrganizationID: exampleOrganization, AccountID: exampleGrace, Roles: []domain.Role{"USER"}}),
	}, onMember(a, (*commands.Commands).RemoveMember))
}

// mayReadRequests refuses members who may not read who asks to join.
func (c *call) mayReadRequests() error {
	if p := c.membership.Policy; p != nil && !p.Allows(c.membership.Roles, domain.ReadRequests) {
		return denied("Ask an administrator of the organization for a role that allows " + string(domain.ReadRequests) + ".")
	}
	return nil
}

func (a *API) listMembers(ctx context.Context, c *call, in *membersInput) (answer, error) {
	if in.Status == string(projections.Pending) {
		if err := c.mayReadRequests(); err != nil {
			return answer{}, err
		}
	}
	allSpaces, err := a.allSpaces(ctx, c)
	if err != nil {
		return answer{}, err
	}
	if c.past != nil && in.Include != "" {
		return answer{}, domain.Invalid("include", "Leave include out with as_of: profiles are of the accounts, not of the organization's history.")
	}
	found, err := a.reader(c).Members(ctx, projections.MembersQuery{
		Organization: c.organization(), Q: in.Q, Role: in.Role, Status: in.Status, Sort: in.Sort, Cursor: in.Cursor, Limit: in.Limit,
		AllSpaces: projections.RoleList(allSpaces), WithProfile: in.Include == "profile", NeverMoved: c.membership.NeverMoved,
	})
	if err != nil {
		return answer{}, err
	}
	return a.withEffectiveRoles(ctx, c, c.bound(found))
}

func (a *API) getMember(ctx context.Context, c *call, _ *struct {
	MemberPath
	AsOfInput
	ViewHeaders
}) (answer, error) {
	tag, err := a.currentETag(ctx, c.membership.Expected)
	if err != nil {
		return answer{}, err
	}
	allSpaces, err := a.allSpaces(ctx, c)
	if err != nil {
		return answer{}, err
	}
	document, err := a.reader(c).Member(ctx, c.organization(), c.member(), allSpaces...)
	if err != nil {
		return answer{}, err
	}
	var m struct{ Status organization.Status }
	if err := json.Unmarshal(document, &m); err != nil {
		return answer{}, err
	}
	if m.Status == projections.Pending {
		if err := c.mayReadRequests(); err != nil {
			return answer{}, err
		}
	}
	p, err := a.policyOf(ctx, c)
	if err == nil && p.Implies() {
		document, err = addEffectiveRoles(p, document)
	}
	return answer{raw: document, etag: tag}, err
}

// allSpaces are the roles whose holders may enter every space.
func (a *API) allSpaces(ctx context.Context, c *call) ([]domain.Role, error) {
	rules := c.membership.Policy
	if c.past != nil {
		rules = c.past.Rules
	}
	if rules == nil { // for an operator
		var err error
		if rules, err = a.config.Commands.Rules(ctx, c.organization()); err != nil {
			return nil, err
		}
	}
	if rules.Spaces == nil {
		return nil, nil
	}
	var all []domain.Role
	for _, role := range rules.Roles {
		if rules.AllSpaces([]domain.Role{role.Name}) {
			all = append(all, role.Name)
		}
	}
	return all, nil
}

func (a *API) changeRoles(ctx context.Context, c *call, in *struct {
	MemberPath
	CommandHeaders
	Body rolesBody
}) (answer, error) {
	var k checks
	roles := k.roles(in.Body.Roles, "")
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	receipt, err := do.ChangeRoles(ctx, r, c.organization(), c.member(), roles)
	return commanded(receipt, err, plainly)
}

// memberInput is the input of a command about a member that takes a reason only.
type memberInput struct {
	MemberPath
	CommandHeaders
	Body *reasonBody
}

// onMember makes the handler of such a command.
func onMember(a *API, give func(*commands.Commands, context.Context, commands.Request, domain.OrganizationID, domain.AccountID) (commands.Receipt, error)) func(context.Context, *call, *memberInput) (answer, error) {
	return func(ctx context.Context, c *call, in *memberInput) (answer, error) {
		do, r, err := a.request(c, in.Body.reason())
		if err != nil {
			return answer{}, err
		}
		receipt, err := give(do, ctx, r, c.organization(), c.member())
		return commanded(receipt, err, plainly)
	}
}
