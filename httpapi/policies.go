package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"tenure/domain"
	"tenure/domain/apikey"
	"tenure/domain/organization"
	"tenure/domain/publication"
)

type publishBody struct {
	Document string `json:"document" doc:"The policy's YAML, at most 64 KiB. It may be the whole body instead, with the Content-Type application/yaml."`
	Reason   string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type policyPublished struct {
	Policy  string `json:"policy" doc:"The name that organizations are put under it by." example:"school"`
	Version int    `json:"version" example:"1"`
	Receipt
}

type policyListed struct {
	Policy  string `json:"policy" example:"school"`
	Version int    `json:"version" example:"1"`
	Summary string `json:"summary" doc:"One line for people."`
	BuiltIn bool   `json:"built_in" doc:"It comes with Tenure; otherwise an operator has published it."`
}

type moveBody struct {
	Policy  string              `json:"policy" maxLength:"100" doc:"The name of the policy."`
	Version int                 `json:"version,omitempty" minimum:"0" doc:"Of the policy; left out for the newest."`
	Roles   map[string][]string `json:"roles,omitempty" doc:"What each role becomes: its name in the policy before, and a list of names in the new one. A role that has the same name in both stays what it is unless it stands here."`
	NoRole  []string            `json:"no_role,omitempty" maxItems:"20" doc:"What those get who have no role, where the new policy asks for one: members, and open invitations. Left out, they still have none."`
	Reason  string              `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

// exampleDocument is a policy with as little as it takes.
const exampleDocument = `name: school
version: 1
summary: Teachers and pupils.
roles:
  - name: TEACHER
    summary: Manages everybody.
    admin_like: true
    grants: [TEACHER, PUPIL]
    manages: [TEACHER, PUPIL]
    permissions: [organization.read, members.read, members.invite, members.change_roles, members.remove]
  - name: PUPIL
    summary: Learns.
    permissions: [organization.read]
members:
  founder_roles: [TEACHER]
  minimum_admins: 1
invitations:
  lifetime: 7 days
`

func (a *API) addPolicies() {
	operator := Operator(apikey.ScopeOperator)
	add(a, route{
		id: "publish-policy", method: http.MethodPost, path: "/v1/operator/policies", tag: "Operator", access: operator, status: http.StatusCreated, created: true, yaml: true,
		summary: "Publish a policy", description: "Organizations may be put under it from then on, at every node. A version never changes: a change is the next version. The same document again changes nothing. Everything that is wrong with a document is in one answer, with its line.",
		codes:    []domain.Code{domain.CodePolicyVersion, domain.CodePolicyBuiltIn},
		request:  publishBody{Document: exampleDocument, Reason: "For the schools."},
		response: policyPublished{"school", 1, exampleReceipt(publication.Published{Name: "school", Version: 1, Document: exampleDocument})},
	}, a.publishPolicy)
	add(a, route{
		id: "list-policies", method: http.MethodGet, path: "/v1/operator/policies", tag: "Operator", access: operator, status: http.StatusOK,
		summary: "Policies", description: "Every version of every policy, those that come with Tenure and those that were published, by name, the newest version first. The list is as new as the log, and whole.",
		response: list[policyListed]{Items: []policyListed{{"school", 1, "Teachers and pupils.", false}}},
	}, a.listPolicies)
	add(a, route{
		id: "get-policy-document", method: http.MethodGet, path: "/v1/operator/policies/{name}/{version}", tag: "Operator", access: operator, status: http.StatusOK,
		words: []string{"name", "version"}, contentType: yamlTypes[0],
		summary: "The document of a policy", description: "The YAML that a version of a policy was read from.",
		response: exampleDocument,
	}, a.getPolicyDocument)
	changed := organization.PolicyChanged{
		OrganizationID: exampleOrganization, Before: organization.PolicyVersion{Policy: "ownership", Version: 1}, After: organization.PolicyVersion{Policy: "school", Version: 1},
		Roles: map[domain.Role][]domain.Role{"OWNER": {"TEACHER"}, "ADMIN": {"TEACHER"}, "USER": {"PUPIL"}, "VIEWER": {"PUPIL"}},
	}
	add(a, route{
		id: "move-organization", method: http.MethodPut, path: "/v1/operator/organizations/{org}/policy", tag: "Operator", access: operator, status: http.StatusOK, etag: true,
		summary: "Put an organization under another policy", description: "Or under another version of its own. Every role that a member or an open invitation has becomes what roles says, in one event; from then on the new policy decides. What would break the new policy's rules is refused. An organization that is under it already is left as it is.",
		codes: []domain.Code{
			domain.CodePolicyImpossible, domain.CodeRoleUnknown, domain.CodeRoleUnmapped, domain.CodeRoleCount, domain.CodeLastAdmin,
			domain.CodeSeatsTooFew, domain.CodeTooMuchWork, domain.CodeRoleExclusive, domain.CodeOrganizationClosed,
		},
		request:  moveBody{Policy: "school", Roles: map[string][]string{"OWNER": {"TEACHER"}, "ADMIN": {"TEACHER"}, "USER": {"PUPIL"}, "VIEWER": {"PUPIL"}}, Reason: "Has become a school."},
		response: exampleReceipt(changed),
	}, a.moveOrganization)
	a.addPolicyShown()
}

func (a *API) publishPolicy(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body publishBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	p, done, err := do.PublishPolicy(ctx, r, []byte(in.Body.Document))
	if err != nil {
		return answer{}, err
	}
	ans, err := commanded(done, nil, func(r Receipt) any { return policyPublished{p.Name, p.Version, r} })
	ans.etag = ""
	ans.location = c.fiber.Path() + "/" + p.Name + "/" + strconv.Itoa(p.Version)
	return ans, err
}

func (a *API) listPolicies(ctx context.Context, _ *call, _ *struct{}) (answer, error) {
	all, err := a.config.Commands.ListPolicies(ctx)
	listed := make([]policyListed, len(all))
	for i, p := range all {
		listed[i] = policyListed{p.Name, p.Version, p.Summary, p.BuiltIn}
	}
	return answer{body: list[policyListed]{Items: listed}}, err
}

func (a *API) getPolicyDocument(ctx context.Context, c *call, in *struct {
	Name    string `path:"name" doc:"The policy's name." example:"school"`
	Version string `path:"version" doc:"A version of it." example:"1"`
}) (answer, error) {
	version, err := strconv.Atoi(in.Version)
	if err != nil {
		version = 0 // there is none
	}
	document, err := a.config.Commands.PolicyDocument(ctx, in.Name, version)
	return answer{raw: document, contentType: yamlTypes[0]}, err
}

func (a *API) moveOrganization(ctx context.Context, c *call, in *struct {
	OrgPath
	CommandHeaders
	Body moveBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	m := organization.Move{Roles: make(map[domain.Role][]domain.Role, len(in.Body.Roles)), NoRole: roleNames(in.Body.NoRole)}
	for name, become := range in.Body.Roles {
		m.Roles[domain.Role(name)] = roleNames(become)
	}
	receipt, err := do.MoveOrganization(ctx, r, c.organization(), in.Body.Policy, in.Body.Version, m)
	return commanded(receipt, err, plainly)
}

func roleNames(names []string) []domain.Role {
	roles := make([]domain.Role, len(names))
	for i, name := range names {
		roles[i] = domain.Role(name)
	}
	return roles
}
