// Package publication is the aggregate of the policies that operators publish
// (X10). They stand in the log, document and all, so that every node, every
// replay and every backup has each version that anything was decided under. A
// version never changes; a change is the next version.
package publication

import (
	"fmt"
	"maps"
	"slices"

	"tenure/domain"
)

// MaxDocumentBytes is how long a document may be.
const MaxDocumentBytes = 64 << 10

// State is what is published. It is never changed: Evolve answers with a new one.
// The zero State is that nothing is.
type State struct {
	documents map[string][]string // by the policy's name; version 1 first
}

// Published makes a version of a policy known. Document is the YAML that it was
// read from.
type Published struct {
	Name     string `json:"name"`
	Version  int    `json:"version"`
	Document string `json:"document"`
}

// EventType implements domain.Event.
func (Published) EventType() string { return "policy.published.v1" }

// Names lists the policies, sorted.
func (s State) Names() []string { return slices.Sorted(maps.Keys(s.documents)) }

// Latest is the newest version of a policy; 0 where there is none.
func (s State) Latest(name string) int { return len(s.documents[name]) }

// Document is that of one version of a policy.
func (s State) Document(name string, version int) (string, bool) {
	versions := s.documents[name]
	if version < 1 || version > len(versions) {
		return "", false
	}
	return versions[version-1], true
}

// Publish makes the next version of a policy known; one that is known already,
// with the same document, stays as it is. That the document is one of a policy
// with this name and version is for the caller to check. It fails with
// CodeInvalid for one that is too long, and with CodePolicyVersion.
func Publish(s State, p Published) ([]domain.Event, error) {
	if len(p.Document) > MaxDocumentBytes {
		return nil, domain.Invalid("document", fmt.Sprintf("Shorten the document to at most %d bytes.", MaxDocumentBytes))
	}
	next := s.Latest(p.Name) + 1
	before, known := s.Document(p.Name, p.Version)
	switch {
	case known && before == p.Document:
		return nil, nil
	case p.Version != next:
		e := domain.Refuse(domain.CodePolicyVersion, "Not the next version",
			fmt.Sprintf("Publish this as version %d of %s; versions that are published never change.", next, p.Name))
		e.Field = "version"
		return nil, e
	}
	return []domain.Event{p}, nil
}

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	if p, ok := e.(Published); ok {
		s.documents = maps.Clone(s.documents)
		if s.documents == nil {
			s.documents = make(map[string][]string)
		}
		s.documents[p.Name] = append(slices.Clip(s.documents[p.Name]), p.Document)
	}
	return s
}
