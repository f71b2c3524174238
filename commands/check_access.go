package commands

import (
	"context"
	"errors"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/eventstore"
)

// AccessQuestion asks whether somebody may do something in an organization (X3),
// or in one of its spaces.
type AccessQuestion struct {
	Organization domain.OrganizationID
	Account      domain.AccountID // who it is about; or
	Email        domain.Email     // whose account has this address
	Permission   domain.Permission
	Space        *domain.SpaceID // that they have to be able to enter as well; nil for none
}

// AccessDecision is the answer to an AccessQuestion.
type AccessDecision struct {
	Allowed bool
	Reason  AccessReason
	Message string // what to do, one sentence, in the policy's words where it has them; empty when allowed

	// Position is at or after the organization's last event that the decision
	// rests on; zero for an organization without events.
	Position eventstore.Position

	// Explanation is there when it was asked for, and there is something that
	// the caller may know.
	Explanation *AccessExplanation
}

// AccessReason says why a decision is as it is. Clients match on it; it never
// changes its meaning.
type AccessReason string

// The reasons of decisions. A member who is not active is refused with
// "member_" and the status, for example "member_removed".
const (
	AccessAllowed             AccessReason = "allowed"              // one of the member's roles has the permission
	AccessPermissionMissing   AccessReason = "permission_missing"   // none of them has it, but another role of the policy
	AccessPermissionUnknown   AccessReason = "permission_unknown"   // no role of the policy has it
	AccessNotMember           AccessReason = "not_a_member"         // never was one
	AccessOrganizationUnknown AccessReason = "organization_unknown" // there is no such organization
	AccessUnproven            AccessReason = "email_unverified"     // an administrator elsewhere has known the password; this is a personal space
	AccessSpaceUnknown        AccessReason = "space_unknown"        // there is no such space, or it was deleted
	AccessSpaceNotAssigned    AccessReason = "space_not_assigned"   // and no role of the member opens every space
)

// AccessCheck decides the questions of one request. All about one organization
// rest on the same events. It is for one goroutine.
type AccessCheck struct {
	commands *Commands
	by       domain.Actor
	explain  bool
	past     func(context.Context, domain.OrganizationID) (Trail, error) // nil for the present
	views    map[domain.OrganizationID]*accessView
}

// accessView is an organization as a check sees it.
type accessView struct {
	state    organization.State
	policy   *policy.Policy
	position eventstore.Position
	trail    *trail      // with explanations only
	caller   *accessView // what decides on who asks; the view itself but for the past
	events   map[eventstore.Revision]AccessEvent
}

// CheckAccess begins to decide questions of one caller; with explain the
// decisions say which events made them so.
func (c *Commands) CheckAccess(by domain.Actor, explain bool) *AccessCheck {
	return &AccessCheck{commands: c, by: by, explain: explain, views: make(map[domain.OrganizationID]*accessView, 1)}
}

// Decide answers a question from what is in the log by now, so that a member
// who was removed, on whatever node, is refused at once.
//
// An account may ask about itself, and where it has members.read about the
// members of that organization; with explanations history.read as well. It
// fails with CodePermissionDenied otherwise, which says nothing about whether
// there is such an organization. Whoever else asks has been let in to ask about
// everybody.
func (k *AccessCheck) Decide(ctx context.Context, q AccessQuestion) (AccessDecision, error) {
	v, err := k.view(ctx, q.Organization)
	if err != nil {
		return AccessDecision{}, err
	}
	subject, err := k.subject(ctx, q)
	if err != nil {
		return AccessDecision{}, err
	}
	self, err := k.admit(v.caller, subject)
	if err != nil {
		return AccessDecision{}, err
	}
	// To who does not belong, the organization does not exist.
	unknown := AccessDecision{Reason: AccessNotMember, Message: notMember}
	if k.past != nil {
		if _, active := v.caller.state.ActiveMember(subject); self && !active {
			return unknown, nil
		}
		if err := k.lookBack(ctx, q.Organization, v); err != nil {
			return AccessDecision{}, err
		}
	}
	d, belongs, err := v.decide(subject, q, self)
	if err != nil {
		return AccessDecision{}, err
	}
	if d.Allowed && v.state.Personal { // whose password somebody else knows does not get into it
		who, _, err := k.commands.accounts.load(ctx, string(subject))
		if err != nil {
			return AccessDecision{}, err
		}
		if err := account.CheckEnters(who, q.Organization); err != nil {
			d.Allowed, d.Reason, d.Message = false, AccessUnproven, "Have the person ask for a link to set a new password; the link in the mail proves that the address is theirs."
		}
	}
	if self && !belongs {
		return unknown, nil
	}
	_, active := v.state.ActiveMember(subject)
	if k.explain && v.state.Exists() && (active || !self) {
		d.Explanation, err = k.explanation(ctx, v, subject, q, self)
	}
	return d, err
}

// view loads the organization, once.
func (k *AccessCheck) view(ctx context.Context, org domain.OrganizationID) (*accessView, error) {
	if v, ok := k.views[org]; ok {
		return v, nil
	}
	v := &accessView{events: make(map[eventstore.Revision]AccessEvent)}
	v.caller = v
	if k.explain && k.past == nil {
		s, err := k.commands.trails.latest(ctx, string(org))
		if err != nil {
			return nil, err
		}
		v.state, v.position, v.trail = s.state.State, s.position, &s.state
	} else {
		s, err := k.commands.organizations.latest(ctx, string(org))
		if err != nil {
			return nil, err
		}
		v.state, v.position = s.state, s.position
	}
	var err error
	v.policy, err = k.commands.rules(v.state)
	k.views[org] = v
	return v, err
}

// subject is the account that a question is about; empty for none.
func (k *AccessCheck) subject(ctx context.Context, q AccessQuestion) (domain.AccountID, error) {
	if q.Email == "" {
		return q.Account, nil
	}
	s, err := k.commands.accountByEmail(ctx, q.Email)
	return s.ID, err
}

// admit refuses a caller who may not ask this.
func (k *AccessCheck) admit(v *accessView, subject domain.AccountID) (self bool, err error) {
	caller, ok := k.by.Account()
	if !ok || caller == subject {
		return ok, nil
	}
	needed := []domain.Permission{domain.ReadMembers}
	if k.explain || k.past != nil {
		needed = append(needed, domain.ReadHistory)
	}
	for _, permission := range needed {
		if _, err := organization.Authorize(v.state, v.policy, k.by, permission); err != nil {
			return false, domain.Refuse(domain.CodePermissionDenied, "Permission denied",
				"Ask about yourself, or about an organization where your role allows "+string(permission)+".")
		}
	}
	return false, nil
}

const notMember = "Check both ids, or invite the person."

// decide says whether the subject may, and if not why; belongs is false for
// whom the organization does not exist.
func (v *accessView) decide(subject domain.AccountID, q AccessQuestion, self bool) (d AccessDecision, belongs bool, err error) {
	err = v.authorize(subject, q)
	if err == nil {
		d = v.decideSpace(subject, q, self)
		d.Position = v.position
		return d, true, nil
	}
	var refusal *domain.Error
	if !errors.As(err, &refusal) {
		return AccessDecision{}, false, err
	}
	member, known := v.state.Member(subject)
	_, active := v.state.ActiveMember(subject)
	belongs = refusal.Code != domain.CodeNotFound
	d = AccessDecision{Message: refusal.Message, Position: v.position}
	switch {
	case !v.state.Exists():
		d.Reason, d.Message = AccessOrganizationUnknown, "Check the organization's id."
	case !known:
		d.Reason, d.Message = AccessNotMember, notMember
	case !active:
		d.Reason = AccessReason("member_" + member.Status)
		if !belongs {
			d.Message = "The membership is " + string(member.Status) + "; invite the person again."
		}
	case refusal.Code != domain.CodePermissionDenied:
		d.Reason = AccessReason(refusal.Code)
	case len(v.granting(q)) == 0:
		d.Reason, d.Message = AccessPermissionUnknown, "Check the name of the action; no role of the organization's policy allows it."
	default:
		d.Reason = AccessPermissionMissing
	}
	return d, belongs, nil
}

// granting lists the roles of the policy that have the permission.
func (v *accessView) granting(q AccessQuestion) []domain.Role {
	return v.roles(func(role domain.Role) bool { return v.grants(role, q) })
}

func (v *accessView) roles(have func(domain.Role) bool) []domain.Role {
	roles := []domain.Role{}
	for _, role := range v.policy.Roles {
		if have(role.Name) {
			roles = append(roles, role.Name)
		}
	}
	return roles
}
