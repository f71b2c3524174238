// Package domain holds the vocabulary of Tenure: identifiers, e-mail addresses
// and names with their rules of equality, roles and permissions, actors, and
// the refusals that a command can end in.
//
// The aggregates live in the packages below it: organization, invitation,
// account, reservation, apikey and mailing. Each is two families of pure
// functions: decide ("what events does this command cause, or why is it
// refused") and Evolve ("what is the state after this event"). Nothing below
// domain reads a clock, makes an identifier, takes a context or does I/O; what
// a decision needs is an argument.
//
// Besides the standard library two pure data libraries are allowed here:
// golang.org/x/text (Unicode normalization, requirement X15) and
// github.com/benbjohnson/immutable (persistent maps, so that Evolve returns a
// new state that shares what did not change, and the state before stays valid
// for whoever still reads it).
package domain
