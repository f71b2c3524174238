package organization

import (
	"maps"
	"slices"

	"tenure/domain"
)

// ValuesErased says that values of settings, of now or of the past, are erased: they
// were about a person who is, or belonged to an organization of which nobody is left.
// They read domain.ErasedText from then on, until somebody sets them anew; what the
// log holds of them opens no more. The ids tell nothing about the values, so that
// whoever has a value may know that it is to be forgotten.
type ValuesErased struct {
	OrganizationID domain.OrganizationID `json:"organization_id"`
	ValueIDs       []domain.ValueID      `json:"value_ids"`
}

// EventType implements domain.Event.
func (ValuesErased) EventType() string { return "organization.values_erased.v1" }

// mostValues bounds an event.
const mostValues = 1000

// EraseValues erases values of settings. It never fails, in an organization that has
// ended neither, and does nothing twice.
func EraseValues(s State, values []domain.ValueID) []domain.Event {
	if !s.Exists() {
		return nil
	}
	news := make([]domain.ValueID, 0, len(values))
	seen := make(map[domain.ValueID]bool, len(values))
	for _, id := range values {
		if _, done := get(s.erasedValues, id); !done && !seen[id] && id != "" {
			news = append(news, id)
		}
		seen[id] = true
	}
	var events []domain.Event
	for part := range slices.Chunk(news, mostValues) {
		events = append(events, ValuesErased{OrganizationID: s.ID, ValueIDs: part})
	}
	return events
}

// Abandoned reports whether the organization has ended and everybody was erased who
// was a member then: nobody is left whose its settings could be.
func (s State) Abandoned() bool {
	if !s.Deleted || s.erased == nil || s.members == nil {
		return false
	}
	for itr := s.members.Iterator(); !itr.Done(); {
		id, m, _ := itr.Next()
		if _, erased := get(s.erased, id); m.Present() && !erased {
			return false
		}
	}
	return true
}

func (s State) eraseValues(e ValuesErased) State {
	gone := make(map[domain.ValueID]bool, len(e.ValueIDs))
	for _, id := range e.ValueIDs {
		gone[id] = true
		s.erasedValues = set(s.erasedValues, id, true)
	}
	settings := maps.Clone(s.settings)
	for section, values := range settings {
		settings[section] = make(map[string]Setting, len(values))
		for name, setting := range values {
			if gone[setting.ID] {
				setting.Value = domain.ErasedText
			}
			settings[section][name] = setting
		}
	}
	s.settings = settings
	return s
}
