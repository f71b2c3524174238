package domain_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"pgregory.net/rapid"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/domain/reservation"
)

// world is one organization with its invitations, the accounts of everybody
// around, and the log of what happened to them. It does the caller's part of
// commands that span streams as package commands does: in steps, between which
// anything else may happen, and which a crash may end.
type world struct {
	t      *rapid.T
	now    time.Time
	policy *policy.Policy                   // in force
	others []*policy.Policy                 // that the organization may be moved to
	copies map[*policy.Policy]policy.Policy // of policies at the beginning

	org          organization.State
	invitations  map[domain.InvitationID]invitation.State
	accounts     map[domain.AccountID]account.State
	reservations map[string]reservation.State // by e-mail key
	known        *ledger                      // what the events say, told naively

	log       []domain.Event
	cursors   map[string]int // how far each process has come
	requests  []request      // under way
	snapshots []snapshot
	ids       int
}

// request is what is left to do of a command; a step that answers with false
// ends it.
type request []func() bool

// snapshot is an older state and what it answered then.
type snapshot struct {
	state   organization.State
	answers string
}

const acme domain.OrganizationID = "acme"

// reservationLifetime is longer than any request takes.
const reservationLifetime = 10 * time.Minute

func newWorld(t *rapid.T, p *policy.Policy, others ...*policy.Policy) *world {
	w := &world{
		t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), policy: p, others: append(others, p), copies: map[*policy.Policy]policy.Policy{},
		invitations: map[domain.InvitationID]invitation.State{}, accounts: map[domain.AccountID]account.State{},
		reservations: map[string]reservation.State{}, known: newLedger(), cursors: map[string]int{},
	}
	for _, one := range w.others {
		w.copies[one] = clonePolicy(one)
	}
	founder := w.signUp("founder@example.com")
	events, err := organization.Activate(w.org, p, organization.Activation{
		OrganizationID: acme, Name: "Acme", AccountID: founder, Email: "founder@example.com", Username: "founder", DisplayName: "The founder",
	})
	w.must(err)
	w.onOrganization(events)
	for _, name := range names[1:4] {
		w.hire(name, rapid.SampledFrom(p.Roles).Draw(t, "role of "+name).Name)
	}
	return w
}

// signUp makes an account whose address is proven.
func (w *world) signUp(email domain.Email) domain.AccountID {
	for _, step := range w.registering(email, nil) {
		step()
	}
	id := w.holder(email)
	events, err := account.Verify(w.accounts[id], 1, w.now)
	w.must(err)
	w.onAccount(id, events)
	return id
}

// hire makes somebody a member, by the way that everybody takes, if the founder
// may give the role.
func (w *world) hire(name string, role domain.Role) {
	account, id := w.signUp(email(name)), domain.InvitationID(w.id("invitation"))
	in := organization.Invitee{InvitationID: id, Email: email(name), Username: domain.Username(name), Roles: []domain.Role{role}}
	for _, step := range w.opening(func(s organization.State) ([]domain.Event, error) {
		return organization.Invite(s, w.policy, domain.ByAccount(w.holder(email("founder"))), in, w.now)
	}) {
		if !step() {
			return
		}
	}
	if _, ok := w.commit(func(s organization.State) ([]domain.Event, error) { return organization.ClaimSeat(s, w.policy, id) }); !ok {
		return
	}
	events, err := invitation.Accept(w.invitations[id], 1, account, w.now)
	w.must(err)
	w.onInvitation(id, events)
	w.settle(id)
}

// registering is the steps by which somebody signs up with an address, or, with
// byInvitation, opens an account on the way to accepting an invitation.
func (w *world) registering(email domain.Email, byInvitation *domain.AccountID) request {
	fresh, id, attempt := domain.AccountID(w.id("account")), domain.AccountID(""), 0
	return request{
		func() bool { // reserve
			s := w.reservations[email.Key()]
			number, events := reservation.Make(s, reservation.KindEmail, email.Key(), string(fresh), w.now.Add(reservationLifetime))
			if number == 0 { // taken by an account that was begun already
				number, events = reservation.Make(s, reservation.KindEmail, email.Key(), s.Holder, w.now.Add(reservationLifetime))
			}
			attempt = number
			w.onReservation(email.Key(), events)
			id = domain.AccountID(w.reservations[email.Key()].Holder)
			return true
		},
		func() bool { // register
			r := account.Registration{AccountID: id, Email: email, DisplayName: "Name", Language: "en", PasswordHash: "hash"}
			if byInvitation == nil {
				w.onAccount(id, account.Register(w.accounts[id], r, w.now.Add(time.Hour)))
				return true
			}
			events, err := account.RegisterInvited(w.accounts[id], r)
			w.onAccount(id, events)
			*byInvitation = id
			return err == nil
		},
		func() bool { // confirm
			w.onReservation(email.Key(), reservation.Confirm(w.reservations[email.Key()], w.now, attempt))
			return true
		},
	}
}

// holder is the account that an address belongs to, or empty.
func (w *world) holder(email domain.Email) domain.AccountID {
	return domain.AccountID(w.reservations[email.Key()].Holder)
}

// decide runs a decision of the organization and holds that it has left the
// state as it was.
func (w *world) decide(decision func(organization.State) ([]domain.Event, error)) ([]domain.Event, bool) {
	before := w.answers(w.org)
	events, err := decision(w.org)
	if after := w.answers(w.org); after != before {
		w.t.Fatalf("the decision has changed its state:\n%s\n%s", before, after)
	}
	if err != nil && len(events) > 0 {
		w.t.Fatalf("refused with %v, and yet %v", err, events)
	}
	return events, err == nil
}

// commit decides and appends; it answers with the events.
func (w *world) commit(decision func(organization.State) ([]domain.Event, error)) ([]domain.Event, bool) {
	events, ok := w.decide(decision)
	if ok {
		w.onOrganization(events)
	}
	return events, ok
}

func (w *world) onOrganization(events []domain.Event) {
	for _, e := range events {
		w.known.apply(w.t, e)
		w.org = organization.Evolve(w.org, e)
		w.log = append(w.log, e)
	}
	if len(events) > 0 {
		w.checkOrganization()
	}
}

func (w *world) onInvitation(id domain.InvitationID, events []domain.Event) {
	for _, e := range events {
		w.invitations[id] = invitation.Evolve(w.invitations[id], e)
		w.log = append(w.log, e)
	}
}

func (w *world) onAccount(id domain.AccountID, events []domain.Event) {
	for _, e := range events {
		before := w.accounts[id]
		w.accounts[id] = account.Evolve(before, e)
		if before.Verified && !w.accounts[id].Verified {
			w.t.Fatalf("an address lost its proof by %T", e)
		}
		w.log = append(w.log, e)
	}
}

func (w *world) onReservation(key string, events []domain.Event) {
	for _, e := range events {
		w.reservations[key] = reservation.Evolve(w.reservations[key], e)
	}
}

func (w *world) id(kind string) string {
	w.ids++
	return fmt.Sprintf("%s-%d", kind, w.ids)
}

func (w *world) must(err error) {
	if err != nil {
		w.t.Fatal(err)
	}
}

// answers is everything that a state can be asked.
func (w *world) answers(s organization.State) string {
	text := fmt.Sprintf("%s %q %s %d %d %d %d", s.ID, s.Name, s.Policy, s.PolicyVersion, s.ActiveMembers(), s.SeatsTaken(), s.Seats(w.others[0]))
	if s.Transfer != nil {
		text += fmt.Sprintf(" %+v", *s.Transfer)
	}
	var asker domain.AccountID
	for _, id := range slices.Sorted(maps.Keys(w.accounts)) {
		m, known := s.Member(id)
		if !known {
			continue
		}
		text += fmt.Sprintf("\n%s %s %v %s", id, m.Status, m.Roles, m.DisplayName)
		for _, sent := range slices.Sorted(slices.Values(s.InvitationsBy(id))) {
			open, _ := s.Invitation(sent)
			text += fmt.Sprintf(", %s %d %v", sent, open.Generation, open.Roles)
		}
		if m.Status == organization.Active && len(m.Roles) > 0 {
			asker = id
		}
	}
	text += "\ntaken:"
	for _, name := range names {
		for _, in := range []organization.Invitee{{Email: email(name)}, {Email: "free@example.com", Username: domain.Username(name)}} {
			in.InvitationID, in.Roles = "probe", []domain.Role{"ANY"}
			if _, err := organization.Invite(s, everythingAllowed(s, asker), domain.ByAccount(asker), in, w.now); err != nil {
				text += " " + err.Error()
			}
		}
	}
	return text
}

// everythingAllowed is a policy under which asker may invite.
func everythingAllowed(s organization.State, asker domain.AccountID) *policy.Policy {
	p := &policy.Policy{Roles: []policy.Role{{Name: "ANY"}}}
	m, _ := s.Member(asker)
	for _, role := range m.Roles {
		p.Roles = append(p.Roles, policy.Role{Name: role, Permissions: []domain.Permission{domain.InviteMembers}, Grants: []domain.Role{"ANY"}})
	}
	return p
}

// names are those of the people around: each has an address and a username.
var names = []string{"founder", "p1", "p2", "p3", "p4", "p5", "p6"}

func email(name string) domain.Email { return domain.Email(name + "@example.com") }

func clonePolicy(p *policy.Policy) policy.Policy {
	c := *p
	c.Roles = slices.Clone(p.Roles)
	for i := range c.Roles {
		r := &c.Roles[i]
		r.Permissions, r.Grants, r.Manages, r.Implies = slices.Clone(r.Permissions), slices.Clone(r.Grants), slices.Clone(r.Manages), slices.Clone(r.Implies)
	}
	c.Members.FounderRoles = slices.Clone(p.Members.FounderRoles)
	if p.Ownership != nil {
		o := *p.Ownership
		o.Candidates = slices.Clone(o.Candidates)
		c.Ownership = &o
	}
	c.Refusals = maps.Clone(p.Refusals)
	return c
}

// checkUnchanged holds that nothing that was handed to a decision has changed,
// and that every older state still answers as it did.
func (w *world) checkUnchanged() {
	for p, copied := range w.copies {
		if !reflect.DeepEqual(*p, copied) {
			w.t.Fatalf("the policy has changed:\n%+v\n%+v", copied, *p)
		}
	}
	for _, s := range w.snapshots {
		if now := w.answers(s.state); now != s.answers {
			w.t.Fatalf("an older state has changed:\n%s\n%s", s.answers, now)
		}
	}
}
