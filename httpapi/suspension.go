package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/projections"
)

type addBody struct {
	Email       string   `json:"email" maxLength:"254"`
	Password    string   `json:"password,omitempty" maxLength:"256" doc:"Of a new account; left out for somebody who has one. How long it has to be is for the policy to say."`
	DisplayName string   `json:"display_name,omitempty" maxLength:"400" doc:"Of a new account; default what stands before the @ of the e-mail address."`
	Language    string   `json:"language,omitempty" maxLength:"35" doc:"Of a new account's mails, as a BCP 47 tag; default that of the caller."`
	Role        string   `json:"role,omitempty" maxLength:"100" doc:"Instead of roles, where it is one."`
	Roles       []string `json:"roles,omitempty" maxItems:"20"`
	Reason      string   `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type added struct {
	AccountID domain.AccountID `json:"account_id" format:"uuid"`
	Receipt
}

type passwordReset struct {
	TemporaryPassword string `json:"temporary_password" doc:"Shown in this answer only, and in that to a retry with the same Idempotency-Key; empty with dry_run. Hand it on safely."`
	Receipt
}

func exampleMembership() (domain.OrganizationID, domain.AccountID, []domain.Role) {
	return exampleOrganization, exampleGrace, []domain.Role{"participant"}
}

// addSuspension adds the routes by which administrators look after members
// without an invitation: add, suspend, reactivate, reset a password.
func (a *API) addSuspension() {
	org, grace, roles := exampleMembership()
	add(a, route{
		id: "add-member", method: http.MethodPost, path: "/v1/organizations/{org}/members", tag: "Members", access: Member(domain.AddMembers), status: http.StatusCreated, created: true, etag: true,
		summary: "Add a member without an invitation", description: "Active at once, and no mail is sent. A new account gets the password given, and is good for this organization alone until a link in a mail has proven its address.",
		codes: []domain.Code{
			domain.CodeNotOffered, domain.CodeRoleCount, domain.CodeRoleUnknown, domain.CodeRoleNotGranted, domain.CodeRoleExclusive, domain.CodeMemberActive, domain.CodeMemberRemoved,
			domain.CodeEmailTaken, domain.CodeSeatsFull, domain.CodeAccountExists, domain.CodePasswordNeeded, domain.CodeEmailUnverified,
		},
		request: addBody{Email: "grace@example.com", Password: "sesame-1906", DisplayName: "Grace Hopper", Roles: []string{"participant"}},
		response: added{exampleGrace, exampleReceipt(organization.MemberJoined{
			OrganizationID: org, AccountID: grace, Email: "grace@example.com", DisplayName: "Grace Hopper", Roles: roles, Via: "addition",
		})},
	}, a.addMember)
	add(a, route{
		id: "suspend-member", method: http.MethodPost, path: "/v1/organizations/{org}/members/{user}/suspend", tag: "Members", access: Member(domain.SuspendMembers), status: http.StatusOK, etag: true,
		summary: "Suspend a member", description: "Every route of the organization refuses the member at once, on every node. What is the member's is kept. The invitations that the member sent are revoked, if the policy says so.",
		codes:    []domain.Code{domain.CodeMemberRemoved, domain.CodeOwnerProtected, domain.CodeSelfRemoval, domain.CodeMemberProtected, domain.CodeLastAdmin},
		request:  reasonBody{"On leave until May."},
		response: exampleReceipt(organization.MemberSuspended{OrganizationID: org, AccountID: grace, Roles: roles}),
	}, onMember(a, (*commands.Commands).SuspendMember))
	add(a, route{
		id: "reactivate-member", method: http.MethodPost, path: "/v1/organizations/{org}/members/{user}/reactivate", tag: "Members", access: Member(domain.SuspendMembers), status: http.StatusOK, etag: true,
		summary: "Reactivate a suspended member", description: "With everything that the member had.",
		codes:    []domain.Code{domain.CodeMemberRemoved, domain.CodeOwnerProtected, domain.CodeMemberProtected},
		request:  reasonBody{"Back from leave."},
		response: exampleReceipt(organization.MemberReactivated{OrganizationID: org, AccountID: grace, Roles: roles}),
	}, onMember(a, (*commands.Commands).ReactivateMember))
	add(a, route{
		id: "reset-member-password", method: http.MethodPost, path: "/v1/organizations/{org}/members/{user}/reset-password", tag: "Members", access: Member(domain.ResetPasswords), status: http.StatusOK, etag: true,
		summary: "Give a member a temporary password", description: "Ends all sessions of the account. The person is told to change the password at sign-in. Refused for an account that is a member of another organization too, or asks to be, and for one that was there before an administrator added it: that person asks for a link to set a new password. Until such a link has proven the address again, the account enters and joins no other organization, nor the personal space.",
		codes:    []domain.Code{domain.CodeMemberRemoved, domain.CodeOwnerProtected, domain.CodeMemberProtected, domain.CodeMemberElsewhere},
		request:  reasonBody{"Forgotten."},
		response: passwordReset{"3f9c1-c7e0a-71b4d-92f6e", exampleReceipt(organization.PasswordReset{OrganizationID: org, AccountID: grace})},
	}, a.resetMemberPassword)
}

func (a *API) addMember(ctx context.Context, c *call, in *struct {
	OrgPath
	CommandHeaders
	Body addBody
}) (answer, error) {
	var k checks
	addition := commands.Addition{
		Email: k.email("email", in.Body.Email), Password: in.Body.Password, Roles: k.roles(in.Body.Roles, in.Body.Role),
		Language: k.language("language", in.Body.Language, c.caller.Account.Language),
	}
	if in.Body.DisplayName != "" {
		addition.DisplayName = k.displayName("display_name", in.Body.DisplayName)
	}
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	id, receipt, err := do.AddMember(ctx, r, c.organization(), addition)
	ans, err := commanded(receipt, err, func(r Receipt) any { return added{id, r} })
	ans.location = c.fiber.Path() + "/" + string(id)
	return ans, err
}

func (a *API) resetMemberPassword(ctx context.Context, c *call, in *memberInput) (answer, error) {
	do, r, err := a.request(c, in.Body.reason())
	if err != nil {
		return answer{}, err
	}
	reset, err := do.ResetMemberPassword(ctx, r, c.organization(), c.member(), a.elsewhere(c.organization(), c.member()))
	return commanded(reset.Receipt, err, func(r Receipt) any { return passwordReset{reset.Password, r} })
}

// elsewhere tells whether the account is a member of another organization, or asks
// to be. Its personal space is nobody else's, and shut until the address is proven.
func (a *API) elsewhere(org domain.OrganizationID, account domain.AccountID) func(context.Context, eventstore.Position) (bool, error) {
	return func(ctx context.Context, atLeast eventstore.Position) (bool, error) {
		waiting, cancel := context.WithTimeout(ctx, a.config.ViewWait)
		defer cancel()
		if err := a.config.Progress.Wait(waiting, atLeast); err != nil {
			return false, err
		}
		asks, err := a.config.Reader.OwnRequests(ctx, projections.MembershipsQuery{Account: account, Limit: 1})
		if err != nil {
			return false, err
		}
		if items, err := asks.Items(); err != nil || len(items) > 0 {
			return len(items) > 0, err
		}
		for q := (projections.MembershipsQuery{Account: account, Limit: 3}); ; { // this one, their own, and another
			p, err := a.config.Reader.Memberships(ctx, q)
			if err != nil {
				return false, err
			}
			items, err := p.Items()
			if err != nil {
				return false, err
			}
			for _, item := range items {
				var m projections.Membership
				if err := json.Unmarshal(item, &m); err != nil {
					return false, err
				}
				if m.OrganizationID != org && !m.Personal {
					return true, nil
				}
			}
			if q.Cursor = p.NextCursor(); q.Cursor == "" {
				return false, nil
			}
		}
	}
}
