package main

import (
	"context"
	"fmt"
	"sync"
)

// group runs what must not stop: when one of them does before its time, all of
// them are cancelled.
type group struct {
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
}

func newGroup(cancel context.CancelCauseFunc) *group { return &group{cancel: cancel} }

func (g *group) start(name string, run func() error) {
	g.wg.Go(func() {
		if err := run(); err != nil {
			g.cancel(fmt.Errorf("%s stopped: %w", name, err))
			return
		}
		g.cancel(context.Canceled)
	})
}

func (g *group) wait() { g.wg.Wait() }
