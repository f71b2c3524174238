package mailing_test

import (
	"testing"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/mailing"
)

func TestAMailIsDoneOnce(t *testing.T) {
	send := domaintest.Always(func(s State) []domain.Event { return Send(s, "mail", "invitation", "<1@example.com>") })
	abandon := domaintest.Always(func(s State) []domain.Event { return Abandon(s, "mail", "invitation", CauseRejected) })

	sent := domaintest.Given(t, Evolve).When(send).Then(Sent{MailID: "mail", Template: "invitation", MessageID: "<1@example.com>"})
	sent.When(send).Then()
	sent.When(abandon).Then()

	abandoned := domaintest.Given(t, Evolve).When(abandon).Then(Abandoned{MailID: "mail", Template: "invitation", Cause: CauseRejected})
	abandoned.When(send).Then()
	abandoned.When(abandon).Then()
}
