package history

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/eventstore/codec"
	"tenure/projections"
)

// Every event of a timeline is told, and by fields that it has.
func TestEveryEventOfATimelineHasWords(t *testing.T) {
	c := codec.New()
	for _, name := range c.WireNames() {
		if !strings.HasPrefix(name, "organization.") && !strings.HasPrefix(name, "invitation.") {
			continue
		}
		told, ok := words[name]
		if !ok {
			t.Errorf("%s has no words", name)
			continue
		}
		var fields []string
		form := c.Form(name)
		for i := range form.NumField() {
			field, _, _ := strings.Cut(form.Field(i).Tag.Get("json"), ",")
			fields = append(fields, field)
		}
		named := slices.Concat(told.gone, told.made)
		for _, place := range regexp.MustCompile(`{(\w+)}`).FindAllStringSubmatch(told.text, -1) {
			named = append(named, place[1])
		}
		for _, field := range named {
			if !slices.Contains(fields, field) {
				t.Errorf("%s is told by %s, which it does not have", name, field)
			}
		}
	}
}

func TestStepsAreToldInNames(t *testing.T) {
	is := is.New(t)
	teller := teller{names: make(map[string]string)}
	tell := func(eventType, data string, by domain.Actor) Step {
		s, err := teller.tell(projections.TimelineEntry{Type: eventType, Data: json.RawMessage(data), Actor: by, At: time.Unix(1, 0)})
		is.NoErr(err)
		return s
	}
	ada := domain.ByAccount("a")
	s := tell("organization.activated.v1", `{"organization_id":"o","name":"Engines","account_id":"a","display_name":"Ada","roles":["OWNER"]}`, ada)
	is.Equal([]string{s.Words, s.By, s.Decider()}, []string{"The organization “Engines” was founded by Ada", "Ada", "Ada (a)"})
	s = tell("organization.invitation_opened.v1", `{"invitation_id":"i","email":"g@example.com","roles":["USER"],"invited_by":"a","generation":1}`, ada)
	is.Equal(s.Words, "g@example.com was invited by Ada, link 1")
	s = tell("organization.member_joined.v1", `{"account_id":"g","display_name":"Grace","roles":["USER"],"invitation_id":"i"}`, domain.ByAccount("g"))
	is.Equal(s.Words, "Grace became a member")
	s = tell("organization.roles_changed.v1", `{"account_id":"g","before":["USER"],"after":["ADMIN","USER"]}`, ada)
	is.Equal(s.Changes, []Became{{"roles", "USER", "ADMIN, USER"}})
	s = tell("organization.member_renamed.v1", `{"account_id":"g","before":"Grace","after":"Grace Hopper"}`, domain.ByProcess("names"))
	is.Equal([]any{s.By, s.Decider(), s.Words, s.Changes[0].After}, []any{"process names", "process names", "Grace has another name", "Grace Hopper"})
	s = tell("organization.ownership_transferred.v1", `{"from":"a","from_before":["OWNER"],"from_after":["ADMIN"],"to":"g","to_before":["ADMIN"],"to_after":["OWNER"]}`, ada)
	is.Equal(s.Words, "The ownership went from Ada to Grace Hopper")
	is.Equal(s.Changes, []Became{{"Ada", "OWNER", "ADMIN"}, {"Grace Hopper", "ADMIN", "OWNER"}})
	s = tell("organization.settings_changed.v1", `{"section":"billing","changes":[{"name":"iban","before":null,"after":"DE1"}]}`, ada)
	is.Equal(s.Changes, []Became{{"iban", "", "DE1"}})
	s = tell("organization.space_renamed.v1", `{"space_id":"s","before":"Old","after":"New"}`, ada)
	is.Equal(s.Changes, []Became{{"name", "Old", "New"}})
	s = tell("organization.spaces_assigned.v1", `{"account_id":"g","before":[],"after":["s"]}`, ada)
	is.Equal(s.Changes, []Became{{"spaces", "", "New"}})
	s = tell("something.else.v1", `{"before":1,"after":2}`, ada) // of a newer program
	is.Equal(s.Words, "something.else.v1")
	_, err := teller.tell(projections.TimelineEntry{Data: json.RawMessage(`[]`)})
	is.True(err != nil)
}

func TestRangesHaveBothEnds(t *testing.T) {
	is := is.New(t)
	at := time.Unix(100, 0)
	for _, c := range []struct {
		in   Range
		want bool
	}{
		{Range{}, true},
		{Range{From: Moment{Position: 7}, Until: Moment{Position: 7}}, true},
		{Range{From: Moment{Position: 8}}, false},
		{Range{Until: Moment{Position: 6}}, false},
		{Range{From: Moment{Instant: at}, Until: Moment{Instant: at}}, true},
		{Range{From: Moment{Instant: at.Add(1)}}, false},
		{Range{Until: Moment{Instant: at.Add(-1)}}, false},
		{Range{From: Moment{Instant: at}, Until: Moment{Position: 6}}, false},
	} {
		is.Equal(c.in.has(7, at), c.want)
	}
}
