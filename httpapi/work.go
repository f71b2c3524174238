package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"tenure/domain"
	"tenure/domain/apikey"
	"tenure/domain/organization"
	"tenure/projections"
)

// WorkPath is the input of routes of a piece of work.
type WorkPath struct {
	MemberPath
	Kind string `path:"kind" doc:"The host product's word for the kind of work, at most 64 characters without spaces; percent-encoded." example:"contact"`
	Work string `path:"work" doc:"The host product's id of the piece of work, at most 200 characters without spaces; percent-encoded." example:"4711"`
}

type workInput struct {
	MemberPath
	PageInput
	Kind string `query:"kind" maxLength:"100" doc:"Only work of this kind." example:"contact"`
}

type workBody struct {
	SpaceID string `json:"space_id,omitempty" maxLength:"100" doc:"The space that the work is in; none if it is left out. The member has to be able to enter it."`
	Reason  string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

func (a *API) addWork() {
	access := MemberOrKey(domain.ManageWork, apikey.ScopeManageWork)
	const path = "/v1/organizations/{org}/members/{user}/work/{kind}/{work}"
	words := []string{"kind", "work"}
	add(a, route{
		id: "list-work", method: http.MethodGet, path: "/v1/organizations/{org}/members/{user}/work", tag: "Spaces", access: MemberOrSelf(domain.ManageWork), status: http.StatusOK,
		summary: "Work that is assigned to a member", description: "A page, by kind and id. Every member may read their own.",
		codes: []domain.Code{domain.CodeInvalid},
		response: list[projections.Work]{Items: []projections.Work{{
			AccountID: exampleGrace, Kind: "contact", WorkID: "4711", SpaceID: exampleSpace, AssignedAt: exampleTime(),
		}}},
	}, a.listWork)
	add(a, route{
		id: "assign-work", method: http.MethodPut, path: path, words: words, tag: "Spaces", access: access, status: http.StatusOK, etag: true,
		summary: "Assign work to a member", description: "For the host product, with an API key of the scope work.manage, and for members with the permission. Once it is assigned, it is released when the member leaves, or may not enter its space any more: history and events tell of each piece.",
		codes:   []domain.Code{domain.CodeMemberRemoved, domain.CodeMemberSuspended, domain.CodeTooMuchWork},
		request: workBody{Reason: "Asked for her."},
		response: exampleReceipt(organization.WorkAssigned{
			OrganizationID: exampleOrganization, AccountID: exampleGrace, Kind: "contact", WorkID: "4711", SpaceID: exampleSpace,
		}),
	}, a.assignWork)
	add(a, route{
		id: "release-work", method: http.MethodDelete, path: path, words: words, tag: "Spaces", access: access, status: http.StatusOK, etag: true,
		summary: "Release work of a member", description: "That is done, or given to somebody else. Work that is not assigned stays so.",
		codes:   []domain.Code{domain.CodeMemberRemoved},
		request: reasonBody{"Done."},
		response: exampleReceipt(organization.WorkReleased{
			OrganizationID: exampleOrganization, AccountID: exampleGrace, Kind: "contact", WorkID: "4711", SpaceID: exampleSpace, Cause: "finished",
		}),
	}, a.releaseWork)
}

func (a *API) listWork(ctx context.Context, c *call, in *workInput) (answer, error) {
	return page(a.config.Reader.Work(ctx, projections.WorkQuery{
		Organization: c.organization(), Account: c.member(), Kind: in.Kind, Cursor: in.Cursor, Limit: in.Limit,
	}))
}

func (a *API) assignWork(ctx context.Context, c *call, in *struct {
	WorkPath
	CommandHeaders
	Body *workBody
}) (answer, error) {
	var k checks
	w := k.work(c)
	body := workBody{}
	if in.Body != nil {
		body = *in.Body
	}
	if body.SpaceID != "" {
		w.Space = domain.SpaceID(k.id("space_id", body.SpaceID))
	}
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, body.Reason)
	if err != nil {
		return answer{}, err
	}
	done, err := do.AssignWork(ctx, r, c.organization(), c.member(), w)
	return commanded(done, err, plainly)
}

func (a *API) releaseWork(ctx context.Context, c *call, in *struct {
	WorkPath
	CommandHeaders
	Body *reasonBody
}) (answer, error) {
	var k checks
	w := k.work(c)
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.reason())
	if err != nil {
		return answer{}, err
	}
	done, err := do.ReleaseWork(ctx, r, c.organization(), c.member(), w.Kind, w.ID)
	return commanded(done, err, plainly)
}

// work is what the path names.
func (k *checks) work(c *call) (w organization.WorkItem) {
	parse := func(name string, parse func(field, text string) (string, error)) string {
		text, err := url.PathUnescape(c.param(name))
		if err != nil {
			text = ""
		}
		text, err = parse(name, text)
		k.note(err)
		return text
	}
	return organization.WorkItem{Kind: parse("kind", domain.ParseWorkKind), ID: parse("work", domain.ParseWorkID)}
}
