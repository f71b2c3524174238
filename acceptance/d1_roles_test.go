package acceptance

import (
	"net/http"
	"testing"

	"github.com/matryer/is"
)

// what the source's table and lists let each role do.
const (
	isAdmin = 1 << iota
	isBiller
	isUsers
	isMember
	isViewer = isAdmin | isBiller | isUsers // of settings
)

func TestD1_RolesOverTheFourSettingsAreas(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		d := b.start(t).newDelegation(t)
		org := func(parts ...string) string { return orgPath(d.org, parts...) }
		member, space := org("members", d.member.AccountID), org("spaces", d.spaces[0])
		spaces := map[string]any{"spaces": []string{d.spaces[0], d.spaces[1]}}
		settings := map[string]any{"settings": map[string]string{"a": "b"}}
		invite := func(role string) map[string]any {
			return map[string]any{"email": "new@example.com", "roles": []string{role}}
		}
		rows := []struct {
			what, method, path string
			body               any
			who                int
		}{
			{"general: the organization", "GET", org(), nil, isViewer | isMember},
			{"general: settings", "GET", org("settings"), nil, isViewer},
			{"general: change settings", "PUT", org("settings"), settings, isAdmin},
			{"general: rename", "PATCH", org(), map[string]any{"name": unique("Renamed")}, isAdmin},
			{"general: history", "GET", org("history"), nil, isAdmin},
			{"general: delete the organization", "DELETE", org(), nil, isAdmin},
			{"users: list", "GET", org("members"), nil, isViewer},
			{"users: one", "GET", org("members", d.biller.AccountID), nil, isViewer},
			{"users: pending", "GET", org("invitations"), nil, isViewer},
			{"users: add a member", "POST", org("invitations"), invite("MEMBER"), isAdmin | isUsers},
			{"users: add a user admin", "POST", org("invitations"), invite("USER_ADMIN"), isAdmin},
			{"users: add a billing admin", "POST", org("invitations"), invite("BILLING_ADMIN"), isAdmin},
			{"users: add an organization admin", "POST", org("invitations"), invite("ORGANIZATION_ADMIN"), isAdmin},
			{"users: promote", "PUT", member + "/roles", map[string]any{"roles": []string{"USER_ADMIN"}}, isAdmin},
			{"users: demote", "PATCH", org("members", d.users.AccountID), map[string]any{"roles": []string{"MEMBER"}}, isAdmin},
			{"users: delete a member", "DELETE", member, nil, isAdmin | isUsers},
			{"users: delete a billing admin", "DELETE", org("members", d.biller.AccountID), nil, isAdmin},
			{"users: assign spaces", "PUT", member + "/spaces", spaces, isAdmin | isUsers},
			{"users: assign spaces to an admin", "PATCH", org("members", d.admin.AccountID), spaces, isAdmin | isUsers},
			{"users: assign spaces to an invitee", "PUT", org("invitations", d.invitation, "spaces"), spaces, isAdmin | isUsers},
			{"users: send again", "POST", org("invitations", d.invitation, "resend"), map[string]any{}, isAdmin | isUsers},
			{"users: work", "GET", org("members", d.biller.AccountID, "work"), nil, isAdmin | isBiller}, // the biller's own
			{"users: assign work", "PUT", member + "/work/contact/1", map[string]any{}, isAdmin},
			{"spaces: list", "GET", org("spaces"), nil, isViewer | isMember}, // a member's own
			{"spaces: create", "POST", org("spaces"), map[string]any{"name": "West"}, isAdmin | isUsers},
			{"spaces: rename", "PATCH", space, map[string]any{"name": "Northern"}, isAdmin | isUsers},
			{"spaces: delete", "DELETE", space, nil, isAdmin | isUsers},
			{"billing: information", "GET", org("billing"), nil, isViewer},
			{"billing: change information", "PUT", org("billing"), settings, isAdmin | isBiller},
			{"billing: subscription", "GET", org("subscriptions"), nil, isAdmin | isBiller},
			{"billing: change the subscription", "PUT", org("subscriptions"), settings, isAdmin | isBiller},
			{"platforms", "GET", org("platforms"), nil, 0},
			{"ownership", "POST", org("ownership-transfer"), map[string]any{"to": d.member.AccountID}, 0},
		}
		people := map[int]*person{isAdmin: d.admin, isBiller: d.biller, isUsers: d.users, isMember: d.member}
		for _, row := range rows {
			t.Run(row.what, func(t *testing.T) {
				try := func(who *person) response {
					if row.method == http.MethodGet {
						return who.get(row.path)
					}
					return who.do(row.method, row.path, row.body, dryRun)
				}
				for role, who := range people {
					r := try(who)
					denied := r.code() == "permission_denied" || r.code() == "role_not_grantable" || r.code() == "member_not_manageable"
					switch {
					case row.who&role != 0 && r.done(), row.who&role == 0 && denied && r.status == 403:
					case row.what == "users: delete a billing admin" && who == d.biller, row.what == "users: delete a member" && who == d.member:
						if r.status != 403 {
							t.Errorf("%s: %v", who.Name, r)
						}
					default:
						t.Errorf("%s: %v", who.Name, r)
					}
				}
				refused(t, try(d.out), 404, "not_found")
			})
		}
		is.New(t).Equal(len(d.admin.users(t, d.org, "")), 4) // all of it were reads and dry runs
	})
}

func TestD2_AnOrganizationAdminAlwaysRemains(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		d := b.start(t).newDelegation(t)
		is := is.New(t)
		p := refused(t, d.admin.changeRole(d.org, d.admin, "MEMBER"), 409, "last_admin")
		is.Equal(p.Title, "Last organization admin")
		refused(t, d.admin.edit(d.org, d.admin, map[string]any{"roles": []string{"BILLING_ADMIN"}, "spaces": []string{}}), 409, "last_admin")
		refused(t, d.admin.remove(d.org, d.admin), 409, "self_removal")
		second := d.signUp(t, "Second")
		d.join(t, second, "ORGANIZATION_ADMIN")
		together(
			func() { d.admin.changeRole(d.org, d.admin, "MEMBER") },
			func() { second.changeRole(d.org, second, "MEMBER") },
			func() { second.remove(d.org, d.admin) },
		)
		left := all[userDoc](t, d.operator(), orgPath(d.org, "members")+"?role=ORGANIZATION_ADMIN")
		is.Equal(len(left), 1)
	})
}

func TestD3_AUserAdminManagesMembersOnly(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		d := b.start(t).newDelegation(t)
		is := is.New(t)
		for _, role := range []string{"ORGANIZATION_ADMIN", "BILLING_ADMIN", "USER_ADMIN"} {
			p := refused(t, d.users.invite(d.org, unique("x")+"@example.com", unique("x"), role), 403, "role_not_grantable")
			is.Equal(p.Detail, "User Admins can only add users with Member access, to prevent the misuse of unauthorised action.")
		}
		for _, who := range []*person{d.admin, d.biller} {
			refused(t, d.users.remove(d.org, who), 403, "member_not_manageable")
			refused(t, d.users.changeRole(d.org, who, "MEMBER"), 403, "permission_denied")
			ok(t, d.users.assign(d.org, who, d.spaces[1]))
			is.Equal(d.users.user(t, d.org, who).Spaces, []string{d.spaces[1]})
		}
		refused(t, d.users.changeRole(d.org, d.member, "USER_ADMIN"), 403, "permission_denied")
		refused(t, d.users.edit(d.org, d.users, map[string]any{"roles": []string{"ORGANIZATION_ADMIN"}, "spaces": []string{}}), 403, "permission_denied")
		// A save of the whole dialog, with the role as it was.
		ok(t, d.users.edit(d.org, d.member, map[string]any{"roles": []string{"MEMBER"}, "spaces": []string{d.spaces[2]}}))
		ok(t, d.users.assign(d.org, d.users, d.spaces[0])) // all users: themselves included
		p := refused(t, d.users.remove(d.org, d.biller), 403, "member_not_manageable")
		is.Equal(p.Title, "Members only")
		refused(t, d.users.remove(d.org, d.users), 409, "self_removal")
		ok(t, d.users.remove(d.org, d.member))
		d.restart(t)
		is.Equal(len(d.users.users(t, d.org, "")), 3)
	})
}

func TestD4_ABillingAdminViewsAndPays(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		d := b.start(t).newDelegation(t)
		is := is.New(t)
		is.Equal(len(d.biller.users(t, d.org, "")), 4)
		is.Equal(d.biller.spaceNames(t, d.org, ""), []string{"East", "North", "South"})
		for _, r := range []response{
			d.biller.invite(d.org, unique("x")+"@example.com", unique("x"), "MEMBER"), d.biller.remove(d.org, d.member),
			d.biller.changeRole(d.org, d.member, "BILLING_ADMIN"), d.biller.assign(d.org, d.biller, d.spaces[0]), d.biller.createSpace(d.org, "West"),
			d.biller.set(d.org, "settings", map[string]string{}),
		} {
			refused(t, r, 403, "permission_denied")
		}

		// Payment details with a condition, and what was there before in the history.
		ok(t, d.biller.set(d.org, "billing", map[string]string{"card": "1111", "city": "Bern"}))
		read := ok(t, d.biller.get(orgPath(d.org, "billing")))
		ok(t, d.biller.set(d.org, "billing", map[string]string{"card": "2222"}, ifMatch(read.header.Get("ETag"))))
		refused(t, d.biller.set(d.org, "billing", map[string]string{}, ifMatch(read.header.Get("ETag"))), 412, "revision_mismatch")
		is.Equal(decoded[settingsDoc](t, d.users.get(orgPath(d.org, "billing"))), settingsDoc{"billing", map[string]string{"card": "2222"}})
		ok(t, d.biller.set(d.org, "subscriptions", map[string]string{"plan": "large"}))
		refused(t, d.users.get(orgPath(d.org, "subscriptions")), 403, "permission_denied")
		is.Equal(decoded[settingsDoc](t, d.admin.get(orgPath(d.org, "settings"))), settingsDoc{"settings", map[string]string{}})
		refused(t, d.biller.set(d.org, "billing", map[string]string{"": "x"}), 422, "invalid")

		d.restart(t)
		h := d.admin.history(t, d.org)
		last := h[len(h)-2]
		is.Equal(last.Type, "organization.settings_changed.v1")
		is.Equal(last.Actor.ID, d.biller.AccountID)
		for _, change := range last.Data["changes"].([]any) { // each value has an id of its own
			values := change.(map[string]any)
			is.True(values["before_id"] != values["after_id"])
			delete(values, "before_id")
			delete(values, "after_id")
		}
		is.Equal(last.Data["changes"], []any{
			map[string]any{"name": "card", "before": "1111", "after": "2222"}, map[string]any{"name": "city", "before": "Bern", "after": nil},
		})
		is.Equal(decoded[settingsDoc](t, d.admin.get(orgPath(d.org, "subscriptions"))).Settings["plan"], "large")
	})
}
