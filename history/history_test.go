package history_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/policy"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/history"
	"tenure/policies"
	"tenure/projections"
)

// The past at any instant, and the difference of any two, are what folding the
// events in the plainest way gives, and permission checks rest on that.
func TestThePastIsWhatThePlainestFoldGives(t *testing.T) {
	organizations, events, instants := 500, 100_000, 1000
	if testing.Short() || raceEnabled {
		organizations, events, instants = 40, 6000, 200
	}
	w := newWorld(t, history.Options{CacheBytes: 8 << 20})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed) // of the stories; the order in the log is another one each time
	ids := w.tellAll(seed, organizations, events)
	all := w.logged()
	rules, ok := policies.Builtin().Get("ownership", 1)
	w.is.True(ok)
	rng := rand.New(rand.NewPCG(seed, 1))
	instant := func(events []codec.Envelope) time.Time {
		e := events[rng.IntN(len(events))].Metadata.OccurredAt
		return e.Add([]time.Duration{0, -1, 1, time.Minute, -time.Minute, 5 * time.Hour}[rng.IntN(6)])
	}
	founded, checked, changes := 0, 0, 0
	for range instants {
		org := ids[rng.IntN(len(ids))]
		at := instant(all[org])
		past := until(all[org], at)
		want := naively(past)
		p, err := w.history.At(t.Context(), org, history.Moment{Instant: at})
		if len(past) == 0 {
			var early *history.NotFoundedError
			w.is.True(errors.As(err, &early))
			w.is.True(early.Founded.Equal(all[org][0].Metadata.OccurredAt))
			continue
		}
		w.is.NoErr(err)
		founded++
		w.is.Equal(p.Position, want.position)
		w.is.Equal(w.lines(p, org), want.lines())
		checked += w.decisions(p, org, want, rules, rng)

		// The same at the position, and the difference to another instant.
		same, err := w.history.At(t.Context(), org, history.Moment{Position: p.Position})
		w.is.NoErr(err)
		w.is.Equal(same.Position, p.Position)
		earlier := instant(all[org])
		if earlier.After(at) {
			continue
		}
		d, err := w.history.Diff(t.Context(), org, history.Moment{Instant: earlier}, history.Moment{Instant: at})
		w.is.NoErr(err)
		before := naively(until(all[org], earlier))
		w.is.Equal(shown(d), difference(before, want))
		w.is.Equal(d.From.Position, before.position)
		w.is.Equal(before.after(d), want.people())
		changes += w.decided(d, all[org])
	}
	w.is.True(founded > instants/2 && checked > instants && changes > instants)
}

// lines says all that a past says, as naive.lines does.
func (w *world) lines(p *history.Past, org domain.OrganizationID) (all []string) {
	w.Helper()
	ctx := context.Background()
	list := func(next func(cursor string) (projections.Page, error), each func(json.RawMessage)) {
		w.Helper()
		for cursor := ""; ; {
			page, err := next(cursor)
			w.is.NoErr(err)
			items, err := page.Items()
			w.is.NoErr(err)
			for _, item := range items {
				each(item)
			}
			if cursor = page.NextCursor(); cursor == "" {
				return
			}
		}
	}
	for _, status := range []string{"active", "suspended", "removed", "pending"} {
		list(func(cursor string) (projections.Page, error) {
			return p.Reader.Members(ctx, projections.MembersQuery{Organization: org, Status: status, Cursor: cursor, Limit: 7})
		}, func(item json.RawMessage) {
			var m projections.Member
			w.is.NoErr(json.Unmarshal(item, &m))
			all = append(all, fmt.Sprintln("member", m.AccountID, m.DisplayName, m.Status, m.Roles))
			if status == "active" || status == "suspended" {
				all = append(all, fmt.Sprintln("spaces of", m.AccountID, m.Spaces))
			}
		})
	}
	list(func(cursor string) (projections.Page, error) {
		return p.Reader.Invitations(ctx, projections.InvitationsQuery{Organization: org, Cursor: cursor, Limit: 7})
	}, func(item json.RawMessage) {
		var i projections.Invitation
		w.is.NoErr(json.Unmarshal(item, &i))
		all = append(all, fmt.Sprintln("invitation", i.InvitationID, i.Status, i.Generation, i.Roles, i.Spaces))
	})
	list(func(cursor string) (projections.Page, error) {
		return p.Reader.Spaces(ctx, projections.SpacesQuery{Organization: org, Cursor: cursor, Limit: 3})
	}, func(item json.RawMessage) {
		var s projections.Space
		w.is.NoErr(json.Unmarshal(item, &s))
		all = append(all, fmt.Sprintln("space", s.SpaceID, s.Name))
	})
	slices.Sort(all)
	document, err := p.Reader.Organization(ctx, org)
	w.is.NoErr(err)
	var o projections.Organization
	w.is.NoErr(json.Unmarshal(document, &o))
	return append(all, "named "+string(o.Name))
}

// decisions asks what members were allowed, and answers with how often.
func (w *world) decisions(p *history.Past, org domain.OrganizationID, want *naive, rules *policy.Policy, rng *rand.Rand) (asked int) {
	w.Helper()
	trail := func(context.Context, domain.OrganizationID) (commands.Trail, error) { return p.Trail, nil }
	check := w.commands.CheckPastAccess(domain.ByAPIKey("host"), true, trail)
	for id, m := range want.members {
		if asked == 3 {
			break
		}
		asked++
		permission := []domain.Permission{domain.InviteMembers, domain.ReadHistory, domain.ReadOrganization}[rng.IntN(3)]
		d, err := check.Decide(context.Background(), commands.AccessQuestion{Organization: org, Account: id, Permission: permission})
		w.is.NoErr(err)
		w.is.Equal(d.Allowed, m.status == "active" && rules.Allows(m.roles, permission))
		w.is.Equal(string(d.Explanation.Member.Status), m.status)
		w.is.Equal(fmt.Sprint(d.Explanation.Member.Joined.Position), m.joined)
		w.is.True(d.Explanation.Position <= p.Position)
	}
	return asked
}

func TestMomentsThatHaveNoPast(t *testing.T) {
	w := newWorld(t, history.Options{})
	org := w.tellAll(7, 1, 30)[0]
	head, err := w.log.Head(t.Context())
	w.is.NoErr(err)
	for _, ahead := range []history.Moment{{Position: head + 1}, {Instant: w.now.Add(time.Nanosecond)}} {
		_, err := w.history.At(t.Context(), org, ahead)
		w.is.True(errors.Is(err, history.ErrAhead))
	}
	_, err = w.history.At(t.Context(), "0198c0de-0000-7000-8000-000000000009", history.Moment{})
	w.is.True(errors.Is(err, &domain.Error{Code: domain.CodeNotFound}))
	first := w.logged()[org][0]
	_, err = w.history.At(t.Context(), org, history.Moment{Instant: first.Metadata.OccurredAt.Add(-1)})
	var early *history.NotFoundedError
	w.is.True(errors.As(err, &early))
	w.is.Equal(early.Position, first.Position)
	_, err = w.history.At(t.Context(), org, history.Moment{Instant: time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC)})
	w.is.True(errors.As(err, &early))
	_, err = w.history.Diff(t.Context(), org, history.Moment{Position: head}, history.Moment{Position: first.Position})
	w.is.True(errors.Is(err, &domain.Error{Code: domain.CodeInvalid}))
	for _, text := range []string{"", "0", "-1", "01", "yesterday", "2031-03-03", "2031-03-03T00:00:00", "18446744073709551616", "0001-01-01T00:00:00Z", "2031-03-03T00:00:00 01:00",
		"2031-03-03T00:00:41,5Z", "2031-03-03T00:00:00+24:00", "2031-03-03T00:00:00+01:60", "2031-03-03T00:00:00+1:00", "2031-03-03T1:00:00Z", "2031-03-03 00:00:00Z", "2031-02-30T00:00:00Z", "2031-03-03T24:00:00Z"} {
		_, err := history.ParseMoment("as_of", text)
		w.is.True(errors.Is(err, &domain.Error{Code: domain.CodeInvalid}))
	}
	for _, text := range []string{"2031-03-03T10:00:41.5Z", "2031-03-03t10:00:41.5z", "2031-03-03T11:30:41.500+01:30", "2031-03-02T10:01:41.5-23:59"} {
		m, err := history.ParseMoment("as_of", text)
		w.is.NoErr(err)
		w.is.Equal(m, history.Moment{Instant: time.Date(2031, 3, 3, 10, 0, 41, 500_000_000, time.UTC)})
	}
}

// What was written is there at once for who asks about the present.
func TestNowIsTheEndOfTheLog(t *testing.T) {
	w := newWorld(t, history.Options{})
	s := newStory(w, 3, 0)
	s.tell(20)
	for range 50 {
		s.change()
		s.invite()
		s.write()
		events := w.logged()[s.id]
		for _, m := range []history.Moment{{}, {Instant: w.now}, {Position: events[len(events)-1].Position}} {
			p, err := w.history.At(t.Context(), s.id, m)
			w.is.NoErr(err)
			w.is.Equal(p.Position, events[len(events)-1].Position)
		}
	}
}

// Many who ask for the same get the same, however little is kept; too many that
// ask for something else are told to come again.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, history.Options{CacheBytes: 256 << 10, Folds: 1, Waiting: 2})
	org := w.tellAll(11, 1, 2000)[0]
	events := w.logged()[org]
	var all sync.WaitGroup
	var mu sync.Mutex
	served, busy := 0, 0
	ask := func(position eventstore.Position) {
		p, err := w.history.At(context.Background(), org, history.Moment{Position: position})
		mu.Lock()
		defer mu.Unlock()
		switch {
		case errors.Is(err, history.ErrBusy):
			busy++
		case err != nil || p.Position != position:
			t.Error(err, position)
		default:
			served++
		}
	}
	for i := range 200 {
		all.Go(func() { ask(events[1000+5*(i%100)].Position) })
	}
	all.Wait()
	w.is.True(served > 0)
	w.is.Equal(served+busy, 200)
	served, busy = 0, 0
	for range 50 {
		all.Go(func() { ask(events[500].Position) })
	}
	all.Wait()
	w.is.Equal(served, 50)
}

// What is kept, or being folded, when somebody is erased is not shown any more.
func TestForgetting(t *testing.T) {
	w := newWorld(t, history.Options{})
	org := w.tellAll(5, 1, 200)[0]
	events := w.logged()[org]
	at := func() *history.Past {
		p, err := w.history.At(t.Context(), org, history.Moment{Position: events[100].Position})
		w.is.NoErr(err)
		return p
	}
	first := at()
	w.is.True(at() == first)
	w.history.Forget()
	second := at()
	w.is.True(second != first)
	w.is.Equal(w.lines(second, org), w.lines(first, org))
	w.is.True(at() == second)
}
