package policy_test

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/matryer/is"
	"pgregory.net/rapid"

	. "tenure/domain/policy"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	is.New(t).NoErr(err)
	return z
}

func clock(hour, minute int) TimeOfDay { return TimeOfDay(hour*60 + minute) }

// The clocks in Paris are set forward on 28 March 2027 at 02:00, and back on 31
// October 2027 at 03:00; both are Sundays.
func TestDigestsAreDueByTheWallClock(t *testing.T) {
	monday := Digest{time.Monday, clock(9, 0), zone(t, "Europe/Paris")}
	sunday := func(hour, minute int) Digest {
		return Digest{time.Sunday, clock(hour, minute), zone(t, "Europe/Paris")}
	}
	for _, c := range []struct {
		name        string
		digest      Digest
		after, next string // in UTC
	}{
		{"in winter", monday, "2027-03-15T08:00:00Z", "2027-03-22T08:00:00Z"},
		{"the Monday after the clocks were set forward", monday, "2027-03-22T08:00:00Z", "2027-03-29T07:00:00Z"},
		{"in summer", monday, "2027-03-29T07:00:00Z", "2027-04-05T07:00:00Z"},
		{"the Monday after they were set back", monday, "2027-10-25T07:00:00Z", "2027-11-01T08:00:00Z"},
		{"an instant is not after itself", monday, "2027-11-01T08:00:00Z", "2027-11-08T08:00:00Z"},
		{"but after the one before it", monday, "2027-11-01T07:59:59.999999999Z", "2027-11-01T08:00:00Z"},
		{"a Sunday that becomes a Monday in the zone", monday, "2027-07-11T23:00:00Z", "2027-07-12T07:00:00Z"},

		{"on the day, before the clocks are set forward", sunday(1, 59), "2027-03-27T00:00:00Z", "2027-03-28T00:59:00Z"},
		{"on the day, after that", sunday(9, 0), "2027-03-27T00:00:00Z", "2027-03-28T07:00:00Z"},
		{"02:30 that never was is 03:30", sunday(2, 30), "2027-03-27T00:00:00Z", "2027-03-28T01:30:00Z"},
		{"02:00 that never was is 03:00", sunday(2, 0), "2027-03-27T00:00:00Z", "2027-03-28T01:00:00Z"},
		{"and 03:00 is that too", sunday(3, 0), "2027-03-27T00:00:00Z", "2027-03-28T01:00:00Z"},
		{"a week later 02:30 is there again", sunday(2, 30), "2027-03-28T01:30:00Z", "2027-04-04T00:30:00Z"},

		{"on the day, before they are set back", sunday(1, 30), "2027-10-30T00:00:00Z", "2027-10-30T23:30:00Z"},
		{"of 02:30 that is there twice the first counts", sunday(2, 30), "2027-10-30T00:00:00Z", "2027-10-31T00:30:00Z"},
		{"and the second one does not", sunday(2, 30), "2027-10-31T00:30:00Z", "2027-11-07T01:30:00Z"},
		{"also when it lies between", sunday(2, 30), "2027-10-31T01:00:00Z", "2027-11-07T01:30:00Z"},
		{"03:00 is there once", sunday(3, 0), "2027-10-30T00:00:00Z", "2027-10-31T02:00:00Z"},

		{"by half an hour", Digest{time.Sunday, clock(2, 15), zone(t, "Australia/Lord_Howe")}, "2027-10-01T00:00:00Z", "2027-10-02T15:45:00Z"},
		{"a Friday that never was is the Saturday", Digest{time.Friday, clock(9, 0), zone(t, "Pacific/Apia")}, "2011-12-24T00:00:00Z", "2011-12-30T19:00:00Z"},
		{"and not a week later", Digest{time.Friday, clock(9, 0), zone(t, "Pacific/Apia")}, "2011-12-30T18:59:59Z", "2011-12-30T19:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			after, err := time.Parse(time.RFC3339Nano, c.after)
			is.NoErr(err)
			is.Equal(c.digest.Next(after).Format(time.RFC3339Nano), c.next)
		})
	}
}

// Whatever the zone, the instants are on the weekday at the time, unless the
// clocks skip it, and no instant is passed over.
func TestDigestsAreWeekly(t *testing.T) {
	var zones []*time.Location
	for _, name := range []string{
		"UTC", "Europe/Paris", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati", "Africa/Casablanca", "Antarctica/Troll", "Asia/Kathmandu",
	} {
		zones = append(zones, zone(t, name))
	}
	rapid.Check(t, func(t *rapid.T) {
		d := Digest{
			Weekday: time.Weekday(rapid.IntRange(0, 6).Draw(t, "weekday")), At: TimeOfDay(rapid.IntRange(0, 24*60-1).Draw(t, "at")),
			Zone: rapid.SampledFrom(zones).Draw(t, "zone"),
		}
		after := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "after"), 0)
		next := d.Next(after)
		if !next.After(after) || next.Sub(after) > 8*24*time.Hour {
			t.Fatalf("%v is next after %v", next, after)
		}
		between := after.Add(time.Duration(rapid.Int64Range(0, int64(next.Sub(after))-1).Draw(t, "between")))
		if again := d.Next(between); !again.Equal(next) {
			t.Fatalf("%v is next after %v, but %v after %v", next, after, again, between)
		}
		local := next.In(d.Zone)
		shown := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute
		if local.Weekday() == d.Weekday && shown == time.Duration(d.At)*time.Minute {
			return
		}
		_, before := next.Add(-25 * time.Hour).In(d.Zone).Zone()
		_, since := local.Zone()
		if since <= before { // the clocks were not set forward
			t.Fatalf("%v is no %v at %v", local, d.Weekday, d.At)
		}
	})
}
