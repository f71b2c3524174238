// Package ledger makes the log verifiable: it keeps a Merkle tree (RFC 6962)
// over every event in the order of the log, signs its root now and then, proves
// that an event is in the tree and that a tree is the beginning of a later one,
// and checks exports and whole logs against what was signed.
//
// A leaf is the hash of an event's bytes as the log holds them (EncodeLeaf); what
// is sealed in them stays sealed, and losing the key to it changes no hash. The
// leaf's index is the event's place in the log. Checkpoints and cosignatures are no
// leaves, or every checkpoint would ask for the next one; they prove themselves by
// their signatures.
//
// A checkpoint is a signed note (C2SP tlog-checkpoint): the log's origin, the
// number of leaves and the root. Its key and origin follow from the deployment's
// secret (Key). Checkpoints are events and cannot be lost without the log; the
// tree is kept with the views (Tree), can be lost, and is then made again.
//
// Ledger is the consumer that does all this, on one node at a time. Killed
//
//   - before a page of the log is in the tree: the next run reads it again;
//   - after that, before the checkpoint is signed or in the log: the next run
//     signs, what it then finds, once;
//   - after the checkpoint is in the log: the next run finds it there.
//
// Two nodes that run it at once, as can happen for moments, write the same tree:
// a change that does not start where the stored tree is, is refused. Of two
// checkpoints the log takes the first, since the second no longer is the next
// event of its stream; and no checkpoint is taken that is not larger than the
// newest one. So there are never two of one size.
//
// A tree that does not have the root that was signed for its size means that the
// log is not what it was. Then nothing is signed any more, and the Ledger says so
// in its State.
package ledger
