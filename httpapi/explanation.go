package httpapi

import (
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
)

// explanationBody is a commands.AccessExplanation as its JSON is.
type explanationBody struct {
	Revision  eventstore.Revision `json:"revision" doc:"Of the organization's stream: the decision rests on all events up to it."`
	Position  string              `json:"position" doc:"The position of the last of them."`
	Policy    explainedPolicy     `json:"policy"`
	GrantedBy []domain.Role       `json:"granted_by" doc:"The roles of the policy that have the permission."`
	Member    *explainedMember    `json:"member,omitempty" doc:"Missing for somebody who never was one."`
	Space     *explainedSpace     `json:"space,omitempty" doc:"Of a question about a space that the caller may know of."`
}

type explainedPolicy struct {
	Name    string         `json:"name"`
	Version int            `json:"version"`
	Since   explainedEvent `json:"since" doc:"The event that put it in force."`
}

type explainedMember struct {
	AccountID domain.AccountID    `json:"account_id"`
	Status    organization.Status `json:"status"`
	Invited   *explainedEvent     `json:"invited,omitempty" doc:"By whom: the invitation by which the member joined."`
	Joined    explainedEvent      `json:"joined" doc:"Since when: the event that made the account a member."`
	Changed   *explainedEvent     `json:"changed,omitempty" doc:"The event that gave the membership its status, where it was another one."`
	Roles     []explainedRole     `json:"roles"`
}

type explainedRole struct {
	Role   domain.Role    `json:"role"`
	Grants bool           `json:"grants" doc:"The role has the permission."`
	Given  explainedEvent `json:"given" doc:"The event that gave the member the role."`
}

type explainedSpace struct {
	SpaceID  domain.SpaceID  `json:"space_id"`
	OpenedBy []domain.Role   `json:"opened_by" doc:"The roles of the policy that open every space."`
	Created  *explainedEvent `json:"created,omitempty" doc:"Missing for who may not read the history."`
	Deleted  *explainedEvent `json:"deleted,omitempty" doc:"Missing while it is there."`
	Assigned *explainedEvent `json:"assigned,omitempty" doc:"The event that assigned it to the member."`
}

// explainedEvent names an event of the organization's history.
type explainedEvent struct {
	Position string              `json:"position"`
	Revision eventstore.Revision `json:"revision" doc:"In the organization's stream."`
	Type     string              `json:"type"`
	At       time.Time           `json:"at"`
	Actor    domain.Actor        `json:"actor" doc:"By whose decision."`
	Reason   string              `json:"reason,omitempty" doc:"The actor's own words."`
}

func shownExplanation(x *commands.AccessExplanation) *explanationBody {
	shown := &explanationBody{
		Revision: x.Revision, Position: digits(x.Position), GrantedBy: x.Granting,
		Policy: explainedPolicy{x.Policy, x.PolicyVersion, shownEvent(x.PolicyEvent)},
	}
	if x.Space != nil {
		shown.Space = &explainedSpace{
			SpaceID: x.Space.SpaceID, OpenedBy: x.Space.OpenedBy,
			Created: shownEventOrNone(x.Space.Created), Deleted: shownEventOrNone(x.Space.Deleted), Assigned: shownEventOrNone(x.Space.Assigned),
		}
	}
	if x.Member == nil {
		return shown
	}
	m := &explainedMember{
		AccountID: x.Member.AccountID, Status: x.Member.Status, Joined: shownEvent(x.Member.Joined),
		Invited: shownEventOrNone(x.Member.Invited), Changed: shownEventOrNone(x.Member.Changed), Roles: make([]explainedRole, len(x.Member.Roles)),
	}
	for i, r := range x.Member.Roles {
		m.Roles[i] = explainedRole{r.Role, r.Grants, shownEvent(r.Given)}
	}
	shown.Member = m
	return shown
}

func shownEvent(e commands.AccessEvent) explainedEvent {
	return explainedEvent{Position: digits(e.Position), Revision: e.Revision, Type: e.Type, At: e.At, Actor: e.Actor, Reason: e.Reason}
}

func shownEventOrNone(e *commands.AccessEvent) *explainedEvent {
	if e == nil {
		return nil
	}
	shown := shownEvent(*e)
	return &shown
}

func exampleExplanation() *explanationBody {
	event := func(revision eventstore.Revision, e domain.Event, by domain.AccountID, reason string) explainedEvent {
		return explainedEvent{
			Position: digits(eventstore.Position(1035 + revision)), Revision: revision, Type: e.EventType(), At: exampleTime(), Actor: domain.ByAccount(by), Reason: reason,
		}
	}
	invited := event(1, organization.InvitationOpened{}, exampleAda, "She writes our compiler.")
	return &explanationBody{
		Revision: 7, Position: "1042", GrantedBy: []domain.Role{"OWNER", "ADMIN"},
		Policy: explainedPolicy{"ownership", 1, event(0, organization.Activated{}, exampleAda, "")},
		Member: &explainedMember{
			AccountID: exampleGrace, Status: organization.Active, Invited: &invited, Joined: event(2, organization.MemberJoined{}, exampleGrace, ""),
			Roles: []explainedRole{{"ADMIN", true, event(7, exampleRolesChanged(), exampleAda, "Takes over the office in Paris.")}},
		},
	}
}
