package httpapi

import (
	"context"
	"net/http"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/projections"
)

type selectBody struct {
	OrganizationID string `json:"organization_id" maxLength:"36" doc:"One that the account is a member of; empty for the personal space."`
}

// addOnboarding adds the routes for what people are onboarded to by signing in:
// where they work, what they ask for by their address, and which e-mail domain an
// organization holds.
func (a *API) addOnboarding() {
	org := domain.OrganizationID(exampleOrganization)
	at := exampleTime()
	add(a, route{
		id: "select-organization", method: http.MethodPut, path: "/v1/me/organization", tag: "Accounts", access: SignedIn(), status: http.StatusOK, etag: true,
		summary: "Pick the organization to work in", description: "GET /v1/me shows it as long as the account has access to it, and the personal space from then on.",
		codes:   []domain.Code{domain.CodeNotFound, domain.CodeMemberSuspended, domain.CodeOrganizationClosed, domain.CodeEmailUnverified},
		request: selectBody{exampleOrganization}, response: exampleReceipt(),
	}, a.selectOrganization)
	add(a, route{
		id: "list-my-join-requests", method: http.MethodGet, path: "/v1/me/join-requests", tag: "Accounts", access: SignedIn(), status: http.StatusOK,
		summary: "One's own requests to join", description: "Those that wait for a decision, in the order of asking. Whoever signs in with an e-mail domain that an organization holds asks by that.",
		codes: []domain.Code{domain.CodeInvalid},
		response: list[myOrganization]{Items: []myOrganization{{
			projections.Membership{OrganizationID: org, Roles: []domain.Role{}, Status: projections.Pending, RequestedAt: &at}, "Analytical Engines", "capabilities",
		}}},
	}, a.listMyRequests)
	add(a, route{
		id: "hold-email-domain", method: http.MethodPut, path: "/v1/organizations/{org}/email-domain", tag: "Requests", access: Member(domain.DecideRequests), status: http.StatusOK, etag: true,
		summary: "Hold the e-mail domain of one's own address", description: "Who signs in with it asks to join from then on. The address has to be proven, and its domain must be free and no public one. The domain before becomes free.",
		codes:    []domain.Code{domain.CodeNotOffered, domain.CodeEmailUnverified, domain.CodeDomainPublic, domain.CodeDomainTaken},
		request:  reasonBody{"We are one company now."},
		response: exampleReceipt(organization.EmailDomainChanged{OrganizationID: org, After: "engines.example"}),
	}, a.holdEmailDomain)
	add(a, route{
		id: "give-up-email-domain", method: http.MethodDelete, path: "/v1/organizations/{org}/email-domain", tag: "Requests", access: Member(domain.DecideRequests), status: http.StatusOK, etag: true,
		summary: "Give the e-mail domain up", description: "It is free for another organization. Requests that are open stay open. Does nothing where none is held.",
		request:  reasonBody{"The domain was sold."},
		response: exampleReceipt(organization.EmailDomainChanged{OrganizationID: org, Before: "engines.example"}),
	}, a.giveUpEmailDomain)
}

func (a *API) selectOrganization(ctx context.Context, c *call, in *struct {
	CommandHeaders
	Body selectBody
}) (answer, error) {
	var k checks
	if in.Body.OrganizationID != "" {
		k.id("organization_id", in.Body.OrganizationID)
	}
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, "")
	if err != nil {
		return answer{}, err
	}
	return ownAccount(do.SelectOrganization(ctx, r, domain.OrganizationID(in.Body.OrganizationID)))
}

func (a *API) listMyRequests(ctx context.Context, c *call, in *struct{ PageInput }) (answer, error) {
	return page(a.config.Reader.OwnRequests(ctx, projections.MembershipsQuery{Account: c.caller.Account.ID, Cursor: in.Cursor, Limit: in.Limit}))
}

func (a *API) holdEmailDomain(ctx context.Context, c *call, in *struct {
	OrgPath
	CommandHeaders
	Body *reasonBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.reason())
	if err != nil {
		return answer{}, err
	}
	receipt, err := do.HoldEmailDomain(ctx, r, c.organization())
	return commanded(receipt, err, plainly)
}

func (a *API) giveUpEmailDomain(ctx context.Context, c *call, in *struct {
	OrgPath
	CommandHeaders
	Body *reasonBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.reason())
	if err != nil {
		return answer{}, err
	}
	receipt, err := do.GiveUpEmailDomain(ctx, r, c.organization())
	return commanded(receipt, err, plainly)
}
