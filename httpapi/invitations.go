package httpapi

import (
	"context"
	"net/http"
	"strings"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/projections"
)

// InvitationPath is the input of routes below an invitation.
type InvitationPath struct {
	OrgPath
	Invitation string `path:"invitation" doc:"The invitation's id." example:"0190d5a1-a1b6-7d32-93e5-7f901b4c6d44"`
}

type invitationsInput struct {
	OrgPath
	PageInput
	AsOfInput
	Q      string `query:"q" maxLength:"200" doc:"Beginnings of words in e-mail address and username; all have to be found." example:"gra"`
	Role   string `query:"role" maxLength:"100" doc:"Only invitations to this role." example:"USER"`
	Status string `query:"status" enum:"pending,accepted,declined,revoked,expired" doc:"Default all."`
	Sort   string `query:"sort" enum:"issued_at,-issued_at,email,-email" doc:"Default -issued_at. Not together with q."`
}

type inviteBody struct {
	Email    string   `json:"email,omitempty" maxLength:"254" doc:"Where the link is sent, and whose account may accept. It may be left out when provider and username are given: a username that is an e-mail address is taken for it, with any other one no mail is sent."`
	Username string   `json:"username,omitempty" maxLength:"256" doc:"The invitee's name inside the organization; the policy says whether it is needed. With a provider, the username there: an e-mail address or what the provider calls preferred_username."`
	Provider string   `json:"provider,omitempty" maxLength:"40" doc:"The provider that the invitee has to sign in with to accept; any, or left out, for any way. The policy says which may be asked for."`
	Tenant   string   `json:"tenant,omitempty" maxLength:"253" doc:"Of the provider: a tenant id of Microsoft Entra ID, a domain of Google Workspace. Left out for any, and for personal accounts."`
	Notify   string   `json:"notify,omitempty" maxLength:"254" doc:"Where the link is sent instead of to email; there it proves nothing, so who accepts signs in."`
	Roles    []string `json:"roles,omitempty" maxItems:"20" doc:"What the invitee becomes."`
	Role     string   `json:"role,omitempty" maxLength:"100" doc:"Instead of roles, for a single one."`
	Language string   `json:"language,omitempty" maxLength:"35" doc:"Of the mail, as a BCP 47 tag; default that of the inviter."`
	Spaces   []string `json:"spaces,omitempty" maxItems:"1000" doc:"The spaces that the invitee may enter once they are a member. Takes the permission spaces.assign; the policy says how many at once."`
	Reason   string   `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type invited struct {
	InvitationID domain.InvitationID `json:"invitation_id" format:"uuid"`
	Link         string              `json:"link,omitempty" doc:"A link to pass on by hand, where the policy has that; not of a dry run. It works as long as that of the mail, and proves no address: who opens it signs in to accept."`
	MailedTo     *domain.Email       `json:"mailed_to" doc:"Where the mail with a link goes, as it was given; null: no mail is sent, since the invitation has no address." example:"grace@example.com"`
	Receipt
}

type resent struct {
	Link     string        `json:"link,omitempty" doc:"A link to pass on by hand, where the policy has that; not of a dry run. It works as long as that of the mail, and proves no address: who opens it signs in to accept."`
	MailedTo *domain.Email `json:"mailed_to" doc:"Where the mail with a link goes, as it was given; null: no mail is sent, since the invitation has no address." example:"grace@example.com"`
	Receipt
}

const exampleLink = "https://members.example.com/accept-invitation#token=tnr_pon_AQGQ1aGhtn0yk-V_kBtMbUQAAAAAAAAAAAAAAAAAAAAAAAAAAQECAwQFBgcICQoLDA0ODxA"

func exampleInvitationDocument() projections.Invitation {
	return projections.Invitation{
		InvitationID: exampleInvitation, Email: "grace@example.com", Username: "grace", Roles: []domain.Role{"USER"}, Status: invitation.StatusPending,
		Generation: 1, InvitedBy: exampleAda, Language: "en", IssuedAt: exampleTime(), ExpiresAt: exampleTime().AddDate(0, 0, 7),
	}
}

func exampleOpened(generation int) domain.Event {
	return organization.InvitationOpened{
		OrganizationID: exampleOrganization, InvitationID: exampleInvitation, Generation: generation, Email: "grace@example.com", Username: "grace",
		Roles: []domain.Role{"USER"}, Language: "en", InvitedBy: exampleAda, ExpiresAt: exampleTime().AddDate(0, 0, 7),
	}
}

func (a *API) addInvitations() {
	issue := []domain.Code{
		domain.CodeProviderNotOffered, domain.CodeRoleCount, domain.CodeRoleUnknown, domain.CodeRoleNotGranted,
		domain.CodeEmailTaken, domain.CodeUsernameTaken, domain.CodeSeatsFull,
	}
	add(a, route{
		id: "list-invitations", method: http.MethodGet, path: "/v1/organizations/{org}/invitations", tag: "Invitations", access: Member(domain.ReadInvitations), status: http.StatusOK,
		summary: "Invitations of an organization", description: "A page; searched, filtered and sorted.",
		codes:    []domain.Code{domain.CodeInvalid},
		response: list[projections.Invitation]{Items: []projections.Invitation{exampleInvitationDocument()}},
	}, a.listInvitations)
	add(a, route{
		id: "get-invitation", method: http.MethodGet, path: "/v1/organizations/{org}/invitations/{invitation}", tag: "Invitations", access: Member(domain.ReadInvitations), status: http.StatusOK,
		summary: "One invitation", description: "Of whatever status.",
		response: exampleInvitationDocument(),
	}, a.getInvitation)
	add(a, route{
		id: "invite-member", method: http.MethodPost, path: "/v1/organizations/{org}/invitations", tag: "Invitations", access: Member(domain.InviteMembers), status: http.StatusCreated, created: true, etag: true,
		summary: "Invite somebody", description: "Takes the e-mail address and the username inside the organization, and sends a mail with a link; `mailed_to` says where.",
		codes:    append([]domain.Code{domain.CodeNotOffered, domain.CodeTooManySpaces, domain.CodeUsernameNeeded}, issue...),
		request:  inviteBody{Email: "grace@example.com", Username: "grace", Roles: []string{"USER"}, Language: "en"},
		response: invited{exampleInvitation, exampleLink, mailedTo(exampleOpened(1)), exampleReceipt(exampleOpened(1))},
	}, a.inviteMember)
	add(a, route{
		id: "resend-invitation", method: http.MethodPost, path: "/v1/organizations/{org}/invitations/{invitation}/resend", tag: "Invitations", access: Member(domain.InviteMembers), status: http.StatusOK, etag: true,
		summary: "Send an invitation again", description: "Makes a fresh link with a fresh lifetime, which kills the one before; also for an invitation that has expired.",
		codes:   append([]domain.Code{domain.CodeInvitationAccepted, domain.CodeInvitationDeclined, domain.CodeInvitationRevoked}, issue...),
		request: reasonBody{"The mail was lost."}, response: resent{exampleLink, mailedTo(exampleOpened(2)), exampleReceipt(exampleOpened(2))},
	}, a.resendInvitation)
	add(a, route{
		id: "revoke-invitation", method: http.MethodPost, path: "/v1/organizations/{org}/invitations/{invitation}/revoke", tag: "Invitations", access: Member(domain.InviteMembers), status: http.StatusOK, etag: true,
		summary: "Revoke an invitation", description: "Kills the link at once, and gives the e-mail address and the username back.",
		codes:    []domain.Code{domain.CodeInvitationAccepted, domain.CodeRoleNotGranted, domain.CodeRoleCount, domain.CodeRoleUnknown},
		request:  reasonBody{"Wrong address."},
		response: exampleReceipt(invitation.Revoked{InvitationID: exampleInvitation, OrganizationID: exampleOrganization, Cause: invitation.CauseRevoked}),
	}, a.revokeInvitation)
}

func (a *API) listInvitations(ctx context.Context, c *call, in *invitationsInput) (answer, error) {
	return c.page(a.reader(c).Invitations(ctx, projections.InvitationsQuery{
		Organization: c.organization(), Q: in.Q, Role: in.Role, Status: in.Status, Sort: in.Sort, Cursor: in.Cursor, Limit: in.Limit,
		NeverMoved: c.membership.NeverMoved,
	}))
}

func (a *API) getInvitation(ctx context.Context, c *call, _ *struct {
	InvitationPath
	AsOfInput
	ViewHeaders
}) (answer, error) {
	document, err := a.reader(c).Invitation(ctx, c.organization(), c.invitation())
	return answer{raw: document}, err
}

func (a *API) inviteMember(ctx context.Context, c *call, in *struct {
	OrgPath
	CommandHeaders
	Body inviteBody
}) (answer, error) {
	var k checks
	invitee := organization.Invitee{
		Username: k.username("username", in.Body.Username), Roles: k.roles(in.Body.Roles, in.Body.Role),
		Language: k.language("language", in.Body.Language, c.caller.Account.Language),
		Spaces:   k.spaces("spaces", in.Body.Spaces),
	}
	a.invitedThrough(&k, &invitee, in.Body)
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	id, done, err := do.InviteMember(ctx, r, c.organization(), invitee)
	link, err := a.linkToPassOn(ctx, do, done, err)
	ans, err := commanded(done, err, func(r Receipt) any { return invited{id, link, mailedTo(done.Events...), r} })
	ans.location = c.fiber.Path() + "/" + string(id)
	return ans, err
}

// invitedThrough fills in how the invitee has to sign in, and where the mail goes.
func (a *API) invitedThrough(k *checks, invitee *organization.Invitee, in inviteBody) {
	if in.Provider != policy.AnyProvider {
		invitee.Provider = in.Provider
	}
	if in.Email != "" || in.Provider == "" {
		invitee.Email = k.email("email", in.Email)
	}
	if in.Notify != "" {
		invitee.Notify = k.email("notify", in.Notify)
	}
	p, ok := a.config.Providers.Get(invitee.Provider)
	if invitee.Provider != "" && !ok {
		k.note(domain.Invalid("provider", "Name a provider from the list of providers."))
		return
	}
	if ok && in.Username != "" && p.NamesByAddress() {
		if _, err := domain.ParseEmail("username", in.Username); err != nil {
			k.note(domain.Invalid("username", "Give the e-mail address of the account, such as ada@example.com: accounts at "+p.Label()+" have no other names."))
		}
	}
	if in.Tenant == "" {
		return
	}
	if !ok || !p.IsTenant(in.Tenant) {
		k.note(domain.Invalid("tenant", "Give the id of a tenant, or its domain, as the provider has it; leave it out for providers that have none."))
		return
	}
	invitee.Tenant = strings.ToLower(in.Tenant)
}

func (a *API) resendInvitation(ctx context.Context, c *call, in *struct {
	InvitationPath
	CommandHeaders
	Body *reasonBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.reason())
	if err != nil {
		return answer{}, err
	}
	done, err := do.ResendInvitation(ctx, r, c.organization(), c.invitation())
	link, err := a.linkToPassOn(ctx, do, done, err)
	return commanded(done, err, func(r Receipt) any { return resent{link, mailedTo(done.Events...), r} })
}

// mailedTo is where the mail of an invitation goes that was opened, or nil.
func mailedTo(done ...domain.Event) *domain.Email {
	for _, e := range done {
		if opened, ok := e.(organization.InvitationOpened); ok && opened.MailedTo() != "" {
			to := opened.MailedTo()
			return &to
		}
	}
	return nil
}

// linkToPassOn is a link to an invitation that was opened, for who opened it.
func (a *API) linkToPassOn(ctx context.Context, do *commands.Commands, done commands.Receipt, err error) (string, error) {
	if err != nil {
		return "", err
	}
	token, err := do.LinkToPassOn(ctx, done)
	if err != nil || token == "" {
		return "", err
	}
	return a.config.PublicURL + "/accept-invitation#token=" + token, nil
}

func (a *API) revokeInvitation(ctx context.Context, c *call, in *struct {
	InvitationPath
	CommandHeaders
	Body *reasonBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.reason())
	if err != nil {
		return answer{}, err
	}
	done, err := do.RevokeInvitation(ctx, r, c.organization(), c.invitation())
	return commanded(done, err, plainly)
}
