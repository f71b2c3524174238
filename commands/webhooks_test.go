package commands_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/policy"
	"tenure/domain/webhook"
	"tenure/policies"
)

// noPolicies has none of the policies that the log names, as a node whose log
// cannot be read at this moment.
type noPolicies struct{ *policies.Catalogue }

func (noPolicies) Get(string, int) (*policy.Policy, bool) { return nil, false }

func TestStandingOfAWebhookWithoutItsPolicy(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	org, _ := w.organization(w.node(), "Acme")
	hook := webhook.Webhook{Owner: org, Personal: true}
	standing, err := w.node().WebhookStanding(w.ctx, hook)
	is.NoErr(err)
	is.True(standing.Personal)
	_, err = w.nodeWith(noPolicies{policies.Builtin()}).WebhookStanding(w.ctx, hook)
	is.True(err != nil) // an error, and no panic where nobody recovers
}

// TestWhereAWebhookDeliversToIsForWhoMayReadIt gives a role the webhooks, and not
// all that they deliver.
func TestWhereAWebhookDeliversToIsForWhoMayReadIt(t *testing.T) {
	document, err := os.ReadFile("../policies/ownership.yaml")
	if err != nil {
		t.Fatal(err)
	}
	others, viewer, _ := strings.Cut(string(document), "  - name: VIEWER\n")
	for _, lacking := range []domain.Permission{domain.ReadHistory, domain.ReadMembers} {
		t.Run(string(lacking), func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			without := strings.Replace(viewer, "      - "+string(lacking)+"\n", "      - webhooks.manage\n", 1)
			catalogue, err := policies.Load(fstest.MapFS{"ownership.yaml": {Data: []byte(others + "  - name: VIEWER\n" + without)}})
			is.NoErr(err)
			c := w.nodeWith(catalogue)
			org, asOwner := w.organization(c, "acme")
			asViewer := commands.Request{Actor: domain.ByAccount(w.member(c, asOwner, org, "vic", "VIEWER"))}

			hook := webhook.Registered{URL: "https://hooks.example/acme", Personal: true, Owner: org}
			_, _, _, err = c.RegisterWebhook(w.ctx, asViewer, hook, 0)
			is.True(refusedWith(err, domain.CodePermissionDenied))
			id, _, _, err := c.RegisterWebhook(w.ctx, asOwner, hook, 0)
			is.NoErr(err)
			theirs := commands.WebhookChange{URL: new("https://vic.example/take")}
			_, err = c.ChangeWebhook(w.ctx, asViewer, org, id, theirs)
			is.True(refusedWith(err, domain.CodePermissionDenied))
			_, err = c.ChangeWebhook(w.ctx, asViewer, org, id, commands.WebhookChange{Enabled: new(false)})
			is.NoErr(err)
			_, err = c.ChangeWebhook(w.ctx, asOwner, org, id, theirs)
			is.NoErr(err)
		})
	}
}
