package acceptance

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// rolePermissions is what row O2 gives each role of Tenure's own permissions.
var rolePermissions = map[string][]string{
	"OWNER": {
		"organization.read", "organization.update", "members.read", "members.invite", "members.change_roles", "members.remove",
		"invitations.read", "history.read", "settings.read", "settings.update", "webhooks.read", "webhooks.manage", "ownership.transfer",
	},
	"ADMIN": {
		"organization.read", "organization.update", "members.read", "members.invite", "members.change_roles", "members.remove",
		"invitations.read", "history.read", "settings.read", "settings.update", "webhooks.read", "webhooks.manage",
	},
	"USER":   {"organization.read"},
	"VIEWER": {"organization.read", "members.read", "invitations.read", "history.read", "settings.read", "webhooks.read"},
}

// caller is somebody, and what that means for the decision.
type caller struct {
	name   string
	client client
	role   string // in the organization
	key    string // the scopes of an API key, separated by spaces
	gone   bool   // revoked: good for nothing
}

func TestAccess_EveryRouteForEveryone(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)
		pending := decoded[receipt](t, c.owner.invite(c.org, "pending@example.com", "pending", "USER")).InvitationID
		ok(t, c.owner.requestTransfer(c.org, c.user))
		ids := map[string]string{"org": c.org, "user": c.user.AccountID, "invitation": pending}
		callers := c.callers(t)
		before := c.everything(t)
		for _, o := range c.operations(t) {
			t.Run(o.String(), func(t *testing.T) {
				for _, who := range callers {
					r := c.try(t, o, who, ids)
					want := o.decision(who, c.user)
					if got := decisionOf(r); got != want {
						t.Errorf("%s: want %s, got %s: %v", who.name, want, got, r)
					}
				}
			})
		}
		is.New(t).Equal(c.everything(t), before) // all of it were reads and dry runs
		c.hiddenRoutes(t)
	})
}

// callers are everybody there is.
func (c *cast) callers(t *testing.T) []caller {
	t.Helper()
	elsewhere := c.signUp(t, "Elsewhere")
	ok(t, elsewhere.activate(unique("Elsewhere")))
	out := c.newMember(t, "ADMIN")
	ended := out.client
	ok(t, out.delete("/v1/sessions/current"))
	reader := decoded[receipt](t, c.operator().createKey("reader", "organizations.read"))
	checker := decoded[receipt](t, c.operator().createKey("checker", "access.check"))
	worker := decoded[receipt](t, c.operator().createKey("worker", "work.manage"))
	follower := decoded[receipt](t, c.operator().createKey("follower", "events.read"))
	revoked := decoded[receipt](t, c.operator().createKey("revoked", "operator"))
	ok(t, c.operator().delete("/v1/operator/api-keys/"+revoked.APIKeyID))
	return []caller{
		{name: "nobody", client: c.anonymous()},
		{name: "somebody", client: c.stranger.client},
		{name: "a VIEWER", client: c.viewer.client, role: "VIEWER"},
		{name: "a USER", client: c.user.client, role: "USER"},
		{name: "an ADMIN", client: c.admin.client, role: "ADMIN"},
		{name: "the OWNER", client: c.owner.client, role: "OWNER"},
		{name: "a removed member", client: c.removed.client},
		{name: "a member of another organization", client: elsewhere.client},
		{name: "a session that has ended", client: ended, gone: true},
		{name: "an operator", client: c.operator(), key: "operator organizations.read access.check work.manage events.read events.read_personal"},
		{name: "a key for reading", client: client{server: c.server, token: reader.Key}, key: "organizations.read"},
		{name: "a key for checks", client: client{server: c.server, token: checker.Key}, key: "access.check"},
		{name: "a key for work", client: client{server: c.server, token: worker.Key}, key: "work.manage"},
		{name: "a key for events", client: client{server: c.server, token: follower.Key}, key: "events.read"},
		{name: "a revoked key", client: client{server: c.server, token: revoked.Key}, gone: true},
	}
}

// decision is what the route's own words, and the policy, say about a caller.
func (o operation) decision(who caller, user *person) string {
	signedIn := !who.gone && who.key == "" && who.client.token != ""
	switch {
	case o.access.Kind == "public":
		return "allowed"
	case o.access.Kind == "link" && who.client.token == "":
		return "allowed"
	case o.access.Ended && who.gone && !strings.HasPrefix(who.client.token, "tnr_key_"):
		return "allowed"
	case who.gone || who.client.token == "":
		return "not signed in"
	case o.access.Kind == "link", o.access.Kind == "signed_in":
		return map[bool]string{true: "allowed", false: "denied"}[signedIn]
	case o.access.Kind == "operator":
		return map[bool]string{true: "allowed", false: "denied"}[slices.Contains(strings.Fields(who.key), o.access.Scope)]
	case o.access.Kind == "check" && who.key == "": // the questions are about the USER
		mayAsk := who.client.token == user.token || slices.Contains(rolePermissions[who.role], "members.read")
		return map[bool]string{true: "allowed", false: "denied"}[mayAsk]
	case o.access.Kind == "check":
		return map[bool]string{true: "allowed", false: "denied"}[slices.Contains(strings.Fields(who.key), o.access.Scope)]
	case who.key != "": // of the organization
		return map[bool]string{true: "allowed", false: "denied"}[(o.reads() || o.access.Keys) && slices.Contains(strings.Fields(who.key), o.access.Scope)]
	case who.role == "":
		return "not found"
	case o.access.Own, o.access.Self && who.client.token == user.token, slices.Contains(rolePermissions[who.role], o.access.Permission):
		return "allowed"
	}
	return "denied"
}

// try sends the request of the document's example. Commands are dry runs.
func (c *cast) try(t *testing.T, o operation, who caller, ids map[string]string) response {
	t.Helper()
	path, client := o.filled(ids), who.client
	path = strings.NewReplacer("{key}", c.org, "{view}", "timeline", "{identity}", c.org, "{space}", c.org, "{kind}", "contact", "{work}", "4711", "{type}", "organization.renamed.v1", "{webhook}", c.org, "{broker}", "nats", "{erasure}", c.org).Replace(path)
	if o.reads() {
		return client.get(path)
	}
	body := o.example
	if o.access.Kind == "check" {
		body = o.questionsAbout(t, ids)
	}
	return client.send(o.method, path, body, o.trial)
}

// questionsAbout is the document's example with the ids of an organization and a
// member.
func (o operation) questionsAbout(t *testing.T, ids map[string]string) []byte {
	t.Helper()
	var example struct{ Subject, Resource struct{ ID string } }
	if err := json.Unmarshal(o.example, &example); err != nil {
		t.Fatal(err)
	}
	return []byte(strings.NewReplacer(example.Subject.ID, ids["user"], example.Resource.ID, ids["org"]).Replace(string(o.example)))
}

// decisionOf tells what an answer says about who may.
func decisionOf(r response) string {
	switch code := r.code(); {
	case r.err != nil:
		return r.err.Error()
	case r.status >= 500:
		return "broken"
	case code == "not_signed_in" && r.problem().Title == "Sign in first" && strings.Contains(r.problem().Detail, "Bearer"):
		return "not signed in"
	case code == "permission_denied":
		return "denied"
	case code == "not_found" && r.problem().Title == "No such organization":
		return "not found"
	}
	return "allowed"
}

// hiddenRoutes are those that the document leaves out.
func (c *cast) hiddenRoutes(t *testing.T) {
	t.Helper()
	for _, page := range []string{"/openapi.json", "/docs", "/verify", "/accept-invitation", "/confirm-transfer", "/join-requests", "/reset-password", "/sign-in"} {
		r := c.anonymous().get(page, anyPosition, header("Accept", "text/html"))
		if !r.done() {
			t.Errorf("%v", r)
		}
	}
	for _, page := range []string{"/outbox", "/outbox/" + c.org, "/metrics"} {
		refused(t, c.anonymous().get(page, anyPosition), 401, "not_signed_in")
		refused(t, c.owner.get(page, anyPosition), 403, "permission_denied")
	}
	refused(t, c.anonymous().get("/nowhere"), 404, "not_found")
	refused(t, c.owner.get("/v1/organizations/"+c.org+"/nowhere"), 404, "not_found")
	wrong := c.owner.delete("/v1/organizations")
	refused(t, wrong, 405, "method_not_allowed")
	is.New(t).True(wrong.header.Get("Allow") != "")
}

func TestAccess_GuessingIsThrottled(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t, withFlags("--rate-limits", "on"))
		ada, bob := s.signUp(t, "Ada"), s.signUp(t, "Bob")
		guess := func(p *person) response {
			guesser := *p
			guesser.Password = "not the password"
			return guesser.requestSession()
		}
		var throttled response
		for range 40 {
			if throttled = guess(ada); throttled.status == 429 {
				break
			}
		}
		refused(t, throttled, 429, "too_many_attempts")
		is := is.New(t)
		is.True(throttled.header.Get("Retry-After") != "")
		refused(t, ada.requestSession(), 429, "too_many_attempts") // the right one does not show either
		ok(t, bob.requestSession())                                // others are not affected
		ok(t, ada.get("/v1/me"))
		for range 30 {
			time.Sleep(time.Millisecond)
			throttled = s.anonymous().post("/v1/accounts", map[string]any{"email": "many@example.com", "display_name": "Many", "password": password})
		}
		refused(t, throttled, 429, "too_many_attempts")
	})
}
