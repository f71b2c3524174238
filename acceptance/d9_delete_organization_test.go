package acceptance

import (
	"fmt"
	"testing"

	"github.com/matryer/is"
)

func TestD9_DeletingTheOrganization(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		d := b.start(t).newDelegation(t)
		is := is.New(t)
		link := d.invitationTo(t, d.invitee.Email)
		former := d.signUp(t, "Former")
		d.join(t, former, "MEMBER")
		ok(t, d.admin.remove(d.org, former))
		host, pipeline := d.keyFor(t, "work.manage"), d.keyFor(t, "events.read")
		const pieces = 3
		for i := range pieces {
			ok(t, host.assignWork(d.org, []*person{d.member, d.biller}[i%2], fmt.Sprint(i), ""))
		}
		for _, who := range []*person{d.users, d.biller, d.member} {
			refused(t, who.delete(orgPath(d.org)), 403, "permission_denied")
		}
		ok(t, d.admin.do("DELETE", orgPath(d.org), map[string]any{"reason": "Merged into another."}))
		d.isDeleted(t)
		eventually(t, "no work is left to anybody", func() bool {
			released := pipeline.lines(t, "type=organization.work_released&organization="+d.org)
			for _, e := range released {
				is.Equal(e.Data["cause"], "organization_deleted")
			}
			return len(released) == pieces
		})
		refused(t, former.get(orgPath(d.org)), 404, "not_found")
		is.True(!d.invitee.acceptNew(link).done())
		eventually(t, "the link is dead", func() bool { return d.anonymous().lookup(link).code() == "invitation_revoked" })
		d.restart(t)
		d.isDeleted(t)
		again := d.out.foundedDelegated(t, d.name) // the name is free
		d.rebuild(t)
		d.isDeleted(t)
		is.Equal(d.out.organization(t, again).Name, d.name)
		is.Equal(len(all[membershipDoc](t, d.out.client, "/v1/me/organizations")), 1)
	})
}

// isDeleted: nobody has access, and auditors read the history.
func (d *delegation) isDeleted(t *testing.T) {
	t.Helper()
	is := is.New(t)
	for _, who := range []*person{d.admin, d.users, d.biller, d.member} {
		refused(t, who.get(orgPath(d.org)), 410, "organization_deleted")
		refused(t, who.get(orgPath(d.org, "spaces")), 410, "organization_deleted")
		is.Equal(len(all[membershipDoc](t, who.client, "/v1/me/organizations")), 0)
	}
	refused(t, d.admin.rename(d.org, "Other"), 410, "organization_deleted")
	refused(t, d.admin.delete(orgPath(d.org)), 410, "organization_deleted")
	refused(t, d.keyFor(t, "work.manage").assignWork(d.org, d.member, "1", ""), 410, "organization_deleted")
	refused(t, d.out.get(orgPath(d.org)), 404, "not_found")
	auditor := d.keyFor(t, "organizations.read")
	_, found := find(auditor.history(t, d.org), func(e entryDoc) bool {
		return e.Type == "organization.deleted.v1" && e.Reason == "Merged into another." && e.Actor.ID == d.admin.AccountID
	})
	is.True(found)
	listed := all[struct {
		ID      string `json:"organization_id"`
		Status  string `json:"status"`
		Members int    `json:"members"`
	}](t, d.operator(), "/v1/operator/organizations?q="+d.name)
	for _, o := range listed {
		if o.ID == d.org {
			is.Equal(o.Status, "deleted")
			is.Equal(o.Members, 0)
			return
		}
	}
	t.Fatalf("not in the operator's list: %v", listed)
}
