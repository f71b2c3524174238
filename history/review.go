package history

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/projections"
)

// Review says who could do what in an organization, since when and by whose
// decision: what an auditor goes through line by line. It needs a Past alone, and
// a way to look events up, so that it can be made of any log.
type Review struct {
	Organization  projections.Organization
	Position      eventstore.Position
	At            time.Time // of the event at the position
	Policy        string
	PolicyVersion int
	Members       []Reviewed // in the order of status and name
	// RestsOn says in lines what the review was made from, and whether that was
	// verified; it is for the page.
	RestsOn []string
}

// Reviewed is a member.
type Reviewed struct {
	projections.Member
	Permissions []domain.Permission // none while suspended, and once the organization was deleted
	Joined      Decision
	Invited     *Decision // the invitation by which it joined
	Changed     *Decision // what gave the membership its status, where that was not Joined
	Given       []GivenRole
}

// GivenRole is a role and the decision that gave it.
type GivenRole struct {
	Role domain.Role
	Decision
}

// Decision is an event, with the name of the member whose decision it was.
type Decision struct {
	commands.AccessEvent
	Decider string // empty for one who was no member by then
}

// Lookup finds events of an organization's stream; commands.OrganizationEvents is
// one.
type Lookup func(ctx context.Context, org domain.OrganizationID, revisions []eventstore.Revision) (map[eventstore.Revision]commands.AccessEvent, error)

// Review makes the review of a moment. It fails as At does, and with ErrTooLarge.
func (h *History) Review(ctx context.Context, org domain.OrganizationID, m Moment) (Review, error) {
	p, err := h.At(ctx, org, m)
	if err != nil {
		return Review{}, err
	}
	return p.Review(ctx, h.commands.OrganizationEvents)
}

// Review makes the review of a past. It fails with ErrTooLarge.
func (p *Past) Review(ctx context.Context, events Lookup) (Review, error) {
	r := Review{Position: p.Position, At: p.At, Policy: p.Rules.Name, PolicyVersion: p.Rules.Version}
	var err error
	if r.Organization, err = p.organization(ctx); err != nil {
		return Review{}, err
	}
	if p.Trail.State().ActiveMembers()+r.Organization.SuspendedMembers > MaxRows {
		return Review{}, ErrTooLarge
	}
	var wanted []eventstore.Revision
	err = p.eachMember(ctx, func(m projections.Member, _ []byte) {
		reviewed := Reviewed{Member: m}
		if m.Status == organization.Active && !p.Trail.State().Deleted {
			reviewed.Permissions = p.Rules.Permissions(m.Roles)
		}
		r.Members = append(r.Members, reviewed)
		o, _ := p.Trail.Origin(m.AccountID)
		wanted = append(wanted, o.Joined, o.Status)
		if o.Invited != nil {
			wanted = append(wanted, *o.Invited)
		}
		for _, given := range o.Given {
			wanted = append(wanted, given)
		}
	})
	if err != nil {
		return Review{}, err
	}
	found, err := events(ctx, p.org, wanted)
	if err != nil {
		return Review{}, err
	}
	names, err := p.deciders(ctx, found)
	for i := range r.Members {
		r.Members[i].decided(p.Trail, func(revision eventstore.Revision) Decision {
			e := found[revision]
			return Decision{e, names[e.Actor.ID]}
		})
	}
	return r, err
}

func (m *Reviewed) decided(t commands.Trail, by func(eventstore.Revision) Decision) {
	o, _ := t.Origin(m.AccountID)
	m.Joined = by(o.Joined)
	if o.Invited != nil {
		d := by(*o.Invited)
		m.Invited = &d
	}
	if o.Status != o.Joined {
		d := by(o.Status)
		m.Changed = &d
	}
	for _, role := range m.Roles {
		given, known := o.Given[role]
		if !known {
			given = o.Roles
		}
		m.Given = append(m.Given, GivenRole{role, by(given)})
	}
}

// deciders are the names of accounts whose decisions events are, as far as they
// were members, by their ids.
func (p *Past) deciders(ctx context.Context, events map[eventstore.Revision]commands.AccessEvent) (map[string]string, error) {
	names := make(map[string]string)
	for _, e := range events {
		account, ok := e.Actor.Account()
		if _, known := names[string(account)]; !ok || known {
			continue
		}
		names[string(account)] = ""
		if _, member := p.Trail.State().Member(account); !member {
			continue
		}
		m, err := p.member(ctx, account)
		if err != nil {
			return nil, err
		}
		names[string(account)] = cmp.Or(m.DisplayName, string(m.Email))
	}
	return names, nil
}

// CSV is the review as a table: a line for each member.
func (r Review) CSV() ([]byte, error) {
	rows := [][]string{{
		"account_id", "display_name", "email", "username", "status", "roles", "permissions", "spaces",
		"member_since", "joined_by", "invited_by", "roles_given", "status_since", "status_by", "reasons",
	}}
	for _, m := range r.Members {
		given, reasons := make([]string, len(m.Given)), []string{m.Joined.Reason}
		for i, g := range m.Given {
			given[i] = string(g.Role) + " " + exact(g.At) + " " + g.By()
			reasons = append(reasons, g.Reason)
		}
		invited, since, by := "", exact(m.Joined.At), m.Joined.By()
		if m.Invited != nil {
			invited = m.Invited.By()
			reasons = append(reasons, m.Invited.Reason)
		}
		if m.Changed != nil {
			since, by = exact(m.Changed.At), m.Changed.By()
			reasons = append(reasons, m.Changed.Reason)
		}
		slices.Sort(reasons)
		rows = append(rows, []string{
			string(m.AccountID), m.DisplayName, string(m.Email), string(m.Username), string(m.Status), joinAll(m.Roles, " "), joinAll(m.Permissions, " "), m.entered(),
			exact(m.JoinedAt), m.Joined.By(), invited, strings.Join(given, "; "), since, by,
			strings.Join(slices.DeleteFunc(slices.Compact(reasons), func(text string) bool { return text == "" }), "; "),
		})
	}
	return table(rows)
}

func (m Reviewed) entered() string {
	if m.AllSpaces {
		return "all"
	}
	return joinAll(m.Spaces, " ")
}

// By says whose decision it was.
func (d Decision) By() string {
	if d.Decider != "" {
		return d.Decider + " (" + d.Actor.ID + ")"
	}
	return strings.TrimSpace(string(d.Actor.Kind) + " " + d.Actor.ID)
}

//go:embed review.html
var reviewText string

var reviewTemplate = template.Must(template.New("review").Funcs(template.FuncMap{
	"stamp": stamp,
	"join":  func(list any) string { return joinAny(list) },
}).Parse(reviewText))

// ReviewPolicy is the Content-Security-Policy of the HTML.
const ReviewPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// HTML is the review as a page that can be printed, without scripts.
func (r Review) HTML() ([]byte, error) {
	var b bytes.Buffer
	err := r.write(&b)
	return b.Bytes(), err
}

func (r Review) write(w io.Writer) error { return reviewTemplate.Execute(w, r) }

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

func joinAll[T ~string](list []T, separator string) string {
	texts := make([]string, len(list))
	for i, item := range list {
		texts[i] = string(item)
	}
	return strings.Join(texts, separator)
}

func joinAny(list any) string {
	switch list := list.(type) {
	case []domain.Role:
		return joinAll(list, ", ")
	case []domain.Permission:
		return joinAll(list, ", ")
	case []domain.SpaceID:
		return joinAll(list, ", ")
	}
	return ""
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }
