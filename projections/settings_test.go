package projections_test

import (
	"encoding/json"
	"testing"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/projections"
)

// What is erased reads as erased where it is the value of now, in every section, and
// the values' ids are shown to nobody.
func TestSettingsWhoseValuesAreErased(t *testing.T) {
	f := newFixture(t)
	value := func(name, after string, id domain.ValueID) organization.SettingChange {
		return organization.SettingChange{Name: name, After: &after, AfterID: id}
	}
	changed := func(section organization.Section, changes ...organization.SettingChange) domain.Event {
		return organization.SettingsChanged{OrganizationID: org, Section: section, Changes: changes}
	}
	f.append(activated(),
		changed(organization.SectionBilling, value("contact", "Ada", "1-1"), value("vat", "4711", "1-2"), value("plan", "large", "")),
		changed(organization.SectionGeneral, value("mail", "ada@example.com", "2-1"), value("zone", "Europe/Vienna", "2-2")),
		changed(organization.SectionGeneral, value("mail", "grace@example.com", "3-1"), organization.SettingChange{Name: "zone"}),
		organization.ValuesErased{OrganizationID: org, ValueIDs: []domain.ValueID{"1-1", "2-1", "2-2"}},
		changed(organization.SectionBilling, value("vat", "4712", "4-1")))
	r := f.reader()
	for section, want := range map[organization.Section]map[string]string{
		organization.SectionBilling: {"contact": domain.ErasedText, "vat": "4712", "plan": "large"},
		organization.SectionGeneral: {"mail": "grace@example.com"},
	} {
		text, err := r.Settings(t.Context(), org, section)
		f.is.NoErr(err)
		var members map[string]json.RawMessage
		f.is.NoErr(json.Unmarshal(text, &members))
		f.is.Equal(len(members), 3) // and nothing else
		var shown projections.Settings
		f.is.NoErr(json.Unmarshal(text, &shown))
		f.is.Equal(shown.Section, section)
		f.is.Equal(shown.Settings, want)
		f.is.True(shown.ChangedAt != nil)
	}
	none, err := r.Settings(t.Context(), org, organization.SectionTrials)
	f.is.NoErr(err)
	f.is.Equal(none, nil)
}
