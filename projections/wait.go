package projections

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"tenure/eventstore"
)

// ErrBehind says that the views have not got to a position in time.
var ErrBehind = errors.New("projections: views are behind")

// BehindError is ErrBehind with the positions.
type BehindError struct {
	Wanted   eventstore.Position
	Position eventstore.Position // where the views were when the wait ended
	Cause    error               // why it ended: the context's error
}

func (e *BehindError) Error() string {
	return fmt.Sprintf("projections: views are at position %d, not at %d", e.Position, e.Wanted)
}

// Is reports whether target is ErrBehind.
func (e *BehindError) Is(target error) bool { return target == ErrBehind }

// Unwrap is the context's error.
func (e *BehindError) Unwrap() error { return e.Cause }

// waiters are those who wait for a position, the nearest first. One costs a
// channel and a place in the heap; whoever advances wakes those who are due.
type waiters struct {
	position atomic.Uint64

	mu    sync.Mutex
	heap  waiterHeap
	asked chan struct{} // has room for one: somebody waits
}

type waiter struct {
	position eventstore.Position
	reached  chan struct{}
	index    int // in the heap, negative once out of it
}

func (w *waiters) wait(ctx context.Context, position eventstore.Position) error {
	if w.reached(position) {
		return nil
	}
	w.mu.Lock()
	if w.reached(position) {
		w.mu.Unlock()
		return nil
	}
	self := &waiter{position: position, reached: make(chan struct{})}
	heap.Push(&w.heap, self)
	w.mu.Unlock()
	select {
	case w.asked <- struct{}{}:
	default:
	}

	select {
	case <-self.reached:
		return nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if self.index < 0 {
		return nil
	}
	heap.Remove(&w.heap, self.index)
	return &BehindError{Wanted: position, Position: eventstore.Position(w.position.Load()), Cause: ctx.Err()}
}

// waiting reports whether somebody waits.
func (w *waiters) waiting() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.heap) > 0
}

// idle returns after a while, or as soon as somebody waits.
func (w *waiters) idle(ctx context.Context, d time.Duration) {
	if w.waiting() {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.asked:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (w *waiters) reached(position eventstore.Position) bool {
	return eventstore.Position(w.position.Load()) >= position
}

// advance wakes everyone who waits for the position or one before it.
func (w *waiters) advance(position eventstore.Position) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.reached(position) {
		w.move(position)
	}
}

// set is advance that may go back.
func (w *waiters) set(position eventstore.Position) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.move(position)
}

func (w *waiters) move(position eventstore.Position) {
	w.position.Store(uint64(position))
	for len(w.heap) > 0 && w.heap[0].position <= position {
		close(heap.Pop(&w.heap).(*waiter).reached)
	}
}

// waiterHeap implements heap.Interface.
type waiterHeap []*waiter

func (h waiterHeap) Len() int           { return len(h) }
func (h waiterHeap) Less(i, j int) bool { return h[i].position < h[j].position }
func (h waiterHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *waiterHeap) Push(x any) {
	w := x.(*waiter)
	w.index = len(*h)
	*h = append(*h, w)
}

// Pop implements heap.Interface.
func (h *waiterHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	w.index = -1
	return w
}
