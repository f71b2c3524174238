package commands_test

import (
	"testing"

	"github.com/matryer/is"

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
