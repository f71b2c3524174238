package organization

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tenure/domain"
	"tenure/domain/policy"
)

// Section names settings that are read and changed together, behind permissions
// of their own.
type Section string

// The sections.
const (
	SectionGeneral       Section = "settings"
	SectionBilling       Section = "billing"
	SectionSubscriptions Section = "subscriptions"
	SectionPlatforms     Section = "platforms"
	SectionTrials        Section = "trials"
)

// SectionAccess is what it takes to read and to change a section.
type SectionAccess struct{ Read, Change domain.Permission }

// Sections lists all of them.
func Sections() map[Section]SectionAccess {
	return map[Section]SectionAccess{
		SectionGeneral:       {domain.ReadSettings, domain.UpdateSettings},
		SectionBilling:       {domain.ReadBilling, domain.ManageBilling},
		SectionSubscriptions: {domain.ReadSubscriptions, domain.ManageSubscriptions},
		SectionPlatforms:     {domain.ReadPlatforms, domain.ManagePlatforms},
		SectionTrials:        {domain.ReadSubscriptions, domain.StartTrials},
	}
}

// Guards are the permissions that it takes to read sections, sorted.
func Guards() []domain.Permission {
	var all []domain.Permission
	for _, access := range Sections() {
		all = append(all, access.Read)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var _ domain.Guarded = SettingsChanged{}

// Guard implements domain.Guarded.
func (e SettingsChanged) Guard() domain.Permission { return Sections()[e.Section].Read }

// Withheld implements domain.Guarded.
func (e SettingsChanged) Withheld() domain.Event {
	e.Changes, e.ValuesWithheld = []SettingChange{}, true
	return e
}

// SettingChange is one setting before and after; nil is none. A value may be about
// anybody: it has an id of its own, from when it is set until it is replaced, under
// which it is erased. Values without one were set before values had ids.
type SettingChange struct {
	Name     string         `json:"name"`
	Before   *string        `json:"before" personal:"before_id" erased:"text"`
	After    *string        `json:"after" personal:"after_id" erased:"text"`
	BeforeID domain.ValueID `json:"before_id,omitempty"`
	AfterID  domain.ValueID `json:"after_id,omitempty"`
}

// Setting is the value of a setting, and its id.
type Setting struct {
	Value string
	ID    domain.ValueID
}

// Bounds of the settings of a section.
const (
	MaxSettings        = 200
	MaxSettingNameSize = 100    // characters of a name: ASCII letters, digits, "_", "-" and "."
	MaxSettingsSize    = 48_000 // bytes of all names and values together
)

// ChangeSettings makes the settings of a section these, and no others. The ids of new
// values are made of the id of the change. It fails with CodeNotFound,
// CodePermissionDenied and CodeInvalid.
func ChangeSettings(s State, p *policy.Policy, by domain.Actor, section Section, settings map[string]string, id string) ([]domain.Event, error) {
	access, ok := Sections()[section]
	if !ok {
		return nil, domain.Refuse(domain.CodeNotFound, "No such settings", "Use one of the sections that the documentation lists.")
	}
	if _, err := Authorize(s, p, by, access.Change); err != nil {
		return nil, err
	}
	if err := checkSettings(settings); err != nil {
		return nil, err
	}
	before := s.Settings(section)
	var changes []SettingChange
	for name, old := range before {
		if _, kept := settings[name]; !kept {
			changes = append(changes, SettingChange{Name: name, Before: &old.Value, BeforeID: old.ID})
		}
	}
	for name, value := range settings {
		old, had := before[name]
		switch {
		case !had:
			changes = append(changes, SettingChange{Name: name, After: &value})
		case old.Value != value:
			changes = append(changes, SettingChange{Name: name, Before: &old.Value, BeforeID: old.ID, After: &value})
		}
	}
	if len(changes) == 0 {
		return nil, nil
	}
	slices.SortFunc(changes, func(a, b SettingChange) int { return cmp.Compare(a.Name, b.Name) })
	for i := range changes {
		if changes[i].After != nil {
			changes[i].AfterID = domain.ValueID(fmt.Sprintf("%s-%d", id, i+1))
		}
	}
	return []domain.Event{SettingsChanged{OrganizationID: s.ID, Section: section, Changes: changes}}, nil
}

func checkSettings(settings map[string]string) error {
	if len(settings) > MaxSettings {
		return domain.Invalid("settings", fmt.Sprintf("Give at most %d settings.", MaxSettings))
	}
	size := 0
	for name, value := range settings {
		if name == "" || len(name) > MaxSettingNameSize || strings.ContainsFunc(name, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-.", r)
		}) {
			return domain.Invalid("settings", fmt.Sprintf("Name each setting with 1 to %d letters, digits, _, - and . of ASCII.", MaxSettingNameSize))
		}
		size += len(name) + len(value)
	}
	if size > MaxSettingsSize {
		return domain.Invalid("settings", fmt.Sprintf("Give at most %d bytes of names and values together.", MaxSettingsSize))
	}
	return nil
}

// Settings are those of a section. Do not change the result.
func (s State) Settings(section Section) map[string]Setting { return s.settings[section] }

// Delete ends the organization; its history stays (D9). ReleaseOfDeleted releases the
// work in it. It fails with CodeNotFound and CodePermissionDenied.
func Delete(s State, p *policy.Policy, by domain.Actor) ([]domain.Event, error) {
	if _, err := Authorize(s, p, by, domain.DeleteOrganization); err != nil {
		return nil, err
	}
	events := []domain.Event{Deleted{OrganizationID: s.ID, Name: s.Name}}
	if s.Transfer != nil {
		events = append([]domain.Event{s.endTransfer("voided")}, events...)
	}
	return events, nil
}

// checkOpen refuses what is done to an organization that is not there any more.
func (s State) checkOpen() error {
	switch {
	case !s.Exists():
		return domain.Refuse(domain.CodeNotFound, "No such organization", "Check the id.")
	case s.Deleted:
		return organizationDeleted()
	}
	return nil
}

func organizationDeleted() error {
	return domain.Refuse(domain.CodeOrganizationClosed, "Organization deleted", "It is gone for everybody; its history stays with the operator.")
}

func (s State) changeSettings(e SettingsChanged) State {
	section := maps.Clone(s.settings[e.Section])
	if section == nil {
		section = make(map[string]Setting)
	}
	for _, change := range e.Changes {
		delete(section, change.Name)
		if change.After != nil {
			section[change.Name] = Setting{Value: *change.After, ID: change.AfterID}
		}
	}
	settings := maps.Clone(s.settings)
	if settings == nil {
		settings = make(map[Section]map[string]Setting)
	}
	settings[e.Section] = section
	s.settings = settings
	return s
}
