package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/history"
	"tenure/projections"
)

// told is what replay and history tell.
type told struct {
	look
	Member string  `help:"Only what is about the account with this id." env:"-"`
	From   *string `help:"An instant, or a position, to begin with." env:"-"`
	Until  *string `help:"An instant, or a position, to end with." env:"-"`
}

// tell goes through the steps.
func (c *told) tell(ctx context.Context, ask func(a *audited, steps func(visit func(history.Step) error) error) error) error {
	var in history.Range
	var err error
	if in.From, err = moment("from", c.From); err != nil {
		return err
	}
	if in.Until, err = moment("until", c.Until); err != nil {
		return err
	}
	if f, u := in.From, in.Until; u.Position > 0 && f.Position > u.Position || !u.Instant.IsZero() && f.Instant.After(u.Instant) {
		return misuse("--from %s is after --until %s", *c.From, *c.Until)
	}
	return c.answer(ctx, func(a *audited) error {
		bar := newProgress("folding", -1)
		defer bar.finish()
		bar.show(0, "the organization's events")
		first := true
		return ask(a, func(visit func(history.Step) error) error {
			err := a.within(ctx, in)
			if err != nil {
				return err
			}
			err = a.history.Steps(ctx, a.org, domain.AccountID(c.Member), in, func(s history.Step) error {
				if first {
					bar.finish()
					first = false
				}
				return visit(s)
			})
			if err == nil && first && c.Member != "" {
				err = a.about(ctx, domain.AccountID(c.Member))
			}
			return err
		})
	})
}

// within refuses a stretch of which nothing can be known: that nothing has happened in
// it would be no answer.
func (a *audited) within(ctx context.Context, in history.Range) error {
	head, err := a.reader.Head(ctx)
	switch {
	case err != nil:
		return err
	case in.From.Position > head || in.Until.Position > head || in.From.Instant.After(now()):
		return history.ErrAhead
	case a.rests.EndsAt != nil && in.From.Instant.After(*a.rests.EndsAt):
		return fmt.Errorf("--from: the organization's last event in the file is of %s; what happened after the checkpoint of the export is not in it", instant(*a.rests.EndsAt))
	}
	return nil
}

// about refuses an account that no event is about.
func (a *audited) about(ctx context.Context, member domain.AccountID) error {
	found := false
	err := a.history.Steps(ctx, a.org, member, history.Range{}, func(history.Step) error {
		found = true
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("--member %s: no event of the organization is about this account", plain(string(member)))
	}
	return err
}

func digits(p eventstore.Position) string { return strconv.FormatUint(uint64(p), 10) }

type auditHistoryCommand struct{ told }

// Run prints the timeline of an organization or of a member, the oldest first.
func (c *auditHistoryCommand) Run(ctx context.Context, out *kong.Context) error {
	return c.tell(ctx, func(a *audited, steps func(func(history.Step) error) error) error {
		entries := []projections.TimelineEntry{}
		s := styleOf(out.Stdout)
		rows := [][]string{{"WHEN", "POSITION", "WHAT", "BY", "REASON"}}
		err := steps(func(step history.Step) error {
			if c.JSON {
				entries = append(entries, step.TimelineEntry)
				return nil
			}
			rows = append(rows, []string{instant(step.At), digits(step.Position), plain(step.Words), plain(step.By), plain(step.Reason)})
			return nil
		})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(out.Stdout, struct {
				Rests rests                       `json:"rests_on"`
				Items []projections.TimelineEntry `json:"items"`
			}{a.rests, entries})
		}
		printTable(out.Stdout, s, rows)
		fmt.Fprintln(out.Stdout, count(len(rows)-1, "event"))
		a.rests.say(out.Stdout, s)
		return nil
	})
}

type auditReplayCommand struct {
	told
	Step bool `help:"On a terminal, wait for Enter after each step." env:"-"`
}

type stepShown struct {
	Step    int                       `json:"step"`
	Event   projections.TimelineEntry `json:"event"`
	Words   string                    `json:"words"`
	By      string                    `json:"by"`
	Changes []becameShown             `json:"changes,omitempty"`
}

type becameShown struct {
	What   string `json:"what,omitempty"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Run shows the life of an organization step by step. As JSON it is a line for each
// step, and a last one with what all rests on.
func (c *auditReplayCommand) Run(ctx context.Context, out *kong.Context) error {
	waits := c.Step && term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
	enter := bufio.NewReader(os.Stdin)
	return c.tell(ctx, func(a *audited, steps func(func(history.Step) error) error) error {
		s, number, lines := styleOf(out.Stdout), 0, json.NewEncoder(out.Stdout)
		err := steps(func(step history.Step) error {
			number++
			if c.JSON {
				return lines.Encode(shownStep(number, step))
			}
			printStep(out.Stdout, s, number, step)
			if !waits {
				return nil
			}
			if _, err := enter.ReadString('\n'); err != nil {
				return errStopped
			}
			return ctx.Err()
		})
		switch {
		case errors.Is(err, errStopped):
		case err != nil:
			return err
		case c.JSON:
			return lines.Encode(struct {
				Rests rests `json:"rests_on"`
			}{a.rests})
		}
		fmt.Fprintln(out.Stdout, count(number, "step"))
		a.rests.say(out.Stdout, s)
		return nil
	})
}

var errStopped = errors.New("whoever looked has seen enough")

func shownStep(number int, step history.Step) stepShown {
	shown := stepShown{Step: number, Event: step.TimelineEntry, Words: step.Words, By: step.By}
	for _, b := range step.Changes {
		shown.Changes = append(shown.Changes, becameShown(b))
	}
	return shown
}

func printStep(to io.Writer, s style, number int, step history.Step) {
	fmt.Fprintf(to, "%s  %s  %s\n", s.faint(fmt.Sprintf("%4d", number)), instant(step.At), s.bold(plain(step.Words)))
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(to, "      %s %s\n", s.faint(fmt.Sprintf("%-10s", name)), value)
		}
	}
	by := plain(step.By)
	if step.Actor.ID != "" && step.By != step.Actor.ID {
		by += s.faint(" (" + plain(step.Actor.ID) + ")")
	}
	line("by", by)
	line("why", plain(step.Reason))
	line("caused by", plain(step.CausedBy))
	for _, b := range step.Changes {
		line(plain(b.What), s.bad(none(plain(b.Before)))+" → "+s.good(none(plain(b.After))))
	}
	line("event", s.faint(fmt.Sprintf("%s, position %d", step.Type, step.Position)))
	fmt.Fprintln(to)
}

func none(value string) string {
	if value == "" {
		return "–"
	}
	return value
}
