package policies_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/policy"
	"tenure/policies"
)

// claim is a sentence of a product's own guide about who may do what.
type claim struct {
	says        string
	permissions string // separated by spaces
	roles       string // all that may; separated by spaces
}

// TestPoliciesAreThoseOfTheirSources holds the documents against the guides of
// the products that they serve. (Ownership has a test of its own.)
func TestPoliciesAreThoseOfTheirSources(t *testing.T) {
	for _, source := range []struct {
		policy  string
		roles   string
		grants  map[domain.Role]string // to which roles; none for roles that are not listed
		manages map[domain.Role]string
		claims  []claim
		whole   bool // the claims name every permission that the policy gives
	}{
		{
			policy: "seats", roles: "Administrator Member", whole: true,
			grants:  map[domain.Role]string{"Administrator": "Administrator Member"},
			manages: map[domain.Role]string{"Administrator": "Administrator Member"},
			claims: []claim{
				{"Can use all modules the organization has access to", "organization.read app:modules.use", "Administrator Member"},
				{"but cannot manage users", "members.read members.change_roles members.remove history.read", "Administrator"},
				{"invitations", "members.invite invitations.read", "Administrator"},
				{"or subscription settings", "subscriptions.read subscriptions.manage trials.start", "Administrator"},
				{"full access, including secrets", "app:secrets.manage", "Administrator"},
				{"billing address", "billing.read billing.manage", "Administrator"},
				{"and organization settings", "organization.update settings.read settings.update webhooks.read webhooks.manage", "Administrator"},
			},
		},
		{
			policy: "capabilities", roles: "ADMINISTRATE_ORGANIZATION MANAGE_ACCESS MANAGE_PLATFORM_REGISTRATION MANAGE_SUBSCRIPTION", whole: true,
			grants:  map[domain.Role]string{"ADMINISTRATE_ORGANIZATION": "ADMINISTRATE_ORGANIZATION MANAGE_ACCESS MANAGE_PLATFORM_REGISTRATION MANAGE_SUBSCRIPTION"},
			manages: map[domain.Role]string{"ADMINISTRATE_ORGANIZATION": "ADMINISTRATE_ORGANIZATION MANAGE_ACCESS MANAGE_PLATFORM_REGISTRATION MANAGE_SUBSCRIPTION"},
			claims: []claim{
				{"every member belongs", "organization.read", "ADMINISTRATE_ORGANIZATION MANAGE_ACCESS MANAGE_PLATFORM_REGISTRATION MANAGE_SUBSCRIPTION"},
				{"Administrators can update capabilities for any team member", "members.change_roles", "ADMINISTRATE_ORGANIZATION"},
				{"The Organization Administrator can remove a user", "members.remove", "ADMINISTRATE_ORGANIZATION"},
				{"must approve their request before they can join", "requests.read requests.decide", "ADMINISTRATE_ORGANIZATION"},
				{"full access to all organization capabilities and settings", "organization.update settings.read settings.update billing.read billing.manage history.read webhooks.read webhooks.manage", "ADMINISTRATE_ORGANIZATION"},
				{"Allows the user to invite new members to the organization", "members.invite invitations.read members.read", "ADMINISTRATE_ORGANIZATION MANAGE_ACCESS"},
				{"Allows the user to register and unregister platforms", "platforms.read platforms.manage", "ADMINISTRATE_ORGANIZATION MANAGE_PLATFORM_REGISTRATION"},
				{"Allows the user to manage and subscribe the organization to services", "subscriptions.read subscriptions.manage trials.start", "ADMINISTRATE_ORGANIZATION MANAGE_SUBSCRIPTION"},
			},
		},
		{
			policy: "delegated", roles: "ORGANIZATION_ADMIN BILLING_ADMIN USER_ADMIN MEMBER",
			grants:  map[domain.Role]string{"ORGANIZATION_ADMIN": "ORGANIZATION_ADMIN BILLING_ADMIN USER_ADMIN MEMBER", "USER_ADMIN": "MEMBER"},
			manages: map[domain.Role]string{"ORGANIZATION_ADMIN": "ORGANIZATION_ADMIN BILLING_ADMIN USER_ADMIN MEMBER", "USER_ADMIN": "MEMBER"},
			claims: []claim{
				{"Manage the organization's information", "organization.update settings.update webhooks.read webhooks.manage", "ORGANIZATION_ADMIN"},
				{"View the organization's information", "settings.read", "ORGANIZATION_ADMIN BILLING_ADMIN USER_ADMIN"},
				{"Manage the organization's billing information", "billing.manage", "ORGANIZATION_ADMIN BILLING_ADMIN"},
				{"View the organization's billing information", "billing.read", "ORGANIZATION_ADMIN BILLING_ADMIN USER_ADMIN"},
				{"Manage the organization's subscription", "subscriptions.manage", "ORGANIZATION_ADMIN BILLING_ADMIN"},
				{"View all organization users", "members.read", "ORGANIZATION_ADMIN BILLING_ADMIN USER_ADMIN"},
				{"Add and delete users", "members.invite members.remove", "ORGANIZATION_ADMIN USER_ADMIN"},
				{"promotes and demotes", "members.change_roles", "ORGANIZATION_ADMIN"},
				{"View all spaces", "spaces.read", "ORGANIZATION_ADMIN BILLING_ADMIN USER_ADMIN"},
				{"Manage all spaces", "spaces.manage spaces.assign", "ORGANIZATION_ADMIN USER_ADMIN"},
				{"Delete organization", "organization.delete", "ORGANIZATION_ADMIN"},
			},
		},
		{
			policy: "moderated", roles: "admin author participant",
			grants:  map[domain.Role]string{"admin": "admin author participant"},
			manages: map[domain.Role]string{"admin": "admin author participant"},
			claims: []claim{
				{"Run published scenarios, view assigned tracks", "app:scenarios.run app:tracks.read", "admin author participant"},
				{"Create, edit, publish scenarios", "app:scenarios.create app:scenarios.edit app:scenarios.publish", "admin author"},
				{"Manage users", "members.read members.add members.change_roles members.suspend members.reset_password members.remove", "admin"},
				{"For each pending user, you can approve or reject", "requests.read requests.decide", "admin"},
				{"select which tracks this user can access", "spaces.assign", "admin"},
				{"settings, usage", "settings.update webhooks.read webhooks.manage app:usage.read", "admin"},
			},
		},
	} {
		t.Run(source.policy, func(t *testing.T) {
			is := is.New(t)
			p, ok := policies.Builtin().Latest(source.policy)
			is.True(ok)
			all := strings.Fields(source.roles)
			is.Equal(len(p.Roles), len(all))
			claimed := make(map[domain.Permission]bool)
			for _, c := range source.claims {
				for _, permission := range strings.Fields(c.permissions) {
					claimed[domain.Permission(permission)] = true
					for _, role := range all {
						may, want := p.Allows([]domain.Role{domain.Role(role)}, domain.Permission(permission)), slices.Contains(strings.Fields(c.roles), role)
						if may != want {
							t.Errorf("%q: that %s may %s is %v", c.says, role, permission, may)
						}
					}
				}
			}
			for _, role := range all {
				for _, permission := range p.Permissions([]domain.Role{domain.Role(role)}) {
					if source.whole && !claimed[permission] {
						t.Errorf("%s may %s, which the guide does not say", role, permission)
					}
				}
				for _, other := range all {
					is.Equal(p.MayGrant([]domain.Role{domain.Role(role)}, domain.Role(other)), slices.Contains(strings.Fields(source.grants[domain.Role(role)]), other))
					is.Equal(p.MayManage([]domain.Role{domain.Role(role)}, []domain.Role{domain.Role(other)}), slices.Contains(strings.Fields(source.manages[domain.Role(role)]), other))
				}
			}
		})
	}
}

func TestSettingsAreThoseOfTheSources(t *testing.T) {
	is := is.New(t)
	of := func(name string) *policy.Policy {
		p, ok := policies.Builtin().Latest(name)
		is.True(ok)
		return p
	}
	seats := of("seats")
	is.Equal(seats.Members.Seats, 10)                     // "The default limit is 10 members."
	is.Equal(seats.Invitations.Lifetime, 14*24*time.Hour) // "The invite is valid for 14 days."
	is.True(seats.Invitations.LinkInAnswer)               // "the dialog shows the invitation link directly"
	is.True(!seats.Members.SeveralRoles)                  // "assigned one of two roles"
	is.True(of("capabilities").Members.OwnRolesFixed)     // "They cannot update their own capabilities."
	is.True(of("capabilities").Members.SeveralRoles)      // "Enable or disable the required capabilities."
	is.True(of("capabilities").Requests.ByDomain)         // "their email domain matches the administrator's domain"
	is.Equal(of("capabilities").Requests.Digest.Weekday, time.Monday)
	is.Equal(of("capabilities").Requests.Digest.At.String(), "09:00")
	is.Equal(of("capabilities").Requests.Digest.Zone.String(), "Europe/Paris") // "Every Monday at 9:00 AM (Paris' time), a summary email is sent"
	is.Equal(of("delegated").Members.MinimumAdmins, 1)                         // "at least one organization admin"
	is.Equal(of("delegated").Spaces.PerAssignment, 10)                         // "You can only assign a user to 10 spaces at this point."
	is.Equal(of("moderated").Additions.PasswordLength, 6)                      // "Enter a password (min 6 characters)"
	is.True(!of("moderated").Requests.AutoActivate)                            // "You can enable auto-activation in Settings"
	is.True(of("moderated").Exclusive([]domain.Role{"author"}) && !of("moderated").Exclusive([]domain.Role{"participant"}))

	is.Equal(*of("capabilities").Onboarding, policy.Onboarding{ByDomain: true, Personal: "personal"}) // "the first user who logs in", "Personal Space"
	holder := of("personal").Members.FounderRoles
	is.True(of("personal").Members.Personal)                                                                             // "You are the only member."
	is.True(!of("personal").Allows(holder, domain.InviteMembers))                                                        // "You cannot invite other users."
	is.True(!of("personal").Allows(holder, domain.StartTrials))                                                          // "You cannot start a product trial from this space."
	is.True(of("personal").Allows(holder, domain.UpdateSettings) && of("personal").Allows(holder, domain.ManageBilling)) // "it is fully configurable"

	// Nobody gives up the last seat of an administrator by themselves.
	for _, name := range policies.Builtin().Names() {
		p := of(name)
		is.Equal(p.Members.MinimumAdmins, 1)
		is.True(p.AdminLike(p.Members.FounderRoles))
		is.Equal(p.Members.MayRemoveOneself, name == "moderated") // who was added unasked may leave
		is.True(p.Invitations.RevokeWhenInviterLeaves)
	}
}
