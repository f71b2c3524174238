package history

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tenure/domain"
	"tenure/eventstore"
)

// Moment says when: at a position of the log, or else at an instant. The zero
// Moment is now.
type Moment struct {
	Position eventstore.Position
	Instant  time.Time
}

// ErrAhead says that a moment has not come yet.
var ErrAhead = errors.New("history: the moment has not come yet")

// NotFoundedError says that a moment is before the organization's first event.
type NotFoundedError struct {
	Founded  time.Time
	Position eventstore.Position
}

func (e *NotFoundedError) Error() string {
	return fmt.Sprintf("history: the organization was founded later, at position %d", e.Position)
}

// ParseMoment reads an RFC 3339 instant or a position; field is what it is called
// where it comes from. It fails with CodeInvalid.
func ParseMoment(field, text string) (Moment, error) {
	if position, err := strconv.ParseUint(text, 10, 64); err == nil && position > 0 && strconv.FormatUint(position, 10) == text {
		return Moment{Position: eventstore.Position(position)}, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text)); err == nil && !at.IsZero() && instant.MatchString(text) {
		return Moment{Instant: at.UTC()}, nil
	}
	return Moment{}, domain.Invalid(field, "Give an instant such as 2031-03-03T12:00:00Z, with a + written as %2B, or a position as Tenure-Position has it.")
}

// instant is the form of RFC 3339. Package time also takes what is none, as a comma
// before the fraction, and no small letters, which it allows.
var instant = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

func (m Moment) isNow() bool { return m == Moment{} }
