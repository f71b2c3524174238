package acceptance

import (
	"cmp"
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// held is who has what only one may have, by the histories of all organizations
// in the order of the log.
type held struct {
	events    int
	orgs      map[string]*heldIn
	names     map[string]string // of organizations
	exclusive map[string]string // by account, the organization where it is author or admin
}

// heldIn is that of one organization.
type heldIn struct {
	policy  string
	name    string
	taken   map[string]string // "username …" and "email …" → who has it
	members map[string]heldMember
	claims  map[string]bool // seats that are kept for invitations
	seats   int
}

type heldMember struct {
	present, suspended bool
	exclusive          bool
}

func folded(name string) string { return strings.ToLower(strings.Join(strings.Fields(name), "")) }

// replayed folds all histories together, and complains about each event that
// gives anybody what another one has.
func (c *contention) replayed(t *testing.T) *held {
	t.Helper()
	type entry struct {
		org      string
		position uint64
		entryDoc
	}
	var entries []entry
	for _, o := range all[organizationDoc](t, c.operator(), "/v1/operator/organizations?limit=200") {
		for _, e := range c.operator().history(t, o.OrganizationID) {
			if e.Stream == "organization" {
				at, err := strconv.ParseUint(e.Position, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				entries = append(entries, entry{o.OrganizationID, at, e})
			}
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.position, b.position) })
	h := &held{events: len(entries), orgs: make(map[string]*heldIn), names: make(map[string]string), exclusive: make(map[string]string)}
	for _, e := range entries {
		h.fold(t, e.org, e.entryDoc)
	}
	return h
}

func (h *held) fold(t *testing.T, org string, e entryDoc) {
	o := h.orgs[org]
	text := func(field string) string { s, _ := e.Data[field].(string); return s }
	account, invitation := text("account_id"), text("invitation_id")
	switch kind, _, _ := strings.Cut(strings.TrimPrefix(e.Type, "organization."), "."); kind {
	case "activated":
		o = &heldIn{policy: text("policy"), taken: make(map[string]string), members: make(map[string]heldMember), claims: make(map[string]bool)}
		if h.orgs[org] = o; o.policy == "seats" {
			o.seats = 10
		}
		h.name(t, org, text("name"), e)
		o.take(t, account, e)
		h.join(t, org, account, e)
	case "renamed":
		h.name(t, org, text("after"), e)
	case "invitation_opened":
		o.take(t, invitation, e)
	case "invitation_closed":
		o.give(invitation)
	case "seat_claimed":
		o.claims[invitation] = true
		o.countSeats(t, org, e)
	case "member_joined":
		o.give(invitation)
		o.take(t, account, e)
		h.join(t, org, account, e)
	case "roles_changed":
		h.roles(t, org, account, e, "after")
	case "member_suspended", "member_reactivated":
		m := o.members[account]
		m.suspended = kind == "member_suspended"
		o.members[account] = m
	case "member_removed":
		o.give(account)
		delete(o.members, account)
		if h.exclusive[account] == org {
			delete(h.exclusive, account)
		}
	}
}

func (h *held) name(t *testing.T, org, name string, e entryDoc) {
	delete(h.names, folded(h.orgs[org].name))
	if other, taken := h.names[folded(name)]; taken {
		t.Errorf("at %s %s takes the name %q, which %s has", e.Position, org, name, other)
	}
	h.orgs[org].name, h.names[folded(name)] = name, org
}

func (h *held) join(t *testing.T, org, account string, e entryDoc) {
	h.orgs[org].members[account] = heldMember{present: true}
	h.orgs[org].countSeats(t, org, e)
	h.roles(t, org, account, e, "roles")
}

func (h *held) roles(t *testing.T, org, account string, e entryDoc, field string) {
	o := h.orgs[org]
	roles, _ := e.Data[field].([]any)
	m := o.members[account]
	m.exclusive = o.policy == "moderated" && (slices.Contains(roles, any("author")) || slices.Contains(roles, any("admin")))
	o.members[account] = m
	switch other := h.exclusive[account]; {
	case m.exclusive && other != "" && other != org:
		t.Errorf("at %s %s gives an exclusive role to %s, who has one in %s", e.Position, org, account, other)
	case m.exclusive:
		h.exclusive[account] = org
	case other == org:
		delete(h.exclusive, account)
	}
}

func (o *heldIn) take(t *testing.T, who string, e entryDoc) {
	for _, field := range []string{"email", "username"} {
		text, _ := e.Data[field].(string)
		if text == "" {
			continue
		}
		key := field + " " + folded(text)
		if other, taken := o.taken[key]; taken && other != who {
			t.Errorf("at %s %s takes the %s, which %s has", e.Position, who, key, other)
		}
		o.taken[key] = who
	}
}

func (o *heldIn) give(who string) {
	delete(o.claims, who)
	for key, holder := range o.taken {
		if holder == who {
			delete(o.taken, key)
		}
	}
}

func (o *heldIn) countSeats(t *testing.T, org string, e entryDoc) {
	if taken := len(o.members) + len(o.claims); o.seats > 0 && taken > o.seats {
		t.Errorf("at %s %d of %d seats of %s are taken", e.Position, taken, o.seats, org)
	}
}

// reservation is what the events of a reservation's stream say.
type reservation struct {
	kind, key, holder string
	underWay          map[int]bool // by attempt
}

// reservations reads those of all streams from the log.
func (x *eventStore) reservations(t *testing.T) map[string]reservation {
	t.Helper()
	conn, err := sqlite.OpenConn(filepath.Join(x.folder, "log.db"), sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	found := make(map[string]reservation)
	err = sqlitex.Execute(conn, `SELECT streams.name, types.name, data FROM events JOIN streams ON streams.id = stream JOIN types ON types.id = type
		WHERE streams.name LIKE 'reservation-%' ORDER BY position`, &sqlitex.ExecOptions{
		ResultFunc: func(row *sqlite.Stmt) error {
			text, err := io.ReadAll(row.ColumnReader(2))
			if err != nil {
				return err
			}
			var e struct {
				Kind, Key, Holder string
				Attempt           int
			}
			if err := json.Unmarshal(text, &e); err != nil {
				return err
			}
			r := found[row.ColumnText(0)]
			switch kind, _, _ := strings.Cut(strings.TrimPrefix(row.ColumnText(1), "reservation."), "."); kind {
			case "made":
				if r.underWay == nil {
					r.underWay = make(map[int]bool)
				}
				r.kind, r.key, r.holder = e.Kind, e.Key, e.Holder
				r.underWay[e.Attempt] = true
			case "confirmed":
				delete(r.underWay, e.Attempt)
			case "released":
				r = reservation{}
			}
			found[row.ColumnText(0)] = r
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// settledReservations waits until none is under way.
func (c *contention) settledReservations(t *testing.T) {
	t.Helper()
	eventually(t, "all reservations are confirmed, or given back", func() bool {
		for _, r := range c.stores.events.reservations(t) {
			if len(r.underWay) > 0 {
				return false
			}
		}
		return true
	})
}

// nothingLeaks checks that all that is reserved has a holder that exists and uses
// it, and that all that is used is reserved.
func (c *contention) nothingLeaks(t *testing.T, h *held) {
	t.Helper()
	names, addresses, exclusive := make(map[string]int), make(map[string]int), make(map[string]string)
	for stream, r := range c.stores.events.reservations(t) {
		kind, id, _ := strings.Cut(r.holder, ":")
		switch {
		case r.holder == "":
		case r.kind == "organization-name" && kind == "organization":
			names[id]++
		case r.kind == "email" && kind == "account":
			addresses[id]++
		case r.kind == "exclusive-role" && kind == "organization":
			exclusive[r.key] = id
		default:
			t.Errorf("%s is held by %s", stream, r.holder)
		}
	}
	for org := range h.orgs {
		if names[org] != 1 {
			t.Errorf("%s holds %d names", org, names[org])
		}
	}
	for org := range names {
		if h.orgs[org] == nil {
			t.Errorf("%s holds a name and is not there", org)
		}
	}
	for _, p := range c.people {
		if addresses[p.AccountID] != 1 {
			t.Errorf("%s holds %d addresses", p.AccountID, addresses[p.AccountID])
		}
	}
	if len(addresses) != len(c.people) {
		t.Errorf("%d addresses are held by %d people", len(addresses), len(c.people))
	}
	for account, org := range h.exclusive {
		if exclusive[account] != org {
			t.Errorf("%s has an exclusive role in %s, reserved is %q", account, org, exclusive[account])
		}
	}
	for account, org := range exclusive {
		if h.exclusive[account] != org {
			t.Errorf("reserved for %s is %s, where it has no such role", account, org)
		}
	}
	for org, o := range h.orgs {
		if len(o.claims) > 0 {
			t.Errorf("%d seats of %s are kept", len(o.claims), org)
		}
	}
}
