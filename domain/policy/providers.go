package policy

import "slices"

// AnyProvider stands, in a list of providers, for invitations that ask for none.
const AnyProvider = "any"

// MayBind reports whether an invitation may ask its invitee to sign in with the
// provider; empty is an invitation that asks for none.
func (p *Policy) MayBind(provider string) bool {
	offered := p.Invitations.Providers
	if provider == "" {
		return len(offered) == 0 || slices.Contains(offered, AnyProvider)
	}
	return slices.Contains(offered, provider)
}
