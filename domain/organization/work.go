package organization

import (
	"cmp"
	"fmt"
	"slices"

	"tenure/domain"
	"tenure/domain/policy"
)

// MaxWork is how many pieces of work a member may have: as many as one step can
// release.
const MaxWork = 400

// WorkItem is a piece of the host product's work: a contact, a run.
type WorkItem struct {
	Kind  string
	ID    string
	Space domain.SpaceID // empty for none
}

// Work lists what is assigned to a member.
func (m Member) Work() []WorkItem { return m.work }

// AssignWork gives a piece of work to an active member who may enter its space.
// The host product does so with an API key, or a member with the permission. It
// fails with CodeNotFound, CodePermissionDenied, CodeMemberRemoved,
// CodeMemberSuspended and CodeTooMuchWork.
func AssignWork(s State, p *policy.Policy, by domain.Actor, account domain.AccountID, w WorkItem) ([]domain.Event, error) {
	member, err := s.workingMember(p, by, account)
	if err != nil {
		return nil, err
	}
	switch {
	case member.Status == Suspended:
		return nil, domain.Refuse(domain.CodeMemberSuspended, "Member suspended", "Reactivate the member first.")
	case w.Space != "" && !s.MayEnter(p, member, w.Space):
		return nil, noSpace()
	}
	if i := slices.IndexFunc(member.work, w.same); i >= 0 && member.work[i].Space == w.Space {
		return nil, nil
	} else if i < 0 && len(member.work) >= MaxWork {
		return nil, p.Refuse(domain.CodeTooMuchWork, "Too much work", fmt.Sprintf("Release some first; a member has at most %d pieces.", MaxWork))
	}
	return []domain.Event{WorkAssigned{OrganizationID: s.ID, AccountID: account, Kind: w.Kind, WorkID: w.ID, SpaceID: w.Space}}, nil
}

// ReleaseWork takes a piece of work back that is done. It fails with
// CodeNotFound, CodePermissionDenied and CodeMemberRemoved.
func ReleaseWork(s State, p *policy.Policy, by domain.Actor, account domain.AccountID, kind, id string) ([]domain.Event, error) {
	member, err := s.workingMember(p, by, account)
	if err != nil {
		return nil, err
	}
	return s.release(account, member, "finished", WorkItem{Kind: kind, ID: id}.same), nil
}

func (s State) workingMember(p *policy.Policy, by domain.Actor, account domain.AccountID) (Member, error) {
	if by.Kind == domain.ActorAPIKey { // its scope was checked before
		if err := s.checkOpen(); err != nil {
			return Member{}, err
		}
	} else if _, err := Authorize(s, p, by, domain.ManageWork); err != nil {
		return Member{}, err
	}
	return s.presentMember(p, account)
}

func (w WorkItem) same(other WorkItem) bool { return w.Kind == other.Kind && w.ID == other.ID }

// release takes back the member's work for which holds is true.
func (s State) release(account domain.AccountID, m Member, cause string, holds func(WorkItem) bool) []domain.Event {
	var events []domain.Event
	for _, w := range m.work {
		if holds(w) {
			events = append(events, WorkReleased{
				OrganizationID: s.ID, AccountID: account, Kind: w.Kind, WorkID: w.ID, SpaceID: w.Space, Cause: cause,
			})
		}
	}
	return events
}

func (s State) releaseAll(account domain.AccountID, m Member, cause string) []domain.Event {
	return s.release(account, m, cause, func(WorkItem) bool { return true })
}

// ReleaseOfDeleted takes back what is still assigned in an organization that was
// deleted, up to MaxWork pieces at once (D8, D9): it may be more than one append holds.
// It never fails.
func ReleaseOfDeleted(s State) []domain.Event {
	if !s.Deleted {
		return nil
	}
	var events []domain.Event
	for itr := s.members.Iterator(); !itr.Done(); {
		account, m, _ := itr.Next()
		events = append(events, s.releaseAll(account, m, "organization_deleted")...)
	}
	slices.SortFunc(events, compareReleases)
	return events[:min(len(events), MaxWork)]
}

// compareReleases orders the releases of several members, so that a decision is
// the same every time.
func compareReleases(a, b domain.Event) int {
	x, y := a.(WorkReleased), b.(WorkReleased)
	return cmp.Or(cmp.Compare(x.AccountID, y.AccountID), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.WorkID, y.WorkID))
}
