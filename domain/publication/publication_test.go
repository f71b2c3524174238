package publication_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/publication"
)

var (
	first  = Published{Name: "school", Version: 1, Document: "one"}
	second = Published{Name: "school", Version: 2, Document: "two"}
	other  = Published{Name: "club", Version: 1, Document: "club"}
)

func publish(p Published) func(State) ([]domain.Event, error) {
	return func(s State) ([]domain.Event, error) { return Publish(s, p) }
}

func TestEveryRefusalOfEveryDecision(t *testing.T) {
	long := first
	long.Document = strings.Repeat("x", MaxDocumentBytes+1)
	changed := first
	changed.Document = "another"
	r := domaintest.NewRefusals(t, Evolve)
	r.Refused("Publish", domain.CodeInvalid, "too long", nil, publish(long))
	r.Refused("Publish", domain.CodePolicyVersion, "the second before the first", nil, publish(second))
	r.Refused("Publish", domain.CodePolicyVersion, "a version that was published has changed", []domain.Event{first}, publish(changed))
	r.Refused("Publish", domain.CodePolicyVersion, "also the older one", []domain.Event{first, second}, publish(changed))
	r.Complete()
}

func TestVersionsFollowOneAnotherAndNeverChange(t *testing.T) {
	is := is.New(t)
	one := domaintest.Given(t, Evolve).When(publish(first)).Then(first)
	two := one.When(publish(second)).Then(second)
	all := two.When(publish(other)).Then(other)
	all.When(publish(first)).Then() // again
	all.When(publish(second)).Then()
	is.Equal(all.State.Names(), []string{"club", "school"})
	is.Equal(all.State.Latest("school"), 2)
	is.Equal(all.State.Latest("choir"), 0)
	for _, p := range []Published{first, second, other} {
		document, ok := all.State.Document(p.Name, p.Version)
		is.True(ok)
		is.Equal(document, p.Document)
	}
	for _, version := range []int{-1, 0, 3} {
		_, ok := all.State.Document("school", version)
		is.True(!ok)
	}
	is.Equal(one.State.Latest("school"), 1) // the older state is as it was
	refusal := one.When(publish(Published{Name: "school", Version: 3})).Refused(domain.CodePolicyVersion)
	is.True(strings.Contains(refusal.Message, "version 2 of school"))
}
