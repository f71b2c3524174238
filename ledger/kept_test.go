package ledger_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/uuid"

	"tenure/eventstore"
	"tenure/ledger"
)

// TestAnOrganizationsExportHasItsPolicies exports what was published of the policies
// that it was under, up to the newest version that it was, and reads it back.
func TestAnOrganizationsExportHasItsPolicies(t *testing.T) {
	w := newWorld(t)
	write := func(stream, eventType string, all ...string) {
		for i, data := range all {
			expected := eventstore.NoStream()
			if i > 0 {
				expected = eventstore.Exactly(eventstore.Revision(i - 1))
			}
			e := eventstore.Event{ID: eventstore.ID(uuid.New()), Type: eventType, Data: []byte(data), Metadata: []byte(`{}`)}
			_, err := w.log.Append(ctx, stream, expected, []eventstore.Event{e})
			w.is.NoErr(err)
		}
	}
	write("policies-own", "policy.published.v1", `{"name":"club","version":1}`, `{"name":"school","version":1}`, `{"name":"school","version":2}`, `{"name":"school","version":3}`)
	write("organization-acme", "organization.activated.v1", `{"organization_id":"acme","policy":"school","policy_version":2}`)
	write("organization-other", "organization.activated.v1", `{"organization_id":"other","policy":"club","policy_version":1}`)
	w.is.NoErr(w.ledger.Once(ctx))
	for _, format := range formats {
		export := w.export("acme", format)
		kept, r, err := ledger.ReadExport(bytes.NewReader(export), "", ledger.Options{Key: w.key.Verifier()})
		w.is.NoErr(err)
		w.is.Equal([]any{r.OK, r.Events, kept.Organization}, []any{true, uint64(3), "acme"})
		published, err := kept.ReadStream(ctx, "policies-own", 0, 10)
		w.is.NoErr(err)
		w.is.Equal(len(published), 2)
		w.is.Equal(string(published[1].Data), `{"name":"school","version":2}`)
		page, err := kept.ReadAll(ctx, published[0].Position, 1, eventstore.Filter{})
		w.is.NoErr(err)
		w.is.Equal([]any{len(page.Events), page.Events[0].Revision, page.Head}, []any{1, eventstore.Revision(2), false})
		head, err := kept.Head(ctx)
		w.is.NoErr(err)
		w.is.Equal(head, r.Position)
		_, err = kept.ReadStream(ctx, "organization-other", 0, 10)
		w.is.True(errors.Is(err, eventstore.ErrStreamNotFound))

		_, _, err = ledger.ReadExport(bytes.NewReader(export), "other", ledger.Options{})
		w.is.Equal(err, ledger.ErrWhich)
		_, _, err = ledger.ReadExport(bytes.NewReader(w.export("", format)), "", ledger.Options{})
		w.is.Equal(err, ledger.ErrWhich)
		_, _, err = ledger.ReadExport(bytes.NewReader(w.export("", format)), "nobody", ledger.Options{})
		w.is.Equal(err, ledger.ErrNoOrganization)

		export[len(export)/2]++
		kept, r, err = ledger.ReadExport(bytes.NewReader(export), "", ledger.Options{})
		w.is.NoErr(err)
		w.is.True(kept == nil && !r.OK) // nothing to read
	}
}
