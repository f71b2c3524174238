// Package projections derives the read models of Tenure from its log.
//
// # One mechanism
//
// A View is a set of documents, each folded from events, with the index entries
// that a document stands under. A Storage keeps documents and entries, and
// knows of nothing else; the adapters for SQLite and Redis are in the folders
// below, the contract suite for all of them in projectionstest. The Projector follows the
// log once for all views. A Reader answers queries from the Storage. Each read
// model is one file: its document, its View, its queries.
//
// A document is stored as the JSON that the API answers with, so that a page of
// a list is a join of stored bytes.
//
// # What happens when the process is killed
//
// Whatever the instant, a restart goes on with each event applied exactly once,
// for three reasons. The changes of a partition (an organization, an account)
// and the position up to which it is folded become visible in one atomic step.
// A change says from which position it starts, and a partition that is not
// there refuses it. Events at or below a partition's position are not folded
// into it again.
//
//   - Before Apply: nothing was written; the events are read and folded again.
//   - Within Apply: SQLite rolls the whole batch back. A store that is atomic
//     only per partition keeps some partitions; these are ahead of the view's
//     checkpoint, and skip what they have seen when the batch comes again.
//   - After Apply, before the checkpoint: the view's checkpoint is behind, the
//     partitions are not, and the same holds. The Projector makes use of this
//     and writes checkpoints at most once a second.
//   - Two projectors on one storage: the slower one's change starts from a
//     position that is no longer there. It gets ErrSuperseded, forgets what it
//     has in memory and goes on from what is stored.
//
// A view may be dropped at any time, as may the whole storage: the Projector
// builds it from the log when it starts next.
package projections
