package organization

import (
	"tenure/domain"
	"tenure/domain/policy"
)

// checkProvider checks what an invitation asks of how its invitee signs in (S2).
// One that names nobody is an error of the caller, who asks for a provider
// without a username or for none without an address.
func checkProvider(p *policy.Policy, in Invitee) error {
	if !p.MayBind(in.Provider) {
		e := p.Refuse(domain.CodeProviderNotOffered, "Provider not available", "Choose a provider that the organization's policy offers for invitations.")
		e.Field = "provider"
		return e
	}
	if in.Email == "" && (in.Provider == "" || in.Username == "") {
		return domain.Invalid("email", "Give an e-mail address; it may be left out for the username at a provider.")
	}
	return nil
}
