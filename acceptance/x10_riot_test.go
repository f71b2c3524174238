package acceptance

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
)

// TestX10_MovesWhileManyAreAtIt moves an organization to and fro while 64 clients
// invite, accept, change roles and remove. USER and VIEWER change places with
// each move, and one of the two policies limits the seats. Views, decisions and
// the log agree afterwards, and what must hold of an organization holds.
func TestX10_MovesWhileManyAreAtIt(t *testing.T) {
	onEveryBackendInTurn(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t, withProgram(programs.race.binary(t)), startMailServer(t, false).option())
		c := s.newCrowd(t, crowdSize, 1)
		org, operator := c.orgs[0], s.operator()
		const seats = 40
		twin := strings.NewReplacer("name: ownership", "name: twin", "members:\n", "members:\n  seats: 40\n").Replace(policyText(t, "ownership"))
		ok(t, operator.publish(twin))

		swap := obj{"USER": []string{"VIEWER"}, "VIEWER": []string{"USER"}}
		var moved atomic.Int64
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(50 * time.Millisecond):
				}
				r := operator.moveTo(org, []string{"twin", "ownership"}[n%2], 0, swap)
				switch {
				case r.done() && len(decoded[receipt](t, r).Events) > 0:
					moved.Add(1)
				case r.done(), r.code() == "seats_too_few", r.code() == "busy": // it is there, or too many are
				default:
					t.Errorf("a move: %v", r)
				}
			}
		}()
		for range 5 { // a busy machine takes longer
			if c.riot(t, *riots); c.hasDone("invite", "accept", "resend", "revoke", "change") {
				break
			}
		}
		close(stop)
		<-stopped
		t.Logf("seed %d: %d moves, %s", *seed, moved.Load(), c.summary())
		c.mustHaveDone(t, "invite", "accept", "change")
		is.True(moved.Load() > 4)

		c.checkAll(t)
		if under := decoded[organizationDoc](t, operator.get(orgPath(org))); under.Policy == "twin" && under.Members > seats {
			t.Errorf("%d members on %d seats", under.Members, seats)
		}
		s.rolesAgree(t, org)
		before := c.snapshots(t)
		s.rebuild(t)
		is.Equal(c.snapshots(t), before)
		s.rolesAgree(t, org)
	})
}

// rolesAgree checks that the lists of the holders of each role are together the
// list of members, and that the decisions know everybody's roles as the lists do.
func (s *server) rolesAgree(t *testing.T, org string) {
	t.Helper()
	is := is.New(t)
	operator := s.operator()
	var byRole []string
	for _, role := range []string{"OWNER", "ADMIN", "USER", "VIEWER"} {
		for _, m := range operator.members(t, org, "?limit=7&role="+role) {
			is.Equal(m.Roles, []string{role})
			byRole = append(byRole, m.AccountID)
		}
	}
	var everybody []string
	for _, m := range operator.members(t, org, "?limit=200") {
		everybody = append(everybody, m.AccountID)
		known := operator.explain(t, org, m.AccountID, "organization.read").Context.Explanation.Member
		is.Equal(len(known.Roles), 1)
		is.Equal(m.Roles, []string{known.Roles[0].Role})
	}
	slices.Sort(byRole)
	slices.Sort(everybody)
	is.Equal(byRole, everybody)
}
