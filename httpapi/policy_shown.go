package httpapi

import (
	"context"
	"net/http"
	"time"

	"tenure/domain"
	"tenure/domain/policy"
)

// policyBody is a policy as its document has it, but that a role is shown with
// what the roles that it implies add, and without the words of refusals, which
// come with each.
type policyBody struct {
	Policy      string             `json:"policy" example:"ownership"`
	Version     int                `json:"version" example:"1"`
	Summary     string             `json:"summary" doc:"One line for people."`
	Roles       []policyRole       `json:"roles"`
	YourGrants  []domain.Role      `json:"your_grants" doc:"The roles that the caller may invite to and give; none for an operator."`
	YourManages []domain.Role      `json:"your_manages" doc:"The caller may change and remove those who hold no other roles than these; none for an operator."`
	Members     policyMembers      `json:"members"`
	Ownership   *policyOwnership   `json:"ownership,omitempty" doc:"Left out where nobody owns the organization."`
	Invitations *policyInvitations `json:"invitations,omitempty" doc:"Left out where nobody is invited: in a personal space."`
	Requests    *policyRequests    `json:"requests,omitempty" doc:"Left out where nobody asks to join."`
	Additions   *policyAdditions   `json:"additions,omitempty" doc:"Left out where nobody is added without an invitation."`
	Spaces      *policySpaces      `json:"spaces,omitempty" doc:"Left out where the organization has no spaces."`
	Work        policyWork         `json:"work"`
}

type policyRole struct {
	Role        domain.Role         `json:"role" example:"ADMIN"`
	Summary     string              `json:"summary" doc:"What it is for."`
	Permissions []domain.Permission `json:"permissions" doc:"What its holder may do, what the roles that it implies allow included."`
	Owner       bool                `json:"owner,omitempty" doc:"Exactly one member has it, and it changes hands by the ownership transfer alone."`
	Grants      []domain.Role       `json:"grants" doc:"The roles that its holder may invite to and give."`
	Manages     []domain.Role       `json:"manages" doc:"Its holder may change and remove those who hold no other roles than these."`
	Implies     []domain.Role       `json:"implies" doc:"The roles that its holder holds as well."`
	AdminLike   bool                `json:"admin_like" doc:"It counts as an administrator's."`
	AllSpaces   bool                `json:"all_spaces" doc:"Its holder may enter every space."`
	Exclusive   bool                `json:"exclusive" doc:"An account holds it, or another exclusive role, in one organization at most."`
}

type policyMembers struct {
	FounderRoles     []domain.Role       `json:"founder_roles" doc:"What the first member gets."`
	SeveralRoles     bool                `json:"several_roles" doc:"A member may hold more than one role."`
	MayHaveNoRole    bool                `json:"may_have_no_role" doc:"A member may hold none."`
	MinimumAdmins    int                 `json:"minimum_admins" doc:"Active administrators that always remain." example:"1"`
	MayRemoveOneself bool                `json:"may_remove_oneself" doc:"Members may leave by their own decision, whatever their roles allow, but for the last one."`
	OwnRolesFixed    bool                `json:"own_roles_fixed" doc:"Nobody changes their own roles."`
	Permissions      []domain.Permission `json:"permissions" doc:"What every member may do, whatever their roles. They are among those of each role."`
	Seats            int                 `json:"seats,omitempty" doc:"Members that an organization may have unless its operator says otherwise; those of this one are its limits. Left out for any number." example:"10"`
	Personal         bool                `json:"personal" doc:"The organization is somebody's own space, with no other member ever."`
}

type policyOwnership struct {
	Role                 domain.Role   `json:"role" example:"OWNER"`
	Candidates           []domain.Role `json:"candidates" doc:"Who holds no other roles than these may become the owner."`
	PreviousOwnerBecomes domain.Role   `json:"previous_owner_becomes" example:"ADMIN"`
	TransferLifetime     int           `json:"transfer_lifetime_seconds" doc:"How long a transfer waits for its confirmation." example:"86400"`
}

type policyInvitations struct {
	Lifetime                int      `json:"lifetime_seconds" doc:"How long a link is good." example:"604800"`
	UsernameRequired        bool     `json:"username_required" doc:"Founding and inviting take a username."`
	RevokeWhenInviterLeaves bool     `json:"revoke_when_inviter_leaves" doc:"Invitations are revoked when their sender is removed or suspended."`
	LinkInAnswer            bool     `json:"link_in_answer" doc:"The answer to the invite has the link, to be passed on by hand."`
	Providers               []string `json:"providers" doc:"The identity providers that an invitation may ask for; with any among them it may ask for none. Empty: it asks for none."`
}

type policyRequests struct {
	Roles    []domain.Role `json:"roles" doc:"What they get when they are approved, unless somebody says otherwise."`
	ByDomain bool          `json:"by_domain" doc:"Whoever signs in with the organization's e-mail domain asks by that, and nobody else."`
}

type policyAdditions struct {
	PasswordLength int `json:"password_length" doc:"Characters of the password of a new account, at least." example:"6"`
}

type policySpaces struct {
	PerAssignment int `json:"per_assignment,omitempty" doc:"Spaces that are assigned at a time, at most; left out for any number." example:"10"`
}

type policyWork struct {
	ReleasedOnSuspension bool `json:"released_on_suspension" doc:"The work of a suspended member is released."`
}

func (a *API) addPolicyShown() {
	given := []domain.Role{"ADMIN", "USER", "VIEWER"}
	add(a, route{
		id: "get-policy", method: http.MethodGet, path: "/v1/organizations/{org}/policy", tag: "Organizations", access: Member(domain.ReadOrganization), status: http.StatusOK,
		summary: "The policy in force", description: "Its version, its roles, and the settings that forms need: which roles the caller may give, whether usernames are asked for, how long a password is, how many spaces go at a time.",
		response: policyBody{
			Policy: "ownership", Version: 1, Summary: "One owner, administrators, users and viewers.",
			Roles: []policyRole{{
				Role: "OWNER", Summary: "Owns the organization.", Permissions: []domain.Permission{domain.ReadOrganization, domain.TransferOwnership}, Owner: true,
				Grants: given, Manages: given, Implies: []domain.Role{}, AdminLike: true,
			}},
			YourGrants: given, YourManages: given,
			Members:     policyMembers{FounderRoles: []domain.Role{"OWNER"}, MinimumAdmins: 1, Permissions: []domain.Permission{}},
			Ownership:   &policyOwnership{"OWNER", []domain.Role{"ADMIN", "USER"}, "ADMIN", 86_400},
			Invitations: &policyInvitations{Lifetime: 604_800, UsernameRequired: true, RevokeWhenInviterLeaves: true, Providers: []string{}},
		},
	}, a.getPolicy)
}

func (a *API) getPolicy(ctx context.Context, c *call, _ *struct {
	OrgPath
	ViewHeaders
}) (answer, error) {
	p, err := a.policyOf(ctx, c)
	if err != nil {
		return answer{}, err
	}
	_, own := c.standing()
	return answer{body: a.shownPolicy(p, own)}, nil
}

// knownRoles are the roles of a policy as everybody sees them. A version of a policy
// never changes, so that this is worked out once for each, and not for each request.
type knownRoles struct {
	reach policy.Reach
	shown []policyRole
}

// policyVersion is which policy knownRoles are of.
type policyVersion struct {
	name    string
	version int
}

func (a *API) rolesOf(p *policy.Policy) knownRoles {
	key := policyVersion{p.Name, p.Version}
	if known, ok := a.roles.Load(key); ok {
		return known.(knownRoles)
	}
	known := knownRoles{reach: p.Reach()}
	for _, role := range p.Roles {
		known.shown = append(known.shown, shownRole(p, known.reach, role))
	}
	a.roles.Store(key, known)
	return known
}

// shownPolicy is a policy as it is for a caller with these roles.
func (a *API) shownPolicy(p *policy.Policy, own []domain.Role) policyBody {
	m, known := p.Members, a.rolesOf(p)
	body := policyBody{
		Policy: p.Name, Version: p.Version, Summary: p.Summary, Roles: known.shown,
		YourGrants: known.reach.Grants(own), YourManages: known.reach.Manages(own),
		Members: policyMembers{
			listed(m.FounderRoles), m.SeveralRoles, m.MayHaveNoRole, m.MinimumAdmins, m.MayRemoveOneself, m.OwnRolesFixed, listed(m.Permissions), m.Seats, m.Personal,
		},
		Work: policyWork(p.Work),
	}
	if o := p.Ownership; o != nil {
		body.Ownership = &policyOwnership{o.Role, o.Candidates, o.PreviousOwnerBecomes, seconds(o.TransferLifetime)}
	}
	if i := p.Invitations; !m.Personal {
		body.Invitations = &policyInvitations{seconds(i.Lifetime), i.UsernameRequired, i.RevokeWhenInviterLeaves, i.LinkInAnswer, listed(i.Providers)}
	}
	if r := p.Requests; r != nil {
		body.Requests = &policyRequests{listed(r.Roles), r.ByDomain}
	}
	body.Additions, body.Spaces = (*policyAdditions)(p.Additions), (*policySpaces)(p.Spaces)
	return body
}

func shownRole(p *policy.Policy, reach policy.Reach, role policy.Role) policyRole {
	own := []domain.Role{role.Name}
	return policyRole{
		Role: role.Name, Summary: role.Summary, Permissions: listed(p.Permissions(own)), Owner: p.Owns(own),
		Grants: reach.Grants(own), Manages: reach.Manages(own), Implies: reach.Implied(role.Name),
		AdminLike: p.AdminLike(own), AllSpaces: p.AllSpaces(own), Exclusive: p.Exclusive(own),
	}
}

// listed is a list that JSON shows as one, also an empty one.
func listed[T any](all []T) []T { return append([]T{}, all...) }

func seconds(d time.Duration) int { return int(d / time.Second) }
