package httpapi

import (
	"context"
	"net/http"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/projections"
)

type meBody struct {
	AccountID          domain.AccountID      `json:"account_id" format:"uuid"`
	Email              domain.Email          `json:"email"`
	DisplayName        string                `json:"display_name"`
	Language           string                `json:"language" doc:"Of mails, as a BCP 47 tag."`
	AvatarURL          string                `json:"avatar_url,omitempty" doc:"The picture that others see."`
	SessionID          domain.SessionID      `json:"session_id" format:"uuid" doc:"The session whose token was sent."`
	MustChangePassword bool                  `json:"must_change_password" doc:"An administrator knows the password: have the person choose another one."`
	OrganizationID     domain.OrganizationID `json:"organization_id,omitempty" format:"uuid" doc:"Where the person works: the organization that they picked, or else their personal space; left out where they have neither."`
	EmailProven        bool                  `json:"email_proven" doc:"False: an administrator knows, or knew, a password, and no link in a mail has proven the address since. The account joins no other organization until one does: ask for a link to set a new password."`
}

type profileBody struct {
	DisplayName *string `json:"display_name,omitempty" maxLength:"400" doc:"How others see the person; at most 100 characters."`
	Language    *string `json:"language,omitempty" maxLength:"35" doc:"Of mails, as a BCP 47 tag."`
	Reason      string  `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type avatarBody struct {
	AvatarURL string `json:"avatar_url" maxLength:"1000" doc:"An https address; empty for no picture."`
}

type passwordBody struct {
	OldPassword string `json:"old_password" maxLength:"256"`
	NewPassword string `json:"new_password" maxLength:"256" doc:"At least 10 characters."`
}

// PageInput is part of the input of every list.
type PageInput struct {
	ViewHeaders
	Limit  int    `query:"limit" minimum:"1" maximum:"200" doc:"The most items on a page; 50 if it is left out." example:"50"`
	Cursor string `query:"cursor" maxLength:"4096" doc:"The next_cursor of the page before, with the same query."`
}

// myOrganization and myInvitation are what the views answer with.
type myOrganization struct {
	projections.Membership
	Name   domain.OrganizationName `json:"name"`
	Policy string                  `json:"policy"`
}

type myInvitation struct {
	projections.Invitee
	Name   domain.OrganizationName `json:"name"`
	Policy string                  `json:"policy"`
}

// list is the form of every page; the views make its JSON.
type list[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Where the next page begins; missing on the last one."`
}

const exampleCursor = "Qx3vUu0lYV9kC1mTn8b2Jr5oWq7ZsE4hGtPdAiLf"

func exampleTime() time.Time { return time.Date(2031, 3, 1, 9, 0, 0, 0, time.UTC) }

func (a *API) addMe() {
	name, lang := "Ada King", "fr"
	add(a, route{
		id: "get-me", method: http.MethodGet, path: "/v1/me", tag: "Accounts", access: SignedIn(), status: http.StatusOK, etag: true,
		summary: "One's own account", description: "The account that is signed in.",
		response: meBody{exampleAda, "ada@example.com", "Ada Lovelace", "en", "https://example.com/ada.png", exampleSession, false, exampleOrganization, true},
	}, a.getMe)
	add(a, route{
		id: "change-me", method: http.MethodPatch, path: "/v1/me", tag: "Accounts", access: SignedIn(), status: http.StatusOK, etag: true,
		summary: "Change one's own account", description: "What is left out stays as it is. The organizations of the account show the new name soon after.",
		codes:   []domain.Code{domain.CodeEmailUnverified},
		request: profileBody{DisplayName: &name, Language: &lang}, response: exampleReceipt(),
	}, a.changeMe)
	add(a, route{
		id: "change-avatar", method: http.MethodPut, path: "/v1/me/avatar", tag: "Accounts", access: SignedIn(), status: http.StatusOK, etag: true,
		summary: "Change one's own picture", description: "Members of the account's organizations see it soon after.",
		codes:   []domain.Code{domain.CodeEmailUnverified},
		request: avatarBody{"https://example.com/ada.png"}, response: exampleReceipt(),
	}, a.changeAvatar)
	add(a, route{
		id: "change-password", method: http.MethodPut, path: "/v1/me/password", tag: "Accounts", access: SignedIn(), status: http.StatusOK, etag: true,
		summary: "Change one's own password", description: "Ends every other session of the account.",
		codes:   []domain.Code{domain.CodeCredentialsWrong, domain.CodeTooManyAttempts},
		request: passwordBody{"correct horse battery", "another correct horse"}, response: exampleReceipt(),
	}, a.changePassword)
	add(a, route{
		id: "list-my-organizations", method: http.MethodGet, path: "/v1/me/organizations", tag: "Accounts", access: SignedIn(), status: http.StatusOK,
		summary: "One's own organizations", description: "Those that the account is a member of, suspended or not, in the order of joining; its own space is marked personal.",
		codes: []domain.Code{domain.CodeInvalid},
		response: list[myOrganization]{Items: []myOrganization{{
			projections.Membership{OrganizationID: exampleOrganization, Roles: []domain.Role{"OWNER"}, Status: organization.Active, JoinedAt: exampleTime()},
			"Analytical Engines", "ownership",
		}}},
	}, a.listMyOrganizations)
	add(a, route{
		id: "list-my-invitations", method: http.MethodGet, path: "/v1/me/invitations", tag: "Accounts", access: SignedIn(), status: http.StatusOK,
		summary: "Invitations to one's own address", description: "Those that are open. To accept one takes the link in its mail.",
		codes: []domain.Code{domain.CodeInvalid, domain.CodeEmailUnverified},
		response: list[myInvitation]{Items: []myInvitation{{
			projections.Invitee{
				InvitationID: exampleInvitation, OrganizationID: exampleOrganization, Roles: []domain.Role{"USER"}, InvitedBy: exampleAda,
				IssuedAt: exampleTime(), ExpiresAt: exampleTime().AddDate(0, 0, 7),
			}, "Analytical Engines", "ownership",
		}}},
	}, a.listMyInvitations)
}

func (a *API) getMe(ctx context.Context, c *call, _ *struct{ ViewHeaders }) (answer, error) {
	s := c.caller.Account
	org, err := a.config.Commands.WorksIn(ctx, s)
	if err != nil {
		return answer{}, err
	}
	ans := answer{
		body: meBody{s.ID, s.Email, s.DisplayName, s.Language, s.AvatarURL, c.caller.SessionID, s.MustChange, org, account.CheckProven(s) == nil},
		more: org != "",
	}
	if revision, ok := c.caller.Expected.Last(); ok {
		ans.etag = etag(revision)
	}
	return ans, nil
}

func (a *API) changeMe(ctx context.Context, c *call, in *struct {
	CommandHeaders
	Body profileBody
}) (answer, error) {
	var k checks
	if v := in.Body.DisplayName; v != nil {
		*v = k.displayName("display_name", *v)
	}
	if v := in.Body.Language; v != nil {
		*v = k.language("language", *v, "en")
	}
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	return ownAccount(do.ChangeProfile(ctx, r, c.caller.Account.ID, in.Body.DisplayName, in.Body.Language))
}

func (a *API) changeAvatar(ctx context.Context, c *call, in *struct {
	CommandHeaders
	Body avatarBody
}) (answer, error) {
	var k checks
	url, err := domain.ParseAvatarURL("avatar_url", in.Body.AvatarURL)
	k.note(err)
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, "")
	if err != nil {
		return answer{}, err
	}
	return ownAccount(do.ChangeAvatar(ctx, r, c.caller.Account.ID, url))
}

func (a *API) changePassword(ctx context.Context, c *call, in *struct {
	CommandHeaders
	Body passwordBody
}) (answer, error) {
	var k checks
	k.password("new_password", in.Body.NewPassword)
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, "")
	if err != nil {
		return answer{}, err
	}
	id := c.caller.Account.ID
	budgets := []budget{a.perAccount("password", id, a.config.Throttle.PasswordPerPerson)}
	return ownAccount(charged(ctx, a, budgets, func() (commands.Receipt, error) {
		return do.ChangePassword(ctx, r, id, c.caller.SessionID, in.Body.OldPassword, in.Body.NewPassword)
	}))
}

func (a *API) listMyOrganizations(ctx context.Context, c *call, in *struct{ PageInput }) (answer, error) {
	return page(a.config.Reader.Memberships(ctx, projections.MembershipsQuery{Account: c.caller.Account.ID, Cursor: in.Cursor, Limit: in.Limit}))
}

func (a *API) listMyInvitations(ctx context.Context, c *call, in *struct{ PageInput }) (answer, error) {
	if err := account.CheckProven(c.caller.Account); err != nil {
		return answer{}, err
	}
	return page(a.config.Reader.Invitees(ctx, projections.InviteesQuery{Email: c.caller.Account.Email, Cursor: in.Cursor, Limit: in.Limit}))
}

func ownAccount(r commands.Receipt, err error) (answer, error) {
	return answer{body: withoutEvents(r), position: r.Position, etag: etagOf(r)}, err
}
