package history_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tenure/commands"
	"tenure/commands/token"
	"tenure/domain"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/history"
	"tenure/ledger"
	"tenure/policies"
	"tenure/projections"
	viewsqlite "tenure/projections/sqlite"
)

// signed has the ledger sign all of the log, with the key that it answers.
func (w *world) signed() *ledger.Key {
	w.Helper()
	views, err := viewsqlite.Open(filepath.Join(w.TempDir(), "views.db"), viewsqlite.Options{})
	w.is.NoErr(err)
	w.Cleanup(func() { w.is.NoErr(views.Close()) })
	keys, err := token.NewKeys(bytes.Repeat([]byte{7}, 32))
	w.is.NoErr(err)
	signer, err := ledger.NewKey(keys)
	w.is.NoErr(err)
	l := ledger.New(ledger.Dependencies{
		Log: w.log, Tree: ledger.NewTree(views), Key: signer, Interval: time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		Commands: commands.New(commands.Dependencies{Store: w.log, Codec: codec.New(), Keys: keys, Now: time.Now, CachedEvents: 1000}),
	})
	done := make(chan error, 1)
	go func() { done <- l.Run(w.Context()) }()
	w.Cleanup(func() { <-done })
	for l.State().Size == 0 || l.State().Signed < l.State().Size {
		w.is.True(!l.State().Failing)
		time.Sleep(time.Millisecond)
	}
	return signer
}

// An export of a random history, in either format and of everything or of one
// organization, says of every moment what the log says.
func TestAnExportSaysWhatTheLogSays(t *testing.T) {
	w := newWorld(t, history.Options{})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	ids := w.tellAll(seed, 3, 900)
	key := w.signed()
	rng := rand.New(rand.NewPCG(seed, 2))
	all := w.logged()
	for _, format := range []ledger.Format{ledger.NDJSON, ledger.Parquet} {
		for _, org := range ids {
			for _, of := range []string{"", string(org)} {
				var file bytes.Buffer
				_, err := ledger.Export(t.Context(), w.log, &file, ledger.ExportOptions{Organization: of, Format: format, Key: key})
				w.is.NoErr(err)
				kept, r, err := ledger.ReadExport(bytes.NewReader(file.Bytes()), string(org), ledger.Options{Key: key.Verifier()})
				w.is.NoErr(err)
				w.is.True(r.OK)
				offline := history.New(commands.New(commands.Dependencies{
					Store: eventstore.ReadOnly(kept), Codec: codec.New(), Policies: policies.Builtin(), Now: func() time.Time { return w.now }, CachedEvents: 1_000_000,
				}), history.Options{})
				events := all[org]
				for range 6 {
					from, to := rng.IntN(len(events)), rng.IntN(len(events))
					from, to = min(from, to), max(from, to)
					for _, ends := range [][2]history.Moment{
						{{Position: events[from].Position}, {Position: events[to].Position}},
						{{Instant: events[from].Metadata.OccurredAt}, {Instant: w.now.Add(-time.Hour)}},
						{{Instant: events[from].Metadata.OccurredAt.Add(-1)}, {}},
					} {
						w.sameDiff(offline, org, ends[0], ends[1])
						w.samePast(offline, org, ends[1])
					}
				}
				for _, account := range []domain.AccountID{"", w.anyMember(org)} {
					w.is.Equal(w.told(offline, org, account), w.told(w.history, org, account))
				}
			}
		}
	}
}

func (w *world) samePast(offline *history.History, org domain.OrganizationID, m history.Moment) {
	w.Helper()
	got, err := offline.At(w.Context(), org, m)
	w.is.NoErr(err)
	want, err := w.history.At(w.Context(), org, m)
	w.is.NoErr(err)
	w.is.Equal(got.Position, want.Position)
	w.is.Equal(w.lines(got, org), w.lines(want, org))
	reviews := make([][]byte, 2)
	for i, h := range []*history.History{offline, w.history} {
		r, err := h.Review(w.Context(), org, m)
		w.is.NoErr(err)
		reviews[i], err = r.CSV()
		w.is.NoErr(err)
	}
	w.is.Equal(string(reviews[0]), string(reviews[1]))
}

func (w *world) sameDiff(offline *history.History, org domain.OrganizationID, from, to history.Moment) {
	w.Helper()
	got, errGot := offline.Diff(w.Context(), org, from, to)
	want, err := w.history.Diff(w.Context(), org, from, to)
	w.is.Equal(errGot == nil, err == nil)
	texts := make([]string, 2)
	for i, d := range []history.Diff{got, want} {
		text, err := d.CSV()
		w.is.NoErr(err)
		lines := strings.Split(string(text), "\r\n")
		slices.Sort(lines) // those of one event come in any order
		texts[i] = strings.Join(lines, "\n")
	}
	w.is.Equal(texts[0], texts[1])
	w.is.Equal(got.From, want.From)
	w.is.Equal(got.To, want.To)
}

// told is all that is told of an organization, or of an account in it.
func (w *world) told(h *history.History, org domain.OrganizationID, account domain.AccountID) (steps []string) {
	w.Helper()
	err := h.Steps(w.Context(), org, account, history.Range{}, func(s history.Step) error {
		text, err := json.Marshal(s)
		steps = append(steps, string(text))
		return err
	})
	w.is.NoErr(err)
	w.is.True(len(steps) > 0)
	return steps
}

func (w *world) anyMember(org domain.OrganizationID) domain.AccountID {
	w.Helper()
	p, err := w.history.At(w.Context(), org, history.Moment{})
	w.is.NoErr(err)
	page, err := p.Reader.Members(w.Context(), projections.MembersQuery{Organization: org, Status: "active"})
	w.is.NoErr(err)
	items, err := page.Items()
	w.is.NoErr(err)
	var m projections.Member
	w.is.NoErr(json.Unmarshal(items[0], &m))
	return m.AccountID
}
