package domain_test

import (
	"iter"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/invitation"
	"tenure/domain/organization"
)

// ledger tells the events of an organization naively, to hold the State
// against: lists that are searched instead of maps that are kept.
type ledger struct {
	members  map[domain.AccountID]person
	open     map[domain.InvitationID]person
	seats    int                          // as the operator says
	admitted map[domain.InvitationID]bool // by joining, or by being a member already
	asking   map[domain.AccountID]bool
}

type person struct {
	email, username string
	roles           []domain.Role
	active          bool
	suspended       bool
	generation      int
	claimed         bool // a seat is kept
	invitedBy       domain.AccountID
}

func newLedger() *ledger {
	return &ledger{members: map[domain.AccountID]person{}, open: map[domain.InvitationID]person{}, admitted: map[domain.InvitationID]bool{}, asking: map[domain.AccountID]bool{}}
}

func (p person) present() bool { return p.active || p.suspended }

// inOrder goes through the active members.
func (l *ledger) inOrder() iter.Seq2[domain.AccountID, person] {
	return func(yield func(domain.AccountID, person) bool) {
		for _, id := range slices.Sorted(maps.Keys(l.members)) {
			if m := l.members[id]; m.active && !yield(id, m) {
				return
			}
		}
	}
}

// apply tells one event, and holds that what it says of before is true.
func (l *ledger) apply(t *rapid.T, e domain.Event) {
	before := func(id domain.AccountID, roles []domain.Role) {
		if m := l.members[id]; !m.present() || !slices.Equal(m.roles, roles) {
			t.Fatalf("%s says %v of before, but it was %+v: %+v", e.EventType(), roles, m, e)
		}
	}
	become := func(id domain.AccountID, roles []domain.Role) {
		m := l.members[id]
		m.roles = roles
		l.members[id] = m
	}
	switch e := e.(type) {
	case organization.Activated:
		l.members[e.AccountID] = person{email: e.Email.Key(), username: e.Username.Key(), roles: e.Roles, active: true}
	case organization.InvitationOpened:
		l.open[e.InvitationID] = person{
			email: e.Email.Key(), username: e.Username.Key(), roles: e.Roles, generation: e.Generation, invitedBy: e.InvitedBy,
			claimed: l.open[e.InvitationID].claimed,
		}
	case organization.SeatClaimed:
		open, ok := l.open[e.InvitationID]
		if !ok || open.claimed {
			t.Fatalf("claimed for %+v: %+v", open, e)
		}
		open.claimed = true
		l.open[e.InvitationID] = open
	case organization.SeatsChanged:
		l.seats = e.After
	case organization.InvitationClosed:
		delete(l.open, e.InvitationID)
		l.admitted[e.InvitationID] = l.admitted[e.InvitationID] || e.Outcome == "accepted"
	case organization.MemberJoined:
		if l.members[e.AccountID].present() || l.admitted[e.InvitationID] {
			t.Fatalf("joined twice: %+v", e)
		}
		delete(l.open, e.InvitationID)
		if e.InvitationID != "" {
			l.admitted[e.InvitationID] = true
		}
		delete(l.asking, e.AccountID)
		l.members[e.AccountID] = person{email: e.Email.Key(), username: e.Username.Key(), roles: e.Roles, active: true}
	case organization.RolesChanged:
		before(e.AccountID, e.Before)
		become(e.AccountID, e.After)
	case organization.MemberRemoved:
		before(e.AccountID, e.Roles)
		l.members[e.AccountID] = person{}
	case organization.MemberSuspended:
		before(e.AccountID, e.Roles)
		m := l.members[e.AccountID]
		if m.active, m.suspended = m.suspended, m.active; m.active {
			t.Fatalf("suspended twice: %+v", e)
		}
		l.members[e.AccountID] = m
	case organization.MemberReactivated:
		before(e.AccountID, e.Roles)
		m := l.members[e.AccountID]
		if m.active, m.suspended = m.suspended, m.active; m.suspended {
			t.Fatalf("reactivated twice: %+v", e)
		}
		l.members[e.AccountID] = m
	case organization.JoinRequested:
		if l.members[e.AccountID].present() || l.asking[e.AccountID] {
			t.Fatalf("a member, or one who asks, asks: %+v", e)
		}
		l.asking[e.AccountID] = true
	case organization.JoinRequestClosed:
		delete(l.asking, e.AccountID)
	case organization.PolicyChanged:
		for id, m := range l.members {
			if m.present() {
				m.roles = mapped(m.roles, e)
				l.members[id] = m
			}
		}
		for id, open := range l.open {
			open.roles, open.claimed = mapped(open.roles, e), open.claimed || e.KeepsSeats
			l.open[id] = open
		}
	case organization.OwnershipTransferred:
		before(e.From, e.FromBefore)
		before(e.To, e.ToBefore)
		become(e.From, e.FromAfter)
		become(e.To, e.ToAfter)
	}
}

// mapped is what roles become, of which each has to be named.
func mapped(roles []domain.Role, e organization.PolicyChanged) []domain.Role {
	var after []domain.Role
	if len(roles) == 0 {
		return e.NoRole
	}
	for _, role := range roles {
		become, ok := e.Roles[role]
		if !ok {
			panic("nobody says what " + string(role) + " becomes")
		}
		for _, r := range become {
			if !slices.Contains(after, r) {
				after = append(after, r)
			}
		}
	}
	return after
}

// checkOrganization holds what is true after every append to the organization.
func (w *world) checkOrganization() {
	l, p := w.known, w.policy
	active, suspended, admins, owners := 0, 0, 0, 0
	emails, usernames := map[string]string{}, map[string]string{}
	hold := func(held map[string]string, key, holder string) {
		if other, taken := held[key]; key != "" && taken {
			w.t.Fatalf("%q is held by %s and %s", key, other, holder)
		}
		held[key] = holder
	}
	for id, expected := range l.members {
		m, ok := w.org.Member(id)
		if !ok || (m.Status == organization.Active) != expected.active || (m.Status == organization.Suspended) != expected.suspended || !slices.Equal(m.Roles, expected.roles) {
			w.t.Fatalf("member %s is %+v, not %+v", id, m, expected)
		}
		if !expected.present() {
			if len(m.Roles) > 0 {
				w.t.Fatalf("removed, and yet %v", m.Roles)
			}
			continue
		}
		hold(emails, expected.email, string(id))
		hold(usernames, expected.username, string(id))
		if expected.suspended {
			suspended++
			continue
		}
		active++
		if p.AdminLike(m.Roles) {
			admins++
		}
		if p.Owns(m.Roles) {
			owners++
		}
	}
	for id, expected := range l.open {
		hold(emails, expected.email, string(id))
		hold(usernames, expected.username, string(id))
		open, ok := w.org.Invitation(id)
		if !ok || open.Generation != expected.generation || !slices.Equal(open.Roles, expected.roles) || p.Owns(open.Roles) || open.InvitedBy != expected.invitedBy || !slices.Contains(w.org.InvitationsBy(expected.invitedBy), id) {
			w.t.Fatalf("invitation %s is %+v, not %+v", id, open, expected)
		}
	}
	taken := active + suspended
	for _, open := range l.open {
		if open.claimed {
			taken++
		}
	}
	limit := p.Members.Seats
	if l.seats > 0 && limit > 0 {
		limit = l.seats
	}
	switch {
	case limit > 0 && taken > limit:
		w.t.Fatalf("%d of %d seats are taken", taken, limit)
	case w.org.SeatsTaken() != taken || w.org.Seats(p) != limit || w.org.OpenInvitations() != len(l.open):
		w.t.Fatalf("%d of %d seats and %d invitations, not %d of %d and %d", w.org.SeatsTaken(), w.org.Seats(p), w.org.OpenInvitations(), taken, limit, len(l.open))
	case w.org.ActiveMembers() != active:
		w.t.Fatalf("%d active members, not %d", w.org.ActiveMembers(), active)
	case w.org.Requests() != len(l.asking):
		w.t.Fatalf("%d requests, not %d", w.org.Requests(), len(l.asking))
	case admins < p.Members.MinimumAdmins:
		w.t.Fatalf("%d admin-like members left", admins)
	case p.Ownership != nil && owners != 1:
		w.t.Fatalf("%d owners", owners)
	}
	w.checkTransfer()
	w.checkTaken(emails, usernames)
}

// checkTransfer holds that a pending transfer is between the owner and somebody
// who may become the owner.
func (w *world) checkTransfer() {
	if w.org.Transfer == nil {
		return
	}
	from, fromActive := w.org.ActiveMember(w.org.Transfer.From)
	to, toActive := w.org.ActiveMember(w.org.Transfer.To)
	if !fromActive || !w.policy.Owns(from.Roles) || !toActive || !w.policy.MayBecomeOwner(to.Roles) {
		w.t.Fatalf("a transfer from %+v to %+v is pending", from, to)
	}
}

// checkTaken holds that exactly the names in use are refused.
func (w *world) checkTaken(emails, usernames map[string]string) {
	asker := domain.AccountID("")
	for id, m := range w.known.inOrder() {
		if len(m.roles) > 0 {
			asker = id
		}
	}
	if asker == "" {
		return // nobody is left who could have a permission
	}
	for _, name := range names {
		for _, probe := range []struct {
			in   organization.Invitee
			held map[string]string
			key  string
		}{
			{organization.Invitee{Email: email(name)}, emails, email(name).Key()},
			{organization.Invitee{Email: "free@example.com", Username: domain.Username(name)}, usernames, domain.Username(name).Key()},
		} {
			probe.in.InvitationID, probe.in.Roles = "probe", []domain.Role{"ANY"}
			_, err := organization.Invite(w.org, everythingAllowed(w.org, asker), domain.ByAccount(asker), probe.in, w.now)
			if _, taken := probe.held[probe.key]; taken != (err != nil) {
				w.t.Fatalf("%q taken: %v, but inviting it: %v", probe.key, taken, err)
			}
		}
	}
}

// checkDrained holds what is true once no request is under way and every
// process has seen the whole log.
func (w *world) checkDrained() {
	for id, s := range w.invitations {
		open, isOpen := w.org.Invitation(id)
		switch {
		case s.Status == invitation.StatusPending && (!isOpen || open.Generation != s.Generation):
			w.t.Fatalf("the link of %s works (%+v), but the organization has %+v", id, s, open)
		case s.Status != invitation.StatusPending && isOpen:
			w.t.Fatalf("%s is %s, but the organization holds its names: %+v", id, s.Status, open)
		case s.Status == invitation.StatusAccepted && !w.known.admitted[id]:
			w.t.Fatalf("%s was accepted by %s, who is no member", id, s.AcceptedBy)
		}
	}
	for id, open := range w.known.open {
		if s := w.invitations[id]; s.Status != invitation.StatusPending {
			w.t.Fatalf("%s is open, but its link is %q", id, s.Status)
		}
		if !w.known.members[open.invitedBy].active && w.policy.Invitations.RevokeWhenInviterLeaves {
			w.t.Fatalf("%s is open, but %s who sent it has left", id, open.invitedBy)
		}
	}
	holders := map[string]bool{}
	for key, r := range w.reservations {
		if r.Holder == "" {
			continue
		}
		s := w.accounts[domain.AccountID(r.Holder)]
		if !r.Settled() || !s.Exists() || s.Email.Key() != key || holders[r.Holder] {
			w.t.Fatalf("%s is reserved by %+v for %+v", key, r, s)
		}
		holders[r.Holder] = true
	}
	for _, id := range slices.Sorted(maps.Keys(w.accounts)) {
		if !holders[string(id)] {
			w.t.Fatalf("account %s has lost its address: %+v", id, w.accounts[id])
		}
		w.checkSessions(w.accounts[id])
	}
}

func (w *world) checkSessions(s account.State) {
	issuers := map[string]bool{}
	for _, i := range s.Identities() {
		if issuers[i.Issuer] || !s.Verified {
			w.t.Fatalf("identities %v, address proven: %t", s.Identities(), s.Verified)
		}
		issuers[i.Issuer] = true
	}
	working := 0
	for n := range w.ids + 1 {
		if _, ok := s.Session(sessionID(n), w.now); ok {
			working++
		}
	}
	if working > account.MaxSessions {
		w.t.Fatalf("%d sessions", working)
	}
}
