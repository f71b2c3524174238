package organization

import (
	"fmt"
	"slices"
	"tenure/domain"
	"tenure/domain/policy"
)

// Suspend keeps a member out, with everything that is theirs kept (M7). It fails
// with CodeNotFound, CodePermissionDenied, CodeMemberRemoved, CodeOwnerProtected,
// CodeSelfRemoval, CodeMemberProtected and CodeLastAdmin.
func Suspend(s State, p *policy.Policy, by domain.Actor, account domain.AccountID) ([]domain.Event, error) {
	actor, err := Authorize(s, p, by, domain.SuspendMembers)
	if err != nil {
		return nil, err
	}
	if oneself(p, by, actor, account) {
		return nil, p.Refuse(domain.CodeSelfRemoval, "You cannot suspend yourself", "Ask another administrator to suspend you.")
	}
	member, err := s.manageable(p, actor, account, "Transfer the ownership first.")
	if err != nil {
		return nil, err
	}
	switch {
	case member.Status == Suspended:
		return nil, nil
	case p.AdminLike(member.Roles) && s.admins(p) <= p.Members.MinimumAdmins:
		return nil, lastAdmin(p)
	}
	events := []domain.Event{MemberSuspended{OrganizationID: s.ID, AccountID: account, Roles: member.Roles}}
	if p.Work.ReleasedOnSuspension {
		events = append(events, s.releaseAll(account, member, "suspended")...)
	}
	return append(events, s.voidTransferOf(account)...), nil
}

// Reactivate lets a suspended member in again. It fails with CodeNotFound,
// CodePermissionDenied, CodeMemberRemoved and CodeMemberProtected.
func Reactivate(s State, p *policy.Policy, by domain.Actor, account domain.AccountID) ([]domain.Event, error) {
	actor, err := Authorize(s, p, by, domain.SuspendMembers)
	if err != nil {
		return nil, err
	}
	member, err := s.manageable(p, actor, account, "The owner is active.")
	if err != nil || member.Status == Active {
		return nil, err
	}
	return []domain.Event{MemberReactivated{OrganizationID: s.ID, AccountID: account, Roles: member.Roles}}, nil
}

// ResetPassword has a temporary password made for a member (M6): for an account
// that the organization made, which the caller says, or whose owner has joined by
// asking or by an invitation. Who had an account before, and was added unasked,
// has left it to nobody. Whether the account matters to other organizations is for
// the caller to check. It fails with CodeNotFound, CodePermissionDenied,
// CodeMemberRemoved, CodeOwnerProtected, CodeMemberProtected and CodeMemberElsewhere.
func ResetPassword(s State, p *policy.Policy, by domain.Actor, account domain.AccountID, made bool) ([]domain.Event, error) {
	actor, err := Authorize(s, p, by, domain.ResetPasswords)
	if err != nil {
		return nil, err
	}
	member, err := s.manageable(p, actor, account, "The owner asks for a link to set a new password.")
	if err != nil {
		return nil, err
	}
	if by == domain.ByAccount(account) { // a stolen session must not be worth a password
		return nil, p.Refuse(domain.CodeMemberProtected, "Your own password", "Change your password with the old one, or ask for a link to set a new one.")
	}
	if member.added && !made {
		return nil, p.Refuse(domain.CodeMemberElsewhere, "An account of their own", "The person had the account before they were added. Have them ask for a link to set a new password, at sign-in.")
	}
	return []domain.Event{PasswordReset{OrganizationID: s.ID, AccountID: account}}, nil
}

// voidTransferOf ends a pending transfer that the member is a side of.
func (s State) voidTransferOf(account domain.AccountID) []domain.Event {
	if s.Transfer == nil || (s.Transfer.To != account && s.Transfer.From != account) {
		return nil
	}
	return []domain.Event{s.endTransfer("voided")}
}

// checkMovedSuspended refuses what nobody could end any more.
func checkMovedSuspended(_, after State, _, to *policy.Policy) error {
	suspended := 0
	after.eachMember(func(_ domain.AccountID, m Member) {
		if m.Status == Suspended {
			suspended++
		}
	})
	if suspended == 0 || slices.ContainsFunc(to.Roles, func(r policy.Role) bool { return to.Allows([]domain.Role{r.Name}, domain.SuspendMembers) }) {
		return nil
	}
	return impossible(fmt.Sprintf("Reactivate or remove the members who are suspended first, of whom there are %d; no role of the policy may.", suspended))
}
