package ledger_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"tenure/eventstore"
	"tenure/ledger"
)

// forge changes an export with care: the checksum and the number of the events
// are right again.
func (w *world) forge(organization string, format ledger.Format, change func(*ledger.Forgery)) *ledger.Report {
	w.Helper()
	forged, err := ledger.Forge(w.export(organization, format), format, change)
	w.is.NoErr(err)
	return w.verifyForged(forged)
}

// TestEventsAddedAfterTheCheckpoint are in the order of the log, and signed by
// nobody: in a new stream, and hidden among the ledger's own events.
func TestEventsAddedAfterTheCheckpoint(t *testing.T) {
	for _, format := range formats {
		for _, stream := range []string{"organization-new", "ledger"} {
			w := scene(t)
			r := w.forge("", format, func(f *ledger.Forgery) {
				last := f.Events[len(f.Events)-1]
				added := &ledger.Forged{Recorded: eventstore.Recorded{Event: goldenEvent().Event, Stream: stream, Position: last.Position + 1}, Leaf: 7}
				if stream == "ledger" {
					for _, e := range f.Events {
						if e.Stream == stream {
							added.Revision = e.Revision + 1
						}
					}
				}
				added.Hash = ledger.LeafHash(&added.Recorded)
				f.Position = added.Position
				f.Events = append(f.Events, added)
			})
			w.is.True(!r.OK)
			w.is.True(slices.ContainsFunc(r.Findings, func(f ledger.Finding) bool {
				return f.Leaf != nil && *f.Leaf == 7 && strings.Contains(f.Problem, "was not there when the log was signed")
			}))
		}
	}
}

// tell puts an event about an invitation into the organization's own stream.
func (w *world) tell(eventType, invitation string) {
	w.Helper()
	_, err := w.log.Append(ctx, "organization-acme", eventstore.Exactly(eventstore.Revision(w.next["organization-acme"]-1)), []eventstore.Event{{
		ID: eventstore.ID(uuid.New()), Type: eventType, Data: []byte(`{"organization_id":"acme","invitation_id":"` + invitation + `"}`), Metadata: []byte(`{}`),
	}})
	w.is.NoErr(err)
	w.next["organization-acme"]++
}

// TestAWholeStreamLeftOut: what is left of the export is genuine.
func TestAWholeStreamLeftOut(t *testing.T) {
	w := scene(t)
	w.tell("organization.invitation_opened.v1", "2") // not begun before the checkpoint
	w.tell("organization.invitation_closed.v1", "1")
	w.tell("organization.member_joined.v1", "")
	w.is.NoErr(w.ledger.Once(ctx))
	for _, format := range formats {
		w.is.True(w.verify(w.export("acme", format)).OK)
		for stream, problem := range map[string]string{
			"organization-acme": "the organization's own stream is missing", "invitation-1": "the stream invitation-1 is missing",
		} {
			r := w.forge("acme", format, func(f *ledger.Forgery) {
				f.Events = slices.DeleteFunc(f.Events, func(e *ledger.Forged) bool { return e.Stream == stream })
			})
			w.is.Equal(len(r.Findings), 1)
			w.is.True(strings.HasPrefix(r.Findings[0].Problem, problem))
		}
	}
}

// TestAnInvitationsLaterEvents do not all say what it is an invitation into.
func TestAnInvitationsLaterEvents(t *testing.T) {
	w := scene(t)
	_, err := w.log.Append(ctx, "invitation-1", eventstore.Exactly(eventstore.Revision(w.next["invitation-1"]-1)), []eventstore.Event{{
		ID: eventstore.ID(uuid.New()), Type: "command.changed_nothing.v1", Data: []byte(`{}`), Metadata: []byte(`{}`),
	}})
	w.is.NoErr(err)
	w.next["invitation-1"]++
	w.append("invitation-1")
	w.is.NoErr(w.ledger.Once(ctx))
	for _, format := range formats {
		r := w.verify(w.export("acme", format))
		w.is.Equal(len(r.Findings), 0)
		w.is.Equal(r.Events, uint64(6))
	}
}

// TestAReportMovesNoCursor: a hostile file says nothing to the terminal.
func TestAReportMovesNoCursor(t *testing.T) {
	const escapes, long = "\x1b[2Jall is well\r", "a stream with a long name "
	for _, format := range formats {
		w := scene(t)
		r := w.forge("acme", format, func(f *ledger.Forgery) {
			f.Organization = escapes
			f.Events[0].Stream = escapes
			f.Events[1].Type = escapes
			f.Events[2].Stream = strings.Repeat(long, 1000)
		})
		w.is.True(!r.OK)
		texts := []string{r.Organization, r.Origin}
		for _, f := range r.Findings {
			texts = append(texts, f.Problem, f.Stream, f.Type)
		}
		all := strings.Join(texts, "\n")
		w.is.True(strings.Contains(all, "all is well") && strings.Contains(all, long))
		w.is.True(!strings.ContainsAny(all, "\x1b\r"))
		w.is.True(len(all) < 20_000)
	}
}

// TestASignatureThatIsNotThere is never called valid.
func TestASignatureThatIsNotThere(t *testing.T) {
	w := scene(t)
	for _, format := range formats {
		for _, organization := range []string{"", "acme"} {
			export := w.export(organization, format)
			for _, cut := range []int{0, 1, len(export) / 2, len(export) - 1} {
				r := w.verify(export[:cut])
				w.is.True(!r.OK)
				w.is.True(r.Signature != "valid")
			}
		}
	}
}
