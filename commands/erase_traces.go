package commands

import (
	"context"
	"maps"
	"reflect"
	"slices"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/eventstore"
)

// tracesPage is how many events are read at a time in search of a person.
const tracesPage = 2000

// traces are where a person is to be found.
type traces struct {
	id            domain.AccountID
	email         string // its key
	organizations []domain.OrganizationID
	invitations   []domain.InvitationID // to the address, or accepted by the account
	texts         map[string]bool       // addresses and names
	until         eventstore.Position   // of the log, read so far
}

// tracesOf finds a person after a position of the log, which it reads: what is
// known of somebody is not all in views, and an erasure is rare.
func (c *Commands) tracesOf(ctx context.Context, id domain.AccountID, after eventstore.Position) (*traces, error) {
	s, _, err := c.accounts.load(ctx, string(id))
	if err != nil {
		return nil, err
	}
	t := &traces{id: id, email: s.Held().Email.Key(), texts: make(map[string]bool), until: after}
	filter := eventstore.Filter{TypePrefixes: []string{"organization.", "invitation.", "account.registered.", "account.profile_changed."}}
	for {
		page, err := c.Store.ReadAll(ctx, t.until, tracesPage, filter)
		if err != nil {
			return nil, err
		}
		if err := c.Codec.Prefetch(ctx, page.Events); err != nil {
			return nil, err
		}
		for _, recorded := range page.Events {
			e, err := c.Codec.Decode(recorded)
			if err != nil {
				return nil, err
			}
			t.note(e.Event)
		}
		if t.until = page.Position; page.Head {
			return t, nil
		}
	}
}

// note keeps what an event says about the person.
func (t *traces) note(e domain.Event) {
	switch x := e.(type) {
	case account.Registered:
		if x.AccountID == t.id {
			t.say(string(x.Email), x.DisplayName)
		}
		return
	case account.ProfileChanged:
		if x.AccountID == t.id {
			t.say(x.DisplayNameBefore, x.DisplayNameAfter)
		}
		return
	case invitation.Issued:
		if t.to(x.Email, x.Notify) {
			t.invited(x.InvitationID, x.Email, x.Username, x.Notify)
		}
	case organization.InvitationOpened:
		if t.to(x.Email, x.Notify) {
			t.invited(x.InvitationID, x.Email, x.Username, x.Notify)
		}
	case invitation.Accepted:
		if x.AccountID == t.id {
			t.invited(x.InvitationID, "", "", "")
		}
	case organization.Activated:
		if x.AccountID == t.id {
			t.say(string(x.Username))
		}
	case organization.MemberJoined:
		if x.AccountID == t.id {
			t.say(string(x.Username))
		}
	}
	if slices.Contains(accountsIn(e), t.id) {
		if org := organizationIn(e); org != "" && !slices.Contains(t.organizations, org) {
			t.organizations = append(t.organizations, org)
		}
	}
}

func (t *traces) to(addresses ...domain.Email) bool {
	return slices.ContainsFunc(addresses, func(e domain.Email) bool { return e != "" && e.Key() == t.email })
}

func (t *traces) invited(id domain.InvitationID, email domain.Email, username domain.Username, notify domain.Email) {
	if !slices.Contains(t.invitations, id) {
		t.invitations = append(t.invitations, id)
	}
	t.say(string(email), string(username), string(notify))
}

func (t *traces) say(texts ...string) {
	for _, text := range texts {
		if text != "" {
			t.texts[text] = true
		}
	}
}

// add takes over what was found later.
func (t *traces) add(more *traces) {
	for _, org := range more.organizations {
		if !slices.Contains(t.organizations, org) {
			t.organizations = append(t.organizations, org)
		}
	}
	for _, inv := range more.invitations {
		if !slices.Contains(t.invitations, inv) {
			t.invitations = append(t.invitations, inv)
		}
	}
	maps.Copy(t.texts, more.texts)
	t.until = more.until
}

func (t *traces) words() []string {
	words := make([]string, 0, len(t.texts))
	for text := range t.texts {
		words = append(words, text)
	}
	return words
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
// account ended may have written something since.
func (c *Commands) eraseTraces(ctx context.Context, r Request, id domain.AccountID, done Receipt) (*traces, Receipt, error) {
	found := &traces{id: id, texts: make(map[string]bool)}
	for {
		more, err := c.tracesOf(ctx, id, found.until)
		if err != nil {
			return nil, done, err
		}
		found.add(more)
		if len(more.organizations)+len(more.invitations) == 0 {
			return found, done, nil
		}
		for _, org := range more.organizations {
			erased, err := c.onOrganization(ctx, plain(r), org, eraseMember(id, c.pseudonym(string(id))))
			if err != nil {
				return nil, done, err
			}
			done = done.later(erased.Position)
		}
		for _, inv := range more.invitations {
			erased, err := c.eraseInvitation(ctx, r, inv)
			if err != nil {
				return nil, done, err
			}
			done = done.later(erased.Position)
		}
	}
}

// eraseInvitation ends an invitation to a person who is erased. One that the
// organization has opened and that has no link of that generation yet waits for
// the process that makes it.
func (c *Commands) eraseInvitation(ctx context.Context, r Request, id domain.InvitationID) (Receipt, error) {
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
	erased, err := c.invitations.execute(ctx, string(id), plain(r), func(s invitation.State) ([]domain.Event, error) {
		return invitation.Erase(s, c.pseudonym(string(id))), nil
	})
	if err != nil {
		return Receipt{}, err
	}
	settled, err := c.SettleInvitation(ctx, r, id)
	return erased.later(settled.Position), err
}

// forgetPeople drops from memory what was folded of a person before the key was
// destroyed.
func (c *Commands) forgetPeople(t *traces) {
	c.accounts.forget(c.accounts.get(string(t.id)))
	for _, org := range t.organizations {
		c.organizations.forget(c.organizations.get(string(org)))
		c.trails.forget(c.trails.get(string(org)))
	}
	for _, inv := range t.invitations {
		c.invitations.forget(c.invitations.get(string(inv)))
	}
}
