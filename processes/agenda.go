package processes

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/mailing"
	"tenure/projections"
)

// Deadlines finds what is due.
type Deadlines interface {
	// Due lists up to limit deadlines of a kind whose time has come, the
	// longest due first.
	Due(ctx context.Context, kind projections.DeadlineKind, now time.Time, limit int) ([]projections.Deadline, error)
}

const (
	lookEvery  = 200 * time.Millisecond // for what is due: a range of one index
	lookAhead  = 200                    // deadlines at a time, besides those that were put off
	lookAtMost = projections.MaxDue     // with those
	settledFor = 30 * time.Second       // within which the view shows that a deadline was settled
	claimPause = 2 * time.Second        // between looks at a mail that another node has
)

// agenda settles the deadlines of one kind, some at a time.
//
// What it has settled stays on the list until the view has caught up; it is
// remembered that long. Killed at any point: whatever is still on the list is
// settled again, which does nothing the second time.
type agenda struct {
	kind    projections.DeadlineKind
	workers int
	due     Deadlines
	now     func() time.Time
	settle  func(context.Context, projections.Deadline) error
	backoff func(id string, attempt int) time.Duration
	health  *Health
	logger  *slog.Logger

	mu    sync.Mutex
	tries map[string]try
}

// try is what is known of a deadline that is on the list.
type try struct {
	attempts int
	notUntil time.Time
}

// agendas is the table of all of them.
func (p *Processes) agendas() []*agenda {
	by := func(process string, d projections.Deadline) commands.Request {
		return commands.Request{Actor: domain.ByProcess(process), Causation: d.EventID}
	}
	return []*agenda{
		p.agenda(projections.InvitationExpiry, 4, func(ctx context.Context, d projections.Deadline) error {
			_, err := p.Commands.ExpireInvitation(ctx, by("expiry", d), d.InvitationID)
			return err
		}),
		p.agenda(projections.TransferExpiry, 2, func(ctx context.Context, d projections.Deadline) error {
			_, err := p.Commands.ExpireTransfer(ctx, by("expiry", d), d.OrganizationID, d.TransferID)
			return err
		}),
		p.agenda(projections.DigestDue, 2, func(ctx context.Context, d projections.Deadline) error {
			_, err := p.Commands.SummarizeRequests(ctx, by("digest", d), d.OrganizationID)
			return err
		}),
		p.agenda(projections.StaleReservation, 2, func(ctx context.Context, d projections.Deadline) error {
			return p.Commands.ResolveReservation(ctx, by("reservations", d), d.Reservation.Kind, d.Reservation.Key)
		}),
		p.agenda(projections.MailDue, 4, p.Mailer.deliver),
	}
}

func (p *Processes) agenda(kind projections.DeadlineKind, workers int, settle func(context.Context, projections.Deadline) error) *agenda {
	return &agenda{
		kind: kind, workers: workers, due: p.Deadlines, now: p.Now, settle: settle, backoff: p.Mailer.Backoff,
		health: p.health, logger: p.Logger, tries: make(map[string]try),
	}
}

// name is what health and logs call the process.
func (a *agenda) name() string { return "deadlines." + string(a.kind) }

func (a *agenda) run(ctx context.Context) {
	pause, unread := lookEvery, false
	for ctx.Err() == nil {
		limit := min(lookAhead+a.deferred(), lookAtMost)
		list, err := a.due.Due(ctx, a.kind, a.now(), limit)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			unread = true
			a.health.failed(a.name(), err)
			a.logger.Error("process cannot read its deadlines", "process", a.name(), "error", err)
			pause = min(2*pause, longestPause)
		} else {
			if unread { // also where nothing is due: for days, maybe
				unread = false
				a.health.recovered(a.name())
			}
			pause = lookEvery
			a.forgetOthers(list, limit)
			a.settleAll(ctx, list)
		}
		sleep(ctx, pause)
	}
}

func (a *agenda) settleAll(ctx context.Context, list []projections.Deadline) {
	next := make(chan projections.Deadline)
	var workers sync.WaitGroup
	for range min(a.workers, len(list)) {
		workers.Go(func() {
			for d := range next {
				a.attempt(ctx, d)
			}
		})
	}
	for _, d := range list {
		if a.ready(d.ID()) && ctx.Err() == nil {
			next <- d
		}
	}
	close(next)
	workers.Wait()
}

func (a *agenda) attempt(ctx context.Context, d projections.Deadline) {
	err := a.settle(ctx, d)
	if ctx.Err() != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.tries[d.ID()]
	if err == nil {
		a.health.done(a.name())
		a.tries[d.ID()] = try{notUntil: time.Now().Add(settledFor)}
		return
	}
	if errors.Is(err, mailing.ErrClaimed) { // no failure: that node is at it
		t.notUntil = time.Now().Add(claimPause)
		a.tries[d.ID()] = t
		return
	}
	t.attempts++
	t.notUntil = time.Now().Add(a.backoff(d.ID(), t.attempts))
	a.tries[d.ID()] = t
	a.health.failed(a.name(), err)
	a.logger.Error("process step failed", "process", a.name(), "deadline", d.ID(), "attempts", t.attempts, "error", err)
}

func (a *agenda) ready(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !time.Now().Before(a.tries[id].notUntil)
}

// deferred counts those that are to be tried later: they are the longest due, and
// must not hide the others.
func (a *agenda) deferred() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, t := range a.tries {
		if time.Now().Before(t.notUntil) {
			n++
		}
	}
	return n
}

// forgetOthers drops what is known of deadlines that are no longer on the list.
// A list that is full says nothing about the others.
func (a *agenda) forgetOthers(list []projections.Deadline, limit int) {
	if len(list) == limit {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	still := make(map[string]try, len(list))
	for _, d := range list {
		if t, ok := a.tries[d.ID()]; ok {
			still[d.ID()] = t
		}
	}
	a.tries = still
}
