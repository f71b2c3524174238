package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/history"
)

const csvType = "text/csv; charset=utf-8"

type diffInput struct {
	OrgPath
	From   string `query:"from" required:"true" maxLength:"40" doc:"An instant (RFC 3339) or a position; before the organization was founded, all is new." example:"2031-03-01T00:00:00Z"`
	To     string `query:"to" maxLength:"40" doc:"The same; default now." example:"2031-04-01T00:00:00Z"`
	Format string `query:"format" enum:"json,csv" doc:"Default what the header Accept prefers, or else json."`
}

type reviewInput struct {
	OrgPath
	AsOf   string `query:"as_of" maxLength:"40" doc:"An instant (RFC 3339) or a position; default now." example:"2031-03-03T12:00:00Z"`
	Format string `query:"format" enum:"html,csv" doc:"Default what the header Accept prefers, or else html."`
}

type diffBody struct {
	From  diffPoint    `json:"from"`
	To    diffPoint    `json:"to"`
	Items []changeBody `json:"items" doc:"In the order of the events that decided them; at most 20,000."`
}

type diffPoint struct {
	Position string     `json:"position,omitempty" doc:"Of the organization's last event by then; missing before it was founded."`
	At       *time.Time `json:"at,omitempty" doc:"When that took effect."`
}

type changeBody struct {
	Change       history.Kind        `json:"change" enum:"joined,rejoined,left,roles_changed,suspended,reactivated,renamed,spaces_assigned,requested,requested_again,request_closed,invitation_opened,invitation_resent,invitation_changed,invitation_closed,space_created,space_renamed,space_deleted,organization_renamed,organization_deleted,policy_changed"`
	Name         string              `json:"name" doc:"Whom or what it is about, for people."`
	AccountID    domain.AccountID    `json:"account_id,omitempty"`
	InvitationID domain.InvitationID `json:"invitation_id,omitempty"`
	SpaceID      domain.SpaceID      `json:"space_id,omitempty"`
	Before       *history.Value      `json:"before,omitempty" doc:"What was so at from, as far as it has changed; missing for nothing. Of a change of what has come since, what was so when it came."`
	After        *history.Value      `json:"after,omitempty" doc:"What was so at to; missing for nothing."`
	Event        explainedEvent      `json:"event" doc:"Who decided it, when and why: the last event that made it so. What joined, was opened or was created is shown as it began, by the event that began it; what has become of it since are changes of their own, each with its event."`
}

func (a *API) addPasts() {
	roles := exampleRolesChanged().(organization.RolesChanged)
	began, ended := exampleTime().AddDate(0, 0, -2), exampleTime()
	example := diffBody{From: diffPoint{"1017", &began}, To: diffPoint{"1042", &ended}, Items: []changeBody{{
		Change: history.RolesChanged, Name: "Grace Hopper", AccountID: exampleGrace, Before: &history.Value{Roles: roles.Before}, After: &history.Value{Roles: roles.After},
		Event: exampleExplanation().Member.Roles[0].Given,
	}}}
	codes := []domain.Code{domain.CodeInvalid, codeAheadOfLog, codeNotFounded, codeHistoryBusy, codeReportTooLarge}
	add(a, route{
		id: "history-diff", method: http.MethodGet, path: "/v1/organizations/{org}/history/diff", tag: "Organizations", access: Member(domain.ReadHistory), status: http.StatusOK,
		summary:     "What has changed between two moments",
		description: "The difference of what the organization was at the one and at the other: who joined, left, asks to join, got other roles, and so on, each with the event that decided it. What began and ended in between is not in it; the history has that.",
		codes:       codes, response: example, streams: []stream{{contentType: csvType, says: "The same as a table.", example: "…"}},
	}, a.historyDiff)
	add(a, route{
		id: "history-review", method: http.MethodGet, path: "/v1/organizations/{org}/history/review", tag: "Organizations", access: Member(domain.ReadHistory), status: http.StatusOK,
		summary:     "Access review",
		description: "Who could do what, since when and by whose decision: a page to print and go through, or a table. Besides history.read it takes members.read of members.",
		codes:       codes, response: "<!doctype html>…", contentType: "text/html; charset=utf-8", streams: []stream{{contentType: csvType, says: "The same as a table.", example: "…"}},
	}, a.historyReview)
}

func (a *API) historyDiff(ctx context.Context, c *call, in *diffInput) (answer, error) {
	from, err := history.ParseMoment("from", in.From)
	if err != nil {
		return answer{}, err
	}
	var to history.Moment
	if c.asks("to") {
		if to, err = history.ParseMoment("to", in.To); err != nil {
			return answer{}, err
		}
	}
	d, err := a.config.History.Diff(ctx, c.organization(), from, to)
	if err != nil {
		return answer{}, err
	}
	ans := answer{position: d.To.Position}
	if from.Position > 0 && to.Position > 0 {
		ans.cache = pastCache
	}
	c.fiber.Vary("Accept")
	if c.prefers(in.Format, "json", "csv") == "csv" {
		ans.raw, err = d.CSV()
		ans.contentType = csvType
		return ans, err
	}
	ans.body = shownDiff(d)
	return ans, nil
}

// ShownDiff is a difference as the API answers with it, to be encoded as JSON.
func ShownDiff(d history.Diff) any { return shownDiff(d) }

func shownDiff(d history.Diff) diffBody {
	point := func(p history.Point) diffPoint {
		if p.Position == 0 {
			return diffPoint{}
		}
		return diffPoint{digits(p.Position), &p.At}
	}
	body := diffBody{From: point(d.From), To: point(d.To), Items: make([]changeBody, len(d.Changes))}
	for i, x := range d.Changes {
		body.Items[i] = changeBody{x.Kind, x.Name, x.Account, x.Invitation, x.Space, x.Before, x.After, shownEvent(x.Event)}
	}
	return body
}

func (a *API) historyReview(ctx context.Context, c *call, in *reviewInput) (answer, error) {
	if p := c.membership.Policy; p != nil && !p.Allows(c.membership.Roles, domain.ReadMembers) {
		return answer{}, denied("Ask an administrator of the organization for a role that allows " + string(domain.ReadMembers) + ".")
	}
	var moment history.Moment
	var err error
	if c.asks("as_of") {
		if moment, err = history.ParseMoment("as_of", in.AsOf); err != nil {
			return answer{}, err
		}
	}
	r, err := a.config.History.Review(ctx, c.organization(), moment)
	if err != nil {
		return answer{}, err
	}
	ans := answer{position: r.Position}
	if moment.Position > 0 {
		ans.cache = pastCache
	}
	c.fiber.Vary("Accept")
	if c.prefers(in.Format, "html", "csv") == "csv" {
		ans.raw, err = r.CSV()
		ans.contentType = csvType
		return ans, err
	}
	ans.contentType, ans.policy = "text/html; charset=utf-8", history.ReviewPolicy
	r.RestsOn = []string{"Made by the server from its log as it is. What proves the log: tenure audit verify, or an export of it."}
	ans.raw, err = r.HTML()
	return ans, err
}

// prefers is which of two forms to answer in: the one that the query names, or
// the one that the header Accept does, or the usual one.
func (c *call) prefers(format, usual, other string) string {
	if format != "" {
		return format
	}
	types := map[string]string{"csv": "text/csv", "json": "application/json", "html": "text/html"}
	accept := strings.ToLower(c.fiber.Get("Accept"))
	at := func(form string) int { return strings.Index(accept, types[form]) }
	if at(other) >= 0 && (at(usual) < 0 || at(other) < at(usual)) {
		return other
	}
	return usual
}
