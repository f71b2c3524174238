package token_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"
	"pgregory.net/rapid"

	"tenure/commands/token"
)

func keys(t testing.TB, fill string) *token.Keys {
	t.Helper()
	k, err := token.NewKeys([]byte(strings.Repeat(fill, token.MinKeyBytes)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var kinds = []token.Kind{token.Invitation, token.Verification, token.PasswordReset, token.Transfer, token.Session, token.APIKey, token.PassedOn}

func TestATokenSaysWhatItWasMadeOf(t *testing.T) {
	k := keys(t, "a")
	rapid.Check(t, func(t *rapid.T) {
		made := token.Token{
			Kind:       rapid.SampledFrom(kinds).Draw(t, "kind"),
			Subject:    uuid.Must(uuid.FromBytes(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "subject"))).String(),
			Generation: rapid.IntRange(0, 1<<31-1).Draw(t, "generation"),
		}
		if rapid.Bool().Draw(t, "with detail") {
			made.Detail = "018f3c5e-0000-7000-8000-000000000001"
		}
		text, err := k.Make(made)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range kinds {
			read, err := k.Read(kind, text)
			if (kind == made.Kind) != (err == nil) {
				t.Fatalf("read as %d: %v", kind, err)
			}
			if err == nil && read != made {
				t.Fatalf("made %v, read %v", made, read)
			}
		}
	})
}

func TestNoOtherTextIsAToken(t *testing.T) {
	is := is.New(t)
	k := keys(t, "a")
	text, err := k.Make(token.Token{Kind: token.Session, Subject: uuid.NewString(), Detail: uuid.NewString()})
	is.NoErr(err)
	for i := len("tnr_ses_"); i < len(text); i++ {
		for _, c := range []byte{'A', 'B', '-', '_', '=', 0} {
			if text[i] == c {
				continue
			}
			_, err := k.Read(token.Session, text[:i]+string(c)+text[i+1:])
			is.Equal(err, token.ErrInvalid)
		}
	}
	_, err = keys(t, "b").Read(token.Session, text)
	is.Equal(err, token.ErrInvalid) // another server's
	_, err = k.Read(token.Session, text+"A")
	is.Equal(err, token.ErrInvalid)
}

func TestAShortSecretIsRefused(t *testing.T) {
	is := is.New(t)
	_, err := token.NewKeys(make([]byte, token.MinKeyBytes-1))
	is.True(err != nil)
}

func FuzzRead(f *testing.F) {
	k := keys(f, "a")
	text, err := k.Make(token.Token{Kind: token.Invitation, Subject: uuid.NewString(), Generation: 3})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("tnr_inv_")
	f.Fuzz(func(t *testing.T, candidate string) {
		if _, err := k.Read(token.Invitation, candidate); err == nil && candidate != text {
			t.Fatalf("accepted %q", candidate)
		}
	})
}
