package httpapi_test

import (
	"encoding/json"
	"testing"
)

// A frontend builds its forms of what the policy says, not of what it knows.
func TestThePolicySaysWhatFormsNeed(t *testing.T) {
	s := newStack(t)
	ada := s.person("ada@example.com")
	made := s.want(201, "POST", "/v1/organizations", ada.token, map[string]any{"name": "School", "policy": "moderated"})
	school := "/v1/organizations/" + made.str("organization_id")
	shown := s.want(200, "GET", school+"/policy", ada.token, nil).object
	part := func(name string) string {
		text, err := json.Marshal(shown[name])
		s.is.NoErr(err)
		return string(text)
	}
	s.is.Equal(part("your_grants"), `["admin","author","participant"]`)
	s.is.Equal(part("your_manages"), `["admin","author","participant"]`)
	s.is.Equal(part("members"), `{"founder_roles":["admin"],"may_have_no_role":false,"may_remove_oneself":true,"minimum_admins":1,"own_roles_fixed":false,"permissions":[],"personal":false,"several_roles":false}`)
	s.is.Equal(part("invitations"), `{"lifetime_seconds":604800,"link_in_answer":false,"providers":[],"revoke_when_inviter_leaves":true,"username_required":false}`)
	s.is.Equal(part("requests"), `{"by_domain":false,"roles":["participant"]}`)
	s.is.Equal(part("additions"), `{"password_length":6}`)
	s.is.Equal(part("spaces"), `{}`)
	s.is.Equal(part("work"), `{"released_on_suspension":false}`)
	s.is.Equal(part("ownership"), `null`)
	role := func(i int) map[string]any {
		r := shown["roles"].([]any)[i].(map[string]any)
		delete(r, "permissions")
		delete(r, "summary")
		return r
	}
	none, all := []any{}, []any{"admin", "author", "participant"}
	s.is.Equal(role(0), map[string]any{"role": "admin", "grants": all, "manages": all, "implies": all[1:], "admin_like": true, "all_spaces": true, "exclusive": true})
	s.is.Equal(role(1), map[string]any{"role": "author", "grants": none, "manages": none, "implies": all[2:], "admin_like": false, "all_spaces": true, "exclusive": true})

	// The caller's own part is the caller's: a participant gives no role.
	bob := s.person("bob@example.com")
	s.want(201, "POST", school+"/members", ada.token, map[string]any{"email": "bob@example.com", "role": "participant"})
	shown = s.want(200, "GET", school+"/policy", bob.token, nil).object
	s.is.Equal(part("your_grants")+part("your_manages"), `[][]`)
	shown = s.want(200, "GET", school+"/policy", s.operator, nil).object
	s.is.Equal(part("your_grants")+part("your_manages"), `[][]`)

	// The owner is given and managed by nobody.
	engines, _ := s.organization(bob, "Engines")
	shown = s.want(200, "GET", "/v1/organizations/"+engines+"/policy", bob.token, nil).object
	s.is.Equal(part("your_grants")+part("your_manages"), `["ADMIN","USER","VIEWER"]["ADMIN","USER","VIEWER"]`)
	s.is.Equal(part("ownership"), `{"candidates":["ADMIN","USER"],"previous_owner_becomes":"ADMIN","role":"OWNER","transfer_lifetime_seconds":86400}`)
	for _, name := range []string{"requests", "additions", "spaces"} {
		s.is.Equal(part(name), `null`)
	}
}
