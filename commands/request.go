package commands

import (
	"cmp"
	"slices"

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

	// Correlation is the id of the request that everything began with,
	// Causation that of the event that a process reacts to.
	Correlation string
	Causation   string

	// Continues is the id of the command that a process finishes, from the
	// metadata of the event that it reacts to; empty for none.
	Continues string

	// part is the id of what is one of several writes of a command.
	part string

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
	// Events are those that the command wrote, or would write, in all streams
	// but those of reservations; none when everything was as wanted already.
	// What processes do because of them later is not among them.
	Events []domain.Event

	// Revision is that of the last event, after the command, of the stream that
	// it is about; Exists is false for one that has none.
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

// and adds what another write of the same command has done.
func (r Receipt) and(next Receipt) Receipt {
	r.Events = slices.Concat(r.Events, next.Events)
	return r.later(next.Position)
}

// commandID is what the log calls a request with an Idempotency-Key, or a part
// of one; empty for a request without.
func (d Dependencies) commandID(r Request) string {
	if r.part != "" || r.IdempotencyKey == "" {
		return r.part
	}
	return d.Keys.Request("command", string(r.Actor.Kind), r.Actor.ID, r.IdempotencyKey)
}

// part is the request for one of several writes of a command, to a stream of
// its own. The request that is sent again and the process that finishes a
// command which was killed give it the same id, so it is done once, and whoever
// comes second gets the receipt of the first.
func (d Dependencies) part(r Request, name string) Request {
	command := cmp.Or(d.commandID(r), r.Continues)
	r = plain(r)
	if command != "" {
		r.part = d.Keys.Request("part", command, name)
	}
	return r
}

// plain is the request for a step that is idempotent by what it does, and
// depends on no revision.
func plain(r Request) Request {
	r.IdempotencyKey, r.part, r.Fingerprint, r.IfRevision, r.Reason = "", "", "", nil, ""
	return r
}
