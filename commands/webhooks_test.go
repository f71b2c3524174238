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
	is.Equal(standing.Guards, []domain.Permission{domain.ReadSettings}) // nobody there reads billing
	is.True(standing.Reads(domain.ReadSettings) && !standing.Reads(domain.ReadBilling))
	is.True(!standing.Same(commands.WebhookStanding{Personal: true}))
	operators, err := w.node().WebhookStanding(w.ctx, webhook.Webhook{Personal: true})
	is.NoErr(err)
	is.True(operators.Reads(domain.ReadBilling))
	operators, err = w.node().WebhookStanding(w.ctx, webhook.Webhook{})
	is.NoErr(err)
	is.True(!operators.Reads(domain.ReadSettings))
	_, err = w.nodeWith(noPolicies{policies.Builtin()}).WebhookStanding(w.ctx, hook)
	is.True(err != nil) // an error, and no panic where nobody recovers
}

// TestAWebhookHasWhatAllWhoManageItMayRead gives the webhooks to a role that does not
// read the settings.
func TestAWebhookHasWhatAllWhoManageItMayRead(t *testing.T) {
	is := is.New(t)
	document, err := os.ReadFile("../policies/ownership.yaml")
	is.NoErr(err)
	others, viewer, _ := strings.Cut(string(document), "  - name: VIEWER\n")
	without := strings.Replace(viewer, "      - settings.read\n", "      - webhooks.manage\n", 1)
	catalogue, err := policies.Load(fstest.MapFS{"ownership.yaml": {Data: []byte(others + "  - name: VIEWER\n" + without)}})
	is.NoErr(err)
	w := newWorld(t)
	c := w.nodeWith(catalogue)
	org, _ := w.organization(c, "acme")
	standing, err := c.WebhookStanding(w.ctx, webhook.Webhook{Owner: org, Personal: true})
	is.NoErr(err)
	is.True(standing.Personal)
	is.Equal(len(standing.Guards), 0)
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
