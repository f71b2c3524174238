package commands

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/domain/reservation"
)

// A reservation is made before the stream of its holder is written and
// confirmed after, so that of two requests for one text at the same time one
// gets it. When the process is killed in between, ResolveReservation finishes
// it: a holder that exists keeps the text, one that never came to be gives it
// back. Only that frees a text, never time alone.

const (
	holderAccount      = "account:"
	holderOrganization = "organization:"
)

// reserve takes a text for holder and answers with whose it is now: holder, or
// another one that has it.
func (c *Commands) reserve(ctx context.Context, r Request, kind, text, holder string) (whose string, err error) {
	key := c.Keys.Name(kind, text)
	for range 2 {
		var found reservation.State
		_, err = c.reservations.execute(ctx, kind+"-"+key, plain(r), func(s reservation.State) ([]domain.Event, error) {
			events, taken := reservation.Make(s, kind, key, holder, c.Now().Add(ReservationLifetime))
			if found = s; taken {
				return nil, nil
			}
			found.Holder = holder
			return events, nil
		})
		if err != nil {
			return "", err
		}
		if !found.Outdated(c.Now()) || found.Holder == holder {
			break
		}
		if err := c.ResolveReservation(ctx, plain(r), kind, key); err != nil {
			return "", err
		}
	}
	s, _, err := c.reservations.load(ctx, kind+"-"+key)
	return s.Holder, err
}

// mayBeGivenBack reports whether a reservation that was made at a time, and is
// not confirmed, may be another's by when something that is decided now is in the
// log: the node has hung. Half of the time is for clocks that differ. An account
// needs no such look: by confirm it finds that it has not got its address, and
// nobody signs in to it.
func (c *Commands) mayBeGivenBack(made time.Time) bool {
	return c.Now().Sub(made) > ReservationLifetime/2-appendTimeout
}

// confirm makes the reservation of a holder that exists last. It answers with
// false when the text is not the holder's any more.
func (c *Commands) confirm(ctx context.Context, r Request, kind, text, holder string) (bool, error) {
	return c.confirmKey(ctx, r, kind, c.Keys.Name(kind, text), holder)
}

func (c *Commands) confirmKey(ctx context.Context, r Request, kind, key, holder string) (held bool, err error) {
	_, err = c.reservations.execute(ctx, kind+"-"+key, plain(r), func(s reservation.State) ([]domain.Event, error) {
		held = s.Holder == holder
		return reservation.Confirm(s, holder), nil
	})
	return held, err
}

// release gives the text back, if it is the holder's, and stillWants is false
// of the holder at a time when nobody had reserved the text again.
func (c *Commands) release(ctx context.Context, r Request, kind, key, holder string, stillWants func(context.Context) (bool, error)) error {
	s, seen, err := c.reservations.load(ctx, kind+"-"+key)
	if err != nil || s.Holder == holder && !s.Confirmed && !s.Outdated(c.Now()) {
		return err // the holder is about to take it, perhaps again
	}
	last, made := seen.Last()
	wants, err := stillWants(ctx)
	if err != nil || wants || !made {
		return err
	}
	r = plain(r)
	r.IfRevision = &last
	_, err = c.reservations.execute(ctx, kind+"-"+key, r, func(s reservation.State) ([]domain.Event, error) {
		return reservation.Release(s, holder), nil
	})
	if errors.Is(err, &domain.Error{Code: domain.CodeRevisionMismatch}) {
		return nil // reserved again meanwhile
	}
	if err == nil {
		c.Step(StepReservationReleased)
	}
	return err
}

// holder finds who has a text; empty when it is free.
func (c *Commands) holder(ctx context.Context, kind, text string) (string, error) {
	s, _, err := c.reservations.load(ctx, kind+"-"+c.Keys.Name(kind, text))
	return s.Holder, err
}

// ResolveReservation finishes a reservation that was not confirmed in time: it
// confirms it when its holder exists and goes by that text, and releases it
// otherwise.
func (c *Commands) ResolveReservation(ctx context.Context, r Request, kind, key string) error {
	s, _, err := c.reservations.load(ctx, kind+"-"+key)
	if err != nil || !s.Outdated(c.Now()) {
		return err
	}
	if kind == reservation.KindExclusiveRole {
		return c.settleExclusive(ctx, r, domain.AccountID(key), nil)
	}
	held, err := c.goesBy(ctx, kind, key, s.Holder)
	if err != nil {
		return err
	}
	if held {
		_, err = c.confirmKey(ctx, r, kind, key, s.Holder)
		return err
	}
	return c.release(ctx, r, kind, key, s.Holder, func(ctx context.Context) (bool, error) {
		return c.goesBy(ctx, kind, key, s.Holder)
	})
}

// accountOf is the account that a holder is.
func accountOf(holder string) domain.AccountID {
	return domain.AccountID(strings.TrimPrefix(holder, holderAccount))
}

// organizationOf is the organization that a holder is.
func organizationOf(holder string) domain.OrganizationID {
	return domain.OrganizationID(strings.TrimPrefix(holder, holderOrganization))
}

// goesBy reports whether the holder exists and has the text whose hash is key.
func (c *Commands) goesBy(ctx context.Context, kind, key, holder string) (bool, error) {
	if strings.HasPrefix(holder, holderAccount) {
		var s account.State
		s, _, err := c.accounts.load(ctx, string(accountOf(holder)))
		if kind == reservation.KindIdentity {
			return slices.ContainsFunc(s.Identities(), func(i account.Identity) bool { return c.Keys.Name(kind, i.Key()) == key }), err
		}
		return s.Exists() && c.Keys.Name(kind, s.Email.Key()) == key, err
	}
	var s organization.State
	s, _, err := c.organizations.load(ctx, string(organizationOf(holder)))
	if kind == reservation.KindEmailDomain {
		return s.HoldsEmailDomain(s.EmailDomain) && c.Keys.Name(kind, s.EmailDomain) == key, err
	}
	return s.Exists() && !s.Deleted && !s.Personal && c.Keys.Name(kind, s.Name.Key()) == key, err
}
