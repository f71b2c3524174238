package httpapi

import (
	"context"
	"net/http"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/invitation"
)

type tokenBody struct {
	Token  string `json:"token" maxLength:"200" doc:"From the link in the mail."`
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type lookupBody struct {
	Token string `json:"token" maxLength:"200" doc:"From the link in the mail."`
}

type acceptBody struct {
	Token       string `json:"token" maxLength:"200" doc:"From the link in the mail."`
	DisplayName string `json:"display_name,omitempty" maxLength:"400" doc:"Of a new account; default the username in the invitation."`
	Password    string `json:"password,omitempty" maxLength:"256" doc:"Of a new account; at least 10 characters. Leave it out when signed in."`
	Language    string `json:"language,omitempty" maxLength:"35" doc:"Of mails to a new account, as a BCP 47 tag; default what the browser asks for."`
	Reason      string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type invitationBody struct {
	InvitationID     domain.InvitationID     `json:"invitation_id" format:"uuid"`
	OrganizationID   domain.OrganizationID   `json:"organization_id" format:"uuid"`
	OrganizationName domain.OrganizationName `json:"organization_name"`
	Email            domain.Email            `json:"email,omitempty" doc:"Whose account may accept."`
	Username         domain.Username         `json:"username,omitempty" doc:"The invitee's name inside the organization."`
	Roles            []domain.Role           `json:"roles"`
	ExpiresAt        time.Time               `json:"expires_at"`
	Provider         string                  `json:"provider,omitempty" doc:"Sign in with this provider to accept; there is no other way."`
	ProvesAddress    bool                    `json:"proves_address" doc:"The link proves the address, since a mail brought it there. Otherwise sign in to accept, with an account whose address is verified."`
	HasAccount       bool                    `json:"has_account" doc:"Of a link that proves the address: sign in to accept; otherwise choose a password for a new account."`
}

type acceptedBody struct {
	OrganizationID domain.OrganizationID `json:"organization_id" format:"uuid"`
	AccountID      domain.AccountID      `json:"account_id,omitempty" format:"uuid"`
	Roles          []domain.Role         `json:"roles"`
	Session        *sessionBody          `json:"session,omitempty" doc:"Of the account that was made."`
	Receipt
}

func (a *API) addLinks() {
	broken := []domain.Code{
		domain.CodeNotFound, domain.CodeLinkInvalid, domain.CodeInvitationExpired, domain.CodeInvitationAccepted,
		domain.CodeInvitationDeclined, domain.CodeInvitationRevoked, domain.CodeTooManyAttempts,
	}
	const token = "tnr_inv_AQGQ1aGhtn0yk-V_kBtMbUQAAAAAAAAAAAAAAAAAAAAAAAAAAQECAwQFBgcICQoLDA0ODxA"
	session := exampleSessionBody()
	add(a, route{
		id: "look-up-invitation", method: http.MethodPost, path: "/v1/invitations/lookup", tag: "Invitations", access: Link(), status: http.StatusOK,
		summary: "What a link is for", description: "Tells the holder of an invitation's link what accepting it would do. Changes nothing.",
		codes: broken, request: lookupBody{token},
		response: invitationBody{exampleInvitation, exampleOrganization, "Analytical Engines", "grace@example.com", "grace", []domain.Role{"USER"}, exampleTime(), "", true, false},
	}, a.lookUpInvitation)
	add(a, route{
		id: "accept-invitation", method: http.MethodPost, path: "/v1/invitations/accept", tag: "Invitations", access: Link(), status: http.StatusOK,
		summary:     "Accept an invitation",
		description: "With a session the account that is signed in becomes a member. Without one, display_name and password make a new account and sign it in, with the link in the mail, which proves the address. The link of the answer to an invite, and one that was mailed elsewhere, prove nothing: `email_unverified`.",
		codes:       append([]domain.Code{domain.CodeWrongAccount, domain.CodeProviderRequired, domain.CodeEmailUnverified, domain.CodeRoleExclusive, domain.CodeSeatsFull}, broken...),
		request:     acceptBody{Token: token, DisplayName: "Grace Hopper", Password: "correct horse battery", Language: "en"},
		response: acceptedBody{exampleOrganization, exampleGrace, []domain.Role{"USER"}, &session, exampleReceipt(
			invitation.Accepted{InvitationID: exampleInvitation, OrganizationID: exampleOrganization, AccountID: exampleGrace})},
	}, a.acceptInvitation)
	add(a, route{
		id: "decline-invitation", method: http.MethodPost, path: "/v1/invitations/decline", tag: "Invitations", access: Link(), status: http.StatusOK,
		summary: "Decline an invitation", description: "Uses the link up.",
		codes: broken, request: tokenBody{Token: token},
		response: exampleReceipt(invitation.Declined{InvitationID: exampleInvitation, OrganizationID: exampleOrganization}),
	}, a.declineInvitation)
}

func (a *API) lookUpInvitation(ctx context.Context, c *call, in *struct{ Body lookupBody }) (answer, error) {
	found, err := charged(ctx, a, a.linkBudgets(c), func() (commands.Invited, error) {
		return a.config.Commands.LookUpInvitation(ctx, in.Body.Token)
	})
	i := found.Invitation
	return answer{body: invitationBody{
		i.ID, i.Organization, found.OrganizationName, i.Email, i.Username, i.Roles, i.ExpiresAt, i.Provider, found.Proves, found.HasAccount,
	}}, err
}

func (a *API) acceptInvitation(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body acceptBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	done, err := charged(ctx, a, a.linkBudgets(c), func() (commands.Accepted, error) {
		joining, err := a.joining(c, in.Body)
		if err != nil {
			return commands.Accepted{}, err
		}
		return do.AcceptInvitation(ctx, r, in.Body.Token, joining)
	})
	ans, err := commanded(done.Receipt, err, func(r Receipt) any {
		body := acceptedBody{OrganizationID: done.OrganizationID, AccountID: done.AccountID, Roles: done.Roles, Receipt: r}
		if done.Session != nil {
			session := sessionOf(*done.Session)
			body.Session = &session
		}
		return body
	})
	ans.etag = "" // the revision is that of the link, which nobody can read
	return ans, err
}

// joining is who makes an account to accept with; nil for who has one.
func (a *API) joining(c *call, in acceptBody) (*commands.Joining, error) {
	if in.Password == "" || c.caller.Actor.Kind == domain.ActorAccount {
		return nil, nil
	}
	var k checks
	joining := &commands.Joining{
		Password: in.Password,
		Language: k.language("language", in.Language, preferredLanguage(c.fiber.Get("Accept-Language"))),
	}
	if in.DisplayName != "" {
		joining.DisplayName = k.displayName("display_name", in.DisplayName)
	}
	k.password("password", in.Password)
	return joining, k.err()
}

func (a *API) declineInvitation(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body tokenBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	done, err := charged(ctx, a, a.linkBudgets(c), func() (commands.Receipt, error) {
		return do.DeclineInvitation(ctx, r, in.Body.Token)
	})
	ans, err := commanded(done, err, plainly)
	ans.etag = ""
	return ans, err
}
