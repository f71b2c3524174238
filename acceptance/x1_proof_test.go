package acceptance

import (
	"testing"

	"github.com/matryer/is"
)

func TestX1_OnlyTheLinkInTheMailProvesAnAddress(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t, onboarding())
		boss := s.signUp(t, "Boss")
		org := boss.found(t, "seats")
		proves := func(token string) bool {
			t.Helper()
			return decoded[struct {
				ProvesAddress bool `json:"proves_address"`
			}](t, ok(t, s.anonymous().lookup(token))).ProvesAddress
		}

		t.Run("not the link that the answer shows to whoever invites", func(t *testing.T) {
			is := is.New(t)
			victim := s.newPerson("Victim")
			invited := ok(t, boss.inviteTo(org, victim, []string{"Member"}))
			token := s.tokenOf(t, linkOf(t, invited))
			is.True(!proves(token))
			refused(t, victim.acceptNew(token), 403, "email_unverified")
			refused(t, s.anonymous().accept(token), 403, "email_unverified")
			refused(t, victim.requestSession(), 401, "credentials_wrong") // no account was made
			again := ok(t, boss.resend(org, decoded[receipt](t, invited).InvitationID))
			refused(t, victim.acceptNew(s.tokenOf(t, linkOf(t, again))), 403, "email_unverified")

			mailed := s.invitationTo(t, victim.Email)
			is.True(proves(mailed))
			victim.enter(*decoded[receipt](t, victim.acceptNew(mailed)).Session)
			is.True(victim.isMember(org))
		})

		t.Run("nor does it take over an account that an administrator made", func(t *testing.T) {
			is := is.New(t)
			school, pupil := boss.found(t, "moderated"), s.newPerson("Pupil")
			ok(t, boss.add(school, pupil.Email, "chalk and slate", "participant"))
			token := s.tokenOf(t, linkOf(t, ok(t, boss.inviteTo(org, pupil, []string{"Member"}))))
			refused(t, pupil.acceptNew(token), 403, "email_unverified")
			pupil.Password = "chalk and slate"
			pupil.signIn(t)
			refused(t, pupil.accept(token), 403, "email_unverified") // nor is that one proven
			is.True(pupil.isMember(school))
		})

		t.Run("nor one that was mailed elsewhere", func(t *testing.T) {
			is := is.New(t)
			victim, accomplice := s.newPerson("Victim"), s.newPerson("Accomplice")
			ok(t, boss.inviteWith(org, map[string]any{"email": victim.Email, "notify": accomplice.Email, "role": "Member"}))
			token := s.invitationTo(t, accomplice.Email)
			is.True(!proves(token))
			refused(t, victim.acceptNew(token), 403, "email_unverified")
			victim.register(t)
			ok(t, victim.accept(token)) // who has proven the address accepts with it
			is.True(victim.isMember(org))
		})
	})
}

// Who has asked to join elsewhere is not let in there together with somebody who
// was quick to give their account a password.
func TestM6_NoPasswordForWhoAsksToJoinElsewhere(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		boss, mallory, p := s.signUp(t, "Boss"), s.signUp(t, "Mallory"), s.signUp(t, "Newcomer")
		big, own := boss.found(t, "moderated"), mallory.found(t, "moderated")
		ok(t, p.askToJoin(big))
		ok(t, mallory.invite(own, p.Email, "", "participant"))
		ok(t, p.accept(s.invitationTo(t, p.Email)))
		refused(t, mallory.resetMember(own, p), 409, "member_elsewhere")
		ok(t, p.get("/v1/me"))
	})
}
