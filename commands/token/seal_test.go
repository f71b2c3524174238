package token_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/commands/token"
)

func TestSealedTextIsReadByItsServerInItsTime(t *testing.T) {
	is := is.New(t)
	keys, err := token.NewKeys(bytes.Repeat([]byte{1}, 32))
	is.NoErr(err)
	other, err := token.NewKeys(bytes.Repeat([]byte{2}, 32))
	is.NoErr(err)
	noon := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

	text, err := keys.Seal("state", map[string]string{"secret": "value"}, noon)
	is.NoErr(err)
	is.True(!strings.Contains(text, "value"))
	again, err := keys.Seal("state", map[string]string{"secret": "value"}, noon)
	is.NoErr(err)
	is.True(text != again)

	var got map[string]string
	is.NoErr(keys.Open("state", text, &got, noon.Add(-1)))
	is.Equal(got["secret"], "value")
	is.Equal(keys.Open("state", text, &got, noon), token.ErrInvalid)          // its time is over
	is.Equal(keys.Open("code", text, &got, noon.Add(-1)), token.ErrInvalid)   // another purpose
	is.Equal(other.Open("state", text, &got, noon.Add(-1)), token.ErrInvalid) // another secret
	is.Equal(keys.Open("state", text[:40], &got, noon.Add(-1)), token.ErrInvalid)
	is.Equal(keys.Open("state", strings.Repeat("a", 20_000), &got, noon.Add(-1)), token.ErrInvalid)
	is.Equal(keys.Open("state", "tnr_sld_"+strings.Repeat("a", 20_000), &got, noon.Add(-1)), token.ErrInvalid)
	for i := len("tnr_sld_"); i < len(text); i++ { // every bit counts
		changed := []byte(text)
		changed[i] ^= 1
		is.Equal(keys.Open("state", string(changed), &got, noon.Add(-1)), token.ErrInvalid)
	}
}
