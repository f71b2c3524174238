package projectionstest

import (
	"cmp"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/matryer/is"
	"pgregory.net/rapid"

	"tenure/domain"
	"tenure/projections"
)

// check asks every query of the reader, some with random arguments, and
// compares with the model.
func check(t *rapid.T, r *projections.Reader, m *model) {
	c := checker{t: t, is: is.New(t), r: r, m: m}
	for _, o := range append(m.organizations(), projections.Organization{OrganizationID: "none"}) {
		c.organization(o)
		for range 3 {
			c.members(o.OrganizationID)
			c.search(o.OrganizationID)
			c.invitations(o.OrganizationID)
			c.timeline(o.OrganizationID)
		}
		c.gone(o.OrganizationID)
		c.spaces(o.OrganizationID)
	}
	c.directory()
	c.ofPeople()
	c.waiting()
	c.checkpoints()
	c.apiKeys()
}

type checker struct {
	t  *rapid.T
	is *is.I
	r  *projections.Reader
	m  *model
}

// pages reads a list to its end, and each page again, which comes from memory.
func pages[T any](c checker, fetch func(cursor string, limit int) (projections.Page, error)) []T {
	limit := rapid.SampledFrom([]int{1, 2, 3, 0, 200}).Draw(c.t, "limit")
	var all []T
	for cursor, n := "", 0; n == 0 || cursor != ""; n++ {
		page, err := fetch(cursor, limit)
		c.is.NoErr(err)
		again, err := fetch(cursor, limit)
		c.is.NoErr(err)
		c.is.Equal(string(again.JSON()), string(page.JSON()))
		var decoded struct {
			Items      []T    `json:"items"`
			NextCursor string `json:"next_cursor"`
		}
		c.is.NoErr(json.Unmarshal(page.JSON(), &decoded))
		c.is.Equal(decoded.NextCursor, page.NextCursor())
		c.is.Equal(len(decoded.Items), page.Len())
		all = append(all, decoded.Items...)
		cursor = page.NextCursor()
	}
	return all
}

// same compares by JSON, which is what callers see.
func same[T any](c checker, what any, got, want []T) {
	gotJSON, err := json.MarshalIndent(got, "", " ")
	c.is.NoErr(err)
	wantJSON, err := json.MarshalIndent(want, "", " ")
	c.is.NoErr(err)
	if len(got)+len(want) > 0 && !reflect.DeepEqual(gotJSON, wantJSON) {
		c.t.Fatalf("%+v\n got %s\nwant %s", what, gotJSON, wantJSON)
	}
}

func (c checker) organization(o projections.Organization) {
	body, err := c.r.Organization(context.Background(), o.OrganizationID)
	if o.Name == "" {
		c.is.True(isCode(err, domain.CodeNotFound))
		return
	}
	c.is.NoErr(err)
	var got projections.Organization
	c.is.NoErr(json.Unmarshal(body, &got))
	same(c, "organization", []projections.Organization{got}, []projections.Organization{o})
}

var someRoles = []string{"", "", "USER", "ADMIN", "OWNER", "HAND", "BOSS", "ROLE.with/dots", "NONE"}

func (c checker) members(org domain.OrganizationID) {
	q := projections.MembersQuery{
		Organization: org,
		Status:       rapid.SampledFrom([]string{"", "active", "suspended", "pending", "removed", "invited", "present"}).Draw(c.t, "status"),
		Role:         rapid.SampledFrom(someRoles).Draw(c.t, "role"),
		Sort:         rapid.SampledFrom([]string{"", "display_name", "-display_name", "joined_at", "-joined_at"}).Draw(c.t, "sort"),
	}
	got := pages[projections.Member](c, func(cursor string, limit int) (projections.Page, error) {
		q.Cursor, q.Limit = cursor, limit
		return c.r.Members(context.Background(), q)
	})
	var want []projections.Member
	for _, m := range c.m.members {
		if m.org == org && hasStatus(m.Member, q.Status) && hasRole(m.Roles, q.Role) {
			want = append(want, c.m.shown(m.Member))
			if m.Status == projections.Invited {
				continue
			}
			body, err := c.r.Member(context.Background(), org, m.AccountID)
			c.is.NoErr(err)
			var one projections.Member
			c.is.NoErr(json.Unmarshal(body, &one))
			shown := c.m.shown(m.Member)
			if at, ok := c.m.active[m.AccountID]; ok {
				shown.LastActiveAt = &at
			}
			same(c, "member", []projections.Member{one}, []projections.Member{shown})
		}
	}
	sortBy(want, q.Sort, func(a, b projections.Member) int {
		order := strings.Compare(domain.Fold(a.DisplayName), domain.Fold(b.DisplayName))
		if strings.Contains(q.Sort, "joined_at") {
			order = since(a).Compare(since(b))
		}
		return cmp.Or(order, strings.Compare(documentID(a), documentID(b)))
	})
	same(c, q, got, want)
}

// since is when a member joined, or asked to.
func since(m projections.Member) time.Time {
	if m.RequestedAt != nil {
		return *m.RequestedAt
	}
	return m.JoinedAt
}

func sortBy[T any](list []T, order string, compare func(a, b T) int) {
	slices.SortFunc(list, compare)
	if strings.HasPrefix(order, "-") {
		slices.Reverse(list)
	}
}

func hasRole(roles []domain.Role, role string) bool {
	return role == "" || slices.Contains(roles, domain.Role(role))
}

var someSearches = []string{
	"a", "ada", "Ada L", "love ada", "example", "EXAMPLE.COM", "ada.lovelace@example.com", "ada.b", "él", "e\u0301l", "E", "straße", "STRASSE",
	"李", "李小龍", "<b", "bob", "co", "x-y", "list", "d'été", "zed", "z", "nobody", "a a", "sub.example.com ada", "@", "été-",
}

func (c checker) search(org domain.OrganizationID) {
	q := projections.MembersQuery{
		Organization: org, Q: rapid.SampledFrom(someSearches).Draw(c.t, "q"),
		Status: rapid.SampledFrom([]string{"", "suspended", "pending", "removed", "present"}).Draw(c.t, "status"),
		Role:   rapid.SampledFrom(someRoles).Draw(c.t, "role"),
	}
	got := pages[projections.Member](c, func(cursor string, limit int) (projections.Page, error) {
		q.Cursor, q.Limit = cursor, limit
		return c.r.Members(context.Background(), q)
	})
	type found struct {
		word string
		projections.Member
	}
	var all []found
	for _, m := range c.m.members {
		word, ok := match(q.Q, tokens(m.Email, m.DisplayName, string(m.Username)))
		if ok && m.org == org && hasStatus(m.Member, q.Status) && hasRole(m.Roles, q.Role) {
			all = append(all, found{word, c.m.shown(m.Member)})
		}
	}
	slices.SortFunc(all, func(a, b found) int {
		return cmp.Or(strings.Compare(a.word, b.word), strings.Compare(documentID(a.Member), documentID(b.Member)))
	})
	var want []projections.Member
	for _, f := range all {
		want = append(want, f.Member)
	}
	same(c, q, got, want)
}

// tokens are all words that somebody may type the beginning of.
func tokens(email domain.Email, texts ...string) []string {
	var all []string
	split := func(r rune) bool { return !unicode.In(r, unicode.L, unicode.Nd, unicode.M) }
	address := domain.Fold(string(email))
	local, host, _ := strings.Cut(address, "@")
	all = append(append(all, address, local, host), strings.FieldsFunc(local, split)...)
	for _, text := range texts {
		for _, word := range strings.Fields(domain.Fold(text)) {
			all = append(append(all, word), strings.FieldsFunc(word, split)...)
		}
	}
	return all
}

// match says by which word a search finds something: the first in order of
// those that begin with the search's longest word and go on in no other word.
func match(q string, tokens []string) (string, bool) {
	longest := ""
	for _, word := range strings.Fields(domain.Fold(q)) {
		if !slices.ContainsFunc(tokens, func(token string) bool { return strings.HasPrefix(token, word) }) {
			return "", false
		}
		if len(word) > len(longest) {
			longest = word
		}
	}
	var fitting []string
	for _, token := range tokens {
		goesOn := slices.ContainsFunc(tokens, func(other string) bool { return other != token && strings.HasPrefix(other, token) })
		if strings.HasPrefix(token, longest) && !goesOn {
			fitting = append(fitting, token)
		}
	}
	return slices.Min(fitting), true
}

func (c checker) invitations(org domain.OrganizationID) {
	q := projections.InvitationsQuery{
		Organization: org,
		Status:       rapid.SampledFrom([]string{"", "pending", "accepted", "declined", "revoked", "expired"}).Draw(c.t, "status"),
		Role:         rapid.SampledFrom(someRoles).Draw(c.t, "role"),
		Q:            rapid.SampledFrom(append([]string{"", "", "", "", ""}, someSearches...)).Draw(c.t, "q"),
	}
	if q.Q == "" {
		q.Sort = rapid.SampledFrom([]string{"", "-issued_at", "issued_at", "email", "-email"}).Draw(c.t, "sort")
	}
	got := pages[projections.Invitation](c, func(cursor string, limit int) (projections.Page, error) {
		q.Cursor, q.Limit = cursor, limit
		return c.r.Invitations(context.Background(), q)
	})
	var want []projections.Invitation
	words := map[domain.InvitationID]string{}
	for _, i := range c.m.invitations {
		fits := i.org == org && (q.Status == "" || string(i.Status) == q.Status) && hasRole(i.Roles, q.Role)
		if fits && q.Q != "" {
			words[i.InvitationID], fits = match(q.Q, tokens(i.Email, string(i.Username)))
		}
		if fits {
			want = append(want, i.Invitation)
		}
	}
	order := cmp.Or(q.Sort, "-issued_at")
	if q.Q != "" {
		order = "word"
	}
	sortBy(want, order, func(a, b projections.Invitation) int {
		first := 0
		switch strings.TrimPrefix(order, "-") {
		case "word":
			first = strings.Compare(words[a.InvitationID], words[b.InvitationID])
		case "issued_at":
			first = a.IssuedAt.Compare(b.IssuedAt)
		case "email":
			first = strings.Compare(a.Email.Key(), b.Email.Key())
		}
		return cmp.Or(first, cmp.Compare(a.InvitationID, b.InvitationID))
	})
	same(c, q, got, want)
}

func (c checker) timeline(org domain.OrganizationID) {
	q := projections.TimelineQuery{
		Organization: org,
		Account:      rapid.SampledFrom([]domain.AccountID{"", people()[0].id, people()[1].id, people()[2].id}).Draw(c.t, "account"),
		Type:         rapid.SampledFrom([]string{"", "", "organization.", "invitation.", "organization.roles_changed.v1", "organization.policy_changed.", "x"}).Draw(c.t, "type"),
		Order:        rapid.SampledFrom([]string{"", "desc", "asc"}).Draw(c.t, "order"),
	}
	if n := len(c.m.timeline); n > 0 {
		some := func(label string) time.Time {
			return c.m.timeline[rapid.IntRange(0, n-1).Draw(c.t, label)].At
		}
		if rapid.Bool().Draw(c.t, "has since") {
			q.Since = some("since")
		}
		if rapid.Bool().Draw(c.t, "has until") {
			q.Until = some("until")
		}
	}
	got := pages[projections.TimelineEntry](c, func(cursor string, limit int) (projections.Page, error) {
		q.Cursor, q.Limit = cursor, limit
		return c.r.Timeline(context.Background(), q)
	})
	var want []projections.TimelineEntry
	for _, e := range c.m.timeline {
		roles, moved := e.moved[q.Account]
		if moved {
			e.Roles = &roles
		}
		if e.org == org && strings.HasPrefix(e.Type, q.Type) && (moved || about(e.Data, q.Account)) &&
			!e.At.Before(q.Since) && (q.Until.IsZero() || e.At.Before(q.Until)) {
			want = append(want, e.TimelineEntry)
		}
	}
	if q.Order != "asc" {
		slices.Reverse(want)
	}
	same(c, q, got, want)
}

// about reports whether the account stands in the event as its subject.
func about(data []byte, id domain.AccountID) bool {
	var subjects map[string]json.RawMessage
	if err := json.Unmarshal(data, &subjects); err != nil {
		return false
	}
	for _, field := range []string{"account_id", "from", "to"} {
		if string(subjects[field]) == `"`+string(id)+`"` {
			return true
		}
	}
	return id == ""
}
