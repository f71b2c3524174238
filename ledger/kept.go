package ledger

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"sort"

	"tenure/eventstore"
)

// Kept is what an export has of one organization, read into memory while it was
// verified: what is read is what was hashed. It is a log for who asks about the
// organization.
type Kept struct {
	Organization string
	streams      map[string][]eventstore.Recorded
	all          []eventstore.Recorded
	head         eventstore.Position
}

// ErrWhich says that an export is of several organizations, or of another one.
var ErrWhich = errors.New("ledger: the export is not of this one organization")

// ReadExport verifies an export and reads an organization's events from it; of an
// export of one organization it is that one where none is named. There is nothing to
// read where the Report is not OK. It fails as VerifyExport does, with ErrWhich, and
// with ErrNoOrganization.
func ReadExport(file ExportFile, organization string, options Options) (*Kept, *Report, error) {
	k := &Kept{streams: make(map[string][]eventstore.Recorded)}
	in := scope{}
	options.visit = func(of string, e *entry) {
		in.organization = cmp.Or(organization, of)
		if IsLeaf(e.Recorded) && (isPolicy(e.Recorded) || in.has(e.Recorded)) {
			kept := *e.Recorded
			kept.Data, kept.Metadata = bytes.Clone(e.Data), bytes.Clone(e.Metadata)
			k.all = append(k.all, kept)
			k.streams[e.Stream] = append(k.streams[e.Stream], kept)
		}
	}
	r, err := VerifyExport(file, options)
	if err != nil || !r.OK {
		return nil, r, err
	}
	k.Organization, k.head = cmp.Or(organization, r.Organization), r.Position
	switch {
	case k.Organization == "" || r.Organization != "" && r.Organization != k.Organization:
		return nil, r, ErrWhich
	case len(k.streams[organizationPrefix+k.Organization]) == 0:
		return nil, r, ErrNoOrganization
	}
	return k, r, nil
}

// Head is that of eventstore.Reader: the last event of the log that the checkpoint
// of the export covers.
func (k *Kept) Head(context.Context) (eventstore.Position, error) { return k.head, nil }

// ReadStream is that of eventstore.Reader.
func (k *Kept) ReadStream(_ context.Context, stream string, from eventstore.Revision, limit int) ([]eventstore.Recorded, error) {
	events, known := k.streams[stream]
	if !known {
		return nil, eventstore.ErrStreamNotFound
	}
	i := sort.Search(len(events), func(i int) bool { return events[i].Revision >= from })
	return slices.Clone(events[i:min(len(events), i+limit)]), nil
}

// ReadAll is that of eventstore.Reader.
func (k *Kept) ReadAll(_ context.Context, after eventstore.Position, limit int, filter eventstore.Filter) (eventstore.Page, error) {
	page := eventstore.Page{Position: after}
	i := sort.Search(len(k.all), func(i int) bool { return k.all[i].Position > after })
	for ; i < len(k.all) && len(page.Events) < limit; i++ {
		page.Position = k.all[i].Position
		if filter.Matches(k.all[i].Type) {
			page.Events = append(page.Events, k.all[i])
		}
	}
	page.Head = i == len(k.all)
	return page, nil
}

var _ eventstore.Reader = (*Kept)(nil)
