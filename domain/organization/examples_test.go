package organization_test

import (
	"time"

	"tenure/domain"
	. "tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/policies"
)

// The people of the examples are named after their roles.
const (
	org     domain.OrganizationID = "org"
	owner   domain.AccountID      = "owner"
	admin   domain.AccountID      = "admin"
	user    domain.AccountID      = "user"
	viewer  domain.AccountID      = "viewer"
	former  domain.AccountID      = "former"
	nobody  domain.AccountID      = "nobody"
	invited domain.InvitationID   = "invited"
	request domain.TransferID     = "request"
)

var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

	ownership = builtin("ownership")

	// flat has no owner, a role that manages only some, and roles to combine.
	flat = &policy.Policy{
		Name: "flat", Version: 3,
		Roles: []policy.Role{
			{
				Name: "BOSS", AdminLike: true, Grants: []domain.Role{"BOSS", "LEAD", "HAND"}, Manages: []domain.Role{"BOSS", "LEAD", "HAND"},
				Permissions: []domain.Permission{domain.InviteMembers, domain.ChangeRoles, domain.RemoveMembers, domain.TransferOwnership},
			},
			{
				Name: "LEAD", Grants: []domain.Role{"HAND"}, Manages: []domain.Role{"HAND", "LEAD"},
				Permissions: []domain.Permission{domain.InviteMembers, domain.ChangeRoles, domain.RemoveMembers},
			},
			{Name: "HAND"},
		},
		Members:     policy.Members{FounderRoles: []domain.Role{"BOSS"}, SeveralRoles: true, MinimumAdmins: 1, MayRemoveOneself: true},
		Invitations: policy.Invitations{Lifetime: time.Hour},
	}
)

func builtin(name string) *policy.Policy {
	p, _ := policies.Builtin().Latest(name)
	return p
}

func by(id domain.AccountID) domain.Actor { return domain.ByAccount(id) }

func activated(p *policy.Policy) domain.Event {
	return Activated{
		OrganizationID: org, Name: "Acme", Policy: p.Name, PolicyVersion: p.Version,
		AccountID: owner, Email: "owner@example.com", Username: "owner", DisplayName: "The owner", Roles: p.Members.FounderRoles,
	}
}

// joined makes a member with e-mail and username of its own.
func joined(id domain.AccountID, roles ...domain.Role) domain.Event {
	return MemberJoined{
		OrganizationID: org, AccountID: id, Email: domain.Email(id + "@example.com"), Username: domain.Username(id),
		DisplayName: "The " + string(id), Roles: roles, InvitationID: domain.InvitationID("invitation of " + id), InvitedBy: owner,
	}
}

// opened is an invitation of newcomer@example.com by the admin.
func opened(id domain.InvitationID, generation int, roles ...domain.Role) InvitationOpened {
	return InvitationOpened{
		OrganizationID: org, InvitationID: id, Generation: generation, Email: "newcomer@example.com", Username: "newcomer",
		Roles: roles, Language: "en", InvitedBy: admin, ExpiresAt: noon.Add(7 * 24 * time.Hour),
	}
}

func removed(id domain.AccountID, roles ...domain.Role) domain.Event {
	return MemberRemoved{OrganizationID: org, AccountID: id, Roles: roles}
}

func requested(to domain.AccountID) domain.Event {
	return OwnershipTransferRequested{OrganizationID: org, TransferID: request, From: owner, To: to, ExpiresAt: noon.Add(24 * time.Hour)}
}

// staffed is an organization of the ownership policy with a member of each role,
// and a former one.
func staffed(more ...domain.Event) []domain.Event {
	return append([]domain.Event{
		activated(ownership), joined(admin, "ADMIN"), joined(user, "USER"), joined(viewer, "VIEWER"),
		joined(former, "ADMIN"), removed(former, "ADMIN"),
	}, more...)
}

// levelled is an organization of the flat policy.
func levelled(more ...domain.Event) []domain.Event {
	return append([]domain.Event{activated(flat), joined(user, "HAND"), joined(viewer, "LEAD")}, more...)
}

func newcomer(roles ...domain.Role) Invitee {
	return Invitee{InvitationID: invited, Email: "newcomer@example.com", Username: "newcomer", Roles: roles, Language: "en"}
}

type decision = func(State) ([]domain.Event, error)

func activate(p *policy.Policy, username domain.Username) decision {
	return func(s State) ([]domain.Event, error) {
		return Activate(s, p, Activation{
			OrganizationID: org, Name: "Acme", AccountID: owner, Email: "owner@example.com", Username: username, DisplayName: "The owner",
		})
	}
}

func rename(actor domain.Actor, name domain.OrganizationName) decision {
	return func(s State) ([]domain.Event, error) { return Rename(s, ownership, actor, name) }
}

func authorize(actor domain.Actor, permission domain.Permission) decision {
	return func(s State) ([]domain.Event, error) {
		_, err := Authorize(s, ownership, actor, permission)
		return nil, err
	}
}

func invite(p *policy.Policy, actor domain.AccountID, in Invitee) decision {
	return func(s State) ([]domain.Event, error) { return Invite(s, p, by(actor), in, noon) }
}

func resend(p *policy.Policy, actor domain.AccountID, in Invitee, generation int) decision {
	return func(s State) ([]domain.Event, error) { return Resend(s, p, by(actor), in, generation, noon) }
}

func authorizeRevocation(p *policy.Policy, actor domain.AccountID, roles ...domain.Role) decision {
	return func(s State) ([]domain.Event, error) { return nil, AuthorizeRevocation(s, p, by(actor), roles) }
}

func checkAdmission(p *policy.Policy, id domain.InvitationID) decision {
	return func(s State) ([]domain.Event, error) { return nil, CheckAdmission(s, p, id) }
}

func changeRoles(p *policy.Policy, actor, account domain.AccountID, roles ...domain.Role) decision {
	return func(s State) ([]domain.Event, error) { return ChangeRoles(s, p, by(actor), account, roles) }
}

func remove(p *policy.Policy, actor, account domain.AccountID) decision {
	return func(s State) ([]domain.Event, error) { return Remove(s, p, by(actor), account) }
}

func requestTransfer(p *policy.Policy, actor, to domain.AccountID, at time.Time) decision {
	return func(s State) ([]domain.Event, error) { return RequestTransfer(s, p, by(actor), "next", to, at) }
}

func cancelTransfer(actor domain.AccountID) decision {
	return func(s State) ([]domain.Event, error) { return CancelTransfer(s, ownership, by(actor)) }
}

func confirmTransfer(id domain.TransferID, at time.Time) decision {
	return func(s State) ([]domain.Event, error) { return ConfirmTransfer(s, ownership, id, at) }
}
