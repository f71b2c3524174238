package projectionstest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"pgregory.net/rapid"

	"tenure/domain"
	"tenure/projections"
)

func (c checker) directory() {
	q := projections.DirectoryQuery{Q: rapid.SampledFrom([]string{"", "acme", "z", "söhne", "two ac", "ÉMILE"}).Draw(c.t, "q")}
	if q.Q == "" {
		q.Sort = rapid.SampledFrom([]string{"", "name", "-name"}).Draw(c.t, "sort")
	}
	got := pages[projections.Organization](c, func(cursor string, limit int) (projections.Page, error) {
		q.Cursor, q.Limit = cursor, limit
		return c.r.Directory(context.Background(), q)
	})
	var want []projections.Organization
	words := map[domain.OrganizationID]string{}
	for _, o := range c.m.organizations() {
		found := q.Q == ""
		if !found {
			words[o.OrganizationID], found = match(q.Q, nonEmpty(tokens("", string(o.Name))))
		}
		if found {
			want = append(want, o)
		}
	}
	sortBy(want, q.Sort, func(a, b projections.Organization) int {
		first := strings.Compare(words[a.OrganizationID], words[b.OrganizationID])
		if q.Q == "" {
			first = strings.Compare(domain.Fold(string(a.Name)), domain.Fold(string(b.Name)))
		}
		return cmp.Or(first, cmp.Compare(a.OrganizationID, b.OrganizationID))
	})
	same(c, q, got, want)
}

func nonEmpty(words []string) (kept []string) {
	for _, word := range words {
		if word != "" {
			kept = append(kept, word)
		}
	}
	return kept
}

type joinedMembership struct {
	projections.Membership
	Name   string `json:"name"`
	Policy string `json:"policy"`
}

type joinedInvitee struct {
	projections.Invitee
	Name   string `json:"name"`
	Policy string `json:"policy"`
}

// ofPeople checks the lists that belong to a person, which the model has no
// records for: they are the organizations' seen from the other side.
func (c checker) ofPeople() {
	for _, p := range people() {
		got := pages[joinedMembership](c, func(cursor string, limit int) (projections.Page, error) {
			return c.r.Memberships(context.Background(), projections.MembershipsQuery{Account: p.id, Cursor: cursor, Limit: limit})
		})
		var want []joinedMembership
		for _, m := range c.m.members {
			o := c.m.org(m.org)
			if m.AccountID == p.id && (m.Status == "active" || m.Status == "suspended") && o.Status != "deleted" {
				joined := projections.Membership{OrganizationID: m.org, Roles: m.Roles, Status: m.Status, JoinedAt: m.JoinedAt}
				want = append(want, joinedMembership{joined, string(o.Name), o.Policy})
			}
		}
		sortBy(want, "", func(a, b joinedMembership) int {
			return cmp.Or(a.JoinedAt.Compare(b.JoinedAt), cmp.Compare(a.OrganizationID, b.OrganizationID))
		})
		same(c, p.id, got, want)
		c.invitees(p)
	}
}

func (c checker) invitees(p person) {
	spelled := domain.Email(strings.ToUpper(string(p.email)))
	got := pages[joinedInvitee](c, func(cursor string, limit int) (projections.Page, error) {
		return c.r.Invitees(context.Background(), projections.InviteesQuery{Email: spelled, Cursor: cursor, Limit: limit})
	})
	var want []joinedInvitee
	for _, i := range c.m.invitations {
		if o := c.m.org(i.org); i.Email.Key() == spelled.Key() && i.Status == "pending" && o.Status != "deleted" {
			seen := projections.Invitee{
				InvitationID: i.InvitationID, OrganizationID: i.org, Roles: i.Roles, InvitedBy: i.InvitedBy, IssuedAt: i.IssuedAt, ExpiresAt: i.ExpiresAt,
			}
			want = append(want, joinedInvitee{seen, string(o.Name), o.Policy})
		}
	}
	sortBy(want, "-", func(a, b joinedInvitee) int {
		return cmp.Or(a.IssuedAt.Compare(b.IssuedAt), cmp.Compare(a.InvitationID, b.InvitationID))
	})
	same(c, p.id, got, want)
}

func (c checker) waiting() {
	for _, kind := range []projections.DeadlineKind{projections.InvitationExpiry, projections.TransferExpiry, projections.StaleReservation, projections.DigestDue, projections.MailDue} {
		all := c.m.due(kind, time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC))
		next, ok, err := c.r.NextDue(context.Background(), kind)
		c.is.NoErr(err)
		c.is.Equal(ok, len(all) > 0)
		if !ok {
			continue
		}
		c.is.True(next.Equal(all[0].Due))
		now := all[rapid.IntRange(0, len(all)-1).Draw(c.t, "now")].Due.Add(-rapid.SampledFrom([]time.Duration{0, 1}).Draw(c.t, "before"))
		got, err := c.r.Due(context.Background(), kind, now, 1000)
		c.is.NoErr(err)
		same(c, kind, got, c.m.due(kind, now))
	}
}

func (c checker) apiKeys() {
	got := pages[projections.APIKey](c, func(cursor string, limit int) (projections.Page, error) {
		return c.r.APIKeys(context.Background(), projections.APIKeysQuery{Cursor: cursor, Limit: limit})
	})
	var want []projections.APIKey
	for _, k := range c.m.keys {
		want = append(want, *k)
		body, err := c.r.APIKey(context.Background(), k.APIKeyID)
		c.is.NoErr(err)
		var one projections.APIKey
		c.is.NoErr(json.Unmarshal(body, &one))
		same(c, "key", []projections.APIKey{one}, []projections.APIKey{*k})
	}
	sortBy(want, "-", func(a, b projections.APIKey) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.APIKeyID, b.APIKeyID))
	})
	same(c, "API keys", got, want)
}

func isCode(err error, code domain.Code) bool {
	return errors.Is(err, &domain.Error{Code: code})
}
