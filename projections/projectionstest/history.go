package projectionstest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/domain/reservation"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// history makes events that can happen, in an order in which they can.
type history struct {
	t        *rapid.T
	now      time.Time
	events   []recorded
	accounts []person
	orgs     []*org
	keys     []domain.APIKeyID
	signed   []uint64 // sizes of checkpoints
	mails    []domain.MailID
	reserved map[string]reservation.State // by key
	attempts int                          // of the text that was attempted most often
}

// recorded is an event that is not in the log yet.
type recorded struct {
	id       eventstore.ID
	stream   string
	event    domain.Event
	metadata codec.Metadata
}

type person struct {
	id       domain.AccountID
	email    domain.Email
	username domain.Username
	name     string
}

type org struct {
	id          domain.OrganizationID
	name        domain.OrganizationName
	members     map[domain.AccountID][]domain.Role // active and suspended
	suspended   map[domain.AccountID]bool
	known       map[domain.AccountID]bool // is or was a member
	requests    map[domain.AccountID]bool // asks to join
	deleted     bool
	names       map[domain.AccountID]string
	invitations []*invited
	transfer    *organization.OwnershipTransferRequested
	spaces      []domain.SpaceID
	work        []organization.WorkAssigned
}

type invited struct {
	id         domain.InvitationID
	by         domain.AccountID
	to         person
	roles      []domain.Role
	generation int
	status     invitation.Status
	spaces     []domain.SpaceID
}

// people are hard to tell apart, to sort and to find.
func people() []person {
	names := []struct{ name, username, email string }{
		{"Ada Lovelace", "ada", "ada.lovelace@example.com"},
		{"ada LOVELACE", "Ada2", "Ada.Byron@EXAMPLE.com"},
		{"Élodie d'Été-Straße", "élodie", "elodie+list@exämple.fr"},
		{"E\u0301lodie", "ÉLODIE2", "e.lodie@example.com"},
		{"李小龍", "bruce", "bruce_lee@example.org"},
		{"A", "a", "a@a.example"},
		{"<Bob> & \"Co\"", "bob.co", "bob@example.com"},
		{"ada", "", "x-y.z@sub.example.com"},
	}
	people := make([]person, len(names))
	for i, n := range names {
		people[i] = person{id: domain.AccountID(id("account", i)), name: n.name, username: domain.Username(n.username), email: domain.Email(n.email)}
	}
	return people
}

func newHistory(t *rapid.T) *history {
	return &history{t: t, now: time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC), accounts: people(), reserved: map[string]reservation.State{}}
}

// grow adds about steps events.
func (h *history) grow(steps int) {
	actions := []func(){
		h.activate, h.rename, h.invite, h.invite, h.resend, h.accept, h.accept, h.decline, h.revoke, h.expire,
		h.changeRoles, h.changeRoles, h.renameMember, h.remove, h.remove, h.requestTransfer, h.endTransfer, h.transfer, h.movePolicy, h.moveOften,
		h.suspend, h.suspend, h.reactivate, h.ask, h.ask, h.closeRequest, h.approve, h.add, h.delete, h.summarizeRequests,
		h.createSpace, h.deleteSpace, h.assignSpaces, h.assignInviteeSpaces, h.work, h.work,
		h.askForMail, h.claimMail, h.settleMail, h.reserve, h.settleReservation, h.makeKey, h.revokeKey,
		h.signCheckpoint, h.cosignCheckpoint,
	}
	h.activate()
	for range steps {
		h.now = h.now.Add(rapid.SampledFrom([]time.Duration{0, time.Microsecond, time.Second, time.Hour}).Draw(h.t, "pause"))
		rapid.SampledFrom(actions).Draw(h.t, "action")()
	}
}

// id is a UUID that is the same in every run.
func id(kind string, n int) string {
	return uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "%s %d", kind, n)).String()
}

func (h *history) record(stream string, e domain.Event) eventstore.ID {
	eventID := eventstore.ID(uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "event %d", len(h.events))))
	h.events = append(h.events, recorded{id: eventID, stream: stream, event: e, metadata: codec.Metadata{
		Actor:       rapid.SampledFrom([]domain.Actor{domain.ByAccount(h.accounts[0].id), domain.ByProcess("deadlines"), domain.Public()}).Draw(h.t, "actor"),
		OccurredAt:  h.now,
		Reason:      rapid.SampledFrom([]string{"", "left the \"team\"", "línea <2>"}).Draw(h.t, "reason"),
		Correlation: "c" + fmt.Sprint(len(h.events)),
	}})
	return eventID
}

func (h *history) inOrg(o *org, e domain.Event) eventstore.ID {
	return h.record("organization-"+string(o.id), e)
}

func (h *history) inInvitation(i *invited, e domain.Event) eventstore.ID {
	return h.record("invitation-"+string(i.id), e)
}

func (h *history) mail(eventID eventstore.ID) {
	h.mails = append(h.mails, domain.MailID(uuid.UUID(eventID).String()))
}

// pick draws one of the things, or the zero value if there are none.
func pick[T any](h *history, label string, things []T) (picked T, ok bool) {
	if len(things) == 0 {
		return picked, false
	}
	return rapid.SampledFrom(things).Draw(h.t, label), true
}

func (h *history) roles() []domain.Role {
	return rapid.SampledFrom([][]domain.Role{{"USER"}, {"ADMIN"}, {"ADMIN", "USER"}, {}, {"ROLE.with/dots"}, {"HAND"}}).Draw(h.t, "roles")
}

func (h *history) activate() {
	if len(h.orgs) == 3 {
		return
	}
	founder, _ := pick(h, "founder", h.accounts)
	name := rapid.SampledFrom([]string{"Acme", "acme two", "Zoë & Söhne", "Émile", "Zoe"}).Draw(h.t, "name")
	o := &org{
		id: domain.OrganizationID(id("organization", len(h.orgs))), name: domain.OrganizationName(name),
		members: map[domain.AccountID][]domain.Role{founder.id: {"OWNER"}}, names: map[domain.AccountID]string{founder.id: founder.name},
		suspended: map[domain.AccountID]bool{}, known: map[domain.AccountID]bool{founder.id: true}, requests: map[domain.AccountID]bool{},
	}
	h.orgs = append(h.orgs, o)
	h.inOrg(o, organization.Activated{
		OrganizationID: o.id, Name: o.name, Policy: "ownership", PolicyVersion: 1, AccountID: founder.id,
		Email: founder.email, Username: founder.username, DisplayName: founder.name, Roles: []domain.Role{"OWNER"},
	})
}

// organization picks one that was not deleted.
func (h *history) organization() (*org, bool) {
	return pick(h, "organization", slices.DeleteFunc(slices.Clone(h.orgs), func(o *org) bool { return o.deleted }))
}

func (h *history) rename() {
	o, ok := h.organization()
	if !ok {
		return
	}
	before := o.name
	o.name = domain.OrganizationName(rapid.SampledFrom([]string{"Acme", "Beta Co.", "ωmega"}).Draw(h.t, "new name"))
	h.inOrg(o, organization.Renamed{OrganizationID: o.id, Before: before, After: o.name})
}

func (h *history) invite() {
	o, ok := h.organization()
	if !ok {
		return
	}
	to, _ := pick(h, "invitee", h.accounts)
	i := &invited{id: domain.InvitationID(id("invitation", len(h.events))), by: h.accounts[0].id, to: to, roles: h.roles(), generation: 1, status: invitation.StatusPending}
	o.invitations = append(o.invitations, i)
	expires := h.now.Add(time.Hour)
	h.inOrg(o, organization.InvitationOpened{
		OrganizationID: o.id, InvitationID: i.id, Generation: 1, Email: to.email, Username: to.username, Roles: i.roles,
		Language: "en", InvitedBy: i.by, ExpiresAt: expires,
	})
	h.mail(h.inInvitation(i, invitation.Issued{
		InvitationID: i.id, OrganizationID: o.id, Email: to.email, Username: to.username, Roles: i.roles,
		Language: "en", InvitedBy: i.by, ExpiresAt: expires,
	}))
}

// invitation picks one with one of the statuses.
func (h *history) invitation(statuses ...invitation.Status) (o *org, i *invited, ok bool) {
	o, _ = pick(h, "organization", h.orgs)
	var fitting []*invited
	for _, i := range o.invitations {
		for _, s := range statuses {
			if i.status == s {
				fitting = append(fitting, i)
			}
		}
	}
	i, ok = pick(h, "invitation", fitting)
	return o, i, ok
}

func (h *history) resend() {
	o, i, ok := h.invitation(invitation.StatusPending, invitation.StatusExpired)
	if !ok || o.deleted {
		return
	}
	i.generation++
	i.status = invitation.StatusPending
	expires := h.now.Add(2 * time.Hour)
	h.inOrg(o, organization.InvitationOpened{
		OrganizationID: o.id, InvitationID: i.id, Generation: i.generation, Email: i.to.email, Username: i.to.username,
		Roles: i.roles, Language: "en", InvitedBy: i.by, ExpiresAt: expires,
	})
	h.mail(h.inInvitation(i, invitation.Resent{InvitationID: i.id, OrganizationID: o.id, Generation: i.generation, InvitedBy: i.by, ExpiresAt: expires}))
}

func (h *history) accept() {
	o, i, ok := h.invitation(invitation.StatusPending)
	if !ok {
		return
	}
	i.status = invitation.StatusAccepted
	h.inInvitation(i, invitation.Accepted{InvitationID: i.id, OrganizationID: o.id, AccountID: i.to.id})
	if _, present := o.members[i.to.id]; present || o.deleted {
		h.inOrg(o, organization.InvitationClosed{OrganizationID: o.id, InvitationID: i.id, Outcome: "accepted"})
		return
	}
	h.join(o, i.to, organization.MemberJoined{Username: i.to.username, Roles: i.roles, InvitationID: i.id, InvitedBy: i.by, Spaces: i.spaces})
}

// join lets somebody in, by what the event says already.
func (h *history) join(o *org, p person, e organization.MemberJoined) {
	o.members[p.id], o.names[p.id], o.known[p.id] = e.Roles, p.name, true
	delete(o.requests, p.id)
	e.OrganizationID, e.AccountID, e.Email, e.DisplayName = o.id, p.id, p.email, p.name
	h.inOrg(o, e)
}

func (h *history) close(status invitation.Status, event func(o *org, i *invited) domain.Event) {
	o, i, ok := h.invitation(invitation.StatusPending)
	if !ok {
		return
	}
	i.status = status
	h.inInvitation(i, event(o, i))
	h.inOrg(o, organization.InvitationClosed{OrganizationID: o.id, InvitationID: i.id, Outcome: string(status)})
}

func (h *history) decline() {
	h.close(invitation.StatusDeclined, func(o *org, i *invited) domain.Event {
		return invitation.Declined{InvitationID: i.id, OrganizationID: o.id}
	})
}

func (h *history) revoke() {
	h.close(invitation.StatusRevoked, func(o *org, i *invited) domain.Event {
		return invitation.Revoked{InvitationID: i.id, OrganizationID: o.id, Cause: invitation.CauseRevoked}
	})
}

func (h *history) expire() {
	h.close(invitation.StatusExpired, func(o *org, i *invited) domain.Event {
		return invitation.Expired{InvitationID: i.id, OrganizationID: o.id, Generation: i.generation}
	})
}

// member picks a member, suspended or not.
func (h *history) member() (o *org, id domain.AccountID, ok bool) {
	if o, ok = h.organization(); !ok {
		return nil, "", false
	}
	p, ok := h.among(o, func(p person) bool { _, is := o.members[p.id]; return is })
	return o, p.id, ok
}

// among picks one of the people.
func (h *history) among(o *org, fits func(person) bool) (person, bool) {
	return pick(h, "person", slices.DeleteFunc(slices.Clone(h.accounts), func(p person) bool { return !fits(p) }))
}

func (h *history) changeRoles() {
	if o, id, ok := h.member(); ok {
		after := h.roles()
		h.inOrg(o, organization.RolesChanged{OrganizationID: o.id, AccountID: id, Before: o.members[id], After: after})
		o.members[id] = after
	}
}

func (h *history) renameMember() {
	if o, id, ok := h.member(); ok {
		after := rapid.SampledFrom([]string{"Zed", "Ada Straße", "élan VITAL", "x"}).Draw(h.t, "display name")
		h.inOrg(o, organization.MemberRenamed{OrganizationID: o.id, AccountID: id, Before: o.names[id], After: after})
		o.names[id] = after
	}
}

func (h *history) remove() {
	if o, id, ok := h.member(); ok {
		h.inOrg(o, organization.MemberRemoved{OrganizationID: o.id, AccountID: id, Roles: o.members[id]})
		delete(o.members, id)
		delete(o.suspended, id)
	}
}

func (h *history) requestTransfer() {
	o, from, ok := h.member()
	if !ok || o.transfer != nil || len(o.members) < 2 {
		return
	}
	for _, p := range h.accounts {
		if _, is := o.members[p.id]; is && p.id != from {
			o.transfer = &organization.OwnershipTransferRequested{
				OrganizationID: o.id, TransferID: domain.TransferID(id("transfer", len(h.events))), From: from, To: p.id, ExpiresAt: h.now.Add(time.Hour),
			}
			h.mail(h.inOrg(o, *o.transfer))
			return
		}
	}
}

func (h *history) endTransfer() {
	o, ok := h.organization()
	if !ok {
		return
	}
	if x := o.transfer; x != nil {
		o.transfer = nil
		h.inOrg(o, organization.OwnershipTransferEnded{OrganizationID: o.id, TransferID: x.TransferID, From: x.From, To: x.To, Outcome: "cancelled"})
	}
}

func (h *history) transfer() {
	o, ok := h.organization()
	if !ok {
		return
	}
	x := o.transfer
	if x == nil || o.suspended[x.From] || o.suspended[x.To] || o.members[x.From] == nil || o.members[x.To] == nil {
		return
	}
	o.transfer = nil
	h.inOrg(o, organization.OwnershipTransferred{
		OrganizationID: o.id, TransferID: x.TransferID, From: x.From, FromBefore: o.members[x.From], FromAfter: []domain.Role{"ADMIN"},
		To: x.To, ToBefore: o.members[x.To], ToAfter: []domain.Role{"OWNER"},
	})
	o.members[x.From], o.members[x.To] = []domain.Role{"ADMIN"}, []domain.Role{"OWNER"}
}
