package erasure_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/domaintest"
	. "tenure/domain/erasure"
)

const ada = domain.AccountID("0190d5a1-c3da-7f54-9507-91a2bd6e8f61")

func request(id domain.ErasureID, address string) func(State) ([]domain.Event, error) {
	return func(s State) ([]domain.Event, error) { return Request(s, id, address), nil }
}

func conclude(id domain.ErasureID, subjects ...string) func(State) ([]domain.Event, error) {
	return func(s State) ([]domain.Event, error) { return Conclude(s, id, subjects, nil), nil }
}

func TestWhoHasNoAccount(t *testing.T) {
	is := is.New(t)
	s := domaintest.Given(t, Evolve).When(request("one", "hash")).Then(Requested{ErasureID: "one", Address: "hash"})
	s.When(request("two", "hash")).Then() // under way
	address, waits := s.State.Address("one")
	is.True(waits && address == "hash")
	s = s.When(conclude("one", "invitation")).Then(Concluded{ErasureID: "one", Subjects: []string{"invitation"}})
	_, waits = s.State.Address("one")
	is.True(!waits)
	s.When(request("two", "hash")).Then(Requested{ErasureID: "two", Address: "hash"}) // invited again since
}

func TestConcluding(t *testing.T) {
	is := is.New(t)
	id := OfAccount(ada)
	s := domaintest.Given(t, Evolve).When(conclude(id, string(ada), "first")).Then(Concluded{ErasureID: id, Subjects: []string{string(ada), "first"}})
	s.When(conclude(id, "first", string(ada))).Then()
	s = s.When(conclude(id, "first", "late")).Then(Concluded{ErasureID: id, Subjects: []string{"late"}})
	subjects, concluded := s.State.Concluded(id)
	is.True(concluded)
	is.Equal(subjects, []string{string(ada), "first", "late"})
	is.Equal(s.State.Subjects(), subjects)
	s.When(conclude("nobody")).Then(Concluded{ErasureID: "nobody", Subjects: []string{}}) // nothing was found, and that is known
}

func TestManySubjects(t *testing.T) {
	is := is.New(t)
	var all []string
	for i := range 2500 {
		all = append(all, fmt.Sprint(i))
	}
	events := Conclude(State{}, "many", all, []domain.OrganizationID{"acme"})
	is.Equal(len(events), 3)
	var s State
	for _, e := range events {
		_, concluded := s.Concluded("many")
		is.True(!concluded && len(s.Subjects()) == 0) // nothing is destroyed before all of it is known
		s = Evolve(s, e)
	}
	found, _ := s.Concluded("many")
	is.True(slices.Equal(found, all))
	is.Equal(len(Conclude(s, "many", all, nil)), 0)

	// More than one append holds, killed after each.
	for i := range 25_000 {
		all = append(all, fmt.Sprint("late ", i))
	}
	for range 3 {
		for _, e := range Conclude(s, "many", all, nil) {
			s = Evolve(s, e)
		}
	}
	found, _ = s.Concluded("many")
	is.True(slices.Equal(found, all))
	is.True(slices.Equal(s.Subjects(), all))
	is.Equal(len(Conclude(s, "many", all, nil)), 0)
}
