// Package erasure holds what the log says about people who are erased, besides
// what their own streams and those of organizations say: whom nobody but an
// address stands for, and under which keys everything about somebody was sealed.
package erasure

import (
	"hash/maphash"
	"slices"

	"github.com/benbjohnson/immutable"

	"tenure/domain"
)

// Requested says that somebody who was invited, and has no account, is to be
// erased. Address is a keyed hash of the e-mail address.
type Requested struct {
	ErasureID domain.ErasureID `json:"erasure_id"`
	Address   string           `json:"address"`
}

// Concluded says that everything about a person was found. From here on nobody
// opens what is sealed under the keys of the subjects, which are destroyed now,
// and again wherever older copies of them turn up.
type Concluded struct {
	ErasureID       domain.ErasureID        `json:"erasure_id"`
	Subjects        []string                `json:"subjects"`                   // accounts, invitations, and values of settings
	OrganizationIDs []domain.OrganizationID `json:"organization_ids,omitempty"` // where the person was found
	More            bool                    `json:"more,omitempty"`             // of the subjects are to come: nothing is destroyed before the last of them is here
}

// EventType implements domain.Event.
func (Requested) EventType() string { return "erasure.requested.v1" }

// EventType implements domain.Event.
func (Concluded) EventType() string { return "erasure.concluded.v1" }

// OfAccount is the erasure of an account: there is one at most.
func OfAccount(id domain.AccountID) domain.ErasureID { return domain.ErasureID(id) }

// State is all erasures of a deployment; the zero State is none.
type State struct {
	waiting   *immutable.Map[domain.ErasureID, string]   // the addresses of those that were requested, and not concluded
	recorded  *immutable.Map[domain.ErasureID, []string] // of which there is more to come
	concluded *immutable.Map[domain.ErasureID, []string]
}

// Address finds the address of an erasure that was requested and not concluded.
func (s State) Address(id domain.ErasureID) (string, bool) {
	if s.waiting == nil {
		return "", false
	}
	return s.waiting.Get(id)
}

// Concluded finds the subjects of an erasure that was concluded.
func (s State) Concluded(id domain.ErasureID) ([]string, bool) {
	if s.concluded == nil {
		return nil, false
	}
	return s.concluded.Get(id)
}

// Subjects are those of all erasures that were concluded.
func (s State) Subjects() []string {
	var all []string
	if s.concluded != nil {
		for itr := s.concluded.Iterator(); !itr.Done(); {
			_, subjects, _ := itr.Next()
			all = append(all, subjects...)
		}
	}
	return all
}

// Request has whoever was invited to an address erased. It does nothing while
// that is under way.
func Request(s State, id domain.ErasureID, address string) []domain.Event {
	if s.waiting != nil {
		for itr := s.waiting.Iterator(); !itr.Done(); {
			if _, waits, _ := itr.Next(); waits == address {
				return nil
			}
		}
	}
	return []domain.Event{Requested{ErasureID: id, Address: address}}
}

// Bounds of an event, and of what is decided at once.
const (
	mostSubjects = 1000
	mostEvents   = 10
)

// Conclude records the subjects of an erasure, and adds those to it that are found
// later. What is recorded is not recorded again. Where there are more than one append
// holds, the last event says so, and it takes another call.
func Conclude(s State, id domain.ErasureID, subjects []string, organizations []domain.OrganizationID) []domain.Event {
	known, concluded := s.Concluded(id)
	var recorded []string
	if s.recorded != nil {
		recorded, _ = s.recorded.Get(id)
	}
	seen := make(map[string]bool, len(known)+len(recorded))
	for _, x := range slices.Concat(known, recorded) {
		seen[x] = true
	}
	news := slices.DeleteFunc(slices.Clone(subjects), func(x string) bool { return seen[x] })
	if concluded && len(news)+len(recorded) == 0 {
		return nil
	}
	var events []domain.Event
	for more := true; more && len(events) < mostEvents; {
		n := min(len(news), mostSubjects)
		more = n < len(news)
		events = append(events, Concluded{ErasureID: id, Subjects: append([]string{}, news[:n]...), OrganizationIDs: organizations, More: more})
		news, organizations = news[n:], nil
	}
	return events
}

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	if s.waiting == nil {
		s.waiting = immutable.NewMap[domain.ErasureID, string](hasher{})
		s.recorded, s.concluded = immutable.NewMap[domain.ErasureID, []string](hasher{}), immutable.NewMap[domain.ErasureID, []string](hasher{})
	}
	switch e := e.(type) {
	case Requested:
		s.waiting = s.waiting.Set(e.ErasureID, e.Address)
	case Concluded:
		recorded, _ := s.recorded.Get(e.ErasureID)
		recorded = slices.Concat(recorded, e.Subjects)
		if e.More {
			s.recorded = s.recorded.Set(e.ErasureID, recorded)
			break
		}
		known, _ := s.concluded.Get(e.ErasureID)
		s.waiting, s.recorded = s.waiting.Delete(e.ErasureID), s.recorded.Delete(e.ErasureID)
		s.concluded = s.concluded.Set(e.ErasureID, slices.Concat(known, recorded))
	}
	return s
}

type hasher struct{}

func (hasher) Hash(id domain.ErasureID) uint32  { return uint32(maphash.String(seed, string(id))) }
func (hasher) Equal(a, b domain.ErasureID) bool { return a == b }

var seed = maphash.MakeSeed()
