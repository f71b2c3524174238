package commands

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/benbjohnson/immutable"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
)

// AccessExplanation is what a decision follows from, as of one revision of the
// organization's stream, and the events that made it so.
type AccessExplanation struct {
	Revision      eventstore.Revision
	Position      eventstore.Position
	Policy        string
	PolicyVersion int
	PolicyEvent   AccessEvent   // put the policy in force
	Granting      []domain.Role // the roles of the policy that have the permission
	Member        *AccessMember // nil for somebody who never was one
	Space         *AccessSpace  // of a question about one, if the caller may know of it
}

// AccessMember is the membership that a decision rests on.
type AccessMember struct {
	AccountID domain.AccountID
	Status    organization.Status
	Invited   *AccessEvent // the invitation by which it joined, if it was by one
	Joined    AccessEvent
	Changed   *AccessEvent // gave the membership its status, where that was not Joined
	Roles     []AccessRole
}

// AccessRole is a role that a member has.
type AccessRole struct {
	Role   domain.Role
	Grants bool        // the role has the permission
	Given  AccessEvent // gave the member the role
}

// AccessEvent names an event of the organization's stream.
type AccessEvent struct {
	Type     string
	Revision eventstore.Revision
	Position eventstore.Position
	At       time.Time
	Actor    domain.Actor
	Reason   string
}

// trail is an organization's state, and for what decisions rest on the
// revisions of the events that made it so. It is folded only for who asks for
// explanations. Trails share what they have in common and are never changed.
type trail struct {
	organization.State
	folded  eventstore.Revision // the number of events, and the revision of the next
	policy  eventstore.Revision // put the policy in force
	members *immutable.Map[string, origin]
	opened  *immutable.Map[string, offer]         // by id, of invitations that are open
	asked   *immutable.Map[string, requestOrigin] // by account, also of requests that are closed
	spaces  *immutable.Map[string, spaceOrigin]   // also of those that are deleted
	named   eventstore.Revision                   // gave the organization its name
	deleted eventstore.Revision                   // ended the organization
}

// offer is how an open invitation came to be what it is.
type offer struct {
	opened eventstore.Revision // the last time
	roles  eventstore.Revision // gave it these roles
	spaces eventstore.Revision // gave it these spaces
	began  beganOffer
}

// beganOffer is what an invitation was when it was opened: when it was sent first,
// or again after it had expired.
type beganOffer struct {
	by         eventstore.Revision
	generation int
	roles      []domain.Role
}

// origin is how a member came to be what it is.
type origin struct {
	invited *eventstore.Revision
	joined  eventstore.Revision
	changed eventstore.Revision // gave the membership its status
	granted eventstore.Revision // gave the member these roles and no others
	named   eventstore.Revision // gave the member its name
	spaced  eventstore.Revision // assigned its spaces, or ended one of them
	began   *Beginning          // nil as long as nothing but its status has changed since it joined
	roles   []roleOrigin
	spaces  []assignment // in the order of the ids
}

type roleOrigin struct {
	role  domain.Role
	given eventstore.Revision
}

// follow folds one event into a trail: what differs afterwards, the event did.
func follow(t trail, e domain.Event) trail {
	before, this := t.State, t.folded
	t.State, t.folded = organization.Evolve(before, e), this+1
	if t.members == nil {
		t.members, t.opened = immutable.NewMap[string, origin](nil), immutable.NewMap[string, offer](nil)
		t.asked, t.spaces = immutable.NewMap[string, requestOrigin](nil), immutable.NewMap[string, spaceOrigin](nil)
	}
	t = t.followSpace(e, this)
	if t.Policy != before.Policy || t.PolicyVersion != before.PolicyVersion {
		t.policy = this
	}
	if t.Name != before.Name {
		t.named = this
	}
	var invited *eventstore.Revision
	switch e := e.(type) {
	case organization.InvitationOpened:
		o, again := t.opened.Get(string(e.InvitationID))
		if !again {
			o = offer{roles: this, spaces: this, began: beganOffer{this, e.Generation, e.Roles}}
		}
		o.opened = this
		t.opened = t.opened.Set(string(e.InvitationID), o)
		t = t.followRoles(before, e.InvitationID, this)
	case organization.InvitationSpacesChanged:
		if o, ok := t.opened.Get(string(e.InvitationID)); ok {
			o.spaces = this
			t.opened = t.opened.Set(string(e.InvitationID), o)
		}
	case organization.PolicyChanged:
		for itr := t.opened.Iterator(); !itr.Done(); {
			id, _, _ := itr.Next()
			t = t.followRoles(before, domain.InvitationID(id), this)
		}
	case organization.InvitationClosed:
		t.opened = t.opened.Delete(string(e.InvitationID))
	case organization.MemberJoined:
		if o, ok := t.opened.Get(string(e.InvitationID)); ok {
			invited = &o.opened
			t.opened = t.opened.Delete(string(e.InvitationID))
		}
	case organization.Deleted:
		t.deleted = this
	case organization.SpaceDeleted:
		t.members = t.lose(before, e.SpaceID, this)
	}
	accounts := accountsIn(e)
	if _, everybody := e.(organization.PolicyChanged); everybody {
		for itr := t.members.Iterator(); !itr.Done(); {
			account, _, _ := itr.Next()
			accounts = append(accounts, domain.AccountID(account))
		}
	}
	for _, account := range accounts {
		t = t.followRequest(before, account, e, this)
		was, known := before.Member(account)
		is, member := t.Member(account)
		if !member {
			continue
		}
		o, _ := t.members.Get(string(account))
		spaces := t.SpacesOf(is)
		became := !known || was.Status != is.Status || !slices.Equal(was.Roles, is.Roles)
		renamed, reassigned := was.DisplayName != is.DisplayName, !slices.Equal(before.SpacesOf(was), spaces)
		if became {
			o = o.after(was, is, invited, this)
		}
		if renamed {
			o.named = this
		}
		if reassigned {
			o.spaced = this
		}
		if became || renamed || reassigned {
			o = o.since(before, was, this)
			o.spaces = o.assigned(spaces, this)
			t.members = t.members.Set(string(account), o)
		}
	}
	return t
}

// followRoles notes an event that has given an open invitation other roles.
func (t trail) followRoles(before organization.State, id domain.InvitationID, this eventstore.Revision) trail {
	was, _ := before.Invitation(id)
	is, _ := t.Invitation(id)
	if o, open := t.opened.Get(string(id)); open && !slices.Equal(was.Roles, is.Roles) {
		o.roles = this
		t.opened = t.opened.Set(string(id), o)
	}
	return t
}

// after is the origin of a member that the event with revision this has changed.
func (o origin) after(was, is organization.Member, invited *eventstore.Revision, this eventstore.Revision) origin {
	switch {
	case (was.Status == "" || was.Status == organization.Removed) && is.Status != organization.Removed:
		o = origin{invited: invited, joined: this, changed: this, granted: this, named: this, spaced: this}
	case was.Status != is.Status:
		o.changed = this
	}
	if !slices.Equal(was.Roles, is.Roles) {
		o.granted = this
	}
	roles := make([]roleOrigin, len(is.Roles))
	for i, role := range is.Roles {
		roles[i] = roleOrigin{role, this}
		if j := slices.IndexFunc(o.roles, func(r roleOrigin) bool { return r.role == role }); j >= 0 {
			roles[i] = o.roles[j]
		}
	}
	o.roles = roles
	return o
}

// lose notes the end of a space with those who could enter it.
func (t trail) lose(before organization.State, space domain.SpaceID, this eventstore.Revision) *immutable.Map[string, origin] {
	members := t.members
	for itr := t.members.Iterator(); !itr.Done(); {
		account, o, _ := itr.Next()
		if m, _ := t.Member(domain.AccountID(account)); slices.Contains(m.Assigned(), space) {
			o = o.since(before, m, this)
			o.spaced = this
			members = members.Set(account, o)
		}
	}
	return members
}

var accountIDType = reflect.TypeFor[domain.AccountID]()

// accountsIn lists every account that an event names: new events need no entry
// in a table here.
func accountsIn(e domain.Event) []domain.AccountID {
	var accounts []domain.AccountID
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		if field := v.Field(i); field.Type() == accountIDType && !field.IsZero() {
			accounts = append(accounts, domain.AccountID(field.String()))
		}
	}
	return accounts
}

// explanation says what the decision about a subject follows from.
func (k *AccessCheck) explanation(ctx context.Context, v *accessView, subject domain.AccountID, q AccessQuestion, self bool) (*AccessExplanation, error) {
	x := &AccessExplanation{
		Revision: v.trail.folded - 1, Position: v.position,
		Policy: v.policy.Name, PolicyVersion: v.policy.Version, Granting: v.granting(q),
	}
	named := func(revision eventstore.Revision) AccessEvent { return v.events[revision] }
	o, known := v.trail.members.Get(string(subject))
	member, is := v.state.Member(subject)
	if is != known || !slices.EqualFunc(o.roles, member.Roles, func(r roleOrigin, role domain.Role) bool { return r.role == role }) {
		return nil, fmt.Errorf("commands: no trail leads to the state of a member of %s at revision %d", v.state.ID, x.Revision)
	}
	var created, deleted, assigned *eventstore.Revision
	if q.Space != nil {
		created, deleted, assigned = k.spaceRevisions(v, o, *q.Space, self)
	}
	wanted := []eventstore.Revision{v.trail.policy}
	for _, revision := range []*eventstore.Revision{created, deleted, assigned} {
		if revision != nil {
			wanted = append(wanted, *revision)
		}
	}
	if known {
		wanted = append(wanted, o.revisions()...)
	}
	if err := k.read(ctx, v, wanted); err != nil {
		return nil, err
	}
	x.PolicyEvent = named(v.trail.policy)
	if created != nil || assigned != nil {
		x.Space = &AccessSpace{SpaceID: *q.Space, OpenedBy: v.roles(v.opensSpaces), Created: v.named(created), Deleted: v.named(deleted), Assigned: v.named(assigned)}
	}
	if !known {
		return x, nil
	}
	x.Member = &AccessMember{AccountID: subject, Status: member.Status, Joined: named(o.joined), Roles: make([]AccessRole, len(o.roles))}
	if o.invited != nil {
		invited := named(*o.invited)
		if self && k.mayNotReadHistory(v) {
			invited.Reason = "" // was not written to the invitee
		}
		x.Member.Invited = &invited
	}
	if o.changed != o.joined {
		changed := named(o.changed)
		x.Member.Changed = &changed
	}
	for i, r := range o.roles {
		x.Member.Roles[i] = AccessRole{Role: r.role, Grants: v.grants(r.role, q), Given: named(r.given)}
	}
	return x, nil
}

// named is an event that was looked up, or nil.
func (v *accessView) named(revision *eventstore.Revision) *AccessEvent {
	if revision == nil {
		return nil
	}
	e := v.events[*revision]
	return &e
}

func (k *AccessCheck) mayNotReadHistory(v *accessView) bool {
	_, err := organization.Authorize(v.caller.state, v.caller.policy, k.by, domain.ReadHistory)
	return err != nil
}

func (o origin) revisions() []eventstore.Revision {
	all := []eventstore.Revision{o.joined, o.changed}
	if o.invited != nil {
		all = append(all, *o.invited)
	}
	for _, r := range o.roles {
		all = append(all, r.given)
	}
	return all
}

// read looks the events up, each once.
func (k *AccessCheck) read(ctx context.Context, v *accessView, revisions []eventstore.Revision) error {
	for _, revision := range revisions {
		if _, ok := v.events[revision]; ok {
			continue
		}
		stream := k.commands.trails.prefix + string(v.state.ID)
		recorded, err := k.commands.Store.ReadStream(ctx, stream, revision, 1)
		if err != nil {
			return fmt.Errorf("commands: reading an event of %s: %w", stream, err)
		}
		if len(recorded) == 0 {
			return fmt.Errorf("commands: revision %d of %s was there and is not", revision, stream)
		}
		e, err := k.commands.Codec.Decode(recorded[0])
		if err != nil {
			return err
		}
		v.events[revision] = Named(e)
	}
	return nil
}
