package httpapi

import (
	"context"
	"net/http"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/apikey"
	"tenure/domain/organization"
)

type limitsBody struct {
	Seats           *int `json:"seats,omitempty" doc:"Members that the organization may have; left out where the policy does not limit them." example:"10"`
	Taken           int  `json:"taken" doc:"Seats that are taken: members, suspended ones among them, and invitees who are just accepting." example:"4"`
	OpenInvitations int  `json:"open_invitations" doc:"Each takes a seat when it is accepted." example:"1"`
}

type seatsBody struct {
	Seats  int    `json:"seats" minimum:"0" maximum:"1000000" doc:"Members that the organization may have from now on; 0 for as many as its policy says."`
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

func (a *API) addLimits() {
	ten := 10
	add(a, route{
		id: "get-limits", method: http.MethodGet, path: "/v1/organizations/{org}/limits", tag: "Organizations", access: Member(domain.ReadOrganization), status: http.StatusOK,
		summary: "Limits of an organization", description: "How many members it may have and has.",
		response: limitsBody{Seats: &ten, Taken: 4, OpenInvitations: 1},
	}, a.getLimits)
	add(a, route{
		id: "change-organization-limits", method: http.MethodPatch, path: "/v1/operator/organizations/{org}", tag: "Operator", access: Operator(apikey.ScopeOperator), status: http.StatusOK, etag: true,
		summary: "Change the limits of an organization", description: "Raises or lowers the number of seats, not below those that are taken.",
		codes:    []domain.Code{domain.CodeSeatsTooFew, domain.CodeNotOffered, domain.CodeOrganizationClosed},
		request:  seatsBody{Seats: 25, Reason: "Has bought 15 more."},
		response: exampleReceipt(organization.SeatsChanged{OrganizationID: exampleOrganization, Before: 0, After: 25}),
	}, a.changeLimits)
}

func (a *API) getLimits(ctx context.Context, c *call, _ *struct {
	OrgPath
	AsOfInput
	ViewHeaders
}) (answer, error) {
	var limits commands.Limits
	var err error
	if c.past != nil {
		limits = commands.LimitsOf(c.past.Trail.State(), c.past.Rules)
	} else {
		limits, err = a.config.Commands.Limits(ctx, c.organization())
	}
	body := limitsBody{Taken: limits.Taken, OpenInvitations: limits.OpenInvitations}
	if limits.Seats > 0 {
		body.Seats = &limits.Seats
	}
	return answer{body: body}, err
}

func (a *API) changeLimits(ctx context.Context, c *call, in *struct {
	OrgPath
	CommandHeaders
	Body seatsBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	receipt, err := do.SetSeats(ctx, r, c.organization(), in.Body.Seats)
	return commanded(receipt, err, plainly)
}
