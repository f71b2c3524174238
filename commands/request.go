package commands

import (
	"tenure/domain"
	"tenure/eventstore"
)

// Request is what every command knows of its caller, besides its own arguments.
type Request struct {
	Actor domain.Actor

	// Reason is the actor's own words for the history, or empty.
	Reason string

	// IdempotencyKey makes the command happen once, however often the same
	// actor sends it (X12); empty for none. Fingerprint is what tells another
	// request with the same key apart.
	IdempotencyKey string
	Fingerprint    string

	// IfRevision refuses the command unless the stream's last event has this
	// revision (X4); nil for none.
	IfRevision *eventstore.Revision

	// DryRun decides and writes nothing (X11).
	DryRun bool

	// Correlation is the id of the request that everything began with,
	// Causation that of the event that a process reacts to.
	Correlation string
	Causation   string

	// decidedBy is whom the history names instead of Actor, where a link or an
	// acceptance says more about that than the request.
	decidedBy domain.Actor
}

func (r Request) decider() domain.Actor {
	if r.decidedBy != (domain.Actor{}) {
		return r.decidedBy
	}
	return r.Actor
}

// Receipt is the answer to a command that was not refused.
type Receipt struct {
	// Events are those that the command wrote, or would write; none when
	// everything was as wanted already.
	Events []domain.Event

	// Revision is that of the stream's last event after the command; Exists is
	// false while the stream has none, which only a dry run leaves behind.
	Revision eventstore.Revision
	Exists   bool

	// Position is at or after the command's last event: a view that has got
	// there shows what the command did.
	Position eventstore.Position

	DryRun bool
}

// later answers with the receipt at a position that is not before p.
func (r Receipt) later(p eventstore.Position) Receipt {
	r.Position = max(r.Position, p)
	return r
}

// step is the request for one of several writes of a command to one stream, so
// that each is done once.
func (r Request) step(name string) Request {
	if r.IdempotencyKey != "" {
		r.IdempotencyKey = name + " of " + r.IdempotencyKey
	}
	return r
}
