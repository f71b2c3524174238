package httpapi_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
)

func TestAnAccountFromSignUpToSignOut(t *testing.T) {
	s := newStack(t)
	body := map[string]any{"email": "Ada@Example.com", "display_name": "Ada Lovelace", "password": secretWord}
	fresh := s.want(202, "POST", "/v1/accounts", "", body, "Accept-Language", "fr-CA, en;q=0.5")
	s.refused(403, "email_unverified", "POST", "/v1/sessions", "", map[string]any{"email": "ada@example.com", "password": secretWord})
	link := s.verification("Ada@Example.com")
	s.refused(401, "credentials_wrong", "POST", "/v1/accounts/verify", "", map[string]any{"token": link, "password": "another password"})
	session := s.want(201, "POST", "/v1/accounts/verify", "", map[string]any{"token": link, "password": secretWord})
	s.refused(409, "already_verified", "POST", "/v1/accounts/verify", "", map[string]any{"token": link, "password": secretWord})
	known := s.want(202, "POST", "/v1/accounts", "", body)
	s.is.Equal(string(known.body), string(fresh.body))
	s.is.Equal(known.header.Get("Tenure-Position"), "") // would tell that something happened

	me := s.want(200, "GET", "/v1/me", session.str("token"), nil)
	s.is.Equal(me.str("email"), "Ada@Example.com")
	s.is.Equal(me.str("language"), "fr")
	s.is.Equal(me.str("session_id"), session.str("session_id"))
	s.want(200, "PATCH", "/v1/me", session.str("token"), map[string]any{"language": "EN-us"})
	me = s.want(200, "GET", "/v1/me", session.str("token"), nil)
	s.is.Equal(me.str("language"), "en-US")
	s.is.Equal(me.str("display_name"), "Ada Lovelace")

	other := s.want(201, "POST", "/v1/sessions", "", map[string]any{"email": "ada@example.com", "password": secretWord})
	s.want(200, "PUT", "/v1/me/password", session.str("token"), map[string]any{"old_password": secretWord, "new_password": "another password"})
	s.refused(401, "not_signed_in", "GET", "/v1/me", other.str("token"), nil)
	s.want(204, "DELETE", "/v1/sessions/current", session.str("token"), nil)
	s.refused(401, "not_signed_in", "GET", "/v1/me", session.str("token"), nil)
}

func TestAForgottenPassword(t *testing.T) {
	s := newStack(t)
	ada := s.person("ada@example.com")
	known := s.want(202, "POST", "/v1/password-resets", "", map[string]any{"email": "ada@example.com"})
	unknown := s.want(202, "POST", "/v1/password-resets", "", map[string]any{"email": "nobody@example.com"})
	s.is.Equal(string(known.body), string(unknown.body))
	s.is.Equal(known.header.Get("Tenure-Position"), unknown.header.Get("Tenure-Position"))
	var requested account.PasswordResetRequested
	s.events("account.password_reset_requested", func(e domain.Event) { requested = e.(account.PasswordResetRequested) })
	link, err := s.commands.PasswordResetLink(context.Background(), requested.AccountID, requested.Generation)
	s.is.NoErr(err)
	s.refused(422, "invalid", "POST", "/v1/password-resets/confirm", "", map[string]any{"token": link.Token, "password": "short"})
	s.want(204, "POST", "/v1/password-resets/confirm", "", map[string]any{"token": link.Token, "password": "another password"})
	s.refused(404, "link_invalid", "POST", "/v1/password-resets/confirm", "", map[string]any{"token": link.Token, "password": "another password"})
	s.refused(401, "not_signed_in", "GET", "/v1/me", ada.token, nil)
	s.want(201, "POST", "/v1/sessions", "", map[string]any{"email": "ada@example.com", "password": "another password"})
}

func TestInvitationsAndTheirLinks(t *testing.T) {
	s := newStack(t)
	ada, grace := s.person("ada@example.com"), s.person("grace@example.com")
	org, _ := s.organization(ada, "Engines")
	base := "/v1/organizations/" + org + "/invitations"
	id, first := s.invite(ada, org, "grace@example.com", "grace", "USER")

	found := s.want(200, "POST", "/v1/invitations/lookup", "", map[string]any{"token": first})
	s.is.Equal(found.str("organization_name"), "Engines")
	s.is.Equal(found.object["has_account"], true)
	s.refused(401, "not_signed_in", "POST", "/v1/invitations/accept", "", map[string]any{"token": first})
	s.refused(401, "not_signed_in", "POST", "/v1/invitations/accept", "", map[string]any{"token": first, "display_name": "G", "password": secretWord})
	s.refused(403, "wrong_account", "POST", "/v1/invitations/accept", ada.token, map[string]any{"token": first})
	s.refused(401, "not_signed_in", "POST", "/v1/invitations/accept", "tnr_ses_x", map[string]any{"token": first})

	resent := s.want(200, "POST", base+"/"+id+"/resend", ada.token, nil) // the body is optional
	s.refused(404, "link_invalid", "POST", "/v1/invitations/lookup", "", map[string]any{"token": first})
	second := s.invitationToken(id, 2)
	mine := s.want(200, "GET", "/v1/me/invitations", grace.token, nil, "Tenure-Min-Position", resent.header.Get("Tenure-Position"))
	s.is.Equal(mine.object["items"].([]any)[0].(map[string]any)["name"], "Engines")
	joined := s.want(200, "POST", "/v1/invitations/accept", grace.token, map[string]any{"token": second})
	s.is.Equal(joined.str("account_id"), grace.id)
	s.is.Equal(joined.object["session"], nil)
	s.refused(409, "invitation_accepted", "POST", "/v1/invitations/accept", grace.token, map[string]any{"token": second})
	s.refused(409, "invitation_accepted", "POST", base+"/"+id+"/revoke", ada.token, map[string]any{})

	declined, link := s.invite(ada, org, "mary@example.com", "mary", "VIEWER")
	s.want(200, "POST", "/v1/invitations/decline", "", map[string]any{"token": link, "reason": "no time"})
	s.refused(409, "invitation_declined", "POST", "/v1/invitations/decline", "", map[string]any{"token": link})
	s.refused(409, "invitation_declined", "POST", base+"/"+declined+"/resend", ada.token, nil)

	revoked, link := s.invite(ada, org, "mary@example.com", "mary", "VIEWER") // the names are free again
	a := s.want(200, "POST", base+"/"+revoked+"/revoke", ada.token, map[string]any{"reason": "wrong address"})
	s.refused(409, "invitation_revoked", "POST", "/v1/invitations/lookup", "", map[string]any{"token": link})
	list := s.want(200, "GET", base+"?status=revoked&sort=email", ada.token, nil, "Tenure-Min-Position", a.header.Get("Tenure-Position"))
	s.is.Equal(len(list.object["items"].([]any)), 1)
	s.is.Equal(s.want(200, "GET", base+"/"+revoked, ada.token, nil).str("status"), "revoked")

	// A new account takes the username for its name when it gives none.
	_, link = s.invite(ada, org, "lin@example.com", "lin", "USER")
	s.refused(422, "invalid", "POST", "/v1/invitations/accept", "", map[string]any{"token": link, "password": "short"})
	joined = s.want(200, "POST", "/v1/invitations/accept", "", map[string]any{"token": link, "password": secretWord})
	session := joined.object["session"].(map[string]any)["token"].(string)
	s.is.Equal(s.want(200, "GET", "/v1/me", session, nil).str("display_name"), "lin")

	_, link = s.invite(ada, org, "late@example.com", "late", "USER")
	s.offset.Store(int64(8 * 24 * time.Hour))
	s.refused(410, "invitation_expired", "POST", "/v1/invitations/lookup", "", map[string]any{"token": link})
}

func TestATransferOfTheOwnership(t *testing.T) {
	s := newStack(t)
	ada := s.person("ada@example.com")
	org, _ := s.organization(ada, "Engines")
	grace := s.member(ada, org, "grace@example.com", "USER")
	path := "/v1/organizations/" + org + "/ownership-transfer"
	s.refused(404, "not_found", "GET", path, ada.token, nil)
	s.refused(422, "invalid", "POST", path, ada.token, map[string]any{"to": "grace"})
	a := s.want(201, "POST", path, ada.token, map[string]any{"to": grace.id, "reason": "retiring"})
	s.is.Equal(a.header.Get("Location"), path)
	s.refused(409, "transfer_pending", "POST", path, ada.token, map[string]any{"to": grace.id})
	pending := s.want(200, "GET", path, grace.token, nil, "Tenure-Min-Position", a.header.Get("Tenure-Position"))
	s.is.Equal(pending.str("transfer_id"), a.str("transfer_id"))
	s.want(200, "DELETE", path, ada.token, map[string]any{"reason": "not yet"})
	s.refused(409, "transfer_not_pending", "DELETE", path, ada.token, nil)

	a = s.want(201, "POST", path, ada.token, map[string]any{"to": grace.id})
	link, err := s.commands.TransferLink(context.Background(), domain.OrganizationID(org), domain.TransferID(a.str("transfer_id")))
	s.is.NoErr(err)
	a = s.want(200, "POST", "/v1/ownership-transfers/confirm", "", map[string]any{"token": link.Token})
	s.is.Equal(a.str("organization_id"), org)
	s.is.Equal(a.object["events"].([]any)[0].(map[string]any)["type"], organization.OwnershipTransferred{}.EventType())
	seen := s.want(200, "GET", "/v1/organizations/"+org, grace.token, nil, "Tenure-Min-Position", a.header.Get("Tenure-Position"))
	s.is.Equal(seen.object["your_roles"], []any{"OWNER"})
	s.refused(409, "transfer_not_pending", "POST", "/v1/ownership-transfers/confirm", "", map[string]any{"token": link.Token})
}

func TestMembersAreListedSearchedAndPaged(t *testing.T) {
	s := newStack(t)
	ada := s.person("ada@example.com")
	org, _ := s.organization(ada, "Engines")
	for i := range 5 {
		s.member(ada, org, fmt.Sprintf("member%d@example.com", i), "USER")
	}
	path := "/v1/organizations/" + org + "/members"
	a := s.want(200, "PATCH", "/v1/organizations/"+org, ada.token, map[string]any{"name": "Looms"})
	fresh := []string{"Tenure-Min-Position", a.header.Get("Tenure-Position")}
	count := func(query string) int {
		t.Helper()
		return len(s.want(200, "GET", path+query, ada.token, nil, fresh...).object["items"].([]any))
	}
	s.is.Equal(count(""), 6)
	s.is.Equal(count("?role=OWNER"), 1)
	s.is.Equal(count("?q=member3"), 1)
	s.is.Equal(count("?status=removed"), 0)
	s.is.Equal(count("?sort=-joined_at&limit=2"), 2)
	seen, cursor := 0, ""
	for range 10 {
		page := s.want(200, "GET", path+"?limit=4&cursor="+cursor, ada.token, nil, fresh...)
		seen += len(page.object["items"].([]any))
		if cursor = page.str("next_cursor"); cursor == "" {
			break
		}
	}
	s.is.Equal(seen, 6)
	for _, bad := range []string{"?limit=0", "?limit=201", "?limit=x", "?sort=email", "?status=maybe", "?cursor=x", "?q=a&sort=joined_at"} {
		s.refused(422, "invalid", "GET", path+bad, ada.token, nil)
	}
	own := s.want(200, "GET", "/v1/me/organizations", ada.token, nil, fresh...)
	s.is.Equal(own.object["items"].([]any)[0].(map[string]any)["name"], "Looms")
	history := "/v1/organizations/" + org + "/history"
	s.is.Equal(len(s.want(200, "GET", history+"?order=asc&limit=1&type=organization.renamed", ada.token, nil).object["items"].([]any)), 1)
	s.is.Equal(len(s.want(200, "GET", history+"?since="+time.Now().Add(time.Hour).UTC().Format(time.RFC3339), ada.token, nil).object["items"].([]any)), 0)
	s.refused(422, "invalid", "GET", history+"?since=yesterday", ada.token, nil)
}

func TestRefusalsInTheWordsOfThePolicy(t *testing.T) {
	s := newStack(t)
	ada := s.person("ada@example.com")
	org, _ := s.organization(ada, "Engines")
	a := s.refused(409, "organization_name_taken", "POST", "/v1/organizations", ada.token, map[string]any{"name": " ENGI nes"})
	s.is.Equal(a.object["errors"].([]any)[0].(map[string]any)["field"], "name")
	a = s.refused(409, "email_taken", "POST", "/v1/organizations/"+org+"/invitations", ada.token, map[string]any{"email": "ADA@example.com", "username": "x", "role": "USER"})
	s.is.Equal(a.str("title"), "Invite conflict")
	s.is.Equal(a.str("type"), "urn:tenure:problem:email_taken")
	s.refused(422, "username_required", "POST", "/v1/organizations/"+org+"/invitations", ada.token, map[string]any{"email": "x@example.com", "role": "USER"})
	s.refused(422, "role_unknown", "POST", "/v1/organizations/"+org+"/invitations", ada.token, map[string]any{"email": "x@example.com", "username": "x", "role": "KING"})
	s.refused(422, "role_count", "POST", "/v1/organizations/"+org+"/invitations", ada.token, map[string]any{"email": "x@example.com", "username": "x"})
	s.refused(422, "invalid", "POST", "/v1/organizations/"+org+"/invitations", ada.token, map[string]any{"email": "x@example.com", "username": "x", "role": "USER", "roles": []string{"USER"}})
	s.refused(403, "role_not_grantable", "POST", "/v1/organizations/"+org+"/invitations", ada.token, map[string]any{"email": "x@example.com", "username": "x", "role": "OWNER"})
	s.refused(409, "owner_protected", "DELETE", "/v1/organizations/"+org+"/members/"+ada.id, ada.token, nil)
}

func TestOperatorsSeeWhatRuns(t *testing.T) {
	s := newStack(t)
	ada := s.person("ada@example.com")
	org, position := s.organization(ada, "Engines")
	all := s.want(200, "GET", "/v1/operator/organizations?q=eng", s.operator, nil, "Tenure-Min-Position", position)
	s.is.Equal(all.object["items"].([]any)[0].(map[string]any)["organization_id"], org)
	one := s.want(200, "GET", "/v1/organizations/"+org, s.operator, nil)
	s.is.Equal(one.object["your_roles"], []any{})
	s.refused(404, "not_found", "GET", "/v1/organizations/0198c0de-0000-7000-8000-000000000001", s.operator, nil)
	views := s.want(200, "GET", "/v1/operator/projections", s.operator, nil).object["items"].([]any)[0].(map[string]any)
	s.is.True(views["state"] == "live" || views["state"] == "catching_up")
	s.refused(422, "invalid", "POST", "/v1/operator/api-keys", s.operator, map[string]any{"name": "x", "scopes": []string{"everything"}})
	a := s.want(201, "POST", "/v1/operator/api-keys", s.operator, map[string]any{"name": "x", "scopes": []string{"operator"}, "expires_at": "2099-01-01T00:00:00Z"})
	keys := s.want(200, "GET", "/v1/operator/api-keys", s.operator, nil, "Tenure-Min-Position", a.header.Get("Tenure-Position"))
	s.is.Equal(len(keys.object["items"].([]any)), 2)
	s.is.True(!strings.Contains(string(keys.body), "tnr_key_"))
}
