package commands

import (
	"bytes"
	"context"
	"reflect"
	"slices"
	"strings"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/eventstore"
)

// tracesPage is how many events are read at a time in search of people.
const tracesPage = 2000

// erasee is whom an erasure is about, and where they are to be found.
type erasee struct {
	request Request // of the process, because of the event that the erasure began with
	erasure domain.ErasureID
	account domain.AccountID // empty for who has none
	address string           // a keyed hash

	organizations []domain.OrganizationID
	invitations   []domain.InvitationID // to the address, or accepted by the account
	values        values                // of settings
	news          traces                // of the last look
	done          eventstore.Position   // of what was written
	err           error                 // why it is not concluded in this pass
}

// traces are where somebody was found.
type traces struct {
	members     []domain.OrganizationID // those that name the account
	invitations []domain.InvitationID
	values      values
}

func (t traces) none() bool { return len(t.members)+len(t.invitations)+len(t.values) == 0 }

// pass is one way through the log in search of all whose erasure waits: that is
// read once, however many they are.
type pass struct {
	erasees   []*erasee
	accounts  map[domain.AccountID]*erasee
	addresses map[string][]*erasee
	others    map[inOrganization][]*erasee // by other addresses that an organization knows them by
	hash      func(domain.Email) string    // as the addresses are
	until     eventstore.Position          // of the log, read so far
	known     eventstore.Position          // whose erasure began up to here is in the pass, or erased

	settings    []stretch           // of what was read, where settings were changed
	searched    eventstore.Position // so far these were searched for people
	searchedFor int                 // with so much known of them
}

func newPass(erasees []*erasee, hash func(domain.Email) string) *pass {
	p := &pass{erasees: erasees, accounts: make(map[domain.AccountID]*erasee), addresses: make(map[string][]*erasee), others: make(map[inOrganization][]*erasee), hash: hash}
	for _, who := range erasees {
		if who.account != "" {
			p.accounts[who.account] = who
		}
		p.addresses[who.address] = append(p.addresses[who.address], who)
	}
	return p
}

// look finds people in what has come into the log since the last look. No view
// has all of it: they show who is a member and what is open now, and not whom an
// organization or an invitation has ever named.
func (c *Commands) look(ctx context.Context, p *pass) error {
	filter := eventstore.Filter{TypePrefixes: []string{"organization.", "invitation."}}
	until := p.until
	for head := false; !head; {
		page, err := c.Store.ReadAll(ctx, until, tracesPage, filter)
		if err != nil {
			return err
		}
		p.passed(page.Events, stretch{until, page.Position})
		until, head = page.Position, page.Head
		concerned := slices.DeleteFunc(page.Events, func(r eventstore.Recorded) bool { return !p.mayConcern(r) })
		if err := c.Codec.Prefetch(ctx, concerned); err != nil {
			return err
		}
		for _, recorded := range concerned {
			e, err := c.Codec.Decode(recorded)
			if err != nil {
				return err
			}
			p.note(e.Event)
		}
	}
	p.until = until
	return nil
}

// mayConcern tells the few events that have to be opened: those with an address,
// which is sealed, and those that hold the id of an account.
func (p *pass) mayConcern(r eventstore.Recorded) bool {
	if strings.HasPrefix(r.Type, "organization.invitation_opened.") || strings.HasPrefix(r.Type, "invitation.issued.") {
		return true
	}
	for text := range bytes.SplitSeq(r.Data, []byte{'"'}) {
		if _, ok := p.accounts[domain.AccountID(text)]; ok {
			return true
		}
	}
	return false
}

// note keeps what an event says about people.
func (p *pass) note(e domain.Event) {
	switch x := e.(type) {
	case invitation.Issued:
		p.invited(x.OrganizationID, x.InvitationID, x.Email, x.Notify, x.Username)
	case organization.InvitationOpened:
		p.invited(x.OrganizationID, x.InvitationID, x.Email, x.Notify, x.Username)
	case invitation.Accepted:
		if who, ok := p.accounts[x.AccountID]; ok {
			who.found(x.OrganizationID, x.InvitationID)
		}
	}
	org := organizationIn(e)
	if org == "" {
		return
	}
	for _, account := range accountsIn(e) {
		if who, ok := p.accounts[account]; ok {
			who.organizations, who.news.members = with(who.organizations, org), with(who.news.members, org)
			for _, address := range addressesOf(e, account) {
				p.reachedAt(who, org, address)
			}
		}
	}
}

// invited keeps an invitation to somebody, or about which they were to have the mail.
func (p *pass) invited(org domain.OrganizationID, id domain.InvitationID, address, notify domain.Email, username domain.Username) {
	for _, who := range p.addresses[p.hash(address)] {
		who.found(org, id)
		p.reachedAt(who, org, string(username))
	}
	if notify != "" {
		for _, who := range p.addresses[p.hash(notify)] {
			who.found(org, id)
		}
	}
}

func (who *erasee) found(org domain.OrganizationID, id domain.InvitationID) {
	who.organizations, who.invitations, who.news.invitations = with(who.organizations, org), with(who.invitations, id), with(who.news.invitations, id)
}

func with[T comparable](all []T, x T) []T {
	if slices.Contains(all, x) {
		return all
	}
	return append(all, x)
}

// subjects are those under whose keys everything about the person is sealed.
func (who *erasee) subjects() []string {
	all := []string{string(who.erasure)} // the account, or what the reason of the erasure is sealed under
	for _, inv := range who.invitations {
		all = append(all, string(inv))
	}
	for _, id := range who.values.inOrder() {
		all = append(all, string(id))
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

// eraseTraces erases the people of a pass wherever the log says, and looks again,
// from where it has got to, until there is nothing new: commands that were under
// way when an account ended may have written something since. What comes after
// that has its own event; see EraseAgain. Somebody who cannot be erased now holds
// up nobody else.
func (c *Commands) eraseTraces(ctx context.Context, p *pass) error {
	for {
		if err := c.look(ctx, p); err != nil {
			return err
		}
		if err := c.seek(ctx, p); err != nil {
			return err
		}
		news := false
		for _, who := range p.erasees {
			if who.err != nil || who.news.none() {
				continue
			}
			news = true
			who.err = c.eraseFound(ctx, p, who)
		}
		if !news {
			return ctx.Err()
		}
	}
}

// eraseFound erases somebody where they were found.
func (c *Commands) eraseFound(ctx context.Context, p *pass, who *erasee) error {
	for _, org := range who.news.members {
		erased, err := c.onOrganization(ctx, plain(who.request), org, eraseMember(who.account, c.pseudonym(string(who.account))))
		if err != nil {
			return err
		}
		who.done = max(who.done, erased.Position)
		if err := c.findAbandoned(ctx, who, org); err != nil {
			return err
		}
	}
	for _, inv := range who.news.invitations {
		link, _, err := c.invitations.load(ctx, string(inv))
		if err != nil {
			return err
		}
		p.reachedAt(who, link.Organization, string(link.Email)) // perhaps another one than the account's
		erased, err := c.eraseInvitation(ctx, who.request, inv)
		if err != nil {
			return err
		}
		who.done = max(who.done, erased.Position)
	}
	erased, err := c.eraseValues(ctx, who)
	if err != nil {
		return err
	}
	who.done, who.news = max(who.done, erased.Position), traces{}
	return nil
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
