package invitation_test

import (
	"testing"

	"github.com/matryer/is"

	. "tenure/domain/invitation"
)

func TestOnlyAMailToTheAddressProvesIt(t *testing.T) {
	is := is.New(t)
	is.True(State{Email: "ada@example.com"}.Proves())
	is.True(State{Email: "ada@example.com", Notify: "Ada@Example.com"}.Proves())
	is.True(!State{Email: "ada@example.com", Notify: "eve@example.com"}.Proves())
	is.True(!State{Notify: "eve@example.com"}.Proves())
}
