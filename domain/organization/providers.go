package organization

import (
	"cmp"
	"errors"

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
		return domain.Invalid("email", "Give an e-mail address such as ada@example.com, or name the provider where the invitee has the username: only then it need not be an address.")
	}
	return nil
}

// addressed is the invitee with the address that the username is, where policies
// have usernames of accounts at providers: somebody who is invited by the address
// of their account, and by no other one, is invited at that address (S2). Which
// account may accept still depends on the username.
func addressed(p *policy.Policy, in Invitee) Invitee {
	if in.Email == "" && len(p.Invitations.Providers) > 0 {
		if email, err := domain.ParseEmail("username", string(in.Username)); err == nil {
			in.Email = email
		}
	}
	return in
}

// ofUsername has a refusal of the address name the field that it was given in.
func ofUsername(err error) error {
	var refusal *domain.Error
	if errors.As(err, &refusal) && refusal.Field == "email" {
		refusal.Field = "username"
	}
	return err
}

// MailedTo is where the mail with the link goes; empty: the link is passed on by
// hand.
func (e InvitationOpened) MailedTo() domain.Email { return cmp.Or(e.Notify, e.Email) }
