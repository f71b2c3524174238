// Package history shows organizations as they were (X5): who was an admin on the
// 3rd of March, who could do what, and by whose decision.
//
// # One mechanism
//
// What the views showed at a position follows from the events up to it, so the
// views' own functions fold them again, of one organization and into memory, and
// an ordinary projections.Reader answers from there: every query works on the
// past as on the present. What permission checks rest on, a commands.Trail, is
// folded beside it. Together they are a Past. The difference of two of them is a
// Diff, and what a Past says about everybody's access is a Review.
//
// An organization's events are those of its own stream and of the streams of the
// invitations that it names, in the order of the log. They say all; no view is
// read, so an answer about the past waits for no view, and is the same before,
// during and after a rebuild.
//
// # Which events an instant has
//
// Events are stamped by the clock of the node that decided, and the clocks of
// two nodes differ. The order of the log is the truth: an event takes effect at
// its own time, or at that of the latest one before it, whichever is later. So an
// instant has the events up to the first one that occurred after it: an earlier
// instant never has more than a later one, and nothing is shown before its time.
// A stamp that lies behind those before it changes nothing else; one that is
// ahead hides what follows from instants before it, which a position does not.
//
// The past of a position never changes. That of an instant is settled once no
// node can write with a stamp before it any more: see clockSkew.
//
// # What it costs
//
// Pasts are kept up to a number of bytes, and a later one goes on from an earlier
// one. Who asks for the same at the same time waits for the same fold; few folds
// run at once, and when many wait for them further ones fail with ErrBusy. A
// process that is killed loses nothing but what it would have to fold again.
//
// The past of a position never changes but for names: who was erased since goes by
// the pseudonym, so everything is folded again after an erasure.
package history
