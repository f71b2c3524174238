package projections_test

import (
	"encoding/json"
	"testing"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/projections"
)

func requested(n int) domain.Event {
	return organization.JoinRequested{OrganizationID: org, AccountID: account(n), Email: "asker@acme.example", DisplayName: "Asker"}
}

func TestOnesOwnRequestsAreThoseThatAreOpen(t *testing.T) {
	f := newFixture(t)
	f.append(activated(), requested(1), requested(2), requested(3), requested(4),
		organization.JoinRequestClosed{OrganizationID: org, AccountID: account(2), Outcome: "rejected"}, joined(3, "Three"),
		organization.JoinRequestClosed{OrganizationID: org, AccountID: account(4), Outcome: "withdrawn"}, requested(4))
	r := f.reader()
	for n, want := range []struct{ requests, memberships int }{{0, 1}, {1, 0}, {0, 0}, {0, 1}, {1, 0}} {
		q := projections.MembershipsQuery{Account: account(n)}
		requests, err := r.OwnRequests(t.Context(), q)
		f.is.NoErr(err)
		items, err := requests.Items()
		f.is.NoErr(err)
		f.is.Equal(len(items), want.requests)
		for _, item := range items {
			var m projections.Membership
			f.is.NoErr(json.Unmarshal(item, &m))
			f.is.Equal(m.Status, projections.Pending)
			f.is.True(m.RequestedAt != nil && m.JoinedAt.IsZero())
		}
		memberships, err := r.Memberships(t.Context(), q)
		f.is.NoErr(err)
		items, err = memberships.Items()
		f.is.NoErr(err)
		f.is.Equal(len(items), want.memberships)
	}
}

func TestAnOrganizationShowsItsEmailDomainAsLongAsItHoldsIt(t *testing.T) {
	f := newFixture(t)
	f.append(activated())
	shown := func() string {
		t.Helper()
		body, err := f.reader().Organization(t.Context(), org)
		f.is.NoErr(err)
		var o projections.Organization
		f.is.NoErr(json.Unmarshal(body, &o))
		return o.EmailDomain
	}
	f.append(organization.EmailDomainChanged{OrganizationID: org, After: "acme.example"})
	f.is.Equal(shown(), "acme.example")
	f.append(organization.EmailDomainChanged{OrganizationID: org, Before: "acme.example", After: "other.example"})
	f.is.Equal(shown(), "other.example")
	f.append(organization.Deleted{OrganizationID: org, Name: "Acme"})
	f.is.Equal(shown(), "")
}

func TestAPersonalSpaceForgetsItsNameWithItsHolder(t *testing.T) {
	f := newFixture(t)
	space := activated().(organization.Activated)
	space.Personal = true
	shown := func() (names []string) {
		r := f.reader()
		page, err := r.Directory(t.Context(), projections.DirectoryQuery{Personal: true})
		f.is.NoErr(err)
		items, err := page.Items()
		f.is.NoErr(err)
		var in struct{ Name string }
		f.is.NoErr(json.Unmarshal(items[0], &in))
		text, err := r.Organization(t.Context(), org)
		f.is.NoErr(err)
		var o projections.Organization
		f.is.NoErr(json.Unmarshal(text, &o))
		return []string{in.Name, string(o.Name)}
	}
	f.append(space, organization.PersonalSpaceRenamed{OrganizationID: org, AccountID: space.AccountID, Before: "Acme", After: "Zoë's own"})
	f.is.Equal(shown(), []string{"Zoë's own", "Zoë's own"})
	f.append(organization.MemberErased{OrganizationID: org, AccountID: space.AccountID, Pseudonym: "4f1c9a2b00112233"})
	f.is.Equal(shown(), []string{"Erased person 4f1c9a2b", "Erased person 4f1c9a2b"})
	page, err := f.reader().Directory(t.Context(), projections.DirectoryQuery{Personal: true, Q: "zoë"})
	f.is.NoErr(err)
	items, err := page.Items()
	f.is.NoErr(err)
	f.is.Equal(len(items), 0)
}

func TestPersonalSpacesAreAListOfTheirOwn(t *testing.T) {
	for _, personal := range []bool{false, true} {
		f := newFixture(t)
		space := activated().(organization.Activated)
		space.Personal = personal
		f.append(space, organization.Renamed{OrganizationID: org, Before: "Acme", After: "Mine"})
		r := f.reader()
		for _, q := range []projections.DirectoryQuery{{}, {Q: "mi"}, {Sort: "-name"}, {Personal: true}, {Personal: true, Q: "mi"}, {Personal: true, Sort: "-name"}} {
			page, err := r.Directory(t.Context(), q)
			f.is.NoErr(err)
			items, err := page.Items()
			f.is.NoErr(err)
			f.is.Equal(len(items) == 1, q.Personal == personal)
		}
	}
}
