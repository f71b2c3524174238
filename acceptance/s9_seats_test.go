package acceptance

import (
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestS9_Seats(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		boss := s.signUp(t, "Boss")
		org := boss.found(t, "seats")

		t.Run("the default limit is 10 members, and the usage is visible", func(t *testing.T) {
			is := is.New(t)
			is.Equal(boss.limits(t, org), limitsDoc{Seats: 10, Taken: 1})
			member := boss.hire(t, org, s.newPerson("Member"), "Member")
			ok(t, boss.inviteTo(org, s.newPerson("Open"), []string{"Member"}))
			is.Equal(boss.limits(t, org), limitsDoc{Seats: 10, Taken: 2, OpenInvitations: 1})
			is.Equal(member.limits(t, org), boss.limits(t, org)) // every member sees it
			is.Equal(s.operator().limits(t, org), boss.limits(t, org))
		})

		t.Run("30 accept at the same time: exactly the free seats are taken", func(t *testing.T) {
			is := is.New(t)
			crowd := make([]*person, 30)
			tokens := make([]string, len(crowd))
			answers := make([]response, len(crowd))
			runs := make([]func(), len(crowd))
			for i := range crowd {
				crowd[i] = s.newPerson("Racer")
				tokens[i] = s.mailedTo(t, crowd[i], boss.inviteTo(org, crowd[i], []string{"Member"}))
				runs[i] = func() { answers[i] = crowd[i].acceptNew(tokens[i]) }
			}
			free := boss.limits(t, org)
			together(runs...)
			won := 0
			var lost []int
			for i, r := range answers {
				if r.done() {
					won++
					crowd[i].enter(*decoded[receipt](t, r).Session)
					continue
				}
				p := refused(t, r, 409, "seats_full")
				is.Equal(p.Title, "No member slot left")
				lost = append(lost, i)
			}
			is.Equal(won, free.Seats-free.Taken)
			is.Equal(boss.limits(t, org), limitsDoc{Seats: 10, Taken: 10, OpenInvitations: 1 + len(lost)})
			is.Equal(len(boss.members(t, org, "")), 10)
			is.Equal(len(boss.invitations(t, org, "?status=pending&limit=200")), 1+len(lost)) // they wait

			// Who lost finds a seat when one is free.
			winner := crowd[slices.IndexFunc(answers, response.done)]
			ok(t, boss.remove(org, winner))
			late := crowd[lost[0]]
			r := late.acceptNew(tokens[lost[0]])
			if r.code() == "not_signed_in" { // the account was made before the last seat went
				late.signIn(t)
				r = late.accept(tokens[lost[0]])
			}
			ok(t, r)
			refused(t, crowd[lost[1]].acceptNew(tokens[lost[1]]), 409, "seats_full")
			is.Equal(boss.limits(t, org).Taken, 10)
		})

		t.Run("the operator raises it, and not below what is taken", func(t *testing.T) {
			is := is.New(t)
			refused(t, boss.setSeats(org, 100), 403, "permission_denied")
			p := refused(t, s.operator().setSeats(org, 9), 409, "seats_too_few")
			is.True(strings.Contains(p.Detail, "at least 10"))
			refused(t, s.operator().setSeats(org, -1), 422, "invalid")
			dry := ok(t, s.operator().setSeats(org, 12, dryRun))
			is.Equal(decoded[receipt](t, dry).types(), "organization.seats_changed")
			is.Equal(boss.limits(t, org).Seats, 10)
			tag := boss.get(orgPath(org)).header.Get("ETag")
			key := idempotencyKey(unique("key"))
			first := ok(t, s.operator().setSeats(org, 12, key, ifMatch(tag)))
			sameAnswer(t, "set seats", first, s.operator().setSeats(org, 12, key, ifMatch(tag)))
			refused(t, s.operator().setSeats(org, 13, ifMatch(tag)), 412, "revision_mismatch")
			is.Equal(boss.limits(t, org).Seats, 12)
			boss.hire(t, org, s.newPerson("Eleventh"), "Member")
			boss.hire(t, org, s.newPerson("Twelfth"), "Member")
			p13 := s.newPerson("Thirteenth")
			ok(t, boss.inviteTo(org, p13, []string{"Member"}))
			refused(t, p13.acceptNew(s.invitationTo(t, p13.Email)), 409, "seats_full")
			refused(t, s.operator().setSeats(unknownID, 12), 404, "not_found")
			other := boss.found(t, "ownership")
			refused(t, s.operator().setSeats(other, 12), 409, "not_offered")
			is.Equal(boss.limits(t, other), limitsDoc{Taken: 1})
		})

		t.Run("a retry of an acceptance returns the first answer", func(t *testing.T) {
			own := boss.found(t, "seats")
			p, key := s.newPerson("Again"), idempotencyKey(unique("key"))
			ok(t, boss.inviteTo(own, p, []string{"Member"}))
			token := s.invitationTo(t, p.Email)
			is := is.New(t)
			would := decoded[receipt](t, p.acceptNew(token, dryRun))
			first := ok(t, p.acceptNew(token, key))
			sameAnswer(t, "accept", first, p.acceptNew(token, key))
			is.Equal(would.types(), decoded[receipt](t, first).types())
			is.True(strings.Contains(would.types(), "account.email_verified organization.seat_claimed invitation.accepted organization.member_joined"))
			is.Equal(boss.limits(t, own), limitsDoc{Seats: 10, Taken: 2})
		})

		t.Run("killed between the seat and the member, nobody is left over and no seat is lost", func(t *testing.T) {
			for _, step := range []string{"accept: seat kept", "accept: link used", "accept: member admitted"} {
				is := is.New(t)
				own := boss.found(t, "seats")
				ok(t, s.operator().setSeats(own, 2))
				p, q := s.newPerson("Killed"), s.newPerson("Other")
				token := s.mailedTo(t, p, boss.inviteTo(own, p, []string{"Member"}))
				other := s.mailedTo(t, q, boss.inviteTo(own, q, []string{"Member"}))
				s.diesAt(t, step, func() { p.acceptNew(token) })
				refused(t, q.acceptNew(other), 409, "seats_full") // the seat is p's
				p.signIn(t)
				if step == "accept: seat kept" {
					is.Equal(boss.limits(t, own), limitsDoc{Seats: 2, Taken: 2, OpenInvitations: 2})
					ok(t, p.accept(token))
				}
				eventually(t, "the member is there", func() bool { return p.isMember(own) })
				is.Equal(boss.limits(t, own), limitsDoc{Seats: 2, Taken: 2, OpenInvitations: 1})
				is.Equal(len(boss.members(t, own, "")), 2)
			}
		})

		t.Run("a seat that is kept is free again when the invitation is revoked", func(t *testing.T) {
			is := is.New(t)
			own := boss.found(t, "seats")
			p := s.newPerson("Killed")
			invited := ok(t, boss.inviteTo(own, p, []string{"Member"}))
			token := s.mailedTo(t, p, invited)
			s.diesAt(t, "accept: seat kept", func() { p.acceptNew(token) })
			is.Equal(boss.limits(t, own).Taken, 2)
			ok(t, boss.revoke(own, decoded[receipt](t, invited).InvitationID))
			is.Equal(boss.limits(t, own), limitsDoc{Seats: 10, Taken: 1})
		})

		t.Run("all of it stands in the history, and survives a restart", func(t *testing.T) {
			is := is.New(t)
			changed, _ := find(boss.history(t, org), func(e entryDoc) bool { return e.Type == "organization.seats_changed.v1" })
			is.Equal(changed.Data["before"], 0.0)
			is.Equal(changed.Data["after"], 12.0)
			is.Equal(changed.Actor.Kind, "api_key")
			claims := 0
			for _, e := range boss.history(t, org) {
				if e.Type == "organization.seat_claimed.v1" {
					claims++
				}
			}
			is.Equal(claims, 12) // one for each who has ever joined
			before := boss.limits(t, org)
			s.restart(t)
			is.Equal(boss.limits(t, org), before)
			s.rebuild(t)
			is.Equal(boss.limits(t, org), before)
		})
	})
}

// unknownID is an id that nothing has.
const unknownID = "0190d5a1-0000-7000-8000-000000000000"
