package commands_test

import (
	"context"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/mailing"
	"tenure/eventstore"
)

// interrupted is a log on which something happens before the next append.
type interrupted struct {
	eventstore.Store
	by func()
}

// Append implements eventstore.Store.
func (s *interrupted) Append(ctx context.Context, stream string, expected eventstore.Expected, events []eventstore.Event) (eventstore.Result, error) {
	if by := s.by; by != nil {
		s.by = nil
		by()
	}
	return s.Store.Append(ctx, stream, expected, events)
}

func TestAMailIsClaimedByOneNode(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	const id, lifetime = domain.MailID("0192d2a1-7f5e-7c3a-9a41-000000000008"), time.Minute
	log := &interrupted{Store: w.store}
	fast := w.node()
	w.store = log
	slow := w.node()
	claim := func(c *commands.Commands, node string) error {
		return c.ClaimMail(w.ctx, commands.Request{Actor: domain.ByProcess("mail")}, id, "invitation", node, lifetime)
	}

	// Each of the two finds the mail free, and one is the first to say so.
	log.by = func() { is.NoErr(claim(fast, "fast")) }
	is.Equal(claim(slow, "slow"), mailing.ErrClaimed)
	is.True(log.by == nil)
	is.NoErr(claim(fast, "fast"))
	w.pass(lifetime - 1)
	is.Equal(claim(slow, "slow"), mailing.ErrClaimed)

	w.pass(1)
	log.by = func() { is.NoErr(claim(fast, "fast")) }
	is.Equal(claim(slow, "slow"), mailing.ErrClaimed)
	w.pass(lifetime)
	is.NoErr(claim(slow, "slow"))
	is.Equal(claim(fast, "fast"), mailing.ErrClaimed)

	is.NoErr(slow.RecordMailSent(w.ctx, commands.Request{Actor: domain.ByProcess("mail")}, id, "invitation", "<1@example.com>"))
	w.pass(lifetime)
	is.Equal(claim(fast, "fast"), mailing.ErrDone)
	is.Equal(claim(slow, "slow"), mailing.ErrDone)
}
