package processes

import (
	"maps"
	"sync"
	"time"

	"tenure/eventstore"
)

// Health is how the processes are doing, for readiness and metrics. It is safe
// for concurrent use.
type Health struct {
	mu   sync.Mutex
	byID map[string]Status
}

// Status is how one process is doing.
type Status struct {
	Position     eventstore.Position // of a reaction: how far it has got in the log
	Failing      bool                // the last attempt failed; it goes on trying
	FailingSince time.Time
	Failures     int   // since the process started
	Done         int   // steps since the process started
	Err          error // the last failure, for the log
}

// NewHealth makes an empty Health.
func NewHealth() *Health { return &Health{byID: make(map[string]Status)} }

// Statuses are those of all processes by their names.
func (h *Health) Statuses() map[string]Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.byID)
}

// Failing lists the processes whose last attempt failed at least d ago and that
// have not succeeded since.
func (h *Health) Failing(d time.Duration) []string {
	var names []string
	for name, s := range h.Statuses() {
		if s.Failing && time.Since(s.FailingSince) >= d {
			names = append(names, name)
		}
	}
	return names
}

// forget empties it.
func (h *Health) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.byID)
}

func (h *Health) update(name string, change func(*Status)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.byID[name]
	change(&s)
	h.byID[name] = s
}

func (h *Health) passed(name string, p eventstore.Position) {
	h.update(name, func(s *Status) { s.Position = max(s.Position, p); s.Failing, s.Err = false, nil })
}

// drop forgets one.
func (h *Health) drop(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.byID, name)
}

// did counts steps.
func (h *Health) did(name string, steps int) {
	h.update(name, func(s *Status) { s.Done += steps })
}

func (h *Health) done(name string) {
	h.update(name, func(s *Status) { s.Done++; s.Failing, s.Err = false, nil })
}

// recovered ends a failure of what a process needs before its steps.
func (h *Health) recovered(name string) {
	h.update(name, func(s *Status) { s.Failing, s.Err = false, nil })
}

func (h *Health) failed(name string, err error) {
	h.update(name, func(s *Status) {
		if !s.Failing {
			s.FailingSince = time.Now()
		}
		s.Failing, s.Err = true, err
		s.Failures++
	})
}
