package processes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/webhook"
	"tenure/eventstore/codec"
	"tenure/processes"
	"tenure/projections"
	"tenure/relay"
	sending "tenure/relay/webhook"
)

// receiver takes deliveries, or answers as it is told to.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	fails    func(id, after string) int // a status, -1 to break off; 0 takes it
	arrived  []string                   // what each taken event says, without repetitions
	ids      map[string]bool
	repeated int
}

func newReceiver(t *testing.T, fails func(id, after string) int) *receiver {
	r := &receiver{fails: fails, ids: make(map[string]bool)}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	var e struct {
		ID   string
		Data struct{ After string }
	}
	if err != nil || json.Unmarshal(body, &e) != nil || e.ID != request.Header.Get("webhook-id") || request.Header.Get("webhook-signature") == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch status := r.fails(e.ID, e.Data.After); {
	case status < 0:
		panic(http.ErrAbortHandler)
	case status > 0:
		w.WriteHeader(status)
	case r.ids[e.ID]:
		r.repeated++
	default:
		r.ids[e.ID] = true
		r.arrived = append(r.arrived, e.Data.After)
	}
}

func (r *receiver) has() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.arrived)
}

// deliver runs the deliveries of one node until stop is called.
func (s *stack) deliver(c *commands.Commands) (stop func()) {
	s.t.Helper()
	feed, err := relay.New(relay.Config{Log: s.log, Codec: codec.New(), PublicURL: "https://members.example"})
	if err != nil {
		s.t.Fatal(err)
	}
	sender := sending.NewSender(true)
	w := &processes.Webhooks{
		Commands: c, Feed: feed, Checkpoints: s.views, Log: projections.NewDeliveryLog(s.views, c.Now),
		Sender: sender, Organizations: sender, Logger: slog.New(slog.DiscardHandler),
	}
	ctx, cancel := context.WithCancel(s.ctx)
	var all sync.WaitGroup
	all.Go(func() { feed.Run(ctx) })
	all.Go(func() { w.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		all.Wait()
		sender.Close()
	})
	s.t.Cleanup(stop)
	return stop
}

func (s *stack) register(url string) domain.WebhookID {
	s.t.Helper()
	id, _, _, err := s.commands.RegisterWebhook(s.ctx, public(), webhook.Registered{URL: url, Type: "organization.renamed"}, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// deliveries are those of an outcome in the delivery log, the latest first.
func (s *stack) deliveries(id domain.WebhookID, outcome string) (found []projections.Delivery) {
	s.t.Helper()
	page, err := projections.NewDeliveryLog(s.views, s.commands.Now).Page(s.ctx, projections.DeliveriesQuery{Webhook: id, Outcome: outcome, Limit: 200})
	if err != nil {
		s.t.Fatal(err)
	}
	items, err := page.Items()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, item := range items {
		var d projections.Delivery
		if err := json.Unmarshal(item, &d); err != nil {
			s.t.Fatal(err)
		}
		found = append(found, d)
	}
	return found
}

func (s *stack) webhook(id domain.WebhookID) webhook.Webhook {
	s.t.Helper()
	state, err := s.commands.Webhooks(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	w, _ := state.Webhook(id)
	return w
}

func (s *stack) rename(org domain.OrganizationID, by commands.Request, from, to int) (names []string) {
	s.t.Helper()
	for i := from; i < to; i++ {
		names = append(names, fmt.Sprint("Engines ", i))
		if _, err := s.commands.RenameOrganization(s.ctx, by, org, domain.OrganizationName(names[len(names)-1])); err != nil {
			s.t.Fatal(err)
		}
	}
	return names
}

// Events arrive in order, each at least once, at a receiver that fails in every
// way, while nodes come and go.
func TestDeliveriesArriveWhateverFails(t *testing.T) {
	is := is.New(t)
	s := newStack(t)
	s.run()
	org, by := s.organization()
	dice := rand.New(rand.NewPCG(1, 2))
	r := newReceiver(t, func(string, string) int { return []int{0, 0, 0, 500, 302, -1, 404}[dice.IntN(7)] })
	slow := newReceiver(t, func(string, string) int { return 0 })
	id, other := s.register(r.URL), s.register(slow.URL)
	want := s.rename(org, by, 0, 15)
	stop := s.deliver(s.commands)
	s.eventually("the well one has all", func() bool { return len(slow.has()) == 15 }) // the other does not hold it up
	stop()
	want = append(want, s.rename(org, by, 15, 30)...)
	for range 3 {
		before := len(r.has())
		stop = s.deliver(s.newCommands())
		s.eventually("some have arrived", func() bool {
			s.pass(time.Minute)
			return len(r.has()) >= min(before+8, len(want))
		})
		stop()
	}
	s.deliver(s.commands)
	s.eventually("all have arrived", func() bool {
		s.pass(time.Minute)
		return len(r.has()) == len(want) && len(slow.has()) == len(want)
	})
	is.Equal(r.has(), want)
	is.Equal(slow.has(), want)
	is.True(len(s.deliveries(id, projections.OutcomeFailed)) > 3)
	is.Equal(len(s.webhook(id).Letters), 0)
	is.Equal(len(s.deliveries(other, projections.OutcomeFailed)), 0)
}

// What cannot be delivered for three days is a dead letter: the next one's turn
// comes, and it can be delivered again.
func TestDeadLetters(t *testing.T) {
	is := is.New(t)
	s := newStack(t)
	s.run()
	org, by := s.organization()
	poison := true
	r := newReceiver(t, nil)
	r.fails = func(_, after string) int {
		if after == "Engines 2" && poison {
			return 500
		}
		return 0
	}
	id := s.register(r.URL)
	want := s.rename(org, by, 0, 5)
	stop := s.deliver(s.commands)
	s.eventually("the others have arrived", func() bool {
		s.pass(time.Hour)
		return len(r.has()) == 4
	})
	is.Equal(r.has(), append(slices.Clone(want[:2]), want[3:]...))
	stop() // what it has got to is kept
	w := s.webhook(id)
	is.Equal(len(w.Letters), 1)
	is.True(w.Letters[0].Attempts > 2)
	is.Equal(w.Letters[0].Cause, "status_500")

	r.mu.Lock()
	poison = false
	r.mu.Unlock()
	s.deliver(s.newCommands())
	is.Equal(r.repeated, 0)
	_, err := s.commands.ReplayWebhook(s.ctx, public(), "", id, 0)
	is.NoErr(err)
	s.eventually("all were delivered again", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.arrived) == 5 && r.repeated == 4
	})
}

func TestAReceiverThatIsGone(t *testing.T) {
	is := is.New(t)
	s := newStack(t)
	s.run()
	org, by := s.organization()
	gone := newReceiver(t, func(string, string) int { return http.StatusGone })
	id := s.register(gone.URL)
	want := s.rename(org, by, 0, 2)
	s.deliver(s.commands)
	s.eventually("it is left alone", func() bool { return s.webhook(id).Disabled == webhook.CauseGone })

	moved, enabled := newReceiver(t, func(string, string) int { return 0 }), true
	_, err := s.commands.ChangeWebhook(s.ctx, public(), "", id, commands.WebhookChange{URL: &moved.URL, Enabled: &enabled})
	is.NoErr(err)
	s.eventually("nothing is lost", func() bool { return len(moved.has()) == 2 })
	is.Equal(moved.has(), want)
	_, err = s.commands.DeleteWebhook(s.ctx, public(), "", id)
	is.NoErr(err)
}
