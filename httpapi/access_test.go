package httpapi_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"tenure/domain"
	"tenure/domain/apikey"
	"tenure/httpapi"
	"tenure/policies"
)

// caller is somebody who tries every route.
type caller struct {
	name   string
	token  string
	role   domain.Role    // in the organization, empty for none
	scopes []apikey.Scope // of a key
}

// scene is an organization with everything in it that a path can name.
type scene struct {
	*stack
	org, invitation, key, hook string
	owner, target              person
	callers                    []caller
}

func newScene(s *stack) *scene {
	s.Helper()
	c := &scene{stack: s, owner: s.person("owner@example.com")}
	c.org, _ = s.organization(c.owner, "Engines")
	admin, user, viewer := s.member(c.owner, c.org, "admin@example.com", "ADMIN"), s.member(c.owner, c.org, "user@example.com", "USER"), s.member(c.owner, c.org, "viewer@example.com", "VIEWER")
	removed, stranger := s.member(c.owner, c.org, "removed@example.com", "USER"), s.person("stranger@example.com")
	s.want(200, "DELETE", "/v1/organizations/"+c.org+"/members/"+removed.id, c.owner.token, nil)
	c.target = s.member(c.owner, c.org, "target@example.com", "USER")
	c.invitation, _ = s.invite(c.owner, c.org, "guest@example.com", "guest", "USER")
	c.hook = s.want(201, "POST", "/v1/organizations/"+c.org+"/webhooks", c.owner.token, map[string]any{"url": "https://hooks.example.com"}).str("webhook_id")
	var reader, operator string
	reader, _ = s.key("organizations.read")
	checker, _ := s.key("access.check")
	operator, c.key = s.key("operator")
	worker, _ := s.key("work.manage")
	follower, _ := s.key("events.read")
	last := s.want(201, "POST", "/v1/organizations/"+c.org+"/ownership-transfer", c.owner.token, map[string]any{"to": c.target.id})
	s.want(200, "GET", "/v1/me/organizations", c.owner.token, nil, "Tenure-Min-Position", last.header.Get("Tenure-Position"))
	c.callers = []caller{
		{name: "nobody"}, {name: "stranger", token: stranger.token}, {name: "removed", token: removed.token},
		{name: "owner", token: c.owner.token, role: "OWNER"}, {name: "admin", token: admin.token, role: "ADMIN"},
		{name: "user", token: user.token, role: "USER"}, {name: "viewer", token: viewer.token, role: "VIEWER"},
		{name: "operator key", token: operator, scopes: []apikey.Scope{apikey.ScopeOperator}},
		{name: "reader key", token: reader, scopes: []apikey.Scope{apikey.ScopeReadOrganizations}},
		{name: "checker key", token: checker, scopes: []apikey.Scope{apikey.ScopeCheckAccess}},
		{name: "worker key", token: worker, scopes: []apikey.Scope{apikey.ScopeManageWork}},
		{name: "follower key", token: follower, scopes: []apikey.Scope{apikey.ScopeReadEvents}},
	}
	return c
}

func (s *stack) key(scope string) (text, id string) {
	s.Helper()
	a := s.want(201, "POST", "/v1/operator/api-keys", s.operator, map[string]any{"name": "a key", "scopes": []string{scope}})
	return a.str("key"), a.str("api_key_id")
}

// path fills in a template, with a dry run for every command.
func (c *scene) path(op httpapi.Operation) string {
	path := strings.NewReplacer("{org}", c.org, "{user}", c.target.id, "{invitation}", c.invitation, "{key}", c.key, "{view}", "timeline", "{identity}", c.key,
		"{space}", c.invitation, "{kind}", "contact", "{work}", "4711", "{webhook}", c.hook, "{broker}", "nats", "{erasure}", c.org).Replace(op.Path)
	path = strings.ReplaceAll(path, "{type}", "organization.renamed.v1")
	switch {
	case slices.Contains(op.Query, "dry_run"):
		path += "?dry_run=true"
	case op.Access.All:
		path += "?organization=" + c.org
	}
	return path
}

// body is the example of the documentation, with the ids of the scene.
func (c *scene) body(op httpapi.Operation) any {
	if op.Request == nil {
		return nil
	}
	var fields map[string]any
	c.is.NoErr(json.Unmarshal(mustJSON(op.Request), &fields))
	if _, ok := fields["to"]; ok {
		fields["to"] = c.target.id
	}
	if subject, ok := fields["subject"].(map[string]any); ok { // a permission check
		resource := fields["resource"].(map[string]any)
		ids := strings.NewReplacer(subject["id"].(string), c.target.id, resource["id"].(string), c.org)
		return ids.Replace(string(mustJSON(op.Request)))
	}
	return fields
}

// Every route is tried by everybody, and decides as its Access says.
func TestEveryRouteForEverybody(t *testing.T) {
	c := newScene(newStack(t))
	rules, ok := policies.Builtin().Latest("ownership")
	c.is.True(ok)
	tried := 0
	for _, op := range c.api.Operations() {
		if op.Hidden {
			continue
		}
		for _, who := range c.callers {
			t.Run(op.Method+" "+op.Path+" "+who.name, func(t *testing.T) {
				a := c.do(op.Method, c.path(op), who.token, c.body(op))
				holds := rules.Allows([]domain.Role{who.role}, op.Access.Permission)
				want := decision(op, who, holds)
				got := "in"
				switch code := a.str("code"); code {
				case "not_signed_in", "permission_denied":
					got = code
				case "not_found":
					if op.Access.Kind == httpapi.AccessMember {
						got = code
					}
				}
				if got != want {
					t.Errorf("%s, want %s: %d %s", got, want, a.status, a.body)
				}
				if a.status >= 500 {
					t.Errorf("%d %s", a.status, a.body)
				}
			})
			tried++
		}
	}
	c.is.True(tried > 300)
}

// decision is what the documentation of Access promises.
func decision(op httpapi.Operation, who caller, holds bool) string {
	read, key := op.Method == "GET", who.scopes != nil
	switch op.Access.Kind {
	case httpapi.AccessPublic:
		return "in"
	case httpapi.AccessLink:
		if key {
			return "permission_denied"
		}
		return "in"
	}
	switch {
	case who.token == "":
		return "not_signed_in"
	case op.Access.Kind == httpapi.AccessOperator:
		if !slices.Contains(who.scopes, op.Access.Scope) {
			return "permission_denied"
		}
		return "in"
	case op.Access.Kind == httpapi.AccessCheck: // the questions are about a member
		asks := who.role != "" && who.role != "USER" || slices.Contains(who.scopes, op.Access.Scope)
		if !asks {
			return "permission_denied"
		}
		return "in"
	case op.Access.Kind == httpapi.AccessSignedIn:
		if key {
			return "permission_denied"
		}
		return "in"
	case key:
		if (read || op.Access.Keys) && slices.Contains(who.scopes, op.Access.Scope) {
			return "in"
		}
		return "permission_denied"
	case who.role == "":
		return "not_found"
	case !holds && !op.Access.Own:
		return "permission_denied"
	}
	return "in"
}

func TestAMemberReadsTheirOwnRecordAndHistory(t *testing.T) {
	c := newScene(newStack(t))
	own := "/v1/organizations/" + c.org + "/members/" + c.target.id
	c.is.Equal(c.want(200, "GET", own, c.target.token, nil).str("account_id"), c.target.id)
	c.is.True(len(c.want(200, "GET", own+"/history", c.target.token, nil).object["items"].([]any)) > 0)
	other := "/v1/organizations/" + c.org + "/members/" + c.owner.id
	c.refused(403, "permission_denied", "GET", other, c.target.token, nil)
	c.refused(403, "permission_denied", "GET", other+"/history", c.target.token, nil)
	c.want(200, "DELETE", own, c.owner.token, nil)
	c.refused(404, "not_found", "GET", own, c.target.token, nil)
}

func TestWhoIsNotSignedInIsToldHow(t *testing.T) {
	s := newStack(t)
	a := s.refused(401, "not_signed_in", "GET", "/v1/me", "", nil)
	s.is.Equal(a.header.Get("WWW-Authenticate"), `Bearer realm="tenure"`)
	for _, header := range []string{"Bearer", "Bearer ", "Bearer x", "Basic b3BlcmF0b3I6eA==", "Digest x", "tnr_ses_AAAA", "Bearer " + strings.Repeat("a", 5000)} {
		s.refused(401, "not_signed_in", "GET", "/v1/me", "", nil, "Authorization", header)
	}
	a = s.refused(401, "not_signed_in", "GET", "/v1/operator/projections", "", nil)
	s.is.Equal(a.header.Values("WWW-Authenticate"), []string{`Bearer realm="tenure"`, `Basic realm="tenure", charset="UTF-8"`})
}

func TestBasicIsForAnOperatorWhoReads(t *testing.T) {
	s := newStack(t)
	basic := func(user, password string) []string {
		return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}
	}
	s.want(200, "GET", "/v1/operator/projections", "", nil, basic("operator", s.operator)...)
	s.want(200, "GET", "/outbox", "", nil, basic("operator", s.operator)...)
	s.refused(401, "not_signed_in", "GET", "/outbox", "", nil, basic("admin", s.operator)...)
	s.refused(401, "not_signed_in", "GET", "/outbox", "", nil, basic("operator", s.operator+"x")...)
	// A browser that remembers the key must not be led to make another one.
	s.refused(401, "not_signed_in", "POST", "/v1/operator/api-keys", "", map[string]any{"name": "x", "scopes": []string{"operator"}}, basic("operator", s.operator)...)
	s.refused(401, "not_signed_in", "GET", "/v1/me/organizations", "", nil, basic("operator", s.operator)...)
}

func TestAKeyThatWasRevokedIsNone(t *testing.T) {
	s := newStack(t)
	key, id := s.key("operator")
	s.want(200, "GET", "/v1/operator/projections", key, nil)
	s.want(200, "DELETE", "/v1/operator/api-keys/"+id, s.operator, map[string]any{"reason": "lost"})
	s.refused(401, "not_signed_in", "GET", "/v1/operator/projections", key, nil)
}

func TestIdsInThePathThatAreNoneAreNotFound(t *testing.T) {
	c := newScene(newStack(t))
	for _, path := range []string{
		"/v1/organizations/x", "/v1/organizations/" + strings.ToUpper(c.org), "/v1/organizations/" + c.org + "/members/1%20OR%201",
		"/v1/organizations/{" + c.org + "}", "/v1/organizations/urn:uuid:" + c.org, "/v1/organizations/" + c.org + "/invitations/%00",
		"/v1/organizations/" + strings.ReplaceAll(c.org, "-", ""),
	} {
		c.refused(404, "not_found", "GET", path, c.owner.token, nil)
	}
}
