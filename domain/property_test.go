package domain_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"

	"tenure/domain"
	"tenure/domain/policy"
	"tenure/policies"
)

// TestNothingThatHappensBreaksTheRules lets random people do random things
// under the built-in policies, while requests crash and processes lag.
func TestNothingThatHappensBreaksTheRules(t *testing.T) {
	catalogue := policies.Builtin()
	for _, name := range catalogue.Names() {
		p, _ := catalogue.Latest(name)
		var others []*policy.Policy
		for _, other := range catalogue.Names() {
			if other != name {
				q, _ := catalogue.Latest(other)
				others = append(others, q)
			}
		}
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) { live(t, p, others...) }))
	}
	t.Run("any policy", rapid.MakeCheck(func(t *rapid.T) {
		live(t, anyPolicy(t), renamed(anyPolicy(t), "other"), renamed(anyPolicy(t), "third"))
	}))
}

// renamed is a policy under another name.
func renamed(p *policy.Policy, name string) *policy.Policy {
	p.Name = name
	return p
}

func live(t *rapid.T, p *policy.Policy, others ...*policy.Policy) {
	w := newWorld(t, p, others...)
	actions := w.actions()
	for _, next := range rapid.SliceOfN(rapid.SampledFrom(weighted), 60, 200).Draw(t, "actions") {
		actions[next](t)
	}
	w.drain()
	w.checkDrained()
	w.checkUnchanged()
}

// weighted is every action, as often as it takes for much to happen.
var weighted = strings.Fields(`Invite Invite Invite Resend Resend Revoke Accept Accept Accept Accept Decline
	ChangeRoles ChangeRoles ChangeRoles Remove Remove Seats Transfer Transfer ConfirmTransfer Rename
	Suspend Suspend Reactivate Ask Ask Decide Decide AutoActivate Add Move Move
	SignUp Verify Session Session Profile Continue Continue Continue Crash Follow Follow Follow Wait Drain Remember`)

// TestEveryValidDocumentIsAPolicy holds that the rules for documents refuse
// none of those that anyPolicy writes.
func TestEveryValidDocumentIsAPolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyPolicy(t)
		if p.Members.MinimumAdmins > 0 && !p.AdminLike(p.Members.FounderRoles) {
			t.Fatalf("an organization would start without an admin: %+v", p)
		}
	})
}

type settings = map[string]any

// anyPolicy writes a valid document and has it parsed.
func anyPolicy(t *rapid.T) *policy.Policy {
	var all []domain.Role
	for i := range rapid.IntRange(2, 4).Draw(t, "roles") {
		all = append(all, domain.Role(fmt.Sprintf("R%d", i)))
	}
	owned := rapid.Bool().Draw(t, "owned")
	givable := all
	if owned {
		givable = all[1:]
	}
	minimum := rapid.IntRange(0, 1).Draw(t, "minimum admins")
	ownerIsAdmin := rapid.Bool().Draw(t, "owner is admin") || (minimum == 1 && !owned)
	members := settings{
		"founder_roles": all[:1], "minimum_admins": minimum,
		"several_roles": rapid.Bool().Draw(t, "several roles"), "may_remove_oneself": rapid.Bool().Draw(t, "may remove oneself"),
		"may_have_no_role": rapid.Bool().Draw(t, "may have no role"), "own_roles_fixed": rapid.Bool().Draw(t, "own roles fixed"),
	}
	if seats := rapid.IntRange(0, 5).Draw(t, "seats"); seats > 0 {
		members["seats"] = seats
	}
	if minimum == 1 && !ownerIsAdmin { // the founder needs another role that is
		members["founder_roles"], members["several_roles"] = all[:2], true
	}
	var roles []settings
	for i, name := range all {
		role := anyRole(t, name, all, givable, i == 0, owned)
		role["admin_like"] = (i == 0 && ownerIsAdmin) || (i == 1 && !ownerIsAdmin) || (i > 1 && rapid.Bool().Draw(t, "admin like"))
		roles = append(roles, role)
	}
	document := settings{
		"name": "any", "version": 1, "summary": "Any policy.", "roles": roles, "members": members,
		"invitations": settings{
			"lifetime":          rapid.SampledFrom([]string{"1 hour", "7 days"}).Draw(t, "invitation lifetime"),
			"username_required": rapid.Bool().Draw(t, "username required"), "revoke_when_inviter_leaves": rapid.Bool().Draw(t, "revoke when inviter leaves"),
		},
	}
	if rapid.Bool().Draw(t, "providers") {
		document["invitations"].(settings)["providers"] = rapid.SampledFrom([][]string{{"any"}, {"google"}, {"any", "google"}}).Draw(t, "providers offered")
	}
	if owned {
		document["ownership"] = settings{
			"role": all[0], "candidates": some(t, "candidates", givable), "previous_owner_becomes": all[1], "transfer_lifetime": "24 hours",
		}
	}
	return parsed(t, document)
}

// anyRole is a role whose permissions and reach belong together; the first role
// may do everything.
func anyRole(t *rapid.T, name domain.Role, all, givable []domain.Role, first, owned bool) settings {
	may := func(what string) bool { return first || rapid.Bool().Draw(t, what) }
	role := settings{"name": name, "summary": "A role."}
	permissions := []domain.Permission{domain.ReadOrganization}
	invites, changes, removes := may("invites"), may("changes"), may("removes")
	if invites {
		permissions = append(permissions, domain.InviteMembers)
	}
	if changes {
		permissions = append(permissions, domain.ChangeRoles)
	}
	if removes {
		permissions = append(permissions, domain.RemoveMembers)
	}
	if first {
		permissions = append(permissions, domain.UpdateOrganization)
		role["grants"], role["manages"] = givable, all
	}
	if first && owned {
		permissions = append(permissions, domain.TransferOwnership)
	}
	if !first && (invites || changes) {
		role["grants"] = some(t, "grants", givable)
	}
	if !first && (changes || removes) {
		role["manages"] = some(t, "manages", all)
	}
	role["permissions"] = permissions
	return role
}

func some(t *rapid.T, what string, roles []domain.Role) []domain.Role {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(roles), 1, len(roles), rapid.ID).Draw(t, what)
}

func parsed(t *rapid.T, document settings) *policy.Policy {
	text, err := yaml.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policies.Parse(text)
	if err != nil {
		t.Fatalf("%s\n%s", err, strings.TrimSpace(string(text)))
	}
	return p
}
