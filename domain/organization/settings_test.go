package organization_test

import (
	"fmt"
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/organization"
)

// changeAs is changeSettings with the id of the change.
func changeAs(id string, settings map[string]string) decision {
	return func(s State) ([]domain.Event, error) {
		return ChangeSettings(s, delegated, by(biller), SectionBilling, settings, id)
	}
}

func eraseValues(ids ...domain.ValueID) decision {
	return func(s State) ([]domain.Event, error) { return EraseValues(s, ids), nil }
}

func text(s string) *string { return &s }

func billed(changes ...SettingChange) domain.Event {
	return SettingsChanged{OrganizationID: org, Section: SectionBilling, Changes: changes}
}

func TestSettingsSayWhatChanged(t *testing.T) {
	is := is.New(t)
	first := domaintest.Given(t, Evolve, delegating()...).When(changeAs("one", map[string]string{"vat": "1", "city": "Bern"})).Then(billed(
		SettingChange{Name: "city", After: text("Bern"), AfterID: "one-1"}, SettingChange{Name: "vat", After: text("1"), AfterID: "one-2"}))
	is.Equal(first.State.Settings(SectionBilling), map[string]Setting{"vat": {"1", "one-2"}, "city": {"Bern", "one-1"}})
	is.Equal(len(first.State.Settings(SectionGeneral)), 0)
	first.When(changeAs("two", map[string]string{"vat": "1", "city": "Bern"})).Then()
	next := first.When(changeAs("two", map[string]string{"vat": "2", "street": ""})).Then(billed(
		SettingChange{Name: "city", Before: text("Bern"), BeforeID: "one-1"}, SettingChange{Name: "street", After: text(""), AfterID: "two-2"},
		SettingChange{Name: "vat", Before: text("1"), BeforeID: "one-2", After: text("2"), AfterID: "two-3"}))
	is.Equal(next.State.Settings(SectionBilling), map[string]Setting{"vat": {"2", "two-3"}, "street": {"", "two-2"}})
	is.Equal(first.State.Settings(SectionBilling), map[string]Setting{"vat": {"1", "one-2"}, "city": {"Bern", "one-1"}})

	// A value that was set before values had ids has none; what replaces it has one.
	older := domaintest.Given(t, Evolve, append(delegating(), billed(SettingChange{Name: "city", After: text("Bern")}, SettingChange{Name: "vat", After: text("1")}))...)
	older.When(changeAs("two", map[string]string{"city": "Bern", "vat": "2"})).Then(billed(SettingChange{Name: "vat", Before: text("1"), After: text("2"), AfterID: "two-1"}))
	older.When(eraseValues("")).Then() // that names no value
}

func TestErasingValues(t *testing.T) {
	is := is.New(t)
	gone := func(ids ...domain.ValueID) domain.Event {
		return ValuesErased{OrganizationID: org, ValueIDs: ids}
	}
	set := domaintest.Given(t, Evolve, delegating()...).When(changeAs("one", map[string]string{"contact": "Ada", "vat": "1"})).Then(billed(
		SettingChange{Name: "contact", After: text("Ada"), AfterID: "one-1"}, SettingChange{Name: "vat", After: text("1"), AfterID: "one-2"}))
	erased := set.When(eraseValues("one-1", "older-7", "one-1")).Then(gone("one-1", "older-7"))
	is.Equal(erased.State.Settings(SectionBilling), map[string]Setting{"contact": {domain.ErasedText, "one-1"}, "vat": {"1", "one-2"}})
	is.Equal(set.State.Settings(SectionBilling)["contact"].Value, "Ada")
	erased.When(eraseValues("older-7", "one-1")).Then()
	erased.When(eraseValues("older-7", "one-2")).Then(gone("one-2"))
	domaintest.Given(t, Evolve).When(eraseValues("one-1")).Then()

	// Who sends everything back as it reads changes nothing, and sets it anew besides.
	erased.When(changeAs("two", map[string]string{"contact": domain.ErasedText, "vat": "1"})).Then()
	anew := erased.When(changeAs("two", map[string]string{"contact": "Grace", "vat": "1"})).Then(billed(
		SettingChange{Name: "contact", Before: text(domain.ErasedText), BeforeID: "one-1", After: text("Grace"), AfterID: "two-1"}))
	anew.When(eraseValues("one-1")).Then()
	is.Equal(anew.State.Settings(SectionBilling)["contact"].Value, "Grace")

	var many []domain.ValueID
	for i := range 2500 {
		many = append(many, domain.ValueID(fmt.Sprint(i)))
	}
	is.Equal(len(EraseValues(set.State, many)), 3)
}

func TestAbandonedOrganizations(t *testing.T) {
	is := is.New(t)
	after := func(s domaintest.Example[State], decisions ...decision) bool {
		for _, decide := range decisions {
			events, err := decide(s.State)
			is.NoErr(err)
			for _, e := range events {
				s.State = Evolve(s.State, e)
			}
		}
		return s.State.Abandoned()
	}
	alone, staff := domaintest.Given(t, Evolve, staffed()[:1]...), domaintest.Given(t, Evolve, staffed()...)
	ended := func(State) ([]domain.Event, error) {
		return []domain.Event{Deleted{OrganizationID: org, Name: "Acme"}}, nil
	}
	is.True(!after(alone))
	is.True(after(alone, erase(owner)))
	is.True(after(alone, ended, erase(owner))) // had ended before
	is.True(!after(staff, ended))
	is.True(!after(staff, erase(owner)))
	is.True(!after(staff, erase(owner), ended, erase(user))) // others are left
	is.True(!(State{}).Abandoned())
}
