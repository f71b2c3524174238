package invitation

import "tenure/domain"

// Presented is how somebody who wants to accept has signed in at a provider; the
// zero Presented is somebody who has come another way.
type Presented struct {
	Provider string
	Tenant   string
	Names    []string // by which the provider knows the person: a verified e-mail address, a username
}

// CheckPresented refuses who does not sign in the way that the invitation asks
// for (S6): CodeProviderRequired, CodeWrongProvider, CodeWrongTenant and
// CodeWrongAccount. The account that the invitation names is the one with the
// username or, where there is none, the e-mail address. An invitation that asks
// for no provider takes everybody; whose address it is for is checked elsewhere.
func CheckPresented(s State, who Presented) error {
	switch {
	case s.Provider == "":
		return nil
	case who.Provider == "":
		return domain.Refuse(domain.CodeProviderRequired, "Sign in with the provider", "This invitation is for an account at "+s.Provider+": open the link and sign in there.")
	case who.Provider != s.Provider:
		return domain.Refuse(domain.CodeWrongProvider, "Wrong provider", "This invitation is for an account at "+s.Provider+": sign in there.")
	case s.Tenant != "" && domain.Fold(who.Tenant) != domain.Fold(s.Tenant):
		return domain.Refuse(domain.CodeWrongTenant, "Wrong organization at the provider", "Sign in with the account of the organization that the invitation is for.")
	}
	wanted := s.Username.Key()
	if wanted == "" {
		wanted = s.Email.Key()
	}
	for _, name := range who.Names {
		if name != "" && domain.Fold(name) == wanted {
			return nil
		}
	}
	return domain.Refuse(domain.CodeWrongAccount, "Invitation for another account", "Sign in with the account that the invitation names.")
}
