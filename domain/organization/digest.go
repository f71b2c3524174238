package organization

import (
	"slices"
	"time"

	"tenure/domain"
	"tenure/domain/policy"
)

// maxRecipients is how many members one mail is for: they stand in one event,
// which has to fit into one append.
const maxRecipients = 5000

// SummarizeRequests has the open requests to join summed up in a mail to each
// member who may decide on them, if the time for that has come (C8). There is one
// event for a scheduled instant, however often and by whomever this is asked, and
// one for all the instants that have gone by unnoticed. When nothing is open,
// nobody gets a mail, and the next request sets the next instant. It never fails.
func SummarizeRequests(s State, p *policy.Policy, at time.Time) []domain.Event {
	if s.Deleted || s.digestAt.IsZero() || at.Before(s.digestAt) {
		return nil
	}
	e := RequestsSummarized{OrganizationID: s.ID, Due: s.digestAt, Requests: s.Requests()}
	if e.Requests > 0 && p.Requests != nil && p.Requests.Digest != nil {
		e.Recipients = s.Holders(p, domain.DecideRequests)
		e.NextAt = p.Requests.Digest.Next(at)
	}
	return []domain.Event{e}
}

// nextDigest is when a request that is made now is summed up at the latest; zero
// where none is.
func (s State) nextDigest(p *policy.Policy, now time.Time) time.Time {
	switch {
	case p.Requests.Digest == nil:
		return time.Time{}
	case !s.digestAt.IsZero():
		return s.digestAt
	}
	return s.nextInstant(p, now)
}

// nextInstant is the policy's next one: never one that was, by the clock of a node
// that is behind.
func (s State) nextInstant(p *policy.Policy, now time.Time) time.Time {
	if now.Before(s.digested) {
		now = s.digested
	}
	return p.Requests.Digest.Next(now)
}

// Holders lists active members who have a permission, sorted.
func (s State) Holders(p *policy.Policy, permission domain.Permission) []domain.AccountID {
	var ids []domain.AccountID
	if s.members == nil {
		return nil
	}
	for itr := s.members.Iterator(); !itr.Done(); {
		id, m, _ := itr.Next()
		if m.Status == Active && p.Allows(m.Roles, permission) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids[:min(len(ids), maxRecipients)]
}

// OldestRequests lists who has asked to join up to limit open requests, the oldest
// first.
func (s State) OldestRequests(limit int) []domain.AccountID {
	open := slices.Sorted(slices.Values(s.OpenRequests(s.Requests())))
	since := func(id domain.AccountID) time.Time {
		r, _ := s.Request(id)
		return r.Since
	}
	slices.SortStableFunc(open, func(a, b domain.AccountID) int { return since(a).Compare(since(b)) })
	return open[:min(len(open), limit)]
}
