package relay_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/relay"
)

// Each reader sees the changes of the sections that it may read, and the values in them
// if it may have personal data, from the log and from what all readers share, whoever
// has read before.
func TestValuesBehindAPermission(t *testing.T) {
	b := newBench(t)
	changed := func(section organization.Section, value string) domain.Event {
		return organization.SettingsChanged{OrganizationID: org(1), Section: section, Changes: []organization.SettingChange{{Name: "card", After: &value, AfterID: "value-1"}}}
	}
	b.mixed()
	waiting := func(cursor string) map[string]*relay.Reader {
		readers := make(map[string]*relay.Reader)
		for name, q := range map[string]relay.Query{
			"nothing":  {},
			"personal": {Personal: true},
			"names":    {Reads: relay.All(true)},
			"billing":  {Personal: true, Reads: func(p domain.Permission) bool { return p == domain.ReadBilling }},
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
		for name, want := range map[string][2]bool{"all": {true, true}, "nothing": {false, false}, "names": {false, false}, "billing": {true, false}, "personal": {false, false}} {
			events := b.follow(readers[name], 2)
			for i, value := range []string{"4711", "large"} {
				is := is.New(t)
				text := string(events[i].JSON)
				is.Equal(strings.Contains(text, value), want[i])
				is.Equal(strings.Contains(text, `"changes":[],"withheld":true`), !want[i] && name != "names")
				is.Equal(strings.Contains(text, `"changes":[{"name":"card","after_id":"value-1"}]`), name == "names")
				is.Equal(strings.Contains(text, `"changes":[{"name":"card","before":null,"after":"`+value+`","after_id":"value-1"}]`), want[i])
				is.True(strings.Contains(text, `"section":"`))
			}
		}
	}
}

// The schema says of fields in lists as well what is personal data, and lets it be
// missing.
func TestSchemasMarkWhatIsInLists(t *testing.T) {
	b := newBench(t)
	text, ok, err := b.feed.Schema("organization.settings_changed.v1")
	b.is.NoErr(err)
	b.is.True(ok)
	var schema struct {
		Defs map[string]struct {
			Required   []string
			Properties map[string]struct{ Description string }
		} `json:"$defs"`
	}
	b.is.NoErr(json.Unmarshal(text, &schema))
	change := schema.Defs["SettingChange"]
	b.is.Equal(change.Required, []string{"name"})
	b.is.True(strings.HasPrefix(change.Properties["before"].Description, "Personal data of the before_id"))
	b.is.True(strings.HasPrefix(change.Properties["after"].Description, "Personal data of the after_id"))
	compiled := compile(t, "mem://settings", text, "")
	for data, fits := range map[string]bool{
		`{"name":"a","before":null,"after":"b","after_id":"1-1"}`: true, `{"name":"a","after_id":"1-1"}`: true, `{"name":"a","after":7}`: false, `{"after":"b"}`: false,
	} {
		err := validate(compiled, []byte(`{"organization_id":"`+string(org(1))+`","section":"billing","changes":[`+data+`]}`))
		b.is.Equal(err == nil, fits)
	}
}
