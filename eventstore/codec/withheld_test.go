package codec_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// What is read without keys names everybody by something that is always the same,
// and fits wherever a name does.
func TestWithheld(t *testing.T) {
	is := is.New(t)
	v := newVault(t)
	sealing, without := codec.NewSealing(v.Ring), codec.NewWithholding()
	for _, e := range samples() {
		sealed, err := sealing.Encode(eventstore.ID(uuid.New()), e, codec.Metadata{Reason: "Secret reason."})
		is.NoErr(err)
		r := eventstore.Recorded{Event: sealed}
		first, err := without.Decode(r)
		is.NoErr(err)
		again, err := without.Decode(r)
		is.NoErr(err)
		is.Equal(first, again)
		is.Equal(first.Metadata.Reason == codec.WithheldReason, strings.Contains(string(sealed.Metadata), "tnr_sealed1."))
		open, err := sealing.Decode(r)
		is.NoErr(err)
		if !codec.Sealed(r) {
			is.Equal(first.Event, open.Event)
		}
	}
}
