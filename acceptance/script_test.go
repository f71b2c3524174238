package acceptance

import (
	"net/http"
	"testing"
)

// command is one command of the API, ready to be given.
type command struct {
	name string
	give func(extras ...extra) response
	// done remembers of the answer what later commands need; nil for nothing.
	done func(response)
}

// script is a story in which every command of the API is given once or more,
// each time with success.
func (c *cast) script(t *testing.T) []command {
	s := &story{cast: c, t: t, guest: c.newPerson("Guest"), declining: c.newPerson("Declining"), newcomer: c.newPerson("Newcomer")}
	var all []command
	all = append(all, s.account()...)
	all = append(all, s.organization()...)
	all = append(all, s.invitations()...)
	all = append(all, s.members()...)
	all = append(all, s.moderation()...)
	all = append(all, s.operators()...)
	all = append(all, s.delegated()...)
	all = append(all, s.domains()...)
	all = append(all, s.webhooks()...)
	return append(all, s.leaving()...)
}

type story struct {
	*cast
	t                          *testing.T
	guest, declining, newcomer *person
	own                        string // the newcomer's organization
	invitation, second         string
	key                        string
}

func (s *story) account() []command {
	signedIn := func(r response) { s.newcomer.enter(decoded[session](s.t, r)) }
	return []command{
		{"sign up", func(x ...extra) response { return s.newcomer.requestAccount(x...) }, nil},
		{"verify", func(x ...extra) response {
			return s.newcomer.verify(s.tokenTo(s.t, s.newcomer.Email, verifyPage, 1), x...)
		}, signedIn},
		{"sign in", func(x ...extra) response { return s.newcomer.requestSession(x...) }, signedIn},
		{"change profile", func(x ...extra) response {
			return s.newcomer.patch("/v1/me", map[string]any{"display_name": "Renamed", "language": "fr"}, x...)
		}, nil},
		{"change password", func(x ...extra) response {
			return s.newcomer.put("/v1/me/password", map[string]any{"old_password": password, "new_password": "a second password"}, x...)
		}, func(response) { s.newcomer.Password = "a second password" }},
		{"ask for a new password", func(x ...extra) response {
			return s.anonymous().post("/v1/password-resets", map[string]any{"email": s.newcomer.Email}, x...)
		}, nil},
		{"set a new password", func(x ...extra) response {
			return s.anonymous().resetPassword(s.tokenTo(s.t, s.newcomer.Email, resetPage, 1), "a third password", x...)
		}, func(response) { s.newcomer.Password = "a third password" }},
		{"sign in again", func(x ...extra) response { return s.newcomer.requestSession(x...) }, signedIn},
	}
}

func (s *story) organization() []command {
	first, second := unique("Own"), unique("Own")
	return []command{
		{"activate", func(x ...extra) response { return s.newcomer.activate(first, x...) }, func(r response) {
			s.own = decoded[receipt](s.t, r).OrganizationID
		}},
		{"rename", func(x ...extra) response { return s.newcomer.rename(s.own, second, x...) }, nil},
	}
}

func (s *story) invitations() []command {
	return []command{
		{"invite", func(x ...extra) response { return s.owner.invite(s.org, s.guest.Email, s.guest.Name, "USER", x...) }, func(r response) {
			s.invitation = decoded[receipt](s.t, r).InvitationID
		}},
		{"resend", func(x ...extra) response { return s.owner.resend(s.org, s.invitation, x...) }, nil},
		{"accept", func(x ...extra) response { return s.guest.acceptNew(s.invitationOnce(s.guest.Email), x...) }, func(r response) {
			s.guest.enter(*decoded[receipt](s.t, r).Session)
		}},
		{"invite one who signs in", func(x ...extra) response {
			return s.owner.invite(s.org, s.newcomer.Email, s.newcomer.Name, "VIEWER", x...)
		}, nil},
		{"accept signed in", func(x ...extra) response { return s.newcomer.accept(s.invitationOnce(s.newcomer.Email), x...) }, nil},
		{"invite one to revoke", func(x ...extra) response {
			return s.owner.invite(s.org, s.stranger.Email, s.stranger.Name, "USER", x...)
		}, func(r response) { s.second = decoded[receipt](s.t, r).InvitationID }},
		{"revoke", func(x ...extra) response { return s.owner.revoke(s.org, s.second, x...) }, nil},
		{"invite one who declines", func(x ...extra) response {
			return s.owner.invite(s.org, s.declining.Email, s.declining.Name, "USER", x...)
		}, nil},
		{"decline", func(x ...extra) response { return s.anonymous().decline(s.invitationOnce(s.declining.Email), x...) }, nil},
	}
}

// invitationOnce is the token of the only invitation to an address that works,
// or has worked.
func (s *story) invitationOnce(address string) string {
	if mails := s.mailsTo(address, invitePage); len(mails) > 0 {
		newest := mails[len(mails)-1].token(invitePage)
		if r := s.anonymous().lookup(newest); r.code() == "invitation_accepted" || r.code() == "invitation_declined" {
			return newest
		}
	}
	return s.invitationTo(s.t, address)
}

func (s *story) members() []command {
	var there, back string
	asked := func(owner *person, token *string) func(response) {
		return func(response) { *token = s.newestTransferLink(s.t, owner) }
	}
	return []command{
		{"change roles", func(x ...extra) response { return s.owner.changeRole(s.org, s.guest, "ADMIN", x...) }, nil},
		{"request transfer", func(x ...extra) response { return s.owner.requestTransfer(s.org, s.guest, x...) }, asked(s.owner, &there)},
		{"cancel transfer", func(x ...extra) response { return s.owner.cancelTransfer(s.org, x...) }, nil},
		{"request transfer again", func(x ...extra) response { return s.owner.requestTransfer(s.org, s.guest, x...) }, asked(s.owner, &there)},
		{"confirm transfer", func(x ...extra) response { return s.anonymous().confirmTransfer(there, x...) }, nil},
		{"request transfer back", func(x ...extra) response { return s.guest.requestTransfer(s.org, s.owner, x...) }, asked(s.guest, &back)},
		{"confirm transfer back", func(x ...extra) response { return s.anonymous().confirmTransfer(back, x...) }, nil},
		{"remove", func(x ...extra) response { return s.owner.remove(s.org, s.guest, x...) }, nil},
	}
}

func (s *story) operators() []command {
	return []command{
		{"create key", func(x ...extra) response { return s.operator().createKey("temporary", "operator", x...) }, func(r response) {
			made := decoded[receipt](s.t, r)
			s.key = made.APIKeyID
			s.issued.add(made.Key)
		}},
		{"publish a policy", func(x ...extra) response { return s.operator().post(policiesPath, obj{"document": club(s.t, 1)}, x...) }, nil},
		{"move an organization", func(x ...extra) response { return s.operator().moveTo(s.own, "club", 0, toClub, x...) }, nil},
		{"revoke key", func(x ...extra) response { return s.operator().delete("/v1/operator/api-keys/"+s.key, x...) }, nil},
	}
}

func (s *story) leaving() []command {
	// They belong to no organization: what a process does of an erasure comes when it comes.
	nobody := unique("nobody") + "@example.com"
	leaver, forgotten := s.signUp(s.t, "Leaver"), s.signUp(s.t, "Forgotten")
	return []command{
		{"sign out", func(x ...extra) response { return s.newcomer.delete("/v1/sessions/current", x...) }, nil},
		{"erase a person", func(x ...extra) response {
			return s.operator().post("/v1/operator/accounts/"+forgotten.AccountID+"/erase", map[string]any{"reason": "Asked for by mail."}, x...)
		}, nil},
		{"erase an invitee", func(x ...extra) response {
			return s.operator().post("/v1/operator/invitees/erase", map[string]any{"email": nobody, "reason": "Asked for by mail."}, x...)
		}, nil},
		{"erase oneself", func(x ...extra) response {
			return leaver.post("/v1/me/erase", map[string]any{"password": password}, x...)
		}, nil},
	}
}

// tell gives the command and remembers what is needed of the answer.
func (x command) tell(t *testing.T, extras ...extra) response {
	t.Helper()
	r := x.give(extras...)
	if !r.done() {
		t.Fatalf("%s: %v", x.name, r)
	}
	if x.done != nil {
		x.done(r)
	}
	return r
}

// hasReceipt tells commands that answer with a receipt from those that must not
// say what they did.
func (r response) hasReceipt() bool {
	if r.status == http.StatusNoContent || r.status == http.StatusAccepted {
		return false
	}
	return r.path != "/v1/sessions" && r.path != "/v1/accounts/verify"
}
