// Package processes holds the process managers: what has to happen because
// something else has happened, or because a time has come.
//
// A reaction follows the log through Watermill's router, one handler and one
// checkpoint each: it finishes what a command began in one stream and has to
// carry over to another. A deadline is a document of the deadlines view, which
// is there from the event that set it until the event that settles it; a loop
// asks for those that are due. Mails are deadlines that are due at once.
//
// Every step is a command that does nothing when it was done before, so each of
// them may be killed between any two instructions, run twice, or start over
// from the beginning of the log: the outcome is the same. A step that fails is
// tried again with growing pauses and never skipped; meanwhile Health says so.
// What waits for another process or node is no failure.
package processes
