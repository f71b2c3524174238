package organization_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"
	"pgregory.net/rapid"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/organization"
	"tenure/domain/policy"
)

// summed has a digest on Mondays at 09:00 UTC; noon is a Sunday.
var (
	summed     = withDigest(capabilities, &policy.Digest{Weekday: time.Monday, At: 9 * 60, Zone: time.UTC})
	mondayNine = noon.Add(21 * time.Hour)
)

const week = 7 * 24 * time.Hour

func withDigest(p *policy.Policy, d *policy.Digest) *policy.Policy {
	changed, requests := *p, *p.Requests
	requests.Digest = d
	changed.Requests = &requests
	return &changed
}

func askAt(p *policy.Policy, id domain.AccountID, at time.Time) decision {
	return func(s State) ([]domain.Event, error) {
		return RequestToJoin(s, p, id, Request{Email: domain.Email(id + "@example.com"), DisplayName: "The " + string(id)}, at)
	}
}

func askedAt(id domain.AccountID, at, digest time.Time) domain.Event {
	return JoinRequested{
		OrganizationID: org, AccountID: id, Email: domain.Email(id + "@example.com"), DisplayName: "The " + string(id), RequestedAt: at, DigestAt: digest,
	}
}

func summarize(p *policy.Policy, at time.Time) decision {
	return domaintest.Always(func(s State) []domain.Event { return SummarizeRequests(s, p, at) })
}

func summarized(due, next time.Time, requests int, recipients ...domain.AccountID) domain.Event {
	return RequestsSummarized{OrganizationID: org, Due: due, Requests: requests, Recipients: recipients, NextAt: next}
}

func TestRequestsAreSummedUpOnceAWeek(t *testing.T) {
	is := is.New(t)
	const one, two domain.AccountID = "one", "two"
	asks := domaintest.Given(t, Evolve, capable()...).When(askAt(summed, one, noon)).Then(askedAt(one, noon, mondayNine))
	asks = asks.When(askAt(summed, two, noon.Add(time.Hour))).Then(askedAt(two, noon.Add(time.Hour), mondayNine))
	is.Equal(asks.State.OldestRequests(5), []domain.AccountID{one, two})
	is.Equal(len(asks.State.OldestRequests(1)), 1)

	asks.When(summarize(summed, mondayNine.Add(-1))).Then() // not yet
	told := asks.When(summarize(summed, mondayNine)).Then(summarized(mondayNine, mondayNine.Add(week), 2, admin, owner))
	told.When(summarize(summed, mondayNine)).Then() // once
	told.When(summarize(summed, mondayNine.Add(week-1))).Then()
	again := told.When(reject(summed, owner, one)).Then(JoinRequestClosed{OrganizationID: org, AccountID: one, Outcome: "rejected"}).
		When(summarize(summed, mondayNine.Add(week))).Then(summarized(mondayNine.Add(week), mondayNine.Add(2*week), 1, admin, owner))

	// Nothing is open: nobody is told, and the next request begins anew.
	quiet := again.When(approve(summed, owner, two)).Then(joinedVia(two, "request", []domain.Role{}...)).
		When(summarize(summed, mondayNine.Add(2*week))).Then(summarized(mondayNine.Add(2*week), time.Time{}, 0))
	quiet.When(summarize(summed, mondayNine.Add(9*week))).Then()
	late := mondayNine.Add(9*week + time.Hour)
	quiet.When(askAt(summed, "three", late)).Then(askedAt("three", late, mondayNine.Add(10*week)))
}

func TestMissedDigestsAreOne(t *testing.T) {
	late := mondayNine.Add(3*week + time.Hour)
	domaintest.Given(t, Evolve, capable(askedAt("one", noon, mondayNine))...).
		When(askAt(summed, "two", late)).Then(askedAt("two", late, mondayNine)). // is told of with the first, at once
		When(summarize(summed, late)).Then(summarized(mondayNine, mondayNine.Add(4*week), 2, admin, owner)).
		When(summarize(summed, late)).Then()
}

func TestTheDigestIsForThoseWhoDecide(t *testing.T) {
	given := capable(joined("second", administrate), joined("third", administrate), joined("fourth", administrate),
		suspendedMember("second", administrate), removed("third", administrate),
		RolesChanged{OrganizationID: org, AccountID: "fourth", Before: []domain.Role{administrate}, After: []domain.Role{manageAccess}},
		askedAt("one", noon, mondayNine))
	domaintest.Given(t, Evolve, given...).When(summarize(summed, mondayNine)).Then(summarized(mondayNine, mondayNine.Add(week), 1, admin, owner))
	domaintest.Given(t, Evolve, append(given, Deleted{OrganizationID: org})...).When(summarize(summed, mondayNine)).Then()
}

func TestWithoutADigestNobodyIsTold(t *testing.T) {
	domaintest.Given(t, Evolve, school()...).When(askAt(moderated, "one", noon)).Then(askedAt("one", noon, time.Time{})).
		When(summarize(moderated, noon.Add(9*week))).Then()
	// The organization has moved to a policy without one.
	domaintest.Given(t, Evolve, capable(askedAt("one", noon, mondayNine))...).
		When(summarize(withDigest(summed, nil), mondayNine)).Then(summarized(mondayNine, time.Time{}, 1))
}

// A node whose clock is behind does not schedule an instant a second time.
func TestAnInstantIsOverAlsoByAClockThatIsBehind(t *testing.T) {
	early := mondayNine.Add(-time.Second)
	domaintest.Given(t, Evolve, capable(summarized(mondayNine, time.Time{}, 0))...).
		When(askAt(summed, "one", early)).Then(askedAt("one", early, mondayNine.Add(week)))
}

// Whatever is asked, decided and looked at, in any order: there are never two
// digests for an instant, none is empty, each instant is on the schedule, and
// nobody waits unmentioned for longer than to the next instant that somebody
// looks at the clock after.
func TestEveryRequestIsToldOfOnceAWeek(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	is.New(t).NoErr(err)
	rapid.Check(t, func(t *rapid.T) {
		d := &policy.Digest{
			Weekday: time.Weekday(rapid.IntRange(0, 6).Draw(t, "weekday")), At: policy.TimeOfDay(rapid.IntRange(0, 24*60-1).Draw(t, "at")),
			Zone: rapid.SampledFrom([]*time.Location{time.UTC, paris}).Draw(t, "zone"),
		}
		p := withDigest(summed, d)
		var s State
		for _, e := range capable() {
			s = Evolve(s, e)
		}
		now := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
		told := make(map[time.Time]bool)
		waiting := make(map[domain.AccountID]time.Time) // since they asked, or were told of
		next := 0
		do := func(events []domain.Event, err error) {
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				s = Evolve(s, e)
				switch e := e.(type) {
				case JoinRequested:
					waiting[e.AccountID] = now
				case JoinRequestClosed:
					delete(waiting, e.AccountID)
				case MemberJoined:
					delete(waiting, e.AccountID)
				case RequestsSummarized:
					if told[e.Due] || e.Due.After(now) || !d.Next(e.Due.Add(-1)).Equal(e.Due) {
						t.Fatalf("%+v at %v, after %v", e, now, told)
					}
					told[e.Due] = true
					if e.Requests != len(waiting) || (len(e.Recipients) > 0) != (e.Requests > 0) {
						t.Fatalf("%+v with %d waiting", e, len(waiting))
					}
					for id := range waiting {
						waiting[id] = now
					}
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"time passes": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.SampledFrom([]int{1, 60, 24 * 60, 6 * 24 * 60, 7 * 24 * 60, 20 * 24 * 60}).Draw(t, "minutes")) * time.Minute)
			},
			"it is time": func(*rapid.T) { now = d.Next(now) },
			"ask": func(t *rapid.T) {
				next++
				behind := time.Duration(rapid.IntRange(0, 2).Draw(t, "behind")) * time.Minute // that node's clock
				do(askAt(p, domain.AccountID(fmt.Sprint("asker ", next)), now.Add(-behind))(s))
			},
			"decide": func(t *rapid.T) {
				open := slices.Sorted(slices.Values(s.OpenRequests(s.Requests())))
				if len(open) == 0 {
					return
				}
				id := rapid.SampledFrom(open).Draw(t, "who")
				if rapid.Bool().Draw(t, "approve") {
					do(approve(p, owner, id)(s))
				} else {
					do(reject(p, owner, id)(s))
				}
			},
			"look at the clock": func(*rapid.T) {
				do(SummarizeRequests(s, p, now), nil)
				do(SummarizeRequests(s, p, now), nil) // another node does too
				for id, since := range waiting {
					if !d.Next(since).After(now) {
						t.Fatalf("%s waits since %v, and it is %v", id, since, now)
					}
				}
			},
		})
	})
}
