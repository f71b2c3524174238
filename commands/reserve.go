package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/organization"
	"tenure/domain/reservation"
)

// A reservation is made before the stream of its holder is written, which is an
// attempt, and settled after: so of two requests for one text at the same time
// one gets it. Settling confirms the attempt, and then gives the text back if the
// holder does not use it and no other attempt is under way. That is all that ever
// gives a text back, and everybody may do it at any time: the command, also one
// that was refused, one that has taken another text instead, and the next one that
// wants the text for another holder.
//
// It cannot give back a text that is about to be used. Whoever writes to the
// holder's stream that it uses the text is under way then; and the look at the
// holder comes after the look at the attempts, with no attempt in between, since
// the text is given back only if its stream is the same still. So either the look
// at the holder finds what was written, or the attempt that writes it is found.
//
// Nor is a text kept for nothing: whoever ends the use of it finds no attempt and
// gives it back, or finds one, whose command then looks at the holder later than
// it has.
//
// When the process is killed after it has reserved a text, its attempt stays under
// way until its time is over (ResolveReservation), and the holder may be kept from
// giving the text to others for that long. Nothing but time can end it: a node
// that is silent may hang and go on, whatever others think of it. So a command
// does not rely on an attempt for longer than it has (claim.until), and the log is
// not asked to append what was decided long ago (see run). Half of the time is for
// clocks that differ, and for an append that is under way when the node hangs. When
// the process is killed between the two halves of settling, the text is kept until
// somebody else wants it.

// ReservationLifetime is after which time a reservation is settled for a command
// that has not done so.
const ReservationLifetime = 2 * time.Minute

// relyFor is how long after its reservation was made a command may decide
// something on the strength of it. What it decides is in the log within
// appendTimeout, or never.
const relyFor = ReservationLifetime/2 - appendTimeout

const (
	holderAccount      = "account:"
	holderOrganization = "organization:"
)

// claim is a reservation that a command has made, or found.
type claim struct {
	kind, key string
	holder    string    // who has the text: another one where it was not to be had
	attempt   int       // 0 where it was not to be had
	until     time.Time // when a decision may rest on it last
}

// reserve takes a text for holder, unless another one has it. The caller finishes
// the claim.
func (c *Commands) reserve(ctx context.Context, r Request, kind, text, holder string) (claim, error) {
	return c.reserveKey(ctx, r, kind, c.Keys.Name(kind, text), holder)
}

func (c *Commands) reserveKey(ctx context.Context, r Request, kind, key, holder string) (claim, error) {
	found := claim{kind: kind, key: key}
	for range 3 {
		_, err := c.reservations.execute(ctx, kind+"-"+key, plain(r), func(s reservation.State) (events []domain.Event, _ error) {
			now := c.Now()
			found.attempt, events = reservation.Make(s, kind, key, holder, now.Add(ReservationLifetime))
			found.holder, found.until = s.Holder, now.Add(relyFor).Round(0) // by the wall clock, which goes on while the machine sleeps
			return events, nil
		})
		if err != nil {
			return claim{}, err
		}
		if found.attempt != 0 {
			found.holder = holder
			return found, nil
		}
		released, err := c.settle(ctx, r, claim{kind: kind, key: key})
		if err != nil {
			return claim{}, err
		}
		if !released {
			return found, nil
		}
	}
	return claim{}, fmt.Errorf("%w: a reservation changed hands meanwhile", ErrBusy)
}

// reserveAddress takes an address for the account fresh, or finds the account that
// has it. One that does not exist yet is about to be opened by another command:
// then both attempt that.
func (c *Commands) reserveAddress(ctx context.Context, r Request, email domain.Email, fresh string) (claim, error) {
	holder := holderAccount + fresh
	for range 3 {
		found, err := c.reserve(ctx, r, reservation.KindEmail, email.Key(), holder)
		if err != nil || found.attempt != 0 {
			return found, err
		}
		s, _, err := c.accounts.load(ctx, string(accountOf(found.holder)))
		if err != nil || s.Exists() { // and keeps the address until it is erased
			return found, err
		}
		holder = found.holder
	}
	return claim{}, fmt.Errorf("%w: an address changed hands meanwhile", ErrBusy)
}

// outlived reports whether the claim is good no more.
func (cl claim) outlived(now time.Time) bool { return now.After(cl.until) }

// uncertain is the error of an append whose outcome nobody knows.
type uncertain struct{ error }

func (u uncertain) Unwrap() error { return u.error }

// finish settles the claims of a command that has ended with err. A request that
// is gone has no time left for what it leaves behind. What may be in the log yet
// leaves its reservations to time, and so does what cannot be settled: the command
// has happened, or was refused, all the same.
func (c *Commands) finish(ctx context.Context, r Request, err error, claims ...claim) {
	if errors.As(err, new(uncertain)) {
		return
	}
	ctx = context.WithoutCancel(ctx)
	_ = times(len(claims), func(i int) error {
		ctx, cancel := context.WithTimeout(ctx, appendTimeout)
		defer cancel()
		_, err := c.settle(ctx, r, claims[i])
		c.left(err)
		return nil
	})
}

// left is for what a command does last, and does not fail with since it has
// happened: a process does it then.
func (c *Commands) left(err error) {
	if err != nil {
		c.Logger.Warn("a reservation is left to a process", "error", err)
	}
}

// times does something for each number below n, for several at a time where they
// are many.
func times(n int, do func(int) error) error {
	var group errgroup.Group
	group.SetLimit(16)
	for i := range n {
		if n > 3 {
			group.Go(func() error { return do(i) })
		} else if err := do(i); err != nil {
			return err
		}
	}
	return group.Wait()
}

// settle confirms the attempt of a claim, if it has one, and those whose time is
// over, and gives the text back if its holder does not use it.
func (c *Commands) settle(ctx context.Context, r Request, cl claim) (released bool, err error) {
	stream, r := cl.kind+"-"+cl.key, plain(r)
	s, seen, err := c.reservations.load(ctx, stream)
	if err != nil || s.Holder == "" {
		return false, err
	}
	for len(reservation.Confirm(s, c.Now(), cl.attempt)) > 0 {
		_, err = c.reservations.execute(ctx, stream, r, func(s reservation.State) ([]domain.Event, error) {
			return reservation.Confirm(s, c.Now(), cl.attempt), nil
		})
		if err != nil {
			return false, err
		}
		c.Step(StepReservationConfirmed)
		if s, seen, err = c.reservations.load(ctx, stream); err != nil {
			return false, err
		}
	}
	last, _ := seen.Last()
	if len(reservation.Release(s)) == 0 {
		return false, nil
	}
	uses, err := c.uses(ctx, cl.kind, cl.key, s.Holder)
	if err != nil || uses {
		return false, err
	}
	r.IfRevision = &last
	_, err = c.reservations.execute(ctx, stream, r, func(s reservation.State) ([]domain.Event, error) {
		return reservation.Release(s), nil
	})
	if errors.Is(err, &domain.Error{Code: domain.CodeRevisionMismatch}) {
		return false, nil // attempted again meanwhile, or given back
	}
	if err != nil {
		return false, err
	}
	c.Step(StepReservationReleased)
	return true, nil
}

// settleText is settle for who has made no claim to a text.
func (c *Commands) settleText(ctx context.Context, r Request, kind, text string) error {
	return c.ResolveReservation(ctx, r, kind, c.Keys.Name(kind, text))
}

// holder finds who has a text; empty when it is free.
func (c *Commands) holder(ctx context.Context, kind, text string) (string, error) {
	s, _, err := c.reservations.load(ctx, kind+"-"+c.Keys.Name(kind, text))
	return s.Holder, err
}

// ResolveReservation settles a reservation for commands that have not done so in
// time.
func (c *Commands) ResolveReservation(ctx context.Context, r Request, kind, key string) error {
	_, err := c.settle(ctx, r, claim{kind: kind, key: key})
	return err
}

// accountOf is the account that a holder is.
func accountOf(holder string) domain.AccountID {
	return domain.AccountID(strings.TrimPrefix(holder, holderAccount))
}

// organizationOf is the organization that a holder is.
func organizationOf(holder string) domain.OrganizationID {
	return domain.OrganizationID(strings.TrimPrefix(holder, holderOrganization))
}

// uses reports whether the holder exists and uses the text whose hash is key.
func (c *Commands) uses(ctx context.Context, kind, key, holder string) (bool, error) {
	if kind == reservation.KindExclusiveRole {
		return c.hasExclusive(ctx, domain.AccountID(key), organizationOf(holder))
	}
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
