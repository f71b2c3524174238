package relay_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/relay"
)

// Each reader sees the values of the sections that it may read, from the log and from
// what all readers share, whoever has read before.
func TestValuesBehindAPermission(t *testing.T) {
	b := newBench(t)
	changed := func(section organization.Section, value string) domain.Event {
		return organization.SettingsChanged{OrganizationID: org(1), Section: section, Changes: []organization.SettingChange{{Name: "card", After: &value}}}
	}
	b.mixed()
	waiting := func(cursor string) map[string]*relay.Reader {
		readers := make(map[string]*relay.Reader)
		for name, q := range map[string]relay.Query{
			"nothing":  {},
			"personal": {Personal: true},
			"billing":  {Reads: func(p domain.Permission) bool { return p == domain.ReadBilling }},
			"all":      {Personal: true, Reads: relay.All(true)},
		} {
			q.Cursor, q.Organization, q.Type = cursor, org(1), "organization.settings_changed"
			readers[name] = b.open(q)
			if cursor == relay.FromHead {
				b.toHead(readers[name], 100)
			}
		}
		return readers
	}
	following := waiting(relay.FromHead)
	b.write(stream(1), changed(organization.SectionBilling, "4711"), changed(organization.SectionSubscriptions, "large"))
	for _, readers := range []map[string]*relay.Reader{following, waiting("")} {
		for name, want := range map[string][2]bool{"all": {true, true}, "nothing": {false, false}, "billing": {true, false}, "personal": {false, false}} {
			events := b.follow(readers[name], 2)
			for i, value := range []string{"4711", "large"} {
				is := is.New(t)
				text := string(events[i].JSON)
				is.Equal(strings.Contains(text, value), want[i])
				is.Equal(strings.Contains(text, `"changes":[],"withheld":true`), !want[i])
				is.True(strings.Contains(text, `"section":"`))
			}
		}
	}
}
