package acceptance

import (
	"slices"
	"testing"

	"github.com/matryer/is"
)

func TestD8_DeletingAUser(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		d := b.start(t).newDelegation(t)
		is := is.New(t)
		host, reader := d.keyFor(t, "work.manage"), d.keyFor(t, "organizations.read")
		for _, id := range []string{"1", "2", "a%2Fb"} {
			ok(t, host.assignWork(d.org, d.member, id, d.spaces[0]))
		}
		ok(t, d.admin.assignWork(d.org, d.member, "9", "")) // a member with the permission may as well
		refused(t, host.assignWork(d.org, d.member, "3", d.spaces[1]), 404, "not_found")
		refused(t, host.assignWork(d.org, d.out, "3", ""), 404, "not_found")
		refused(t, host.assignWork(d.org, d.member, "with%20space", ""), 422, "invalid")
		refused(t, d.users.assignWork(d.org, d.member, "3", ""), 403, "permission_denied")
		refused(t, reader.assignWork(d.org, d.member, "3", ""), 403, "permission_denied")
		refused(t, host.get(orgPath(d.org, "members")), 403, "permission_denied")
		ok(t, host.releaseWork(d.org, d.member, "2"))
		is.Equal(d.member.workOf(t, d.org, d.member), []string{"1", "9", "a/b"})
		is.Equal(reader.workOf(t, d.org, d.member), []string{"1", "9", "a/b"})

		// Who may not enter a space any more has no work there.
		ok(t, d.users.assign(d.org, d.member, d.spaces[1]))
		is.Equal(d.member.workOf(t, d.org, d.member), []string{"9"})
		ok(t, host.assignWork(d.org, d.member, "4", d.spaces[1]))
		ok(t, host.assignWork(d.org, d.admin, "5", d.spaces[1]))
		ok(t, d.users.deleteSpace(d.org, d.spaces[1]))
		is.Equal(len(d.admin.workOf(t, d.org, d.admin)), 0)
		is.Equal(len(d.users.user(t, d.org, d.member).Spaces), 0)

		p := refused(t, d.admin.remove(d.org, d.admin), 409, "self_removal")
		is.Equal(p.Title, "You cannot delete yourself")
		refused(t, d.users.remove(d.org, d.users), 409, "self_removal") // who manages members alone hears the same
		ok(t, d.users.assign(d.org, d.member, d.spaces[0]))
		ok(t, host.assignWork(d.org, d.member, "7", d.spaces[0]))
		r := decoded[receipt](t, d.users.remove(d.org, d.member))
		is.Equal(r.types(), "organization.work_released organization.work_released organization.member_removed")
		refused(t, d.member.get(orgPath(d.org, "spaces")), 404, "not_found")
		refused(t, host.assignWork(d.org, d.member, "8", ""), 409, "member_removed")
		is.Equal(len(reader.workOf(t, d.org, d.member)), 0)

		d.restart(t)
		h := d.admin.historyOf(t, d.org, d.member)
		is.Equal(workReleased(h), []string{"1 space_lost", "2 finished", "4 space_lost", "7 removed", "9 removed", "a/b space_lost"})
		gone := h[len(h)-1]
		is.Equal(gone.Type, "organization.member_removed.v1")
		is.Equal(gone.Data["spaces"], []any{d.spaces[0]})
		is.Equal(d.users.user(t, d.org, d.member).Status, "removed")
		is.Equal(len(d.users.user(t, d.org, d.member).Spaces), 0)
	})
}

// workReleased lists what was released, and why.
func workReleased(h []entryDoc) (all []string) {
	for _, e := range h {
		if e.Type == "organization.work_released.v1" {
			all = append(all, e.Data["work_id"].(string)+" "+e.Data["cause"].(string))
		}
	}
	slices.Sort(all)
	return all
}
