package acceptance

import (
	"strconv"
	"testing"
	"time"

	"github.com/matryer/is"
)

// viewDoc is a view, and its rebuild while there is one.
type viewDoc struct {
	Name       string `json:"name"`
	Generation int    `json:"generation"`
	Rebuild    *struct {
		Phase    string  `json:"phase"`
		Position string  `json:"position"`
		Head     string  `json:"head"`
		Percent  float64 `json:"percent"`
	} `json:"rebuild"`
}

// phase is that of the rebuild, empty while there is none.
func (v viewDoc) phase() string {
	if v.Rebuild == nil {
		return ""
	}
	return v.Rebuild.Phase
}

func (s *server) views(t *testing.T) []viewDoc {
	t.Helper()
	return decoded[page[struct {
		Views []viewDoc `json:"views"`
	}]](t, s.operator().get("/v1/operator/projections")).Items[0].Views
}

func (s *server) view(t *testing.T, name string) viewDoc {
	t.Helper()
	v, found := find(s.views(t), func(v viewDoc) bool { return v.Name == name })
	if !found {
		t.Fatalf("there is no view %s", name)
	}
	return v
}

func rebuildPath(view, action string) string {
	return "/v1/operator/projections/" + view + "/rebuild" + action
}

// switchedTo waits until a generation of a view serves.
func (s *server) switchedTo(t *testing.T, view string, generation int) {
	t.Helper()
	eventually(t, "the new rows of "+view+" serve", func() bool { return s.view(t, view).Generation == generation })
}

// pausedAt starts a rebuild and pauses it before it is done: the next one, where
// a rebuild was faster.
func (s *server) pausedAt(t *testing.T, view string) viewDoc {
	t.Helper()
	for {
		ok(t, s.operator().post(rebuildPath(view, ""), nil))
		paused := s.operator().post(rebuildPath(view, "/pause"), nil)
		if paused.done() {
			v := decoded[viewDoc](t, paused)
			is.New(t).Equal(v.phase(), "paused")
			return v
		}
		refused(t, paused, 409, "rebuild_not_running")
		s.retired(t, view)
	}
}

// retired waits until the rows that served before a rebuild are gone: half a
// minute later, when no node reads them any more.
func (s *server) retired(t *testing.T, view string) {
	t.Helper()
	eventuallyIn(t, time.Minute, "the old rows of "+view+" are gone", func() bool { return s.view(t, view).phase() == "" })
}

func TestX13_Rebuild(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)
		for _, x := range c.script(t) {
			x.tell(t)
		}
		c.everything(t)
		before := c.snapshot(t)

		t.Run("what cannot be is refused", func(t *testing.T) {
			refused(t, c.operator().post(rebuildPath("nothing", ""), nil), 404, "not_found")
			refused(t, c.operator().post(rebuildPath("members", "/pause"), nil), 409, "rebuild_not_running")
			refused(t, c.operator().post(rebuildPath("members", "/resume"), nil), 409, "rebuild_not_running")
			refused(t, c.operator().delete(rebuildPath("members", "")), 409, "rebuild_not_running")
			refused(t, c.owner.post(rebuildPath("members", ""), nil), 403, "permission_denied")
		})

		t.Run("a paused one waits, while another goes on", func(t *testing.T) {
			is := is.New(t)
			paused := c.pausedAt(t, "members.v2")
			refused(t, c.operator().post(rebuildPath("members", ""), nil), 409, "rebuild_running")
			ok(t, c.operator().post(rebuildPath("directory", ""), nil)) // with or without the version
			c.switchedTo(t, "directory.v1", 1)
			still := c.view(t, "members.v2")
			is.Equal(still.phase(), "paused")
			is.Equal(still.Generation, paused.Generation)
			again := decoded[viewDoc](t, c.operator().post(rebuildPath("members", "/pause"), nil))
			is.Equal(again.Rebuild.Position, still.Rebuild.Position) // what was being filled in when it was paused is done by now
			resumed := decoded[viewDoc](t, c.operator().post(rebuildPath("members", "/resume"), nil))
			is.Equal(resumed.phase(), "building")
			c.switchedTo(t, "members.v2", paused.Generation+1)
			refused(t, c.operator().delete(rebuildPath("members", "")), 409, "rebuild_not_running") // too late
			is.Equal(c.snapshot(t), before)
		})

		t.Run("a cancelled one leaves nothing, and the next one is another", func(t *testing.T) {
			is := is.New(t)
			paused := c.pausedAt(t, "invitations.v2")
			ok(t, c.operator().delete(rebuildPath("invitations", "")))
			eventually(t, "it is cancelled", func() bool { return c.view(t, "invitations.v2").phase() == "" })
			is.Equal(c.view(t, "invitations.v2").Generation, paused.Generation)
			ok(t, c.operator().post(rebuildPath("invitations", ""), nil))
			c.switchedTo(t, "invitations.v2", paused.Generation+2)
			is.Equal(c.snapshot(t), before)
		})

		t.Run("killed while it is filled, and while it waits, it goes on", func(t *testing.T) {
			is := is.New(t)
			ok(t, c.operator().post(rebuildPath("timeline", ""), nil))
			c.kill(t)
			c.run(t)
			c.switchedTo(t, "timeline.v3", 1)
			paused := c.pausedAt(t, "organizations.v2")
			c.kill(t)
			c.run(t)
			c.everything(t)
			is.Equal(c.view(t, "organizations.v2").phase(), "paused")
			ok(t, c.operator().post(rebuildPath("organizations", "/resume"), nil))
			c.switchedTo(t, "organizations.v2", paused.Generation+1)
			is.Equal(c.snapshot(t), before)
		})

		t.Run("killed after the switch, the new rows serve, and the old ones go", func(t *testing.T) {
			is := is.New(t)
			ok(t, c.operator().post(rebuildPath("memberships", ""), nil))
			c.switchedTo(t, "memberships.v2", 1)
			c.kill(t)
			c.run(t)
			is.Equal(c.view(t, "memberships.v2").Generation, 1)
			is.Equal(c.snapshot(t), before)
			for _, v := range c.views(t) {
				c.retired(t, v.Name)
			}
			is.Equal(c.snapshot(t), before)
		})

		t.Run("commands go on and are read back while all views are rebuilt", func(t *testing.T) {
			is := is.New(t)
			from := c.views(t)
			for _, v := range from {
				r := ok(t, c.operator().post(rebuildPath(v.Name, ""), nil))
				is.Equal(r.status, 202)
				is.Equal(decoded[viewDoc](t, r).phase(), "building")
			}
			commands := 0
			eventuallyIn(t, time.Minute, "all new rows serve", func() bool {
				commands++
				guest := unique("guest")
				ok(t, c.owner.invite(c.org, guest+"@example.com", guest, "USER"))
				is.Equal(len(c.admin.invitations(t, c.org, "?q="+guest)), 1)
				role := []string{"USER", "VIEWER"}[commands%2]
				ok(t, c.owner.changeRole(c.org, c.user, role))
				is.Equal(c.admin.roleOf(t, c.org, c.user), role)
				is.Equal(all[membershipDoc](t, c.user.client, "/v1/me/organizations")[0].Roles, []string{role})
				newest := decoded[page[entryDoc]](t, c.admin.get(orgPath(c.org, "history")+"?limit=1")).Items[0]
				is.Equal(newest.Type, "organization.roles_changed.v1")
				for i, v := range c.views(t) {
					if v.Rebuild != nil {
						at, err := strconv.ParseUint(v.Rebuild.Position, 10, 64)
						head, err2 := strconv.ParseUint(v.Rebuild.Head, 10, 64)
						is.NoErr(err)
						is.NoErr(err2)
						is.True(at <= head)
						is.True(v.Rebuild.Percent >= 0 && v.Rebuild.Percent <= 100)
					}
					if v.Generation == from[i].Generation {
						return false
					}
				}
				return true
			})
			is.True(commands > 3)
			c.everything(t)
			during := c.snapshot(t)
			c.stop(t)
			c.stores.forgetViews(t)
			c.run(t)
			is.Equal(c.snapshot(t), during)
			for _, v := range c.views(t) {
				is.Equal(v.Generation, 0) // of other rows than before
			}
		})
	})
}
