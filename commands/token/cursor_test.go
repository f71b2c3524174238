package token_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/commands/token"
)

func TestCursorsSayNothingAndAreTheSameEverywhere(t *testing.T) {
	is := is.New(t)
	nodes := make([]*token.Keys, 3)
	for i, secret := range []string{"a", "a", "b"} {
		var err error
		nodes[i], err = token.NewKeys([]byte(strings.Repeat(secret, token.MinKeyBytes)))
		is.NoErr(err)
	}
	const text = "ada lovelace/0198c0de"
	sealed := nodes[0].SealCursor("members", text)
	is.Equal(nodes[1].SealCursor("members", text), sealed)
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	is.NoErr(err)
	for _, part := range []string{"ada", "0198"} {
		is.True(!strings.Contains(string(raw), part))
	}
	opened, err := nodes[1].OpenCursor("members", sealed)
	is.NoErr(err)
	is.Equal(opened, text)
	refused := func(k *token.Keys, purpose, sealed string) {
		t.Helper()
		_, err := k.OpenCursor(purpose, sealed)
		is.True(errors.Is(err, token.ErrInvalid))
	}
	refused(nodes[2], "members", sealed) // of another deployment
	refused(nodes[0], "invitations", sealed)
	for i := range sealed {
		changed := []byte(sealed)
		changed[i] ^= 1
		refused(nodes[0], "members", string(changed))
		refused(nodes[0], "members", sealed[:i])
		refused(nodes[0], "members", sealed[:i]+"\n"+sealed[i:])
	}
	refused(nodes[0], "members", sealed+"A")
	for _, other := range []string{"", "x", "ada lovelacf/0198c0de"} {
		again := nodes[0].SealCursor("members", other)
		is.True(again[:16] != sealed[:16]) // no nonce is used twice
	}
}
