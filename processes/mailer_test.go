package processes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/mailing"
)

func (s *stack) signUp(name string) {
	s.t.Helper()
	_, err := s.commands.SignUp(s.ctx, public(), commands.Registrant{Email: domain.Email(name + "@example.com"), DisplayName: name, Password: secret, Language: "en"})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestTwoNodesSendEachMailOnce(t *testing.T) {
	is := is.New(t)
	s := newStack(t)
	const mails = 40
	for n := range mails {
		s.signUp(fmt.Sprint("ada", n))
	}
	answer := make(chan struct{})
	s.sent.slow = func(context.Context) { <-answer }
	s.runNode("one", s.commands)
	s.runNode("two", s.newCommands())
	const workers = 4
	s.eventually("both nodes have all hands full", func() bool { return s.sent.taken() == 2*workers })
	close(answer)
	s.eventually("all mails are recorded", func() bool { return len(s.find("mail.sent.")) == mails })
	for n := range mails {
		is.Equal(len(s.sent.to(fmt.Sprint("ada", n, "@example.com"))), 1)
	}
	is.Equal(len(s.find("mail.claimed.")), mails)
}

func TestAMailThatAnotherNodeHasIsLeftToItUntilTheClaimEnds(t *testing.T) {
	is := is.New(t)
	s := newStack(t)
	s.signUp("ada")
	asked := s.find("account.verification_requested.")
	id := domain.MailID(uuid.UUID(asked[0].ID).String())
	is.NoErr(s.commands.ClaimMail(s.ctx, public(), id, "verification", "dead node", time.Hour))

	// A look at all mails is over before the next one begins, so the mail was
	// passed over when the second of the later ones is sent.
	s.run()
	for n, later := range []string{"bob", "carol"} {
		s.signUp(later)
		s.eventually("a later mail is recorded", func() bool { return len(s.find("mail.sent.")) == n+1 })
	}
	is.Equal(len(s.sent.to("ada@example.com")), 0)
	is.Equal(s.health.Statuses()["deadlines.mail"].Failures, 0)

	s.pass(time.Hour)
	s.eventually("the mail is recorded", func() bool { return len(s.find("mail.sent.")) == 3 })
	is.Equal(len(s.sent.to("ada@example.com")), 1)
}

func TestAnAttemptEndsWellBeforeItsClaim(t *testing.T) {
	is := is.New(t)
	s := newStack(t)
	ends := make(chan time.Time, 1)
	s.sent.slow = func(ctx context.Context) {
		end, _ := ctx.Deadline()
		ends <- end
	}
	s.run()
	s.signUp("ada")
	s.eventually("the mail is recorded", func() bool { return len(s.find("mail.sent.")) == 1 })
	var claim mailing.Claimed
	is.NoErr(json.Unmarshal(s.find("mail.claimed.")[0].Data, &claim))
	end := <-ends
	is.True(!end.IsZero())
	is.True(claim.Until.Sub(end) >= time.Minute)
}

func TestAMailThatWasTakenIsRecordedByANodeThatHasToStop(t *testing.T) {
	is := is.New(t)
	s := newStack(t)
	taken := make(chan struct{})
	s.sent.slow = func(ctx context.Context) {
		close(taken)
		<-ctx.Done()
	}
	stop := s.run()
	s.signUp("ada")
	<-taken
	stop()
	is.Equal(len(s.find("mail.sent.")), 1)
}
