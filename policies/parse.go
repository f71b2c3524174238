package policies

import (
	"encoding/json"

	"tenure/domain"
	"tenure/domain/policy"
)

// Parse reads one policy. It fails with an *Error that lists every problem of
// the document: unknown, missing and doubled settings, values of the wrong
// form, and rules that contradict each other.
func Parse(document []byte) (*policy.Policy, error) {
	return parse(document, func(string) bool { return false })
}

// Reread reads a document that was published. It has passed the checks of its time;
// those that a later release has added are for new documents, and must not keep
// anybody out of an organization that is under this one.
func Reread(document []byte) (*policy.Policy, error) {
	src, problems := read(document)
	if src.values == nil {
		return nil, newError(problems)
	}
	return decode(src).policy(), nil
}

// parse is Parse, and refuses a name that is taken.
func parse(document []byte, taken func(name string) bool) (*policy.Policy, error) {
	src, problems := read(document)
	if src.values == nil {
		return nil, newError(problems)
	}
	problems = append(problems, checkSchema(src)...)
	decoded := decode(src)
	checked := check{document: decoded, rules: decoded.policy(), source: src, taken: taken}
	checked.all()
	if problems = append(problems, checked.problems...); len(problems) > 0 {
		return nil, newError(problems)
	}
	return decoded.policy(), nil
}

// document is a policy as it is written; policy.schema.json describes it.
type document struct {
	Name        string                         `json:"name"`
	Version     int                            `json:"version"`
	Summary     string                         `json:"summary"`
	Roles       []role                         `json:"roles"`
	Members     members                        `json:"members"`
	Ownership   *ownership                     `json:"ownership"`
	Invitations invitations                    `json:"invitations"`
	Requests    *requests                      `json:"requests"`
	Onboarding  *onboarding                    `json:"onboarding"`
	Additions   *additions                     `json:"additions"`
	Spaces      *spaces                        `json:"spaces"`
	Work        work                           `json:"work"`
	Refusals    map[domain.Code]policy.Refusal `json:"refusals"`
}

type role struct {
	Name        domain.Role         `json:"name"`
	Summary     string              `json:"summary"`
	Permissions []domain.Permission `json:"permissions"`
	Grants      []domain.Role       `json:"grants"`
	Manages     []domain.Role       `json:"manages"`
	AdminLike   bool                `json:"admin_like"`
	Implies     []domain.Role       `json:"implies"`
	AllSpaces   bool                `json:"all_spaces"`
	Exclusive   bool                `json:"exclusive"`
}

type members struct {
	FounderRoles     []domain.Role       `json:"founder_roles"`
	SeveralRoles     bool                `json:"several_roles"`
	MayHaveNoRole    bool                `json:"may_have_no_role"`
	MinimumAdmins    int                 `json:"minimum_admins"`
	MayRemoveOneself bool                `json:"may_remove_oneself"`
	OwnRolesFixed    bool                `json:"own_roles_fixed"`
	Permissions      []domain.Permission `json:"permissions"`
	Seats            int                 `json:"seats"`
	Personal         bool                `json:"personal"`
}

type ownership struct {
	Role                 domain.Role   `json:"role"`
	Candidates           []domain.Role `json:"candidates"`
	PreviousOwnerBecomes domain.Role   `json:"previous_owner_becomes"`
	TransferLifetime     string        `json:"transfer_lifetime"`
}

type invitations struct {
	Lifetime                string   `json:"lifetime"`
	UsernameRequired        bool     `json:"username_required"`
	RevokeWhenInviterLeaves *bool    `json:"revoke_when_inviter_leaves"`
	LinkInAnswer            bool     `json:"link_in_answer"`
	Providers               []string `json:"providers"`
}

type requests struct {
	Roles        []domain.Role `json:"roles"`
	ByDomain     bool          `json:"by_domain"`
	AutoActivate bool          `json:"auto_activate"`
	Digest       *digest       `json:"digest"`
}

type digest struct {
	Weekday string `json:"weekday"`
	At      string `json:"at"`
	Zone    string `json:"zone"`
}

type onboarding struct {
	ByDomain bool   `json:"by_domain"`
	Personal string `json:"personal"`
}

type additions struct {
	PasswordLength int `json:"password_length"`
}

type spaces struct {
	PerAssignment int `json:"per_assignment"`
}

type work struct {
	ReleasedOnSuspension bool `json:"released_on_suspension"`
}

// decode fills in what has the right form. What has not is a problem that the
// schema reports, so that the rules can still be checked on the rest.
func decode(src source) document {
	var d document
	if data, err := json.Marshal(src.value); err == nil {
		_ = json.Unmarshal(data, &d) // goes on after a value of another type
	}
	return d
}

// policy is the policy of a document without problems.
func (d document) policy() *policy.Policy {
	p := &policy.Policy{
		Name: d.Name, Version: d.Version, Summary: d.Summary,
		Members:  policy.Members(d.Members),
		Refusals: d.Refusals,
	}
	for _, r := range d.Roles {
		p.Roles = append(p.Roles, policy.Role(r))
	}
	if o := d.Ownership; o != nil {
		lifetime, _ := ParseDuration(o.TransferLifetime)
		p.Ownership = &policy.Ownership{
			Role: o.Role, Candidates: o.Candidates, PreviousOwnerBecomes: o.PreviousOwnerBecomes,
			TransferLifetime: lifetime,
		}
	}
	lifetime, _ := ParseDuration(d.Invitations.Lifetime)
	p.Invitations = policy.Invitations{
		Lifetime: lifetime, UsernameRequired: d.Invitations.UsernameRequired,
		RevokeWhenInviterLeaves: d.Invitations.RevokeWhenInviterLeaves == nil || *d.Invitations.RevokeWhenInviterLeaves,
		Providers:               d.Invitations.Providers,
		LinkInAnswer:            d.Invitations.LinkInAnswer,
	}
	if r := d.Requests; r != nil {
		p.Requests = &policy.Requests{Roles: r.Roles, ByDomain: r.ByDomain, AutoActivate: r.AutoActivate, Digest: r.Digest.policy()}
	}
	p.Additions, p.Spaces = (*policy.Additions)(d.Additions), (*policy.Spaces)(d.Spaces)
	p.Onboarding, p.Work = (*policy.Onboarding)(d.Onboarding), policy.Work(d.Work)
	return p
}
