package acceptance

import (
	"testing"
)

// the forms of AuthZEN.
type (
	obj         = map[string]any
	decisionDoc struct {
		Decision *bool `json:"decision"`
		Context  struct {
			Reason      string          `json:"reason"`
			Message     string          `json:"message"`
			Error       *itemErrorDoc   `json:"error"`
			Explanation *explanationDoc `json:"explanation"`
		} `json:"context"`
	}
	decisionsDoc struct {
		decisionDoc
		Evaluations []decisionDoc `json:"evaluations"`
	}
	itemErrorDoc struct {
		Status  int    `json:"status"`
		Message string `json:"message"`
	}
	explanationDoc struct {
		Revision uint64 `json:"revision"`
		Position string `json:"position"`
		Policy   struct {
			Name    string   `json:"name"`
			Version int      `json:"version"`
			Since   entryDoc `json:"since"`
		} `json:"policy"`
		GrantedBy []string `json:"granted_by"`
		Member    *struct {
			AccountID string    `json:"account_id"`
			Status    string    `json:"status"`
			Invited   *entryDoc `json:"invited"`
			Joined    entryDoc  `json:"joined"`
			Changed   *entryDoc `json:"changed"`
			Roles     []struct {
				Role   string   `json:"role"`
				Grants bool     `json:"grants"`
				Given  entryDoc `json:"given"`
			} `json:"roles"`
		} `json:"member"`
		Space *struct {
			SpaceID  string    `json:"space_id"`
			OpenedBy []string  `json:"opened_by"`
			Created  *entryDoc `json:"created"`
			Deleted  *entryDoc `json:"deleted"`
			Assigned *entryDoc `json:"assigned"`
		} `json:"space"`
	}
)

const evaluation, evaluations = "/access/v1/evaluation", "/access/v1/evaluations"

func user(id string) obj            { return obj{"type": "user", "id": id} }
func inOrganization(org string) obj { return obj{"type": "organization", "id": org} }
func todo(permission string) obj    { return obj{"name": permission} }
func inSpace(org, id string) obj {
	return obj{"type": "space", "id": id, "properties": obj{"organization_id": org}}
}

func (c client) ask(org, account, permission string, extras ...extra) response {
	return c.post(evaluation, obj{"subject": user(account), "action": todo(permission), "resource": inOrganization(org)}, extras...)
}

func (c client) explain(t *testing.T, org, account, permission string) decisionDoc {
	t.Helper()
	return decoded[decisionDoc](t, c.post(evaluation, obj{
		"subject": user(account), "action": todo(permission), "resource": inOrganization(org), "context": obj{"tenure_explain": true},
	}))
}

// may is the decision about a permission.
func (c client) may(t *testing.T, org, account, permission string) bool {
	t.Helper()
	return *decoded[decisionDoc](t, c.ask(org, account, permission)).Decision
}

// why is the reason of a denial.
func (c client) why(t *testing.T, org, account, permission string) string {
	t.Helper()
	d := decoded[decisionDoc](t, c.ask(org, account, permission))
	if *d.Decision {
		t.Fatalf("%s is allowed", permission)
	}
	return d.Context.Reason
}

func (s *server) keyFor(t *testing.T, scope string) client {
	t.Helper()
	return client{server: s, token: decoded[receipt](t, s.operator().createKey(unique("key"), scope)).Key}
}
