package checkpoint_test

import (
	"encoding/base64"
	"encoding/binary"
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	. "tenure/domain/checkpoint"
	"tenure/domain/domaintest"
)

type decision = func(State) ([]domain.Event, error)

func sign(size uint64, root string) decision {
	return func(s State) ([]domain.Event, error) { return Sign(s, size, root, "note") }
}

func cosign(size uint64, witness string) decision {
	return func(s State) ([]domain.Event, error) { return Cosign(s, size, witness, "line") }
}

func signed(size uint64, root string) domain.Event {
	return Signed{Size: size, Root: root, Note: "note"}
}

func TestEveryRefusalOfEveryDecision(t *testing.T) {
	r := domaintest.NewRefusals(t, Evolve)
	history := []domain.Event{signed(5, "a")}
	r.Refused("Sign", domain.CodeCheckpointOutdated, "another root of this size", history, sign(5, "b"))
	r.Refused("Sign", domain.CodeCheckpointOutdated, "smaller", history, sign(4, "a"))
	r.Refused("Sign", domain.CodeCheckpointOutdated, "nothing to sign", nil, sign(0, "a"))
	r.Refused("Cosign", domain.CodeNotFound, "never signed", history, cosign(6, "w"))
	r.Refused("Cosign", domain.CodeCheckpointOutdated, "of no size that was signed", history, cosign(4, "w"))
	r.Complete()
}

func TestSizesGrow(t *testing.T) {
	first := domaintest.Given(t, Evolve).When(sign(5, "a")).Then(signed(5, "a"))
	first.When(sign(5, "a")).Then()
	first.When(sign(9, "b")).Then(signed(9, "b")).When(sign(9, "b")).Then()
}

func TestAWitnessCosignsOnce(t *testing.T) {
	is := is.New(t)
	both := domaintest.Given(t, Evolve, signed(5, "a"), signed(9, "b")).
		When(cosign(5, "w")).Then(Cosigned{Size: 5, Witness: "w", Line: "line"}).
		When(cosign(5, "v")).Then(Cosigned{Size: 5, Witness: "v", Line: "line"})
	both.When(cosign(5, "w")).Then()
	c, ok := both.State.Checkpoint(5)
	is.True(ok)
	is.Equal(c.Witnesses, []Witness{{Name: "w"}, {Name: "v"}})
}

// TestANewerCosignatureTakesThePlace of an older one of the same witness.
func TestANewerCosignatureTakesThePlace(t *testing.T) {
	is := is.New(t)
	line := func(at uint64) string {
		return "— w " + base64.StdEncoding.EncodeToString(append(binary.BigEndian.AppendUint64([]byte("hash"), at), "signature"...))
	}
	with := func(at uint64) decision {
		return func(s State) ([]domain.Event, error) { return Cosign(s, 5, "w", line(at)) }
	}
	second := domaintest.Given(t, Evolve, signed(5, "a"), Cosigned{Size: 5, Witness: "w", Line: line(7)}).
		When(with(9)).Then(Cosigned{Size: 5, Witness: "w", Line: line(9)})
	second.When(with(9)).Then()
	second.When(with(8)).Then()
	c, ok := second.State.Checkpoint(5)
	is.True(ok)
	is.Equal(c.Witnesses, []Witness{{Name: "w", At: 9}})
}

func TestOldCheckpointsAreForgotten(t *testing.T) {
	is := is.New(t)
	s := State{}
	for size := uint64(1); size <= Recent+3; size++ {
		s = Evolve(s, signed(size, "a"))
	}
	_, found := s.Checkpoint(3)
	is.True(!found)
	_, found = s.Checkpoint(4)
	is.True(found)
	_, err := Cosign(s, 3, "w", "line")
	is.True(err.(*domain.Error).Code == domain.CodeCheckpointOutdated)
}
