package commands

import (
	"context"
	"slices"
	"strings"

	"tenure/domain"
	"tenure/domain/policy"
)

// defaultPolicy is the one that organizations are founded under where neither the
// client nor Founding names another.
const defaultPolicy = "ownership"

// UnfitPolicy says, for the person who named a policy in a setting of the server, why
// it will not do.
type UnfitPolicy struct{ Setting, Name, Reason string }

// Error implements error.
func (u *UnfitPolicy) Error() string {
	return "commands: " + u.Setting + ": " + u.Name + ": " + u.Reason
}

// founding is the policy to found an organization under; empty is the one that is
// meant then. What is offered now binds nobody later: organizations stay under theirs,
// and operators move them to any. It fails with CodeInvalid.
func (c *Commands) founding(ctx context.Context, name string) (*policy.Policy, error) {
	offered := c.Founding
	if name == "" {
		name = append(slices.Clone(offered), defaultPolicy)[0]
	}
	p, ok, err := c.latestPolicy(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case len(offered) > 0 && !slices.Contains(offered, name):
		return nil, domain.Invalid("policy", "Use one of the policies that this server offers: "+strings.Join(offered, ", ")+".")
	case !ok:
		return nil, domain.Invalid("policy", "Use the name of a policy that this server offers.")
	case p.Members.Personal:
		return nil, domain.Invalid("policy", "Choose another policy; nobody founds a personal space, since everybody has theirs.")
	}
	return p, nil
}

// CheckFounding fails with UnfitPolicy when a policy that this server is to offer is
// none, or one of personal spaces.
func (c *Commands) CheckFounding(ctx context.Context) error {
	for _, name := range c.Founding {
		switch p, ok, err := c.latestPolicy(ctx, name); {
		case err != nil:
			return err
		case !ok:
			return c.noSuchPolicy(ctx, "founding", name)
		case p.Members.Personal:
			return &UnfitPolicy{"founding", name, "nobody founds a personal space, since everybody has theirs; leave it out"}
		}
	}
	return nil
}

// noSuchPolicy is an UnfitPolicy that names those there are.
func (c *Commands) noSuchPolicy(ctx context.Context, setting, name string) error {
	all, err := c.ListPolicies(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, listed := range all {
		names = append(names, listed.Name)
	}
	return &UnfitPolicy{setting, name, "there is no such policy; name one of " + strings.Join(slices.Compact(names), ", ") + ", or publish it before"}
}
