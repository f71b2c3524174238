package policies

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// MaxDuration is the longest length of time that a policy may name.
const MaxDuration = 365 * 24 * time.Hour

// The errors of ParseDuration.
var (
	errDurationForm  = errors.New(`give a number and a unit, for example "7 days" or "1 day 12 hours"; the units are weeks, days, hours and minutes`)
	errDurationOrder = errors.New(`name each unit once and larger ones first, for example "1 day 12 hours"`)
	errDurationRange = errors.New("give more than nothing and at most 365 days")
)

// ParseDuration reads a length of time as people write it: numbers with units,
// larger units first, for example "7 days", "24 hours" or "1 day 12 hours".
// The units are weeks, days (of 24 hours), hours and minutes. It is more than
// nothing and at most MaxDuration. The error says what to write.
func ParseDuration(text string) (time.Duration, error) {
	words := strings.Fields(text)
	if len(words) == 0 || len(words)%2 != 0 {
		return 0, errDurationForm
	}
	var total time.Duration
	for above := MaxDuration; len(words) > 0; words = words[2:] {
		n, err := strconv.ParseUint(words[0], 10, 32)
		unit, known := durationUnit(words[1])
		switch {
		case err != nil || !known:
			return 0, errDurationForm
		case unit >= above:
			return 0, errDurationOrder
		case n > uint64(MaxDuration/unit):
			return 0, errDurationRange
		}
		total += time.Duration(n) * unit
		above = unit
	}
	if total <= 0 || total > MaxDuration {
		return 0, errDurationRange
	}
	return total, nil
}

func durationUnit(name string) (unit time.Duration, known bool) {
	switch name {
	case "week", "weeks":
		return 7 * 24 * time.Hour, true
	case "day", "days":
		return 24 * time.Hour, true
	case "hour", "hours":
		return time.Hour, true
	case "minute", "minutes":
		return time.Minute, true
	}
	return 0, false
}
