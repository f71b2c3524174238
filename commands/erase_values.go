package commands

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// What people write into settings may name anybody. A value of a setting, of now or
// of the past, is erased with a person
//
//   - in any organization, if it has the address of their account in it, or that by which
//     they are erased;
//   - in an organization that knows them by another address, if it has that in it;
//   - in an organization that has ended, if nobody else is left who was a member.

// settingsPage is how many changes of settings are read at a time. Each has some
// hundred values at most, and each value a key, which others have in memory.
const settingsPage = 20

// mostValues is how many values of an organization are erased by one append.
const mostValues = 10_000

var settingsFilter = eventstore.Filter{TypePrefixes: []string{"organization.settings_changed."}}

// unopened reads what the log says besides what is sealed.
var unopened = codec.NewWithholding()

// stretch is a part of the log: what comes after a position, up to another one.
type stretch struct{ after, until eventstore.Position }

// values are those of settings that are to be erased.
type values map[domain.OrganizationID]map[domain.ValueID]bool

func (v *values) add(org domain.OrganizationID, id domain.ValueID) {
	if *v == nil {
		*v = make(values)
	}
	if (*v)[org] == nil {
		(*v)[org] = make(map[domain.ValueID]bool)
	}
	(*v)[org][id] = true
}

// inOrder lists them.
func (v values) inOrder() (all []domain.ValueID) {
	for _, org := range slices.Sorted(maps.Keys(v)) {
		all = append(all, slices.Sorted(maps.Keys(v[org]))...)
	}
	return all
}

// passed keeps where in the log settings were changed.
func (p *pass) passed(page []eventstore.Recorded, s stretch) {
	if !slices.ContainsFunc(page, func(r eventstore.Recorded) bool { return strings.HasPrefix(r.Type, settingsFilter.TypePrefixes[0]) }) {
		return
	}
	if last := len(p.settings) - 1; last >= 0 && p.settings[last].until == s.after {
		p.settings[last].until = s.until
		return
	}
	p.settings = append(p.settings, s)
}

// inOrganization is an address, as a keyed hash, in the settings of an organization.
type inOrganization struct {
	organization domain.OrganizationID
	address      string
}

// reachedAt keeps another address of a person that an organization knows: a username,
// or where they were invited. Elsewhere it counts for nothing: nobody has proven it,
// and whoever invites somebody by the address of a stranger would have settings of
// others erased.
func (p *pass) reachedAt(who *erasee, org domain.OrganizationID, address string) {
	for _, address := range domain.AddressesIn(address) {
		if at := (inOrganization{org, p.hash(address)}); !slices.Contains(p.others[at], who) {
			p.others[at] = append(p.others[at], who)
		}
	}
}

// addressesOf lists what an event says of how an account is reached.
func addressesOf(e domain.Event, account domain.AccountID) []string {
	switch x := e.(type) {
	case organization.Activated:
		return []string{string(x.Email), string(x.Username)}
	case organization.MemberJoined:
		if x.AccountID == account {
			return []string{string(x.Email), string(x.Username)}
		}
	case organization.JoinRequested:
		return []string{string(x.Email)}
	}
	return nil
}

// sought counts what settings are searched for.
func (p *pass) sought() int { return len(p.addresses) + len(p.others) }

// seek looks for people in the settings that were changed in what look has read so
// far: in all of it, once more, when more is known of the people than the last time.
func (c *Commands) seek(ctx context.Context, p *pass) error {
	if sought := p.sought(); sought != p.searchedFor {
		p.searched, p.searchedFor = 0, sought
	}
	for _, s := range p.settings {
		at := max(s.after, p.searched)
		for at < s.until {
			page, err := c.Store.ReadAll(ctx, at, settingsPage, settingsFilter)
			if err != nil {
				return err
			}
			if err := c.Codec.Prefetch(ctx, page.Events); err != nil {
				return err
			}
			for _, recorded := range page.Events {
				e, err := c.Codec.Decode(recorded)
				if err != nil {
					return err
				}
				if changed, ok := e.Event.(organization.SettingsChanged); ok {
					p.search(changed)
				}
			}
			if at = page.Position; page.Head {
				break
			}
		}
		p.searched = max(p.searched, at, s.until)
	}
	return nil
}

// search finds the values that are about people. What was there before was new once.
func (p *pass) search(e organization.SettingsChanged) {
	for _, change := range e.Changes {
		if change.After == nil || change.AfterID == "" {
			continue
		}
		for _, address := range domain.AddressesIn(*change.After) {
			hash := p.hash(address)
			for _, who := range slices.Concat(p.addresses[hash], p.others[inOrganization{e.OrganizationID, hash}]) {
				who.foundValue(e.OrganizationID, change.AfterID)
			}
		}
	}
}

func (who *erasee) foundValue(org domain.OrganizationID, id domain.ValueID) {
	if !who.values[org][id] {
		who.organizations = with(who.organizations, org)
		who.values.add(org, id)
		who.news.values.add(org, id)
	}
}

// findAbandoned finds all values of an organization of which nobody is left.
func (c *Commands) findAbandoned(ctx context.Context, who *erasee, org domain.OrganizationID) error {
	s, _, err := c.organizations.load(ctx, string(org))
	if err != nil || !s.Abandoned() {
		return err
	}
	for from := eventstore.Revision(0); ; {
		page, err := c.Store.ReadStream(ctx, c.organizations.prefix+string(org), from, tracesPage)
		if err != nil && !errors.Is(err, eventstore.ErrStreamNotFound) || len(page) == 0 {
			return err
		}
		for _, recorded := range page {
			if from = recorded.Revision + 1; !strings.HasPrefix(recorded.Type, settingsFilter.TypePrefixes[0]) {
				continue
			}
			e, err := unopened.Decode(recorded)
			if err != nil {
				return err
			}
			for _, change := range e.Event.(organization.SettingsChanged).Changes {
				if change.AfterID != "" {
					who.foundValue(org, change.AfterID)
				}
			}
		}
	}
}

// eraseValues erases the values that were found of late.
func (c *Commands) eraseValues(ctx context.Context, who *erasee) (done Receipt, err error) {
	for _, org := range slices.Sorted(maps.Keys(who.news.values)) {
		for ids := range slices.Chunk(slices.Sorted(maps.Keys(who.news.values[org])), mostValues) {
			erased, err := c.onOrganization(ctx, plain(who.request), org, func(s organization.State, _ *policy.Policy) ([]domain.Event, error) {
				return organization.EraseValues(s, ids), nil
			})
			if err != nil {
				return Receipt{}, err
			}
			done = done.and(erased)
		}
	}
	return done, nil
}
