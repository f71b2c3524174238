package commands

import (
	"context"
	"reflect"
	"slices"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/eventstore"
)

// tracesPage is how many events are read at a time in search of a person.
const tracesPage = 2000

// traces are where a person is to be found.
type traces struct {
	erasee
	hash          func(domain.Email) string // as the address is
	organizations []domain.OrganizationID
	members       map[domain.OrganizationID]bool // those that name the account
	invitations   []domain.InvitationID          // to the address, or accepted by the account
	until         eventstore.Position            // of the log, read so far
}

// look finds a person in what has come into the log since the last look, and
// answers with what it has found: what is known of somebody is not all in views,
// and an erasure is rare.
func (c *Commands) look(ctx context.Context, t *traces) (members []domain.OrganizationID, invitations []domain.InvitationID, err error) {
	filter := eventstore.Filter{TypePrefixes: []string{"organization.", "invitation."}}
	news := &traces{erasee: t.erasee, hash: t.hash, until: t.until}
	for head := false; !head; {
		page, err := c.Store.ReadAll(ctx, news.until, tracesPage, filter)
		if err != nil {
			return nil, nil, err
		}
		if err := c.Codec.Prefetch(ctx, page.Events); err != nil {
			return nil, nil, err
		}
		for _, recorded := range page.Events {
			e, err := c.Codec.Decode(recorded)
			if err != nil {
				return nil, nil, err
			}
			news.note(e.Event)
		}
		news.until, head = page.Position, page.Head
	}
	for _, org := range news.organizations {
		t.in(org)
		if news.members[org] {
			members = append(members, org)
		}
	}
	for _, inv := range news.invitations {
		if !slices.Contains(t.invitations, inv) {
			t.invitations = append(t.invitations, inv)
		}
	}
	t.until = news.until
	return members, news.invitations, nil
}

// note keeps what an event says about the person.
func (t *traces) note(e domain.Event) {
	switch x := e.(type) {
	case invitation.Issued:
		t.invited(x.OrganizationID, x.InvitationID, x.Email, x.Notify)
	case organization.InvitationOpened:
		t.invited(x.OrganizationID, x.InvitationID, x.Email, x.Notify)
	case invitation.Accepted:
		if t.account != "" && x.AccountID == t.account {
			t.found(x.OrganizationID, x.InvitationID)
		}
	}
	if t.account == "" || !slices.Contains(accountsIn(e), t.account) {
		return
	}
	if org := organizationIn(e); org != "" {
		t.in(org)
		if t.members == nil {
			t.members = make(map[domain.OrganizationID]bool)
		}
		t.members[org] = true
	}
}

func (t *traces) invited(org domain.OrganizationID, id domain.InvitationID, addresses ...domain.Email) {
	if slices.ContainsFunc(addresses, func(e domain.Email) bool { return e != "" && t.hash(e) == t.address }) {
		t.found(org, id)
	}
}

func (t *traces) found(org domain.OrganizationID, id domain.InvitationID) {
	t.in(org)
	if !slices.Contains(t.invitations, id) {
		t.invitations = append(t.invitations, id)
	}
}

func (t *traces) in(org domain.OrganizationID) {
	if !slices.Contains(t.organizations, org) {
		t.organizations = append(t.organizations, org)
	}
}

// subjects are those under whose keys everything about the person is sealed.
func (t *traces) subjects(who erasee) []string {
	all := []string{string(who.erasure)} // the account, or what the reason of the erasure is sealed under
	for _, inv := range t.invitations {
		all = append(all, string(inv))
	}
	return all
}

var organizationIDType = reflect.TypeFor[domain.OrganizationID]()

// organizationIn is the organization that an event names, or empty.
func organizationIn(e domain.Event) domain.OrganizationID {
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		if v.Field(i).Type() == organizationIDType {
			return domain.OrganizationID(v.Field(i).String())
		}
	}
	return ""
}

func eraseMember(id domain.AccountID, pseudonym domain.Pseudonym) func(organization.State, *policy.Policy) ([]domain.Event, error) {
	return func(s organization.State, _ *policy.Policy) ([]domain.Event, error) {
		return organization.Erase(s, id, pseudonym), nil
	}
}

// eraseTraces erases the person wherever the log says, and looks again, from where
// it has got to, until there is nothing new: commands that were under way when the
// account ended may have written something since. What comes after that has its
// own event; see EraseAgain.
func (c *Commands) eraseTraces(ctx context.Context, r Request, who erasee, done Receipt) (*traces, Receipt, error) {
	t := &traces{erasee: who, hash: c.addressName}
	for {
		members, invitations, err := c.look(ctx, t)
		if err != nil || len(members)+len(invitations) == 0 {
			return t, done, err
		}
		for _, org := range members {
			erased, err := c.onOrganization(ctx, plain(r), org, eraseMember(who.account, c.pseudonym(string(who.account))))
			if err != nil {
				return nil, done, err
			}
			done = done.later(erased.Position)
		}
		for _, inv := range invitations {
			erased, err := c.eraseInvitation(ctx, r, inv)
			if err != nil {
				return nil, done, err
			}
			done = done.later(erased.Position)
		}
	}
}

// eraseInvitation ends an invitation to a person who is erased, and has everybody
// forget whom it was for. One that the organization has opened and that has no
// link of that generation yet waits for the process that makes it.
func (c *Commands) eraseInvitation(ctx context.Context, r Request, id domain.InvitationID) (Receipt, error) {
	r = plain(r)
	r.Continues = "" // each of several invitations is settled by itself
	s, _, err := c.invitations.load(ctx, string(id))
	if err != nil {
		return Receipt{}, err
	}
	if !s.Exists() {
		return Receipt{}, ErrNotYet
	}
	o, _, err := c.organizations.load(ctx, string(s.Organization))
	if err != nil {
		return Receipt{}, err
	}
	if open, ok := o.Invitation(id); ok && s.Generation < open.Generation {
		return Receipt{}, ErrNotYet
	}
	if _, err = c.invitations.execute(ctx, string(id), r, func(s invitation.State) ([]domain.Event, error) {
		return invitation.Erase(s), nil
	}); err != nil {
		return Receipt{}, err
	}
	settled, err := c.SettleInvitation(ctx, r, id)
	if err != nil {
		return Receipt{}, err
	}
	erased, err := c.organizations.execute(ctx, string(s.Organization), r, func(o organization.State) ([]domain.Event, error) {
		return organization.EraseInvitation(o, id, c.pseudonym(string(id))), nil
	})
	return settled.and(erased), err
}
