package httpapi_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/policy"
	"tenure/httpapi"
	"tenure/ledger"
	"tenure/policies"
)

// ofUserAdmins lets the user admins of the policy delegated read the history, and
// change the subscription, which they may not read.
type ofUserAdmins struct{ commands.Policies }

func (o ofUserAdmins) Get(name string, version int) (*policy.Policy, bool) {
	p, ok := o.Policies.Get(name, version)
	if !ok || name != "delegated" {
		return p, ok
	}
	with := *p
	with.Roles = append([]policy.Role(nil), p.Roles...)
	for i, r := range with.Roles {
		if r.Name == "USER_ADMIN" {
			with.Roles[i].Permissions = append(append([]domain.Permission(nil), r.Permissions...), domain.ReadHistory, domain.ManageSubscriptions)
		}
	}
	return &with, true
}

// newAgency is an organization at a path, with an administrator and a user admin, who
// may read its history besides.
func newAgency(t *testing.T) (s *stack, admin person, users, org, path string) {
	t.Helper()
	s = newStack(t, func(c *httpapi.Config) {
		d := c.Commands.Dependencies
		d.Policies = ofUserAdmins{policies.Builtin()}
		c.Commands = commands.New(d)
	})
	s.commands = s.config.Commands
	admin = s.person("admin@example.com")
	org = s.want(201, "POST", "/v1/organizations", admin.token, map[string]any{"name": "Agency", "policy": "delegated"}).str("organization_id")
	path = "/v1/organizations/" + org
	_, token := s.invite(admin, org, "users@example.com", "", "USER_ADMIN")
	accepted := s.want(200, "POST", "/v1/invitations/accept", "", map[string]any{"token": token, "display_name": "Users", "password": secretWord})
	users = accepted.object["session"].(map[string]any)["token"].(string)
	return s, admin, users, org, path
}

// Whoever may read the history and not a section of the settings learns that it was
// changed, and no value, whatever way it comes.
func TestSettingsBehindTheirPermission(t *testing.T) {
	s, admin, users, org, path := newAgency(t)
	set := func(section, name, value string) string {
		a := s.want(200, "PUT", path+"/"+section, admin.token, map[string]any{"settings": map[string]string{name: value}})
		return a.header.Get("Tenure-Position")
	}
	set("billing", "card", "card-4711")
	at := set("subscriptions", "plan_of_choice", "large-4712")

	// The history, the feed in each form, and the proofs.
	all := map[string]string{
		"history": path + "/history", "page": "/v1/events?organization=" + org, "ndjson": "/v1/events?type=organization.settings&organization=" + org,
	}
	read := func(form, token string) string {
		headers := []string{"Tenure-Min-Position", at}
		if form == "ndjson" {
			headers = []string{"Accept", "application/x-ndjson"}
		}
		return string(s.want(200, "GET", all[form], token, nil, headers...).body)
	}
	for form := range all {
		history := form == "history"
		for token, sees := range map[string]struct{ billing, subscriptions, values bool }{
			admin.token: {true, true, history}, users: {true, false, history}, s.operator: {true, true, true},
			s.follower("events.read", "organizations.read"):                         {history, history, history},
			s.follower("events.read", "events.read_personal", "organizations.read"): {true, true, true},
		} {
			text := read(form, token)
			s.is.Equal(strings.Contains(text, "card-4711"), sees.billing && sees.values)
			s.is.Equal(strings.Contains(text, `"card"`), sees.billing)
			s.is.Equal(strings.Contains(text, "large-4712"), sees.subscriptions && sees.values)
			s.is.Equal(strings.Contains(text, "plan_of_choice"), sees.subscriptions)
			s.is.True(strings.Contains(text, `"section":"subscriptions"`))
			s.is.Equal(strings.Contains(text, `"changes":[],"withheld":true`), !sees.billing || !sees.subscriptions)
		}
	}
	following := s.open(all["page"], users, "text/event-stream")
	text, last := "", set("subscriptions", "plan_of_choice", "huge-4713")
	for buffer := make([]byte, 4096); strings.Count(text, `"section":"subscriptions"`) < 2; {
		n, err := following.Body.Read(buffer)
		text += string(buffer[:n])
		s.is.True(err == nil || err == io.EOF)
	}
	s.is.True(strings.Contains(text, `"card"`) && !strings.Contains(text, "plan_of_choice") && !strings.Contains(text, "huge-4713"))

	s.prove(path, last, admin.token)
	_, shown := s.want(200, "GET", path+"/history/proof?position="+at, admin.token, nil).object["event"]
	s.is.True(shown)
	a := s.want(200, "GET", path+"/history/proof?position="+at, users, nil)
	_, shown = a.object["event"]
	s.is.True(!shown && a.str("leaf_hash") != "")

	// Who changes it sees what is new in the answer to their own request alone.
	for _, dry := range []string{"true", "false"} {
		a := s.want(200, "PUT", path+"/subscriptions?dry_run="+dry, users, map[string]any{"settings": map[string]string{}})
		s.is.True(strings.Contains(string(a.body), `"withheld":true`) && !strings.Contains(string(a.body), "huge-4713"))
	}
}

// Whoever waits for an event is shown it as their roles are when it comes.
func TestSettingsForWhoWaits(t *testing.T) {
	s, admin, users, org, path := newAgency(t)
	_, head, _ := s.feed("/v1/events?limit=1000&organization="+org, users)
	waited := make(chan string, 1)
	go func() {
		waited <- string(s.raw("GET", "/v1/events?wait=20&type=organization.settings&organization="+org+"&cursor="+head, users, nil).body)
	}()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(string(s.raw("GET", "/metrics", s.operator, nil).body), "tenure_feed_streams 1\n"); time.Sleep(5 * time.Millisecond) {
		s.is.True(time.Now().Before(deadline)) // it waits
	}
	me := s.want(200, "GET", "/v1/me", users, nil).str("account_id")
	s.want(200, "PUT", path+"/members/"+me+"/roles", admin.token, map[string]any{"roles": []string{"ORGANIZATION_ADMIN"}})
	s.want(200, "PUT", path+"/subscriptions", admin.token, map[string]any{"settings": map[string]string{"plan": "large-4712"}})
	s.is.True(strings.Contains(<-waited, `"name":"plan"`))
}

// prove signs the log, and waits until there is a proof of an event.
func (s *stack) prove(path, position, token string) {
	s.Helper()
	proofs := ledger.New(ledger.Dependencies{Log: s.commands.Store, Tree: s.config.Tree, Commands: s.commands, Key: s.config.LedgerKey, Interval: 5 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = proofs.Run(ctx) }()
	s.Cleanup(func() { cancel(); <-ended })
	for s.do("GET", path+"/history/proof?position="+position, token, nil).status != 200 {
		time.Sleep(5 * time.Millisecond)
	}
}

// The proof of an event shows the address of a webhook to those alone who may manage
// webhooks, as the history does.
func TestProofsShowNoAddressOfAWebhook(t *testing.T) {
	s, admin, users, _, path := newAgency(t)
	const address = "https://hooks.example.com/t0ken"
	hook := s.want(201, "POST", path+"/webhooks", admin.token, map[string]any{"url": address}).str("webhook_id")
	s.want(200, "PATCH", path+"/webhooks/"+hook, admin.token, map[string]any{"url": address + "-2"})
	at := s.want(200, "POST", path+"/webhooks/"+hook+"/rotate-secret", admin.token, map[string]any{}).header.Get("Tenure-Position")
	s.prove(path, at, admin.token)

	events := s.want(200, "GET", path+"/history?type=webhook.", users, nil, "Tenure-Min-Position", at).object["items"].([]any)
	s.is.Equal(len(events), 3)
	for _, e := range events {
		proof := path + "/history/proof?position=" + e.(map[string]any)["position"].(string)
		has := e.(map[string]any)["type"] != "webhook.secret_rotated.v1"
		for token, whole := range map[string]bool{admin.token: true, s.operator: true, users: !has, s.follower("organizations.read"): !has} {
			a := s.want(200, "GET", proof, token, nil)
			_, shown := a.object["event"]
			s.is.Equal(shown, whole)
			s.is.True(a.str("leaf_hash") != "")
		}
	}
}
