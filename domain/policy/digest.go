package policy

import (
	"fmt"
	"time"
)

// Digest is when those who decide on requests are told of the open ones: once a
// week, at a time of the wall clock of a zone, in summer as in winter (C8).
type Digest struct {
	Weekday time.Weekday
	At      TimeOfDay
	Zone    *time.Location
}

// TimeOfDay is what a wall clock shows, in minutes after midnight.
type TimeOfDay int

func (t TimeOfDay) String() string { return fmt.Sprintf("%02d:%02d", t/60, t%60) }

// Next is the first scheduled instant that is after another one.
//
// Where the clock is set forward past the time, so that no clock ever shows it,
// the instant is as long after the change as the time is: 02:30 is then 03:30.
// Where it is set back and shows the time twice, the first one counts. Both are
// what RFC 5545 (3.3.5) says, and with it people's calendars.
func (d Digest) Next(after time.Time) time.Time {
	year, month, day := after.In(d.Zone).Date()
	// A zone that moves over the date line has days that never were: what is
	// scheduled on one comes a day later.
	for day -= 2; ; day++ {
		midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
		if midnight.Weekday() != d.Weekday {
			continue
		}
		if at := d.instant(midnight.Add(time.Duration(d.At) * time.Minute)); at.After(after) {
			return at
		}
	}
}

// instant is when the clock of the zone shows what a clock in UTC shows at wall.
func (d Digest) instant(wall time.Time) time.Time {
	// Of offsets, all between -12 and +14 hours, the one before and the one after
	// any change that there may be on this day.
	const aside = 36 * time.Hour
	before, after := wall.Add(-d.offset(wall.Add(-aside))), wall.Add(-d.offset(wall.Add(aside)))
	for _, at := range []time.Time{before, after} {
		if at.Add(d.offset(at)).Equal(wall) {
			return at
		}
	}
	return before // no clock shows it
}

func (d Digest) offset(at time.Time) time.Duration {
	_, seconds := at.In(d.Zone).Zone()
	return time.Duration(seconds) * time.Second
}
