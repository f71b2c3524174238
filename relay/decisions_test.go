package relay

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/eventstore/codec"
)

// Whether a type of events leaves the log is decided for each, and nothing secret
// does.
func TestEveryTypeIsDecided(t *testing.T) {
	is := is.New(t)
	c := codec.New()
	is.Equal(slices.Sorted(maps.Keys(decisions)), c.WireNames())
	for name, d := range decisions {
		is.True((d.says == "") != (d.internal == "")) // either it leaves and says what has happened, or not and why
		// An organization's stream is in the feed as a whole: a gap in the
		// sequence would be taken for a loss.
		if strings.HasPrefix(name, "organization.") {
			is.True(d.internal == "")
		}
		if d.internal != "" {
			continue
		}
		is.True(strings.HasPrefix(name, "organization.") || name == "command.changed_nothing.v1")
		for _, field := range c.PersonalFields(name) {
			is.True(!field.Secret)
		}
	}
}
