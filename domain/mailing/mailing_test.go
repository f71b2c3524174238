package mailing_test

import (
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"
	"pgregory.net/rapid"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/mailing"
)

const lifetime = 2 * time.Minute

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type decision = func(State) ([]domain.Event, error)

func claim(by string, after time.Duration) decision {
	return func(s State) ([]domain.Event, error) {
		return Claim(s, "mail", "invitation", by, noon.Add(after), lifetime)
	}
}

func claimed(by string, after time.Duration) Claimed {
	return Claimed{MailID: "mail", Template: "invitation", By: by, Until: noon.Add(after + lifetime)}
}

func fails(t *testing.T, s State, decide decision, with error) {
	t.Helper()
	events, err := decide(s)
	is := is.New(t)
	is.True(errors.Is(err, with))
	is.Equal(len(events), 0)
}

var (
	send    = domaintest.Always(func(s State) []domain.Event { return Send(s, "mail", "invitation", "<1@example.com>") })
	abandon = domaintest.Always(func(s State) []domain.Event { return Abandon(s, "mail", "invitation", CauseRejected) })

	sent      = Sent{MailID: "mail", Template: "invitation", MessageID: "<1@example.com>"}
	abandoned = Abandoned{MailID: "mail", Template: "invitation", Cause: CauseRejected}
)

func TestAMailIsDoneOnce(t *testing.T) {
	for _, given := range [][]domain.Event{nil, {claimed("a", 0)}} {
		after := domaintest.Given(t, Evolve, given...).When(send).Then(sent)
		after.When(send).Then()
		after.When(abandon).Then()

		after = domaintest.Given(t, Evolve, given...).When(abandon).Then(abandoned)
		after.When(send).Then()
		after.When(abandon).Then()
	}
}

func TestAMailThatIsDoneIsNobodys(t *testing.T) {
	for _, end := range []domain.Event{sent, abandoned} {
		s := domaintest.Given(t, Evolve, claimed("a", 0), end).State
		fails(t, s, claim("a", time.Second), ErrDone)
		fails(t, s, claim("b", time.Second), ErrDone)
		fails(t, s, claim("b", time.Hour), ErrDone)
	}
}

func TestAClaimedMailIsLeftToItsNodeUntilTheClaimEnds(t *testing.T) {
	mine := domaintest.Given(t, Evolve).When(claim("a", 0)).Then(claimed("a", 0))
	fails(t, mine.State, claim("b", 0), ErrClaimed)
	fails(t, mine.State, claim("b", lifetime-1), ErrClaimed)
	taken := mine.When(claim("b", lifetime)).Then(claimed("b", lifetime))
	fails(t, taken.State, claim("a", lifetime), ErrClaimed)
}

func TestANodeExtendsItsClaimWhenTooLittleOfItIsLeft(t *testing.T) {
	mine := domaintest.Given(t, Evolve, claimed("a", 0))
	mine.When(claim("a", lifetime/4-1)).Then()
	mine.When(claim("a", lifetime/4)).Then(claimed("a", lifetime/4))
	mine.When(claim("a", 2*lifetime)).Then(claimed("a", 2*lifetime))
}

// TestNoTwoNodesHaveAMail has nodes claim a mail in any order, on what they have
// read of its stream, under the rule of the log: an append that does not come
// right after what was read is refused.
func TestNoTwoNodesHaveAMail(t *testing.T) {
	type node struct {
		state State
		read  int            // events of the log
		wants []domain.Event // decided and not yet appended
		until time.Time      // the end of what it believes is its claim
	}
	rapid.Check(t, func(t *rapid.T) {
		now := noon
		var log []domain.Event
		nodes := map[string]*node{"a": {}, "b": {}, "c": {}}
		names := rapid.SampledFrom([]string{"a", "b", "c"})
		has := func(n *node) {
			if n.state.ClaimedUntil.Sub(now) > lifetime {
				t.Fatalf("claimed for longer than %v: %+v at %v", lifetime, n.state, now)
			}
			n.until = n.state.ClaimedUntil
		}
		t.Repeat(map[string]func(*rapid.T){
			"time passes": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "quarters")) * lifetime / 4)
			},
			"read": func(t *rapid.T) {
				n := nodes[names.Draw(t, "node")]
				for _, e := range log[n.read:] {
					n.state = Evolve(n.state, e)
				}
				n.read, n.wants = len(log), nil
			},
			"decide": func(t *rapid.T) {
				name := names.Draw(t, "node")
				n := nodes[name]
				events, err := Claim(n.state, "mail", "invitation", name, now, lifetime)
				if n.wants = events; err == nil && len(events) == 0 {
					has(n)
				}
			},
			"append": func(t *rapid.T) {
				n := nodes[names.Draw(t, "node")]
				if len(n.wants) == 0 || n.read != len(log) {
					return
				}
				log = append(log, n.wants...)
				for _, e := range n.wants {
					n.state = Evolve(n.state, e)
				}
				n.read, n.wants = len(log), nil
				has(n)
			},
			"": func(t *rapid.T) {
				holders := 0
				for _, n := range nodes {
					if now.Before(n.until) {
						holders++
					}
				}
				if holders > 1 {
					t.Fatalf("%d nodes have the mail at %v: %+v", holders, now, log)
				}
			},
		})
	})
}
