package policies

import (
	"errors"
	"slices"
	"strings"
	"time"

	// The time zones, for machines and images without any: a policy means the
	// same wherever it is read. Where the machine has its own, those are used.
	_ "time/tzdata"

	"tenure/domain/policy"
)

// loadZone finds a time zone by its name. "Local", which Go knows besides, is
// another zone on every machine.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == time.Local.String() {
		return nil, errors.New("policies: no name of a time zone")
	}
	return time.LoadLocation(name)
}

// policy is the digest of a document without problems.
func (d *digest) policy() *policy.Digest {
	if d == nil {
		return nil
	}
	weekdays := []time.Weekday{time.Sunday, time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday}
	day := slices.IndexFunc(weekdays, func(w time.Weekday) bool { return strings.EqualFold(w.String(), d.Weekday) })
	at, _ := time.Parse("15:04", d.At)
	zone, _ := loadZone(d.Zone)
	return &policy.Digest{Weekday: time.Weekday(day), At: policy.TimeOfDay(at.Hour()*60 + at.Minute()), Zone: zone}
}
