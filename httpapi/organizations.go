package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/projections"
)

// OrgPath is the input of routes below an organization. (The types that inputs
// and answers embed are exported because Huma passes others over.)
type OrgPath struct {
	Org string `path:"org" doc:"The organization's id." example:"0190d5a1-7c3e-7b4a-9d2f-1e6b8a4c0d11"`
}

type activateBody struct {
	Name     string `json:"name" maxLength:"400" doc:"Unique; case and spaces do not tell names apart. At most 100 characters."`
	Policy   string `json:"policy,omitempty" maxLength:"100" doc:"The rules of the organization; default ownership, or the first of the policies that the server offers."`
	Username string `json:"username,omitempty" maxLength:"256" doc:"The founder's name inside the organization; default what stands before the @ of the e-mail address."`
	Reason   string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type renameBody struct {
	Name   string `json:"name" maxLength:"400" doc:"Unique; case and spaces do not tell names apart. At most 100 characters."`
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

// reasonBody is the body of commands that need none.
type reasonBody struct {
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

func (b *reasonBody) reason() string {
	if b == nil {
		return ""
	}
	return b.Reason
}

type activated struct {
	OrganizationID domain.OrganizationID `json:"organization_id" format:"uuid"`
	Receipt
}

// organizationBody is the view's document and what the caller may do.
type organizationBody struct {
	projections.Organization
	YourRoles       []domain.Role       `json:"your_roles" doc:"Of the caller; none for an operator."`
	YourPermissions []domain.Permission `json:"your_permissions" doc:"What these roles allow."`
}

func exampleOrganizationDocument() projections.Organization {
	return projections.Organization{
		OrganizationID: exampleOrganization, Name: "Analytical Engines", Policy: "ownership", PolicyVersion: 1,
		Status: "active", Members: 2, OpenInvitations: 1, CreatedAt: exampleTime(),
	}
}

func (a *API) addOrganizations() {
	add(a, route{
		id: "activate-organization", method: http.MethodPost, path: "/v1/organizations", tag: "Organizations", access: SignedIn(), status: http.StatusCreated, created: true, etag: true,
		summary: "Activate an organization", description: "The account that is signed in becomes its first member, with the founder's roles of the policy.",
		codes:   []domain.Code{domain.CodeNameTaken, domain.CodeUsernameNeeded, domain.CodeEmailUnverified, domain.CodeRoleExclusive},
		request: activateBody{Name: "Analytical Engines", Policy: "ownership", Username: "ada"},
		response: activated{exampleOrganization, exampleReceipt(organization.Activated{
			OrganizationID: exampleOrganization, Name: "Analytical Engines", Policy: "ownership", PolicyVersion: 1,
			AccountID: exampleAda, Email: "ada@example.com", Username: "ada", DisplayName: "Ada Lovelace", Roles: []domain.Role{"OWNER"},
		})},
	}, a.activateOrganization)
	add(a, route{
		id: "get-organization", method: http.MethodGet, path: "/v1/organizations/{org}", tag: "Organizations", access: Member(domain.ReadOrganization), status: http.StatusOK, etag: true,
		summary: "One organization", description: "With the caller's own roles, and what they allow.",
		response: organizationBody{exampleOrganizationDocument(), []domain.Role{"USER"}, []domain.Permission{domain.ReadOrganization, "app:delivery.manage"}},
	}, a.getOrganization)
	add(a, route{
		id: "rename-organization", method: http.MethodPatch, path: "/v1/organizations/{org}", tag: "Organizations", access: Member(domain.UpdateOrganization), status: http.StatusOK, etag: true,
		summary: "Rename an organization", description: "The name before becomes free for others.",
		codes:    []domain.Code{domain.CodeNameTaken},
		request:  renameBody{Name: "Difference Engines"},
		response: exampleReceipt(organization.Renamed{OrganizationID: exampleOrganization, Before: "Analytical Engines", After: "Difference Engines"}),
	}, a.renameOrganization)
}

func (a *API) activateOrganization(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body activateBody
}) (answer, error) {
	var k checks
	name := k.organizationName("name", in.Body.Name)
	username := k.username("username", in.Body.Username)
	if err := k.err(); err != nil {
		return answer{}, err
	}
	if username == "" {
		local, _, _ := strings.Cut(string(c.caller.Account.Email), "@")
		username = k.username("username", local)
		if err := k.err(); err != nil {
			return answer{}, err
		}
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	id, done, err := do.ActivateOrganization(ctx, r, in.Body.Policy, name, username)
	ans, err := commanded(done, err, func(r Receipt) any { return activated{id, r} })
	ans.location = "/v1/organizations/" + string(id)
	return ans, err
}

func (a *API) getOrganization(ctx context.Context, c *call, _ *struct {
	OrgPath
	AsOfInput
	ViewHeaders
}) (answer, error) {
	tag, err := a.currentETag(ctx, c.membership.Expected)
	if err != nil {
		return answer{}, err
	}
	document, err := a.reader(c).Organization(ctx, c.organization())
	if err != nil {
		return answer{}, err
	}
	yours := struct {
		YourRoles       []domain.Role       `json:"your_roles"`
		YourPermissions []domain.Permission `json:"your_permissions"`
	}{[]domain.Role{}, []domain.Permission{}}
	if rules, roles := c.standing(); rules != nil {
		yours.YourRoles, yours.YourPermissions = roles, rules.Permissions(roles)
	}
	raw, err := joinObjects(document, yours)
	return answer{raw: raw, etag: tag}, err
}

// joinObjects adds the fields of more to a JSON object.
func joinObjects(object []byte, more any) ([]byte, error) {
	tail, err := json.Marshal(more)
	if err != nil {
		return nil, err
	}
	joined := make([]byte, 0, len(object)+len(tail))
	joined = append(append(joined, object[:len(object)-1]...), ',')
	return append(joined, tail[1:]...), nil
}

func (a *API) renameOrganization(ctx context.Context, c *call, in *struct {
	OrgPath
	CommandHeaders
	Body renameBody
}) (answer, error) {
	var k checks
	name := k.organizationName("name", in.Body.Name)
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	receipt, err := do.RenameOrganization(ctx, r, c.organization(), name)
	return commanded(receipt, err, plainly)
}
