package commands

import (
	"context"
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
}

// tracesOf reads the log once, from its beginning: what is known of a person is
// not all in views, and an erasure is rare.
func (c *Commands) tracesOf(ctx context.Context, id domain.AccountID) (*traces, error) {
	s, _, err := c.accounts.load(ctx, string(id))
	if err != nil {
		return nil, err
	}
	t := &traces{id: id, email: s.Held().Email.Key(), texts: make(map[string]bool)}
	filter := eventstore.Filter{TypePrefixes: []string{"organization.", "invitation.", "account.registered.", "account.profile_changed."}}
	for after := eventstore.Position(0); ; {
		page, err := c.Store.ReadAll(ctx, after, tracesPage, filter)
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
		if after = page.Position; page.Head {
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
