package codec_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// TestTextsThatLookSealed has people write what a sealed value looks like: nobody
// may stop the views of all by that.
func TestTextsThatLookSealed(t *testing.T) {
	v := newVault(t)
	c := codec.NewSealing(v.Ring)
	for _, forged := range []string{"tnr_sealed1.", "tnr_sealed1.0001.AAAA", "tnr_sealed1.0001.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		for name, by := range map[string]domain.Actor{"an account": domain.ByAccount(anAccount), "a key": domain.ByAPIKey(anAPIKey), "nobody": domain.Public()} {
			t.Run(name, func(t *testing.T) {
				is := is.New(t)
				m := aMetadata()
				m.Actor, m.Reason = by, forged
				for _, codec := range []*codec.Codec{c, c.Drafting()} {
					e := registered()
					e.DisplayName = forged
					for _, event := range []domain.Event{organization.Renamed{OrganizationID: anOrganization, Before: "a", After: "b"}, e} {
						encoded, err := codec.Encode(anEventID(), event, m)
						is.NoErr(err)
						read, err := codec.Decode(eventstore.Recorded{Event: encoded})
						is.NoErr(err)
						is.Equal(read.Metadata.Reason, forged)
						is.Equal(read.Event, event)
					}
				}
			})
		}
	}
}
