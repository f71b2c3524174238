package processes_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/domain"
	"tenure/processes"
)

// Mails that were put off stay at the head of the list, since they are the
// longest due: however many they are, those behind them are found.
func TestMailsThatWerePutOffHideNoOthers(t *testing.T) {
	is := is.New(t)
	s := newStack(t)
	const many = processes.LookAhead + 20
	for n := range many {
		s.signUp(fmt.Sprint("ada", n))
	}
	asked := s.find("account.verification_requested.")
	is.Equal(len(asked), many)
	for _, e := range asked {
		is.NoErr(s.commands.ClaimMail(s.ctx, public(), domain.MailID(uuid.UUID(e.ID).String()), "verification", "another node", time.Hour))
	}
	s.signUp("late")
	s.run()
	s.eventually("the mail behind them is recorded", func() bool { return len(s.find("mail.sent.")) == 1 })
	is.Equal(len(s.sent.to("late@example.com")), 1)
	is.Equal(s.sent.taken(), 1)
}
