package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"tenure/eventstore"
)

// A view is stored in generations. One serves. A rebuild (X13) fills the next
// one from the log beside it, and then the next one serves:
//
//	building ⇄ paused     the next generation is filled, or waits
//	joining               it is close to the end of the log, and now folded
//	                      together with the one that serves
//	switched              it serves; the one before is still kept up to date,
//	                      for readers that have not seen the switch
//	retiring              the one before is dropped
//	cancelling            the next one is dropped
//
// The phase of each view stands in a document of the storage, which is changed
// from one revision to the next only, so of two who change it one has to look
// again. Killed between any two phases, the node that applies the log next goes
// on from what stands there.
const generationsView = "generations.v1"

// Phase is where a rebuild is.
type Phase string

// The phases of a rebuild; none while there is no rebuild.
const (
	PhaseNone       Phase = ""
	PhaseBuilding   Phase = "building"
	PhasePaused     Phase = "paused"
	PhaseJoining    Phase = "joining"
	PhaseSwitched   Phase = "switched"
	PhaseRetiring   Phase = "retiring"
	PhaseCancelling Phase = "cancelling"
)

// generation is the document.
type generation struct {
	Serving  int       `json:"serving"`
	Other    int       `json:"other"` // the next one, or after the switch the one before
	Last     int       `json:"last"`  // the highest number ever given
	Phase    Phase     `json:"phase,omitempty"`
	Since    time.Time `json:"since"` // of the phase
	From     uint64    `json:"from"`  // where building began, or went on
	revision eventstore.Position
}

// storedAs names a generation in the storage.
func storedAs(view string, generation int) string {
	if generation == 0 {
		return view
	}
	return fmt.Sprintf("%s@%d", view, generation)
}

// generations knows which generations there are of each view.
type generations struct {
	storage Storage
	views   []Definition
	current atomic.Pointer[map[string]generation] // by name of the view
	asOf    atomic.Pointer[time.Time]             // when that was read; nil before
}

func newGenerations(storage Storage, views []Definition) *generations {
	g := &generations{storage: storage, views: views}
	g.current.Store(&map[string]generation{})
	return g
}

// serving is under which name the view is read.
func (g *generations) serving(view string) string {
	return storedAs(view, (*g.current.Load())[view].Serving)
}

// refreshAfter is refresh, unless what is known is younger than age. A node that
// hung finds with it that its generations may be gone.
func (g *generations) refreshAfter(ctx context.Context, age time.Duration) error {
	if asOf := g.asOf.Load(); asOf != nil && time.Since(*asOf) < age {
		return nil
	}
	return g.refresh(ctx)
}

// refresh reads the documents.
func (g *generations) refresh(ctx context.Context) error {
	began := time.Now()
	all := make(map[string]generation, len(g.views))
	names, keys := make([]string, len(g.views)), make([]Key, len(g.views))
	for i, v := range g.views {
		names[i], keys[i] = v.name(), Key{Partition: v.name(), ID: "generation"}
	}
	// The revisions first: a document that changes in between is newer than its
	// revision says, and a change from there is refused.
	revisions, err := g.storage.Positions(ctx, generationsView, names)
	if err != nil {
		return err
	}
	bodies, err := g.storage.Documents(ctx, generationsView, keys)
	if err != nil {
		return err
	}
	for i, body := range bodies {
		var doc generation
		if body != nil {
			if err := json.Unmarshal(body, &doc); err != nil {
				return fmt.Errorf("projections: the generation of %s: %w", names[i], err)
			}
		}
		doc.revision = revisions[i]
		all[names[i]] = doc
	}
	g.current.Store(&all)
	g.asOf.Store(&began)
	return nil
}

// change replaces the document of a view. It fails with ErrSuperseded when
// somebody else has changed it since before was read.
func (g *generations) change(ctx context.Context, view string, before, after generation) error {
	if after.Phase != before.Phase {
		after.Since = time.Now().UTC()
	}
	body, err := json.Marshal(after)
	if err != nil {
		return err
	}
	err = g.storage.Apply(ctx, []Batch{{View: generationsView, Changes: []Change{{
		Partition: view, From: before.revision, To: before.revision + 1, Puts: []Document{{ID: "generation", Body: body}},
	}}}})
	return errors.Join(err, g.refresh(ctx))
}

// followed are the views as the projector has to keep them up to date: those
// that serve, and those that are about to, or did until just now.
func (g *generations) followed() []Definition {
	all := make([]Definition, 0, len(g.views))
	for _, v := range g.views {
		doc := (*g.current.Load())[v.name()]
		all = append(all, v.as(storedAs(v.name(), doc.Serving)))
		if doc.Phase == PhaseJoining || doc.Phase == PhaseSwitched {
			all = append(all, v.as(storedAs(v.name(), doc.Other)))
		}
	}
	return all
}

func (g *generations) find(view string) (Definition, generation, bool) {
	for _, v := range g.views {
		if name := v.name(); name == view || strings.HasPrefix(name, view+".v") {
			return v, (*g.current.Load())[name], true
		}
	}
	return nil, generation{}, false
}

// served is a storage whose views are read under the names that serve.
type served struct {
	Storage
	generations *generations
}

// Documents implements Storage.
func (s served) Documents(ctx context.Context, view string, keys []Key) ([][]byte, error) {
	return s.Storage.Documents(ctx, s.generations.serving(view), keys)
}

// Range implements Storage.
func (s served) Range(ctx context.Context, view string, q RangeQuery) ([]Row, eventstore.Position, error) {
	return s.Storage.Range(ctx, s.generations.serving(view), q)
}

// Positions implements Storage.
func (s served) Positions(ctx context.Context, view string, partitions []string) ([]eventstore.Position, error) {
	return s.Storage.Positions(ctx, s.generations.serving(view), partitions)
}
