package httpapi

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/projections"
)

type settingsBody struct {
	Settings map[string]string `json:"settings" doc:"All settings of the section from now on: texts by their names. At most 200, named with at most 100 of the characters A to Z, a to z, 0 to 9, _, - and .; at most 48000 bytes of names and texts together."`
	Reason   string            `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

// addSettings adds two routes for each section.
func (a *API) addSettings() {
	about := map[organization.Section]string{
		organization.SectionGeneral:       "general settings",
		organization.SectionBilling:       "billing information",
		organization.SectionSubscriptions: "subscription",
		organization.SectionPlatforms:     "platforms",
		organization.SectionTrials:        "trials",
	}
	sections := organization.Sections()
	for _, section := range slices.Sorted(maps.Keys(sections)) {
		path, subject, access := "/v1/organizations/{org}/"+string(section), about[section], sections[section]
		before, after, at := "Bern", "Basel", exampleTime()
		add(a, route{
			id: "get-" + string(section), method: http.MethodGet, path: path, tag: "Settings", access: Member(access.Read), status: http.StatusOK, etag: true,
			summary: fmt.Sprintf("The organization's %s", subject), description: "Texts by their names, which mean something to the host product alone. One that was about a person who is erased reads [erased] until it is set anew.",
			response: projections.Settings{Section: section, Settings: map[string]string{"city": after}, ChangedAt: &at},
		}, a.getSettings(section))
		add(a, route{
			id: "change-" + string(section), method: http.MethodPut, path: path, tag: "Settings", access: Member(access.Change), status: http.StatusOK, etag: true,
			summary: fmt.Sprintf("Change the organization's %s", subject), description: "What is not in the request goes away. The history shows what was there before, to those who may read the section: put no secrets here.",
			request: settingsBody{Settings: map[string]string{"city": after}},
			response: exampleReceipt(organization.SettingsChanged{
				OrganizationID: exampleOrganization, Section: section, Changes: []organization.SettingChange{{
					Name: "city", Before: &before, After: &after, BeforeID: "0192d2a1-7f5e-7c3a-9a41-000000000021-1", AfterID: "0192d2a1-7f5e-7c3a-9a41-000000000022-1",
				}},
			}),
		}, a.changeSettings(section))
	}
}

func (a *API) getSettings(section organization.Section) func(context.Context, *call, *struct {
	OrgPath
	AsOfInput
	ViewHeaders
}) (answer, error) {
	return func(ctx context.Context, c *call, _ *struct {
		OrgPath
		AsOfInput
		ViewHeaders
	}) (answer, error) {
		tag, err := a.currentETag(ctx, c.membership.Expected)
		if err != nil {
			return answer{}, err
		}
		document, err := a.reader(c).Settings(ctx, c.organization(), section)
		if err != nil || document != nil {
			return answer{raw: document, etag: tag}, err
		}
		return answer{body: projections.Settings{Section: section, Settings: map[string]string{}}, etag: tag}, nil
	}
}

func (a *API) changeSettings(section organization.Section) func(context.Context, *call, *struct {
	OrgPath
	CommandHeaders
	Body settingsBody
}) (answer, error) {
	return func(ctx context.Context, c *call, in *struct {
		OrgPath
		CommandHeaders
		Body settingsBody
	}) (answer, error) {
		do, r, err := a.request(c, in.Body.Reason)
		if err != nil {
			return answer{}, err
		}
		done, err := do.ChangeSettings(ctx, r, c.organization(), section, in.Body.Settings)
		if err == nil {
			done.Events = a.shownToChanger(ctx, c, done.Events)
		}
		return commanded(done, err, plainly)
	}
}

// shownToChanger withholds what was there before from who may change a section and
// not read it; from whoever is no member any more when a retry gets the first answer.
func (a *API) shownToChanger(ctx context.Context, c *call, events []domain.Event) []domain.Event {
	m, _ := a.config.Commands.AuthorizeMember(ctx, c.actor(), c.organization())
	shown := make([]domain.Event, len(events))
	for i, e := range events {
		shown[i] = domain.ShownTo(e, func(p domain.Permission) bool { return allowed(m, p) })
	}
	return shown
}

func (a *API) addDeletion() {
	add(a, route{
		id: "delete-organization", method: http.MethodDelete, path: "/v1/organizations/{org}", tag: "Organizations", access: Member(domain.DeleteOrganization), status: http.StatusOK, etag: true,
		summary: "Delete an organization", description: "Nobody has access from then on, and its name is free. Its history stays readable to keys with the scope organizations.read.",
		request:  reasonBody{"The company was dissolved."},
		response: exampleReceipt(organization.Deleted{OrganizationID: exampleOrganization, Name: "Analytical Engines"}),
	}, a.deleteOrganization)
}

func (a *API) deleteOrganization(ctx context.Context, c *call, in *struct {
	OrgPath
	CommandHeaders
	Body *reasonBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.reason())
	if err != nil {
		return answer{}, err
	}
	done, err := do.DeleteOrganization(ctx, r, c.organization())
	return commanded(done, err, plainly)
}
