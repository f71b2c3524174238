package projections

import (
	"context"
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

const settingsView = "settings.v1"

// Settings returns the document of a section, nil where nothing was ever set.
func (r *Reader) Settings(ctx context.Context, org domain.OrganizationID, section organization.Section) ([]byte, error) {
	bodies, err := r.storage.Documents(ctx, settingsView, []Key{{string(org), string(section)}})
	if err != nil {
		return nil, err
	}
	return bodies[0], nil
}

func settings() View[Settings] {
	return View[Settings]{
		Name:  settingsView,
		Types: []string{"organization.settings_changed."},
		Touches: func(e Event) []Key {
			x, ok := e.Event.(organization.SettingsChanged)
			if !ok {
				return nil
			}
			return []Key{{string(x.OrganizationID), string(x.Section)}}
		},
		Fold: func(s *Settings, in In[Settings]) *Settings {
			x := in.Event.Event.(organization.SettingsChanged)
			if s == nil {
				s = &Settings{Section: x.Section, Settings: make(map[string]string)}
			}
			for _, change := range x.Changes {
				delete(s.Settings, change.Name)
				if change.After != nil {
					s.Settings[change.Name] = *change.After
				}
			}
			at := in.Metadata.OccurredAt.UTC()
			s.ChangedAt = &at
			return s
		},
	}
}
