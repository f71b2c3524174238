package domain_test

import (
	"slices"

	"pgregory.net/rapid"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/domain/policy"
)

// move puts the organization under another policy, mostly with a mapping that
// makes sense.
func (w *world) move(t *rapid.T) {
	to := rapid.SampledFrom(w.others).Draw(t, "to")
	m := organization.Move{To: to, Roles: map[domain.Role][]domain.Role{}}
	if rapid.Bool().Draw(t, "says what no role becomes") {
		m.NoRole = []domain.Role{ordinary(t, to)}
	}
	random := rapid.IntRange(0, 3).Draw(t, "random") == 0
	for _, role := range w.policy.Roles {
		switch {
		case random:
			m.Roles[role.Name] = somePlain(t, to)
			if rapid.IntRange(0, 5).Draw(t, "left out") == 0 {
				delete(m.Roles, role.Name)
			}
		case w.policy.Owns([]domain.Role{role.Name}), w.policy.Ownership == nil && slices.Contains(w.policy.Members.FounderRoles, role.Name):
			m.Roles[role.Name] = to.Members.FounderRoles
		default:
			m.Roles[role.Name] = []domain.Role{ordinary(t, to)}
		}
	}
	before := w.org
	events, ok := w.decide(func(s organization.State) ([]domain.Event, error) {
		return organization.ChangePolicy(s, w.policy, m)
	})
	if !ok {
		return
	}
	if len(events) > 0 {
		w.checkExclusiveMoves(before, to, events)
	}
	w.policy = to
	w.onOrganization(events)
}

// ordinary is a role that is not the owner's.
func ordinary(t *rapid.T, p *policy.Policy) domain.Role {
	var all []domain.Role
	for _, r := range p.Roles {
		if !p.Owns([]domain.Role{r.Name}) {
			all = append(all, r.Name)
		}
	}
	return rapid.SampledFrom(all).Draw(t, "becomes")
}

func somePlain(t *rapid.T, p *policy.Policy) []domain.Role {
	var all []domain.Role
	for _, r := range p.Roles {
		all = append(all, r.Name)
	}
	return rapid.SliceOfN(rapid.SampledFrom(all), 0, 2).Draw(t, "become")
}

// checkExclusiveMoves holds that those who gain and lose exclusive roles are
// those of whom one policy says so and the other does not; and that no link comes
// to lead to such a role.
func (w *world) checkExclusiveMoves(before organization.State, to *policy.Policy, events []domain.Event) {
	gains, losses, err := organization.ExclusiveMoves(before, w.policy, to, events)
	w.must(err)
	after := before
	for _, e := range events {
		after = organization.Evolve(after, e)
	}
	for id := range w.accounts {
		had, has := before.HoldsExclusive(w.policy, id), after.HoldsExclusive(to, id)
		if slices.Contains(gains, id) != (has && !had) || slices.Contains(losses, id) != (had && !has) {
			w.t.Fatalf("%s had %v and has %v, but gains %v, losses %v", id, had, has, gains, losses)
		}
	}
	for _, id := range after.Invitations() {
		was, _ := before.Invitation(id)
		is, _ := after.Invitation(id)
		if to.Exclusive(is.Roles) && !w.policy.Exclusive(was.Roles) {
			w.t.Fatalf("the link of %s has come to lead to %v", id, is.Roles)
		}
	}
}
