package httpapi

import (
	"encoding/json"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// Receipt is what every command answers with.
type Receipt struct {
	Events   []writtenEvent       `json:"events" doc:"The events that the command wrote, or with dry_run would write: to the organization, its invitations, the account. None when everything was as wanted already. What others do because of it later, such as mails, is not among them."`
	Revision *eventstore.Revision `json:"revision,omitempty" doc:"Of what the command changed, or with dry_run would change; the ETag says the same." example:"7"`
	DryRun   bool                 `json:"dry_run" doc:"Nothing was written."`
}

type writtenEvent struct {
	Type string         `json:"type" example:"organization.roles_changed.v1"`
	Data map[string]any `json:"data" doc:"What has changed, with the values before and after."`
}

// events knows which fields of an event may be shown.
var events = codec.New()

// receiptOf shows a receipt. It fails for an event that the log cannot hold.
func receiptOf(r commands.Receipt) (Receipt, error) {
	shown := Receipt{Events: make([]writtenEvent, len(r.Events)), DryRun: r.DryRun}
	for i, e := range r.Events {
		text, err := events.Public(e)
		if err != nil {
			return Receipt{}, err
		}
		shown.Events[i].Type = e.EventType()
		if err := json.Unmarshal(text, &shown.Events[i].Data); err != nil {
			return Receipt{}, err
		}
	}
	if r.Exists {
		shown.Revision = &r.Revision
	}
	return shown, nil
}

// withoutEvents shows a receipt of a person's account, whose events are nobody's
// business.
func withoutEvents(r commands.Receipt) Receipt {
	shown := Receipt{Events: []writtenEvent{}, DryRun: r.DryRun}
	if r.Exists {
		shown.Revision = &r.Revision
	}
	return shown
}

// commanded answers a command: body shows its receipt, as embeds it.
func commanded(r commands.Receipt, err error, as func(Receipt) any) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	shown, err := receiptOf(r)
	if err != nil {
		return answer{}, err
	}
	return answer{body: as(shown), position: r.Position, etag: etagOf(r)}, nil
}

// plainly answers with the receipt alone.
func plainly(r Receipt) any { return r }

// etagOf is empty for a dry run: nothing has the revision yet that it would lead to.
func etagOf(r commands.Receipt) string {
	if !r.Exists || r.DryRun {
		return ""
	}
	return etag(r.Revision)
}

func exampleReceipt(events ...domain.Event) Receipt {
	revision := eventstore.Revision(7)
	r, err := receiptOf(commands.Receipt{Events: events, Revision: revision, Exists: true})
	if err != nil {
		panic(err) // the examples are events of the log
	}
	return r
}

// The values in the examples of the OpenAPI document.
const (
	exampleOrganization = "0190d5a1-7c3e-7b4a-9d2f-1e6b8a4c0d11"
	exampleAda          = "0190d5a1-8a52-7f10-b1c3-5d7e9f2a4b22"
	exampleGrace        = "0190d5a1-93d4-7c21-a2d4-6e8f0a3b5c33"
	exampleInvitation   = "0190d5a1-a1b6-7d32-93e5-7f901b4c6d44"
	exampleTransfer     = "0190d5a1-b2c8-7e43-84f6-8091ac5d7e55"
	exampleKey          = "0190d5a1-c3da-7f54-9507-91a2bd6e8f66"
	exampleSpace        = "0190d5a1-e5fd-7176-b729-b3c4df80a188"
	exampleSession      = "0190d5a1-d4ec-7065-a618-a2b3ce7f9077"
)

func exampleRolesChanged() domain.Event {
	return organization.RolesChanged{OrganizationID: exampleOrganization, AccountID: exampleGrace, Before: []domain.Role{"USER"}, After: []domain.Role{"ADMIN"}}
}
