package projectionstest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/apikey"
	"tenure/domain/invitation"
	"tenure/domain/mailing"
	"tenure/domain/organization"
	"tenure/domain/reservation"
	"tenure/eventstore/codec"
	"tenure/projections"
)

// model is all that the read models answer from, folded in the plainest way and
// kept in lists that are searched from end to end.
type model struct {
	members     []*modelMember
	invitations []*modelInvitation
	orgs        []*projections.Organization
	open        map[domain.InvitationID]domain.OrganizationID
	timeline    []modelEvent
	waiting     map[string]projections.Deadline
	keys        []*projections.APIKey
	checkpoints []*projections.Checkpoint
	active      map[domain.AccountID]time.Time // when a session was started last
	spaces      []*modelSpace
	work        []*modelWork
}

type modelMember struct {
	org domain.OrganizationID
	projections.Member
}

type modelInvitation struct {
	org domain.OrganizationID
	projections.Invitation
}

type modelEvent struct {
	org domain.OrganizationID
	projections.TimelineEntry
	moved map[domain.AccountID]projections.RolesMoved // by a change of policy
}

func newModel(events []codec.Envelope) *model {
	m := &model{open: map[domain.InvitationID]domain.OrganizationID{}, waiting: map[string]projections.Deadline{}, active: map[domain.AccountID]time.Time{}}
	for _, e := range events {
		if started, ok := e.Event.(account.SessionStarted); ok {
			m.active[started.AccountID] = e.Metadata.OccurredAt.UTC()
		}
		moved := m.move(e)
		m.foldMembers(e)
		m.foldInvited(e)
		m.foldSpaces(e)
		m.foldInvitations(e)
		m.foldOrganizations(e)
		m.foldTimeline(e, moved)
		m.foldWaiting(e)
		m.foldKeys(e)
		m.foldCheckpoints(e)
	}
	return m
}

func (m *model) member(org domain.OrganizationID, id domain.AccountID) *modelMember {
	for _, x := range m.members {
		if x.org == org && x.AccountID == id {
			return x
		}
	}
	return nil
}

func (m *model) join(org domain.OrganizationID, x projections.Member) {
	if before := m.member(org, x.AccountID); before != nil {
		before.Member = x
		return
	}
	m.members = append(m.members, &modelMember{org, x})
}

func (m *model) foldMembers(e codec.Envelope) {
	at := e.Metadata.OccurredAt
	switch x := e.Event.(type) {
	case organization.Activated:
		m.join(x.OrganizationID, projections.Member{
			AccountID: x.AccountID, Email: x.Email, Username: x.Username, DisplayName: x.DisplayName, Roles: x.Roles, Status: "active", JoinedAt: at,
		})
	case organization.MemberJoined:
		m.join(x.OrganizationID, projections.Member{
			AccountID: x.AccountID, Email: x.Email, Username: x.Username, DisplayName: x.DisplayName, Roles: x.Roles, Status: "active", JoinedAt: at,
			InvitedBy: x.InvitedBy, InvitationID: x.InvitationID, Spaces: x.Spaces,
		})
	case organization.JoinRequested:
		m.join(x.OrganizationID, projections.Member{
			AccountID: x.AccountID, Email: x.Email, DisplayName: x.DisplayName, Roles: []domain.Role{}, Status: projections.Pending, RequestedAt: &at,
		})
	case organization.JoinRequestClosed:
		m.members = slices.DeleteFunc(m.members, func(y *modelMember) bool { return y.org == x.OrganizationID && y.AccountID == x.AccountID })
	case organization.MemberSuspended:
		member := m.member(x.OrganizationID, x.AccountID)
		member.Status, member.SuspendedAt = "suspended", &at
	case organization.MemberReactivated:
		member := m.member(x.OrganizationID, x.AccountID)
		member.Status, member.SuspendedAt = "active", nil
	case organization.MemberRenamed:
		m.member(x.OrganizationID, x.AccountID).DisplayName = x.After
	case organization.RolesChanged:
		m.member(x.OrganizationID, x.AccountID).Roles = x.After
	case organization.MemberRemoved:
		member := m.member(x.OrganizationID, x.AccountID)
		member.Status, member.RemovedAt, member.SuspendedAt, member.Spaces = "removed", &at, nil, nil
	case organization.OwnershipTransferred:
		m.member(x.OrganizationID, x.From).Roles = x.FromAfter
		m.member(x.OrganizationID, x.To).Roles = x.ToAfter
	}
}

func (m *model) foldInvitations(e codec.Envelope) {
	at := e.Metadata.OccurredAt
	close := func(id domain.InvitationID, status invitation.Status) *projections.Invitation {
		for _, x := range m.invitations {
			if x.InvitationID == id {
				x.Status, x.ClosedAt = status, &at
				return &x.Invitation
			}
		}
		return nil
	}
	switch x := e.Event.(type) {
	case invitation.Issued:
		m.invitations = append(m.invitations, &modelInvitation{x.OrganizationID, projections.Invitation{
			InvitationID: x.InvitationID, Email: x.Email, Username: x.Username, Roles: x.Roles, Status: "pending", Generation: 1,
			InvitedBy: x.InvitedBy, Language: x.Language, IssuedAt: at, ExpiresAt: x.ExpiresAt,
		}})
	case invitation.Resent:
		i := close(x.InvitationID, "pending")
		i.ClosedAt, i.ResentAt, i.Generation, i.InvitedBy, i.ExpiresAt = nil, &at, x.Generation, x.InvitedBy, x.ExpiresAt
	case invitation.Accepted:
		close(x.InvitationID, "accepted").AcceptedBy = x.AccountID
	case invitation.Declined:
		close(x.InvitationID, "declined")
	case invitation.Revoked:
		close(x.InvitationID, "revoked")
	case invitation.Expired:
		close(x.InvitationID, "expired")
	}
}

func (m *model) org(id domain.OrganizationID) *projections.Organization {
	for _, o := range m.orgs {
		if o.OrganizationID == id {
			return o
		}
	}
	return nil
}

func (m *model) foldOrganizations(e codec.Envelope) {
	at := e.Metadata.OccurredAt
	switch x := e.Event.(type) {
	case organization.Activated:
		m.orgs = append(m.orgs, &projections.Organization{
			OrganizationID: x.OrganizationID, Name: x.Name, Policy: x.Policy, PolicyVersion: x.PolicyVersion, Status: "active", CreatedAt: at,
		})
	case organization.Renamed:
		m.org(x.OrganizationID).Name = x.After
	case organization.Deleted:
		o := m.org(x.OrganizationID)
		o.Status, o.DeletedAt = "deleted", &at
	case organization.InvitationOpened:
		m.open[x.InvitationID] = x.OrganizationID
	case organization.InvitationClosed:
		delete(m.open, x.InvitationID)
	case organization.MemberJoined:
		delete(m.open, x.InvitationID)
	case organization.OwnershipTransferRequested:
		m.org(x.OrganizationID).OwnershipTransfer = &projections.PendingTransfer{
			TransferID: x.TransferID, From: x.From, To: x.To, RequestedAt: at, ExpiresAt: x.ExpiresAt,
		}
	case organization.OwnershipTransferEnded:
		m.org(x.OrganizationID).OwnershipTransfer = nil
	case organization.OwnershipTransferred:
		m.org(x.OrganizationID).OwnershipTransfer = nil
	}
}

// organizations have their members and invitations counted.
func (m *model) organizations() []projections.Organization {
	var all []projections.Organization
	for _, o := range m.orgs {
		counted := *o
		for _, x := range m.members {
			switch {
			case x.org != o.OrganizationID:
			case x.Status == "active" && o.Status != "deleted":
				counted.Members++
			case x.Status == "suspended":
				counted.SuspendedMembers++
			}
		}
		for _, org := range m.open {
			if org == o.OrganizationID {
				counted.OpenInvitations++
			}
		}
		all = append(all, counted)
	}
	return all
}

func (m *model) foldTimeline(e codec.Envelope, moved map[domain.AccountID]projections.RolesMoved) {
	data, err := json.Marshal(e.Event)
	if err != nil {
		panic(err)
	}
	var subject struct {
		OrganizationID domain.OrganizationID `json:"organization_id"`
	}
	if err := json.Unmarshal(data, &subject); err != nil {
		panic(err)
	}
	stream, _, _ := strings.Cut(e.Event.EventType(), ".")
	if stream != "organization" && stream != "invitation" {
		return
	}
	m.timeline = append(m.timeline, modelEvent{moved: moved, org: subject.OrganizationID, TimelineEntry: projections.TimelineEntry{
		Position: e.Position, Stream: stream, Revision: e.Revision, Type: e.Event.EventType(), At: e.Metadata.OccurredAt,
		Actor: e.Metadata.Actor, Reason: e.Metadata.Reason, Correlation: e.Metadata.Correlation, CausedBy: e.Metadata.Causation, Data: data,
	}})
}

func (m *model) foldWaiting(e codec.Envelope) {
	eventID := uuid.UUID(e.ID).String()
	made := projections.Deadline{EventID: eventID, Position: e.Position, At: e.Metadata.OccurredAt}
	mail := made
	mail.Kind, mail.Due, mail.MailID = projections.MailDue, e.Metadata.OccurredAt, domain.MailID(eventID)
	switch x := e.Event.(type) {
	case account.VerificationRequested:
		mail.Template, mail.AccountID, mail.Generation = "verification", x.AccountID, x.Generation
	case account.PasswordResetRequested:
		mail.Template, mail.AccountID, mail.Generation = "password_reset", x.AccountID, x.Generation
	case account.RegistrationRepeated:
		mail.Template, mail.AccountID = "already_registered", x.AccountID
	case invitation.Issued:
		mail.Template, mail.OrganizationID, mail.InvitationID, mail.Generation = "invitation", x.OrganizationID, x.InvitationID, 1
		made.OrganizationID, made.InvitationID, made.Generation = x.OrganizationID, x.InvitationID, 1
		made.Kind, made.Due = projections.InvitationExpiry, x.ExpiresAt
		m.waiting[string(x.InvitationID)] = made
	case invitation.Resent:
		mail.Template, mail.OrganizationID, mail.InvitationID, mail.Generation = "invitation", x.OrganizationID, x.InvitationID, x.Generation
		made.OrganizationID, made.InvitationID, made.Generation = x.OrganizationID, x.InvitationID, x.Generation
		made.Kind, made.Due = projections.InvitationExpiry, x.ExpiresAt
		m.waiting[string(x.InvitationID)] = made
	case invitation.Accepted:
		delete(m.waiting, string(x.InvitationID))
	case invitation.Declined:
		delete(m.waiting, string(x.InvitationID))
	case invitation.Revoked:
		delete(m.waiting, string(x.InvitationID))
	case invitation.Expired:
		delete(m.waiting, string(x.InvitationID))
	case organization.OwnershipTransferRequested:
		mail.Template, mail.OrganizationID, mail.TransferID, mail.AccountID = "ownership_transfer", x.OrganizationID, x.TransferID, x.From
		made.Kind, made.Due, made.OrganizationID, made.TransferID, made.AccountID = projections.TransferExpiry, x.ExpiresAt, x.OrganizationID, x.TransferID, x.From
		m.waiting[string(x.TransferID)] = made
	case organization.OwnershipTransferEnded:
		delete(m.waiting, string(x.TransferID))
	case organization.OwnershipTransferred:
		delete(m.waiting, string(x.TransferID))
	case organization.JoinRequested:
		m.summedUp(x.OrganizationID, made, x.DigestAt)
	case organization.PolicyChanged:
		m.summedUp(x.OrganizationID, made, x.DigestAt)
	case organization.Deleted:
		delete(m.waiting, string(x.OrganizationID))
	case organization.RequestsSummarized:
		for _, to := range x.Recipients {
			one := mail
			one.MailID, one.Template, one.OrganizationID, one.AccountID = domain.MailID(eventID+"."+string(to)), "requests_digest", x.OrganizationID, to
			m.waiting[string(one.MailID)] = one
		}
		delete(m.waiting, string(x.OrganizationID))
		m.summedUp(x.OrganizationID, made, x.NextAt)
	case reservation.Made:
		made.Kind, made.Due, made.Reservation = projections.StaleReservation, x.ExpiresAt, &projections.Reservation{Kind: x.Kind, Key: x.Key, Holder: x.Holder}
		m.waiting[fmt.Sprint(x.Key, x.Attempt)] = made
	case reservation.Confirmed:
		delete(m.waiting, fmt.Sprint(x.Key, x.Attempt))
	case reservation.Released:
		delete(m.waiting, fmt.Sprint(x.Key, 0))
	case mailing.Sent:
		delete(m.waiting, string(x.MailID))
	case mailing.Abandoned:
		delete(m.waiting, string(x.MailID))
	}
	if mail.Template != "" {
		m.waiting[eventID] = mail
	}
}

// summedUp has an organization's open requests summed up at a time, if there is one.
func (m *model) summedUp(org domain.OrganizationID, made projections.Deadline, at time.Time) {
	if at.IsZero() {
		return
	}
	made.Kind, made.Due, made.OrganizationID = projections.DigestDue, at, org
	m.waiting[string(org)] = made
}

// due lists what waits, the most urgent first; what is due at the same time in
// the order of the documents' ids.
func (m *model) due(kind projections.DeadlineKind, now time.Time) []projections.Deadline {
	type keyed struct {
		key string
		projections.Deadline
	}
	var due []keyed
	for key, d := range m.waiting {
		if d.Kind == kind && !d.Due.After(now) {
			due = append(due, keyed{key, d})
		}
	}
	slices.SortFunc(due, func(a, b keyed) int { return cmp.Or(a.Due.Compare(b.Due), strings.Compare(a.key, b.key)) })
	var found []projections.Deadline
	for _, d := range due {
		found = append(found, d.Deadline)
	}
	return found
}

func (m *model) foldKeys(e codec.Envelope) {
	at := e.Metadata.OccurredAt
	switch x := e.Event.(type) {
	case apikey.Created:
		m.keys = append(m.keys, &projections.APIKey{APIKeyID: x.APIKeyID, Name: x.Name, Scopes: x.Scopes, CreatedAt: at, ExpiresAt: x.ExpiresAt})
	case apikey.Revoked:
		for _, k := range m.keys {
			if k.APIKeyID == x.APIKeyID {
				k.RevokedAt = &at
			}
		}
	}
}
