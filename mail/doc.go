// Package mail writes and delivers the mails that Tenure sends: what they say
// (templates in English and French, each with a plain and an HTML part, which
// an operator can replace file by file), and how they leave (an SMTP server,
// or a local outbox that is read in the browser).
//
// A mail is a Message. Templates.Render turns it into a Rendered mail, a pure
// function of the message: the same message gives the same bytes. A Sender,
// which is either an SMTP or an Outbox, delivers the rendered mail.
//
// Killed between any two instructions, this package leaves nothing to repair.
// It keeps no queue: the caller remembers that a mail has been sent only after
// Send has returned, and sends again otherwise. A mail sent again carries the
// same Message-ID, so that the receiving side can tell the second copy; in the
// outbox it takes the place of the first. An outbox file is complete or absent:
// it is written under a temporary name, synced and then renamed.
//
// What people choose freely (names of organizations, people, roles) ends up in
// mails to third parties, so everything of that kind is made harmless before a
// template sees it: one line, limited in length, and nothing in it that a mail
// program would turn into a link. See plainName.
package mail
