package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/policy"
	"tenure/eventstore"
	"tenure/history"
	"tenure/projections"
)

// AsOfInput is part of the input of reads that can show the past (X5).
type AsOfInput struct {
	AsOf string `query:"as_of" maxLength:"40" doc:"Shows the organization as it was: after the last event that had occurred at an instant (RFC 3339), or at a position, as Tenure-Position has it. Takes history.read besides, except about oneself. The answer's Tenure-Position says which position it is; Tenure-Min-Position is passed over." example:"2031-03-03T12:00:00Z"`
}

func (in AsOfInput) asOf() string { return in.AsOf }

// past is what a request shows instead of the present.
type past struct {
	*history.Past
	binding string // of cursors
}

// pastCache is how long a client may keep what a position shows. That never changes
// but for the names of who is erased, and for who may see it: so it is no longer
// than servers keep keys in memory (keyring.Options), and enough for who goes back and forth.
const pastCache = "private, max-age=60"

// lookBack runs a read on the past that it asks for.
//
// The caller was let in by what they may do now. That they may see what they
// could not have seen otherwise takes history.read as well: whoever has it can
// read from the events whatever as_of shows, and nobody else can. Of the past it
// makes no difference what they were allowed then. Operators need no more than
// for the history itself.
func (a *API) lookBack(ctx context.Context, c *call, in any, asOf string, run func() (answer, error)) (answer, error) {
	if err := c.mayLookBack(); err != nil {
		return answer{}, err
	}
	moment, err := history.ParseMoment("as_of", asOf)
	if err != nil {
		return answer{}, err
	}
	fixed := moment.Position > 0
	binding := pastBinding(asOf)
	if cursor := cursorIn(in); cursor != nil && *cursor != "" {
		// The pages of a listing are of one position, also of an instant that
		// something was written for meanwhile.
		if moment, *cursor, err = readPastCursor(binding, *cursor); err != nil {
			return answer{}, err
		}
	}
	found, err := a.config.History.At(ctx, c.organization(), moment)
	if err != nil {
		return answer{}, err
	}
	c.past = &past{found, binding}
	c.membership.Expected = eventstore.Expected{} // no ETag: nothing rests on the past
	ans, err := run()
	ans.position = found.Position
	if fixed && ans.status == 0 {
		ans.cache = pastCache
	}
	return ans, err
}

// mayLookBack refuses members who may not read the history, but of themselves.
func (c *call) mayLookBack() error {
	rules := c.membership.Policy
	self := c.route.access.Self && string(c.member()) == c.caller.Actor.ID
	if rules == nil || self || rules.Allows(c.membership.Roles, domain.ReadHistory) {
		return nil
	}
	return denied("Ask an administrator of the organization for a role that allows " + string(domain.ReadHistory) + ", or leave as_of out.")
}

// reader answers from the views, or from the past.
func (a *API) reader(c *call) *projections.Reader {
	if c.past != nil {
		return c.past.Reader
	}
	return a.config.Reader
}

// page answers with a page whose cursor leads on in the same past.
func (c *call) page(p projections.Page, err error) (answer, error) {
	return page(c.bound(p), err)
}

func (c *call) bound(p projections.Page) projections.Page {
	if c.past == nil || p.NextCursor() == "" {
		return p
	}
	return p.WithCursor(makePastCursor(c.past.binding, c.past.Position, p.NextCursor()))
}

// A cursor of a page of the past is the position, in base64url with what the
// as_of of the query was, a dot, and the cursor as the reader has it.

// pastBinding is the beginning of a hash of an as_of.
func pastBinding(asOf string) string {
	hash := sha256.Sum256([]byte(asOf))
	return string(hash[:6])
}

var pastCursor = base64.RawURLEncoding.Strict()

func makePastCursor(binding string, at eventstore.Position, inner string) string {
	return pastCursor.EncodeToString(binary.BigEndian.AppendUint64([]byte(binding), uint64(at))) + "." + inner
}

func readPastCursor(binding, cursor string) (history.Moment, string, error) {
	head, inner, found := strings.Cut(cursor, ".")
	raw, err := pastCursor.DecodeString(head)
	if !found || err != nil || inner == "" || len(raw) != len(binding)+8 || string(raw[:len(binding)]) != binding {
		return history.Moment{}, "", errCursor()
	}
	return history.Moment{Position: eventstore.Position(binary.BigEndian.Uint64([]byte(raw[len(binding):])))}, inner, nil
}

// explainPast makes the problems of questions about the past.
func (a *API) explainPast(err error) (p *Problem) {
	var early *history.NotFoundedError
	switch {
	case errors.Is(err, history.ErrAhead):
		p = a.problem(codeAheadOfLog, "", "Give an instant that has passed, or a position that the log has got to.")
	case errors.As(err, &early):
		p = a.problem(codeNotFounded, "", "The organization was founded on "+early.Founded.UTC().Format(time.RFC3339Nano)+", at position "+strconv.FormatUint(uint64(early.Position), 10)+". Give a later moment.")
	case errors.Is(err, history.ErrTooLarge):
		p = a.problem(codeReportTooLarge, "", "Ask for a shorter time, or read the list of members page by page with as_of; one answer has at most "+strconv.Itoa(history.MaxRows)+" rows.")
	case errors.Is(err, history.ErrBusy):
		p = a.problem(codeHistoryBusy, "", "Try again in a moment; many look back at the same time.")
		p.retryAfter = 2
	}
	return p
}

// pastTrail finds what permission checks rested on.
func (a *API) pastTrail(m history.Moment) func(context.Context, domain.OrganizationID) (commands.Trail, error) {
	return func(ctx context.Context, org domain.OrganizationID) (commands.Trail, error) {
		found, err := a.config.History.At(ctx, org, m)
		var early *history.NotFoundedError
		switch {
		case errors.As(err, &early), is(err, domain.CodeNotFound):
			return commands.Trail{}, nil // there was no such organization
		case err != nil:
			return commands.Trail{}, err
		}
		return found.Trail, nil
	}
}

// varyByCaller keeps a cache from showing to one caller what another one got.
func varyByCaller(f *fiber.Ctx) { f.Vary(fiber.HeaderAuthorization) }

// standing is what the caller is in the organization, or was in the past that the
// request shows: nil and none for who is, or was, no member with access.
func (c *call) standing() (*policy.Policy, []domain.Role) {
	account, ok := c.caller.Actor.Account()
	if c.past == nil || !ok {
		return c.membership.Policy, c.membership.Roles
	}
	m, active := c.past.Trail.State().ActiveMember(account)
	if !active {
		return nil, nil
	}
	return c.past.Rules, m.Roles
}
