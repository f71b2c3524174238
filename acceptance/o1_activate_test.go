package acceptance

import (
	"testing"

	"github.com/matryer/is"
)

func TestO1_ActivateOrganization(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		ada := s.signUp(t, "Ada")
		bob := s.signUp(t, "Bob")
		var org string

		t.Run("in personal mode there is no organization to manage", func(t *testing.T) {
			is := is.New(t)
			is.Equal(len(all[membershipDoc](t, ada.client, "/v1/me/organizations")), 0)
			refused(t, ada.get(orgPath("0190d5a1-7c3e-7b4a-9d2f-1e6b8a4c0d11", "members")), 404, "not_found")
			refused(t, ada.invite("0190d5a1-7c3e-7b4a-9d2f-1e6b8a4c0d11", "x@example.com", "x", "USER"), 404, "not_found")
		})

		t.Run("the user activates an organization and becomes its OWNER", func(t *testing.T) {
			is := is.New(t)
			r := ada.activate("Straße  des 17. Juni")
			is.Equal(r.status, 201)
			made := decoded[receipt](t, r)
			org = made.OrganizationID
			is.Equal(made.types(), "organization.activated")
			is.Equal(r.header.Get("Location"), orgPath(org))
			is.Equal(ada.roleOf(t, org, ada), "OWNER")
			is.Equal(ada.organization(t, org).Policy, "ownership")
		})

		t.Run("after that organization and user management are available", func(t *testing.T) {
			is := is.New(t)
			mine := all[membershipDoc](t, ada.client, "/v1/me/organizations")
			is.Equal(len(mine), 1)
			is.Equal(mine[0].OrganizationID, org)
			is.Equal(mine[0].Name, "Straße  des 17. Juni")
			is.Equal(mine[0].Roles, []string{"OWNER"})
			is.Equal(len(ada.members(t, org, "")), 1)
			is.Equal(len(ada.invitations(t, org, "")), 0)
			ok(t, ada.invite(org, "first@example.com", "first", "USER"))
		})

		t.Run("the name is unique, whatever its case and spaces", func(t *testing.T) {
			for _, variant := range []string{
				"Straße  des 17. Juni", "straße des 17. juni", " STRASSE DES 17. JUNI ", "strassedes17.juni", "Strasse\u00a0des 17. Juni",
			} {
				p := refused(t, bob.activate(variant), 409, "organization_name_taken")
				is.New(t).Equal(p.Errors[0].Field, "name")
			}
			ok(t, bob.activate("Strasse des 18. Juni"))
		})

		t.Run("nobody who is not signed in activates one", func(t *testing.T) {
			refused(t, s.anonymous().activate("Anything"), 401, "not_signed_in")
		})

		t.Run("a name is needed", func(t *testing.T) {
			for _, name := range []string{"", "   ", "two\nlines"} {
				refused(t, bob.activate(name), 422, "invalid")
			}
		})

		t.Run("all of it survives a restart", func(t *testing.T) {
			is := is.New(t)
			s.restart(t)
			is.Equal(ada.roleOf(t, org, ada), "OWNER")
			refused(t, bob.activate("strasse des 17. juni"), 409, "organization_name_taken")
			is.Equal(all[membershipDoc](t, ada.client, "/v1/me/organizations")[0].Name, "Straße  des 17. Juni")
		})

		t.Run("another name frees the one before", func(t *testing.T) {
			is := is.New(t)
			refused(t, ada.rename(org, "STRASSE des 18. juni"), 409, "organization_name_taken")
			ok(t, ada.rename(org, "straße DES 17. juni")) // its own, written differently
			refused(t, bob.activate("Straße des 17. Juni"), 409, "organization_name_taken")
			ok(t, ada.rename(org, "Elsewhere"))
			is.Equal(ada.organization(t, org).Name, "Elsewhere")
			refused(t, bob.activate("elsewhere"), 409, "organization_name_taken")
			ok(t, bob.activate("Straße des 17. Juni"))
		})
	})
}
