package domain_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/invitation"
	"tenure/domain/organization"
)

// actions are what may happen next: a command of anybody, the next step of one
// that is under way, a crash, a process, time.
func (w *world) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"SignUp": func(t *rapid.T) { w.begin(t, w.registering(spelled(t, email(w.anyName(t))), nil)) },
		"Verify": func(t *rapid.T) {
			id := w.anyAccount(t)
			events, err := account.Verify(w.accounts[id], rapid.IntRange(0, 3).Draw(t, "generation"), w.now)
			if r := w.reservations[w.accounts[id].Email.Key()]; err == nil && r.Holder == string(id) {
				w.onAccount(id, events)
			}
		},
		"Session": w.session,
		"Profile": func(t *rapid.T) {
			id := w.anyAccount(t)
			if events, err := account.ChangeProfile(w.accounts[id], rapid.SampledFrom([]string{"Name", "Other"}).Draw(t, "name"), "en"); err == nil {
				w.onAccount(id, events)
			}
		},

		"Rename": func(t *rapid.T) {
			by, name := w.anyActor(t), rapid.SampledFrom([]domain.OrganizationName{"Acme", "Ajax"}).Draw(t, "name")
			w.commit(func(s organization.State) ([]domain.Event, error) { return organization.Rename(s, w.policy, by, name) })
		},
		"Invite":  w.invite,
		"Resend":  w.resend,
		"Revoke":  w.revoke,
		"Accept":  w.accept,
		"Decline": w.decline,
		"ChangeRoles": func(t *rapid.T) {
			by, member, roles := w.anyActor(t), w.anyAccount(t), w.anyRoles(t)
			kept := slices.Clone(roles)
			w.commit(func(s organization.State) ([]domain.Event, error) {
				return organization.ChangeRoles(s, w.policy, by, member, roles)
			})
			if !slices.Equal(roles, kept) {
				t.Fatalf("the decision has changed its arguments: %v, %v", kept, roles)
			}
		},
		"Remove": func(t *rapid.T) {
			by, member := w.anyActor(t), w.anyAccount(t)
			w.commit(func(s organization.State) ([]domain.Event, error) {
				return organization.Remove(s, w.policy, by, member)
			})
		},
		"Suspend": func(t *rapid.T) {
			by, member := w.anyActor(t), w.anyAccount(t)
			w.commit(func(s organization.State) ([]domain.Event, error) {
				return organization.Suspend(s, w.policy, by, member)
			})
		},
		"Reactivate": func(t *rapid.T) {
			by, member := w.anyActor(t), w.anyAccount(t)
			w.commit(func(s organization.State) ([]domain.Event, error) {
				return organization.Reactivate(s, w.policy, by, member)
			})
		},
		"Ask": func(t *rapid.T) {
			id := w.anyAccount(t)
			who := organization.Request{Email: w.accounts[id].Email, DisplayName: w.accounts[id].DisplayName}
			w.commit(func(s organization.State) ([]domain.Event, error) {
				if rapid.IntRange(0, 5).Draw(t, "withdraw") == 0 {
					return organization.WithdrawRequest(s, id), nil
				}
				return organization.RequestToJoin(s, w.policy, id, who, w.now)
			})
		},
		"Decide": func(t *rapid.T) {
			by, id, yes := w.anyActor(t), w.anyAccount(t), rapid.Bool().Draw(t, "approve")
			w.commit(func(s organization.State) ([]domain.Event, error) {
				if yes {
					return organization.Approve(s, w.policy, by, id, nil)
				}
				return organization.Reject(s, w.policy, by, id)
			})
		},
		"AutoActivate": func(t *rapid.T) {
			by, on := w.anyActor(t), rapid.Bool().Draw(t, "on")
			w.commit(func(s organization.State) ([]domain.Event, error) {
				return organization.SetAutoActivation(s, w.policy, by, on)
			})
		},
		"Add": func(t *rapid.T) {
			by, id, roles := w.anyActor(t), w.anyAccount(t), w.anyRoles(t)
			who := organization.Request{Email: w.accounts[id].Email, DisplayName: w.accounts[id].DisplayName}
			w.commit(func(s organization.State) ([]domain.Event, error) {
				return organization.AddMember(s, w.policy, by, id, who, roles)
			})
		},
		"Seats": func(t *rapid.T) {
			n := rapid.IntRange(0, 8).Draw(t, "seats")
			w.commit(func(s organization.State) ([]domain.Event, error) { return organization.SetSeats(s, w.policy, n) })
		},
		"Move":            w.move,
		"Transfer":        w.transfer,
		"ConfirmTransfer": w.confirmTransfer,

		"Continue": func(t *rapid.T) {
			if len(w.requests) > 0 {
				w.step(rapid.IntRange(0, len(w.requests)-1).Draw(t, "request"))
			}
		},
		"Crash": func(*rapid.T) { w.requests = nil },
		"Follow": func(t *rapid.T) {
			process := rapid.SampledFrom(slices.Sorted(maps.Keys(processes))).Draw(t, "process")
			for range rapid.IntRange(1, 10).Draw(t, "events") {
				w.follow(process)
			}
		},
		"Wait": func(t *rapid.T) {
			w.requests = nil // no request takes that long
			w.now = w.now.Add(rapid.SampledFrom([]time.Duration{time.Hour, 12 * time.Hour, 8 * 24 * time.Hour}).Draw(t, "time"))
			if rapid.Bool().Draw(t, "deadlines in time") {
				w.deadlines()
			}
		},
		"Drain": func(*rapid.T) { w.drain(); w.checkDrained() },
		"Remember": func(*rapid.T) {
			if len(w.snapshots) < 5 {
				w.snapshots = append(w.snapshots, snapshot{w.org, w.answers(w.org)})
			}
		},
	}
}

// begin takes the first steps of a request, mostly all; the others come whenever.
func (w *world) begin(t *rapid.T, r request) {
	w.requests = append(w.requests, r)
	for i := len(w.requests) - 1; w.step(i); {
		if rapid.IntRange(0, 5).Draw(t, "pause") == 0 {
			return
		}
	}
}

// step takes the next step of a request; it answers with false after the last.
func (w *world) step(i int) bool {
	next, rest := w.requests[i][0], w.requests[i][1:]
	w.requests[i] = rest
	if !next() || len(rest) == 0 {
		w.requests = slices.Delete(w.requests, i, i+1)
		return false
	}
	return true
}

func (w *world) invite(t *rapid.T) {
	by := w.anyActor(t)
	in := organization.Invitee{
		InvitationID: domain.InvitationID(w.id("invitation")), Email: spelled(t, email(w.anyName(t))),
		Username: spelled(t, domain.Username(w.anyName(t))), Roles: w.anyRoles(t), Language: "en",
	}
	if !w.policy.Invitations.UsernameRequired && rapid.Bool().Draw(t, "without username") {
		in.Username = ""
	}
	if rapid.Bool().Draw(t, "at a provider") {
		in.Provider, in.Notify = "google", "post@example.com"
		if rapid.Bool().Draw(t, "without address") {
			in.Email = ""
		}
	}
	w.begin(t, w.opening(func(s organization.State) ([]domain.Event, error) {
		return organization.Invite(s, w.policy, by, in, w.now)
	}))
}

// opening opens an invitation in the organization, and then makes its link.
func (w *world) opening(decision func(organization.State) ([]domain.Event, error)) request {
	var events []domain.Event
	return request{
		func() (ok bool) { events, ok = w.commit(decision); return ok },
		func() bool { w.issue(events[0].(organization.InvitationOpened)); return true },
	}
}

func (w *world) resend(t *rapid.T) {
	by, id := w.anyActor(t), w.anyInvitation(t)
	var seen invitation.State
	check := func() bool { seen = w.invitations[id]; return invitation.CheckResend(seen) == nil }
	w.begin(t, append(request{check}, w.opening(func(s organization.State) ([]domain.Event, error) {
		in := organization.Invitee{InvitationID: id, Email: seen.Email, Username: seen.Username, Roles: seen.Roles, Language: seen.Language, Provider: seen.Provider, Notify: seen.Notify}
		if roles, ok := s.RolesInvitedTo(id); ok {
			in.Roles = roles
		}
		return organization.Resend(s, w.policy, by, in, seen.Generation, w.now)
	})...))
}

func (w *world) revoke(t *rapid.T) {
	by, id := w.anyActor(t), w.anyInvitation(t)
	w.begin(t, request{
		func() bool {
			_, ok := w.decide(func(s organization.State) ([]domain.Event, error) {
				return nil, organization.AuthorizeRevocation(s, w.policy, by, w.invitations[id].Roles)
			})
			return ok
		},
		func() bool {
			events, err := invitation.Revoke(w.invitations[id], invitation.CauseRevoked)
			w.onInvitation(id, events)
			return err == nil
		},
		func() bool { w.settle(id); return true },
	})
}

// accept uses a link, mostly the newest, of somebody who has an account or makes one.
func (w *world) accept(t *rapid.T) {
	id := w.anyInvitation(t)
	generation := w.invitations[id].Generation - rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "older")
	var who domain.AccountID
	check := func() bool {
		s := w.invitations[id]
		_, admissible := w.decide(func(org organization.State) ([]domain.Event, error) {
			return nil, organization.CheckAdmission(org, w.policy, id)
		})
		who = w.holder(s.Email)
		return admissible && invitation.CheckLink(s, generation, w.now) == nil
	}
	r := request{check}
	if holder := w.holder(w.invitations[id].Email); !w.accounts[holder].Verified && w.invitations[id].Exists() {
		r = append(r, w.registering(w.invitations[id].Email, &who)...)
	}
	w.begin(t, append(r,
		func() bool {
			_, kept := w.commit(func(org organization.State) ([]domain.Event, error) { return organization.ClaimSeat(org, w.policy, id) })
			return kept
		},
		func() bool {
			if !w.accounts[who].Verified {
				return false
			}
			events, err := invitation.Accept(w.invitations[id], generation, who, w.now)
			w.onInvitation(id, events)
			return err == nil
		},
		func() bool { w.settle(id); return true },
	))
}

func (w *world) decline(t *rapid.T) {
	id := w.anyInvitation(t)
	w.begin(t, request{
		func() bool {
			events, err := invitation.Decline(w.invitations[id], w.invitations[id].Generation, w.now)
			w.onInvitation(id, events)
			return err == nil
		},
		func() bool { w.settle(id); return true },
	})
}

func (w *world) transfer(t *rapid.T) {
	by, to := w.anyActor(t), w.anyAccount(t)
	if rapid.IntRange(0, 4).Draw(t, "cancel") == 0 {
		w.commit(func(s organization.State) ([]domain.Event, error) {
			return organization.CancelTransfer(s, w.policy, by)
		})
		return
	}
	id := domain.TransferID(w.id("transfer"))
	w.commit(func(s organization.State) ([]domain.Event, error) {
		return organization.RequestTransfer(s, w.policy, by, id, to, w.now)
	})
}

func (w *world) confirmTransfer(*rapid.T) {
	if pending := w.org.Transfer; pending != nil {
		w.commit(func(s organization.State) ([]domain.Event, error) {
			return organization.ConfirmTransfer(s, w.policy, pending.ID, w.now)
		})
	}
}

func (w *world) session(t *rapid.T) {
	id := w.anyAccount(t)
	s := w.accounts[id]
	var events []domain.Event
	identity := account.Identity{Provider: "p", Issuer: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "issuer"), Subject: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "subject")}
	switch rapid.IntRange(0, 7).Draw(t, "what") {
	case 6:
		by := rapid.SampledFrom([]string{account.ByProvider, account.ByInvitation}).Draw(t, "proof")
		if s.Exists() {
			events, _ = account.RegisterIdentified(s, account.Registration{AccountID: id, Email: s.Email, DisplayName: s.DisplayName, Language: s.Language}, identity, by)
		}
	case 7:
		events = account.Unlink(s, identity)
	case 0:
		events = account.EndSession(s, sessionID(rapid.IntRange(0, w.ids).Draw(t, "session")))
	case 1:
		events, _ = account.ChangePassword(s, "hash", sessionID(rapid.IntRange(0, w.ids).Draw(t, "session")))
	case 2:
		events, _ = account.RequestPasswordReset(s, w.now.Add(time.Hour))
	case 3:
		events, _ = account.ResetPassword(s, rapid.IntRange(0, 3).Draw(t, "generation"), "hash", w.now)
	default:
		w.ids++
		events, _ = account.StartSession(s, sessionID(w.ids), w.now.Add(24*time.Hour), w.now)
	}
	w.onAccount(id, events)
}

func sessionID(n int) domain.SessionID { return domain.SessionID(fmt.Sprintf("session-%d", n)) }

func (w *world) anyName(t *rapid.T) string { return rapid.SampledFrom(names).Draw(t, "name") }

func (w *world) anyAccount(t *rapid.T) domain.AccountID {
	return rapid.SampledFrom(slices.Sorted(maps.Keys(w.accounts))).Draw(t, "account")
}

// anyActor is mostly somebody who may do something.
func (w *world) anyActor(t *rapid.T) domain.Actor {
	if rapid.IntRange(0, 9).Draw(t, "stranger") == 0 {
		return domain.ByAccount("stranger")
	}
	if rapid.Bool().Draw(t, "boss") {
		for id, m := range w.known.inOrder() {
			if w.policy.Allows(m.roles, domain.UpdateOrganization) {
				return domain.ByAccount(id)
			}
		}
	}
	return domain.ByAccount(w.anyAccount(t))
}

// anyInvitation is mostly one whose link works.
func (w *world) anyInvitation(t *rapid.T) domain.InvitationID {
	ids := append(slices.Sorted(maps.Keys(w.invitations)), "none")
	pending := slices.DeleteFunc(slices.Clone(ids), func(id domain.InvitationID) bool { return w.invitations[id].Status != invitation.StatusPending })
	if len(pending) > 0 && rapid.IntRange(0, 2).Draw(t, "any") > 0 {
		ids = pending
	}
	return ids[rapid.IntRange(0, len(ids)-1).Draw(t, "invitation")]
}

// anyRoles is mostly one role, and mostly one that may be given.
func (w *world) anyRoles(t *rapid.T) []domain.Role {
	var exist []domain.Role
	for _, r := range w.policy.Roles {
		if !w.policy.Owns([]domain.Role{r.Name}) || rapid.IntRange(0, 9).Draw(t, "owner") == 0 {
			exist = append(exist, r.Name)
		}
	}
	roles := []domain.Role{rapid.SampledFrom(exist).Draw(t, "role")}
	if w.policy.Members.SeveralRoles && rapid.Bool().Draw(t, "several") {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(exist), 1, len(exist), rapid.ID).Draw(t, "roles")
	}
	if w.policy.Members.MayHaveNoRole && rapid.IntRange(0, 3).Draw(t, "none") == 0 {
		return nil
	}
	if rapid.IntRange(0, 19).Draw(t, "odd") == 0 {
		return rapid.SampledFrom([][]domain.Role{nil, {"NONE"}, {roles[0], roles[0]}}).Draw(t, "roles")
	}
	return roles
}

// spelled is one of the spellings of the same name.
func spelled[T ~string](t *rapid.T, name T) T {
	if rapid.Bool().Draw(t, "in capitals") {
		return T(strings.ToUpper(string(name)))
	}
	return name
}
