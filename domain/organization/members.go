package organization

import (
	"errors"
	"slices"

	"tenure/domain"
	"tenure/domain/policy"
)

// Activation founds an organization. Name and EmailDomain are reserved by the
// caller, except that a personal space goes by any name.
type Activation struct {
	OrganizationID domain.OrganizationID
	Name           domain.OrganizationName
	AccountID      domain.AccountID
	Email          domain.Email
	Username       domain.Username
	DisplayName    string
	EmailDomain    string // empty for none
}

// Activate founds the organization with its founder as the first member (O1).
// It fails with CodeUsernameNeeded, and with CodeInvalid for an id in use.
func Activate(s State, p *policy.Policy, a Activation) ([]domain.Event, error) {
	if s.Exists() {
		return nil, domain.Invalid("organization_id", "Choose another id; this one is in use.")
	}
	if err := checkUsername(p, a.Username); err != nil {
		return nil, err
	}
	events := []domain.Event{Activated{
		OrganizationID: a.OrganizationID, Name: a.Name, Policy: p.Name, PolicyVersion: p.Version,
		AccountID: a.AccountID, Email: a.Email, Username: a.Username, DisplayName: a.DisplayName,
		Roles: p.Members.FounderRoles, Personal: p.Members.Personal,
	}}
	if a.EmailDomain != "" {
		events = append(events, EmailDomainChanged{OrganizationID: a.OrganizationID, After: a.EmailDomain})
	}
	if p.Requests != nil && p.Requests.AutoActivate {
		events = append(events, AutoActivationChanged{OrganizationID: a.OrganizationID, After: true})
	}
	return events, nil
}

// Rename changes the name, which the caller has reserved. It fails with
// CodeNotFound and CodePermissionDenied.
func Rename(s State, p *policy.Policy, by domain.Actor, name domain.OrganizationName) ([]domain.Event, error) {
	if _, err := Authorize(s, p, by, domain.UpdateOrganization); err != nil {
		return nil, err
	}
	if s.Name == name {
		return nil, nil
	}
	if s.Personal {
		holder, _ := by.Account()
		return []domain.Event{PersonalSpaceRenamed{OrganizationID: s.ID, AccountID: holder, Before: s.Name, After: name}}, nil
	}
	return []domain.Event{Renamed{OrganizationID: s.ID, Before: s.Name, After: name}}, nil
}

// Authorize answers with the actor's membership when the actor is an active
// member with the permission. To anybody who is not a member the organization
// does not exist (CodeNotFound); a member without the permission gets
// CodePermissionDenied, a suspended one CodeMemberSuspended, and one of an
// organization that was deleted CodeOrganizationClosed.
func Authorize(s State, p *policy.Policy, by domain.Actor, permission domain.Permission) (Member, error) {
	m, err := AuthorizeMember(s, by)
	switch {
	case errors.Is(err, &domain.Error{Code: domain.CodeMemberSuspended}):
		return Member{}, suspended(p)
	case err != nil:
		return Member{}, err
	}
	if !p.Allows(m.Roles, permission) {
		return Member{}, p.Refuse(domain.CodePermissionDenied, "Permission denied",
			"Ask an administrator of the organization for a role that allows "+string(permission)+".")
	}
	return m, nil
}

// AuthorizeMember answers with the actor's membership, whatever it allows. It
// fails with CodeNotFound, CodeMemberSuspended and CodeOrganizationClosed.
func AuthorizeMember(s State, by domain.Actor) (Member, error) {
	account, ok := by.Account()
	m, active := s.ActiveMember(account)
	switch {
	case ok && s.Deleted && m.Present():
		return Member{}, organizationDeleted()
	case ok && m.Status == Suspended:
		return Member{}, domain.Refuse(domain.CodeMemberSuspended, "Membership suspended", "Ask an administrator of the organization to reactivate it.")
	case !ok || !active || !s.Exists():
		return Member{}, domain.Refuse(domain.CodeNotFound, "No such organization", "Check the id; you see the organizations that you are a member of.")
	}
	return m, nil
}

// ChangeRoles gives a member other roles (O4). It fails with CodeNotFound,
// CodePermissionDenied, CodeMemberRemoved, CodeOwnerProtected, CodeRoleCount,
// CodeRoleUnknown, CodeRoleNotGranted, CodeMemberProtected, CodeOwnRolesFixed and
// CodeLastAdmin.
//
// Work in spaces that the member may not enter any more is released.
func ChangeRoles(s State, p *policy.Policy, by domain.Actor, account domain.AccountID, roles []domain.Role) ([]domain.Event, error) {
	events, err := s.changedRoles(p, by, account, roles)
	return s.releaseLost(p, account, events), err
}

func (s State) changedRoles(p *policy.Policy, by domain.Actor, account domain.AccountID, roles []domain.Role) ([]domain.Event, error) {
	actor, err := Authorize(s, p, by, domain.ChangeRoles)
	if err != nil {
		return nil, err
	}
	if oneself(p, by, actor, account) && p.Members.OwnRolesFixed {
		return nil, p.Refuse(domain.CodeOwnRolesFixed, "You cannot change your own roles", "Ask another administrator to change them.")
	}
	member, err := s.manageable(p, actor, account, "Use the ownership transfer to change the owner's role.")
	if err != nil {
		return nil, err
	}
	if err := checkRoles(p, actor, roles); err != nil {
		return nil, err
	}
	if domain.SameRoles(member.Roles, roles) {
		return nil, nil
	}
	if !p.AdminLike(roles) {
		if err := s.checkAdmins(p, by, account, member); err != nil {
			return nil, err
		}
	}
	events := []domain.Event{RolesChanged{OrganizationID: s.ID, AccountID: account, Before: member.Roles, After: slices.Clone(roles)}}
	if s.Transfer != nil && s.Transfer.To == account && !p.MayBecomeOwner(roles) {
		events = append(events, s.endTransfer("voided"))
	}
	return events, nil
}

// Remove ends a membership (O7). It fails with CodeNotFound, CodePermissionDenied,
// CodeMemberRemoved, CodeOwnerProtected, CodeSelfRemoval, CodeMemberProtected and
// CodeLastAdmin.
//
// Where the policy lets members remove themselves, that takes no permission: they
// leave, also while they are suspended. The last one stays, since nobody could do
// anything in the organization any more; nobody leaves a personal space
// (CodeNotOffered).
func Remove(s State, p *policy.Policy, by domain.Actor, account domain.AccountID) ([]domain.Event, error) {
	leaves := by == domain.ByAccount(account) && p.Members.MayRemoveOneself
	member, err := s.removable(p, by, account, leaves)
	if err != nil {
		return nil, err
	}
	if err := s.checkAdmins(p, by, account, member); err != nil {
		return nil, err
	}
	// The work goes first: it is the member's until then.
	events, removed := s.releaseAll(account, member, "removed"), s.removed(account, member)
	removed.Left = leaves
	return append(append(events, removed), s.voidTransferOf(account)...), nil
}

// removable finds the member that an actor wants to remove, or who leaves.
func (s State) removable(p *policy.Policy, by domain.Actor, account domain.AccountID, leaves bool) (Member, error) {
	const aboutOwner = "Transfer the ownership first."
	if leaves {
		return s.leaving(p, by, account, aboutOwner)
	}
	actor, err := Authorize(s, p, by, domain.RemoveMembers)
	if err != nil {
		return Member{}, err
	}
	if oneself(p, by, actor, account) {
		return Member{}, p.Refuse(domain.CodeSelfRemoval, "You cannot remove yourself", "Ask another administrator to remove you.")
	}
	return s.manageable(p, actor, account, aboutOwner)
}

// leaving finds the member who leaves. An active one leaves another active one
// behind, a suspended one anybody.
func (s State) leaving(p *policy.Policy, by domain.Actor, account domain.AccountID, aboutOwner string) (Member, error) {
	if _, err := AuthorizeMember(s, by); err != nil && !errors.Is(err, &domain.Error{Code: domain.CodeMemberSuspended}) {
		return Member{}, err
	}
	member, _ := s.Member(account)
	others := s.ActiveMembers() - 1
	if member.Status == Suspended {
		others += s.suspended
	}
	switch {
	case s.Personal:
		return Member{}, notOffered(p, "Nobody leaves their own space; it ends with the account.")
	case p.Owns(member.Roles):
		return Member{}, p.Refuse(domain.CodeOwnerProtected, "The owner is protected", aboutOwner)
	case others <= 0:
		return Member{}, domain.Refuse(domain.CodeLastAdmin, "Last member", "Have the organization deleted, or let somebody in who stays.")
	}
	return member, nil
}

func (s State) removed(account domain.AccountID, member Member) MemberRemoved {
	removed := MemberRemoved{OrganizationID: s.ID, AccountID: account, Roles: member.Roles}
	if spaces := s.SpacesOf(member); len(spaces) > 0 {
		removed.Spaces = spaces
	}
	return removed
}

// RenameMember follows the account's display name; it never fails.
func RenameMember(s State, account domain.AccountID, name string) []domain.Event {
	m, _ := s.Member(account)
	if !m.Present() || m.DisplayName == name || s.Deleted {
		return nil
	}
	return []domain.Event{MemberRenamed{OrganizationID: s.ID, AccountID: account, Before: m.DisplayName, After: name}}
}

// oneself reports whether an actor means themself, whatever roles they manage. What
// the owner needs to hear is another thing: nobody else could do it either.
func oneself(p *policy.Policy, by domain.Actor, actor Member, account domain.AccountID) bool {
	return by == domain.ByAccount(account) && !p.Owns(actor.Roles)
}

// manageable finds the member that an actor wants to change or remove.
func (s State) manageable(p *policy.Policy, actor Member, account domain.AccountID, aboutOwner string) (Member, error) {
	member, err := s.presentMember(p, account)
	switch {
	case err != nil:
		return Member{}, err
	case p.Owns(member.Roles):
		return Member{}, p.Refuse(domain.CodeOwnerProtected, "The owner is protected", aboutOwner)
	case !p.MayManage(actor.Roles, member.Roles):
		return Member{}, p.Refuse(domain.CodeMemberProtected, "You cannot manage this member", "Ask somebody whose role manages the member's role.")
	}
	return member, nil
}

// presentMember finds one who is a member, suspended or not.
func (s State) presentMember(p *policy.Policy, account domain.AccountID) (Member, error) {
	member, ok := s.Member(account)
	switch {
	case !ok:
		return Member{}, domain.Refuse(domain.CodeNotFound, "No such member", "Look the member up in the list of members.")
	case member.Status == Removed:
		return Member{}, p.Refuse(domain.CodeMemberRemoved, "Removed users cannot be modified", "Invite the person again.")
	}
	return member, nil
}

func (s State) admins(p *policy.Policy) int { return s.count(p.AdminLike) }

// checkAdmins refuses that a member stops being an administrator when too few
// remain. Somebody who gives it up themself leaves it to administrators who came by
// their own decision: whoever was added unasked, and did nothing since, would be
// held fast as the last one. One of those may take it from them.
func (s State) checkAdmins(p *policy.Policy, by domain.Actor, account domain.AccountID, member Member) error {
	if member.Status != Active || !p.AdminLike(member.Roles) {
		return nil
	}
	if s.admins(p) <= p.Members.MinimumAdmins {
		return lastAdmin(p)
	}
	if by != domain.ByAccount(account) || member.added || p.Members.MinimumAdmins == 0 {
		return nil
	}
	own := 0
	s.eachMember(func(_ domain.AccountID, m Member) {
		if m.Status == Active && !m.added && p.AdminLike(m.Roles) {
			own++
		}
	})
	if own <= p.Members.MinimumAdmins {
		return domain.Refuse(domain.CodeLastAdmin, "Last administrator", "The other administrators were added without being asked: have one of them change your roles or remove you, or invite one who takes it on.")
	}
	return nil
}

// checkRoles refuses roles that the policy does not have or the actor may not give.
func checkRoles(p *policy.Policy, actor Member, roles []domain.Role) error {
	switch {
	case len(roles) == 0 && p.Members.MayHaveNoRole:
		return nil
	case len(roles) == 0 && p.Members.SeveralRoles:
		return &domain.Error{Code: domain.CodeRoleCount, Title: "Wrong number of roles", Field: "roles", Message: "Give at least one role."}
	case len(roles) != 1 && !p.Members.SeveralRoles:
		return &domain.Error{Code: domain.CodeRoleCount, Title: "Wrong number of roles", Field: "roles", Message: "Give exactly one role."}
	}
	for i, role := range roles {
		if _, ok := p.Role(role); !ok {
			return &domain.Error{Code: domain.CodeRoleUnknown, Title: "Unknown role", Field: "roles", Message: "Use one of the policy's roles."}
		}
		if slices.Contains(roles[:i], role) {
			return &domain.Error{Code: domain.CodeRoleCount, Title: "Wrong number of roles", Field: "roles", Message: "Give each role once."}
		}
		if !p.MayGrant(actor.Roles, role) {
			return p.Refuse(domain.CodeRoleNotGranted, "You cannot give this role", "Choose a role that your own role may give.")
		}
	}
	return nil
}

func checkUsername(p *policy.Policy, username domain.Username) error {
	if username == "" && p.Invitations.UsernameRequired {
		return &domain.Error{Code: domain.CodeUsernameNeeded, Title: "Username missing", Field: "username", Message: "Give a username; this organization identifies its members by one."}
	}
	return nil
}

func lastAdmin(p *policy.Policy) error {
	return p.Refuse(domain.CodeLastAdmin, "Last administrator", "Give another active member an administrator's role first.")
}
