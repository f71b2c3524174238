package projections

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"tenure/domain"
	"tenure/domain/organization"
)

// Settings is the document of a section of an organization's settings.
type Settings struct {
	Section   organization.Section `json:"section"`
	Settings  map[string]string    `json:"settings"`
	ChangedAt *time.Time           `json:"changed_at,omitempty"` // missing as long as nothing was set
}

// settingsDoc is what the view keeps: with the values their ids, which say what of
// it is erased.
type settingsDoc struct {
	Settings
	Values map[string]domain.ValueID `json:"values,omitempty"` // by the names of the settings
}

const settingsView = "settings.v2"

// Settings returns the document of a section, nil where nothing was ever set.
func (r *Reader) Settings(ctx context.Context, org domain.OrganizationID, section organization.Section) ([]byte, error) {
	bodies, err := r.storage.Documents(ctx, settingsView, []Key{{string(org), string(section)}})
	if err != nil || bodies[0] == nil {
		return nil, err
	}
	var doc settingsDoc
	if err := json.Unmarshal(bodies[0], &doc); err != nil {
		return nil, err
	}
	return json.Marshal(doc.Settings)
}

func settings() View[settingsDoc] {
	return View[settingsDoc]{
		Name:  settingsView,
		Types: []string{"organization.settings_changed.", "organization.values_erased."},
		Touches: func(e Event) []Key {
			switch x := e.Event.(type) {
			case organization.SettingsChanged:
				return []Key{{string(x.OrganizationID), string(x.Section)}}
			case organization.ValuesErased:
				var keys []Key
				for _, section := range slices.Sorted(maps.Keys(organization.Sections())) {
					keys = append(keys, Key{string(x.OrganizationID), string(section)})
				}
				return keys
			}
			return nil
		},
		Fold: func(s *settingsDoc, in In[settingsDoc]) *settingsDoc {
			switch x := in.Event.Event.(type) {
			case organization.SettingsChanged:
				return s.change(x, in.Metadata.OccurredAt.UTC())
			case organization.ValuesErased:
				return s.erase(x.ValueIDs)
			}
			return s
		},
	}
}

func (s *settingsDoc) change(e organization.SettingsChanged, at time.Time) *settingsDoc {
	if s == nil {
		s = &settingsDoc{Settings: Settings{Section: e.Section, Settings: make(map[string]string)}}
	}
	if s.Values == nil {
		s.Values = make(map[string]domain.ValueID)
	}
	for _, change := range e.Changes {
		delete(s.Settings.Settings, change.Name)
		delete(s.Values, change.Name)
		if change.After == nil {
			continue
		}
		s.Settings.Settings[change.Name] = *change.After
		if change.AfterID != "" {
			s.Values[change.Name] = change.AfterID
		}
	}
	s.ChangedAt = &at
	return s
}

func (s *settingsDoc) erase(values []domain.ValueID) *settingsDoc {
	if s == nil {
		return nil
	}
	gone := make(map[domain.ValueID]bool, len(values))
	for _, id := range values {
		gone[id] = true
	}
	for name, id := range s.Values {
		if gone[id] {
			s.Settings.Settings[name] = domain.ErasedText
		}
	}
	return s
}
