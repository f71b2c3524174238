package acceptance

import (
	"testing"
	"time"
)

// delegation is an organization under the policy delegated, with a member of
// each role and three spaces, of which the member may enter the first.
type delegation struct {
	*server
	org, name                                  string
	admin, biller, users, member, out, invitee *person
	spaces                                     []string
	invitation                                 string // of the invitee, pending
}

// the looks of more documents.
type (
	userDoc struct {
		memberDoc
		Spaces       []string   `json:"spaces"`
		AllSpaces    bool       `json:"all_spaces"`
		AvatarURL    string     `json:"avatar_url"`
		LastActiveAt *time.Time `json:"last_active_at"`
	}
	spaceDoc struct {
		SpaceID string `json:"space_id"`
		Name    string `json:"name"`
	}
	workDoc struct {
		Kind    string `json:"kind"`
		WorkID  string `json:"work_id"`
		SpaceID string `json:"space_id"`
	}
	settingsDoc struct {
		Section  string            `json:"section"`
		Settings map[string]string `json:"settings"`
	}
)

func (s *server) newDelegation(t *testing.T) *delegation {
	t.Helper()
	d := &delegation{server: s, name: unique("Agency")}
	d.admin, d.biller, d.users = s.signUp(t, "Orgadmin"), s.signUp(t, "Biller"), s.signUp(t, "Useradmin")
	d.member, d.out, d.invitee = s.signUp(t, "Member"), s.signUp(t, "Outsider"), s.newPerson("Invitee")
	d.org = d.admin.foundedDelegated(t, d.name)
	for _, name := range []string{"North", "South", "East"} {
		d.spaces = append(d.spaces, d.space(t, name))
	}
	d.join(t, d.biller, "BILLING_ADMIN")
	d.join(t, d.users, "USER_ADMIN")
	d.join(t, d.member, "MEMBER")
	ok(t, d.admin.assign(d.org, d.member, d.spaces[0]))
	d.invitation = decoded[receipt](t, d.users.invite(d.org, d.invitee.Email, d.invitee.Name, "MEMBER")).InvitationID
	return d
}

// foundedDelegated founds an organization under the policy delegated.
func (p *person) foundedDelegated(t *testing.T, name string) string {
	t.Helper()
	return decoded[receipt](t, p.foundDelegated(name)).OrganizationID
}

func (c client) foundDelegated(name string, extras ...extra) response {
	return c.post("/v1/organizations", map[string]any{"name": name, "policy": "delegated"}, extras...)
}

func (d *delegation) join(t *testing.T, p *person, role string) {
	t.Helper()
	before := len(d.mailsTo(p.Email, invitePage))
	ok(t, d.admin.invite(d.org, p.Email, p.Name, role))
	ok(t, p.accept(d.tokenTo(t, p.Email, invitePage, before+1)))
}

// space makes one and answers with its id.
func (d *delegation) space(t *testing.T, name string) string {
	t.Helper()
	return decoded[struct {
		SpaceID string `json:"space_id"`
	}](t, d.admin.createSpace(d.org, name)).SpaceID
}

func (c client) createSpace(org, name string, extras ...extra) response {
	return c.post(orgPath(org, "spaces"), map[string]any{"name": name}, extras...)
}

func (c client) renameSpace(org, id, name string, extras ...extra) response {
	return c.patch(orgPath(org, "spaces", id), map[string]any{"name": name}, extras...)
}

func (c client) deleteSpace(org, id string, extras ...extra) response {
	return c.delete(orgPath(org, "spaces", id), extras...)
}

// assign says which spaces a member may enter; assignInvitee an invitee.
func (c client) assign(org string, who *person, spaces ...string) response {
	return c.put(orgPath(org, "members", who.AccountID, "spaces"), map[string]any{"spaces": append([]string{}, spaces...)})
}

func (c client) assignInvitee(org, invitation string, spaces ...string) response {
	return c.put(orgPath(org, "invitations", invitation, "spaces"), map[string]any{"spaces": append([]string{}, spaces...)})
}

func (c client) edit(org string, who *person, body map[string]any, extras ...extra) response {
	return c.patch(orgPath(org, "members", who.AccountID), body, extras...)
}

func (c client) assignWork(org string, who *person, id, space string, extras ...extra) response {
	return c.put(orgPath(org, "members", who.AccountID, "work", "contact", id), map[string]any{"space_id": space}, extras...)
}

func (c client) releaseWork(org string, who *person, id string, extras ...extra) response {
	return c.delete(orgPath(org, "members", who.AccountID, "work", "contact", id), extras...)
}

func (c client) set(org, section string, settings map[string]string, extras ...extra) response {
	return c.put(orgPath(org, section), map[string]any{"settings": settings}, extras...)
}

func (c client) users(t *testing.T, org, query string) []userDoc {
	t.Helper()
	return all[userDoc](t, c, orgPath(org, "members")+query)
}

func (c client) user(t *testing.T, org string, who *person) userDoc {
	t.Helper()
	return decoded[userDoc](t, c.get(orgPath(org, "members", who.AccountID)))
}

func (c client) spaceNames(t *testing.T, org, query string) (names []string) {
	t.Helper()
	for _, s := range all[spaceDoc](t, c, orgPath(org, "spaces")+query) {
		names = append(names, s.Name)
	}
	return names
}

func (c client) workOf(t *testing.T, org string, who *person) (ids []string) {
	t.Helper()
	for _, w := range all[workDoc](t, c, orgPath(org, "members", who.AccountID, "work")) {
		ids = append(ids, w.WorkID)
	}
	return ids
}

// delegated gives the commands that only this policy has.
func (s *story) delegated() []command {
	var org, space, invitation string
	guest, first := s.newPerson("Helper"), unique("Delegated")
	id := func(into *string, of func(receipt) string) func(response) {
		return func(r response) { *into = of(decoded[receipt](s.t, r)) }
	}
	return []command{
		{"found", func(x ...extra) response { return s.newcomer.foundDelegated(first, x...) }, id(&org, func(r receipt) string { return r.OrganizationID })},
		{"create space", func(x ...extra) response { return s.newcomer.createSpace(org, "North", x...) }, func(r response) {
			space = decoded[spaceDoc](s.t, r).SpaceID
		}},
		{"rename space", func(x ...extra) response { return s.newcomer.renameSpace(org, space, "South", x...) }, nil},
		{"invite to spaces", func(x ...extra) response {
			return s.newcomer.inviteWith(org, map[string]any{"email": guest.Email, "roles": []string{"MEMBER"}, "spaces": []string{space}}, x...)
		}, id(&invitation, func(r receipt) string { return r.InvitationID })},
		{"assign spaces to invitee", func(x ...extra) response {
			return s.newcomer.put(orgPath(org, "invitations", invitation, "spaces"), map[string]any{"spaces": []string{}}, x...)
		}, nil},
		{"accept", func(x ...extra) response { return guest.acceptNew(s.invitationOnce(guest.Email), x...) }, func(r response) {
			guest.enter(*decoded[receipt](s.t, r).Session)
		}},
		{"change avatar", func(x ...extra) response {
			return guest.put("/v1/me/avatar", map[string]any{"avatar_url": "https://example.com/a.png"}, x...)
		}, nil},
		{"assign spaces", func(x ...extra) response {
			return s.newcomer.put(orgPath(org, "members", guest.AccountID, "spaces"), map[string]any{"spaces": []string{space}}, x...)
		}, nil},
		{"edit member", func(x ...extra) response {
			return s.newcomer.edit(org, guest, map[string]any{"roles": []string{"USER_ADMIN"}, "spaces": []string{space}}, x...)
		}, nil},
		{"assign work", func(x ...extra) response { return s.operator().assignWork(org, guest, "1", space, x...) }, nil},
		{"release work", func(x ...extra) response { return s.operator().releaseWork(org, guest, "1", x...) }, nil},
		{"change settings", func(x ...extra) response {
			return s.newcomer.set(org, "billing", map[string]string{"city": "Bern"}, x...)
		}, nil},
		{"delete space", func(x ...extra) response { return s.newcomer.deleteSpace(org, space, x...) }, nil},
		{"delete organization", func(x ...extra) response { return s.newcomer.delete(orgPath(org), x...) }, nil},
	}
}

// deleting: the name is free again, and the links of invitations die.
func deleting(t *testing.T, c *cast) doing {
	name, p := unique("Ending"), c.newPerson("Guest")
	org := c.stranger.foundedDelegated(t, name)
	ok(t, c.stranger.invite(org, p.Email, p.Name, "MEMBER"))
	token := c.invitationTo(t, p.Email)
	return doing{
		give: func(x ...extra) response { return c.stranger.delete(orgPath(org), x...) },
		finished: func() bool {
			return c.anonymous().lookup(token).code() == "invitation_revoked" && c.owner.activate(name).done()
		},
	}
}
