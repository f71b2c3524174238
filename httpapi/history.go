package httpapi

import (
	"context"
	"net/http"
	"time"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/projections"
)

// TimelineInput is what both histories can be asked for.
type TimelineInput struct {
	PageInput
	Order string    `query:"order" enum:"desc,asc" doc:"Default desc: the newest first."`
	Type  string    `query:"type" maxLength:"100" doc:"Only events whose type begins with this." example:"organization.roles_changed"`
	Since time.Time `query:"since" doc:"Only events that happened then or later." example:"2031-03-01T00:00:00Z"`
	Until time.Time `query:"until" doc:"Only events that happened before." example:"2031-04-01T00:00:00Z"`
}

// historyEntry is a projections.TimelineEntry as its JSON is.
type historyEntry struct {
	Position    string              `json:"position" doc:"In the log; opaque, and growing."`
	Stream      string              `json:"stream" enum:"organization,invitation,webhook"`
	Revision    eventstore.Revision `json:"revision" doc:"In that stream."`
	Type        string              `json:"type"`
	At          time.Time           `json:"at"`
	Actor       domain.Actor        `json:"actor" doc:"By whose decision."`
	Reason      string              `json:"reason,omitempty" doc:"The actor's own words."`
	Correlation string              `json:"correlation,omitempty" doc:"The X-Request-Id of the request that it began with."`
	CausedBy    string              `json:"caused_by,omitempty" doc:"The id of the event that led to this one."`
	Data        map[string]any      `json:"data" doc:"What has changed, with the values before and after. Of settings that it takes a permission to read which you do not have, only that they have: withheld is true then."`
	Roles       *rolesMoved         `json:"roles,omitempty" doc:"Of a change of policy, in the history of a member: the member's own roles."`
}

type rolesMoved struct {
	Before []domain.Role `json:"before"`
	After  []domain.Role `json:"after"`
}

func (a *API) addHistory() {
	shown := exampleReceipt(exampleRolesChanged()).Events[0]
	example := list[historyEntry]{Items: []historyEntry{{
		Position: "1042", Stream: "organization", Revision: 7, Type: shown.Type, At: exampleTime(), Actor: domain.ByAccount(exampleAda),
		Reason: "Takes over the office in Paris.", Correlation: exampleSession, Data: shown.Data,
	}}}
	add(a, route{
		id: "organization-history", method: http.MethodGet, path: "/v1/organizations/{org}/history", tag: "Organizations", access: Member(domain.ReadHistory), status: http.StatusOK,
		summary: "History of an organization", description: "What has happened: when, by whom, why, caused by what. Of the addresses of webhooks only those who may manage webhooks see more than scheme and host.",
		codes: []domain.Code{domain.CodeInvalid}, response: example,
	}, a.organizationHistory)
	add(a, route{
		id: "member-history", method: http.MethodGet, path: "/v1/organizations/{org}/members/{user}/history", tag: "Members", access: MemberOrSelf(domain.ReadHistory), status: http.StatusOK,
		summary: "History of a member", description: "The events of the organization that are about the member. Every member may read their own.",
		codes: []domain.Code{domain.CodeInvalid}, response: example,
	}, a.memberHistory)
}

func (a *API) organizationHistory(ctx context.Context, c *call, in *struct {
	OrgPath
	TimelineInput
}) (answer, error) {
	return a.timeline(ctx, c, in.query(c))
}

func (a *API) memberHistory(ctx context.Context, c *call, in *struct {
	MemberPath
	TimelineInput
}) (answer, error) {
	q := in.query(c)
	q.Account = c.member()
	return a.timeline(ctx, c, q)
}

func (a *API) timeline(ctx context.Context, c *call, q projections.TimelineQuery) (answer, error) {
	found, err := a.config.Reader.Timeline(ctx, q)
	if err == nil {
		found, err = found.ShownTo(c.reads)
	}
	return a.withoutAddresses(c, found, err)
}

func (in TimelineInput) query(c *call) projections.TimelineQuery {
	return projections.TimelineQuery{
		Organization: c.organization(), Type: in.Type, Since: in.Since, Until: in.Until, Order: in.Order, Cursor: in.Cursor, Limit: in.Limit,
		NeverMoved: c.membership.NeverMoved,
	}
}
