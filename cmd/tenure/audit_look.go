package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/history"
	"tenure/httpapi"
	"tenure/projections"
)

// look is a question about an organization's past.
type look struct {
	auditSource
	JSON bool `help:"Print JSON, with what the answer rests on." name:"json" env:"-"`
}

// answer opens the source, asks, and prints.
func (l *look) answer(ctx context.Context, ask func(*audited) error) (err error) {
	a, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	if err = a.ends(ctx); err == nil {
		err = ask(a)
	}
	return worded(err)
}

// worded puts what the past refuses into words.
func worded(err error) error {
	var early *history.NotFoundedError
	var refused *domain.Error
	switch {
	case errors.As(err, &early):
		return fmt.Errorf("the organization was founded later, on %s, at position %d", instant(early.Founded), early.Position)
	case errors.Is(err, history.ErrAhead):
		return errors.New("give an instant that has passed, or a position that the log, or the export, has got to")
	case errors.Is(err, history.ErrTooLarge):
		return fmt.Errorf("the answer would have more than %d rows: ask for a shorter time, or about one member", history.MaxRows)
	case errors.As(err, &refused):
		return errors.New(strings.TrimSpace(refused.Title + ". " + refused.Message))
	}
	return err
}

// moment is what a flag says; one that is given and empty, as a variable that is
// not set, does not mean the present.
func moment(flag string, text *string) (history.Moment, error) {
	if text == nil {
		return history.Moment{}, nil
	}
	m, err := history.ParseMoment(flag, *text)
	if err != nil || *text == "" {
		err = misuse("--%s %s: give an instant such as 2031-03-03T12:00:00Z, or a position of the log", flag, plain(*text))
	}
	return m, err
}

type auditMembersCommand struct {
	look
	AsOf   *string `help:"When: an instant such as 2031-03-03T12:00:00Z, or a position of the log. Default: the newest there is." env:"-"`
	Role   string  `help:"Only holders of this role." env:"-"`
	Status string  `help:"Only those who are active, or suspended." enum:",active,suspended" default:"" env:"-"`
}

type memberSeen struct {
	projections.Member
	Given []givenRole `json:"given"`
}

type givenRole struct {
	Role  domain.Role  `json:"role"`
	Event decidedEvent `json:"event"`
}

type decidedEvent struct {
	Position string       `json:"position"`
	Type     string       `json:"type"`
	At       time.Time    `json:"at"`
	Actor    domain.Actor `json:"actor"`
	Name     string       `json:"name,omitempty"` // of the member whose decision it was
	Reason   string       `json:"reason,omitempty"`
}

type membersSeen struct {
	Rests    rests        `json:"rests_on"`
	Position string       `json:"position"`
	At       time.Time    `json:"at"`
	Items    []memberSeen `json:"items"`
}

// Run prints who was a member, in which roles, since when and by whose decision.
func (c *auditMembersCommand) Run(ctx context.Context, out *kong.Context) error {
	at, err := moment("as-of", c.AsOf)
	if err != nil {
		return err
	}
	return c.answer(ctx, func(a *audited) error {
		r, err := a.review(ctx, at)
		if err != nil {
			return err
		}
		if err := a.knows(ctx, at, domain.Role(c.Role)); err != nil {
			return err
		}
		members := slices.DeleteFunc(r.Members, func(m history.Reviewed) bool {
			return c.Role != "" && !slices.Contains(m.Roles, domain.Role(c.Role)) || c.Status != "" && string(m.Status) != c.Status
		})
		if c.JSON {
			seen := membersSeen{a.rests, digits(r.Position), r.At, make([]memberSeen, len(members))}
			for i, m := range members {
				seen.Items[i] = memberSeen{Member: m.Member, Given: []givenRole{}}
				for _, g := range m.Given {
					seen.Items[i].Given = append(seen.Items[i].Given, givenRole{g.Role, decided(g.Decision)})
				}
			}
			return printJSON(out.Stdout, seen)
		}
		s := styleOf(out.Stdout)
		fmt.Fprintf(out.Stdout, "%s\n", s.bold(fmt.Sprintf("%s, after position %d of %s", plain(string(r.Organization.Name)), r.Position, instant(r.At))))
		rows := [][]string{{"NAME", "E-MAIL", "ACCOUNT", "STATUS", "ROLE", "SINCE", "GIVEN BY", "REASON"}}
		for _, m := range members {
			first := []string{plain(m.DisplayName), plain(string(m.Email)), plain(string(m.AccountID)), string(m.Status)}
			if len(m.Given) == 0 { // no role, and a member all the same
				rows = append(rows, append(first, none(""), instant(m.Joined.At), plain(m.Joined.By()), plain(m.Joined.Reason)))
			}
			for _, g := range m.Given {
				rows = append(rows, append(first, plain(string(g.Role)), instant(g.At), plain(g.By()), plain(g.Reason)))
				first = make([]string, len(first))
			}
		}
		printTable(out.Stdout, s, rows)
		fmt.Fprintln(out.Stdout, count(len(members), "member"))
		a.rests.say(out.Stdout, s, at)
		return nil
	})
}

func decided(d history.Decision) decidedEvent {
	return decidedEvent{digits(d.Position), d.Type, d.At, d.Actor, d.Decider, d.Reason}
}

// knows refuses a role that the policy of the moment has not: that nobody holds it
// would be no answer.
func (a *audited) knows(ctx context.Context, at history.Moment, role domain.Role) error {
	if role == "" {
		return nil
	}
	past, err := a.history.At(ctx, a.org, at)
	if err != nil {
		return err
	}
	if _, known := past.Rules.Role(role); !known {
		err = fmt.Errorf("--role %s: the policy %s, version %d, that the organization was under has no such role", plain(string(role)), past.Rules.Name, past.Rules.Version)
	}
	return err
}

func (a *audited) review(ctx context.Context, at history.Moment) (history.Review, error) {
	return a.history.Review(ctx, a.org, at)
}

type auditDiffCommand struct {
	look
	From *string `help:"An instant, or a position; before the organization was founded, all is new." required:"" env:"-"`
	To   *string `help:"The same. Default: the newest there is." env:"-"`
	CSV  bool    `help:"Print CSV, as the API does." name:"csv" env:"-"`
}

// Validate is called by kong.
func (c *auditDiffCommand) Validate() error {
	if c.CSV && c.JSON {
		return errors.New("give --csv or --json, not both")
	}
	return c.auditSource.Validate()
}

// Run prints what has changed between two moments.
func (c *auditDiffCommand) Run(ctx context.Context, out *kong.Context) error {
	from, err := moment("from", c.From)
	if err != nil {
		return err
	}
	to, err := moment("to", c.To)
	if err != nil {
		return err
	}
	return c.answer(ctx, func(a *audited) error {
		d, err := a.history.Diff(ctx, a.org, from, to)
		switch {
		case err != nil:
			return err
		case c.CSV:
			text, err := d.CSV()
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%s, from %s to %s\n", count(len(d.Changes), "change"), point(d.From), point(d.To))
			a.rests.say(os.Stderr, styleOf(os.Stderr), to)
			_, err = out.Stdout.Write(text)
			return err
		case c.JSON:
			return printJSON(out.Stdout, struct {
				Rests rests `json:"rests_on"`
				Diff  any   `json:"diff"`
			}{a.rests, httpapi.ShownDiff(d)})
		}
		by, err := a.deciders(ctx, d)
		if err != nil {
			return err
		}
		s := styleOf(out.Stdout)
		rows := [][]string{{"WHEN", "WHAT", "WHOM", "BEFORE", "AFTER", "BY", "REASON"}}
		for _, x := range d.Changes {
			rows = append(rows, []string{
				instant(x.Event.At), s.kind(x.Kind), plain(x.Name), plain(x.Before.Text()), plain(x.After.Text()), plain(by[x.Event.Position]), plain(x.Event.Reason),
			})
		}
		printTable(out.Stdout, s, rows)
		fmt.Fprintf(out.Stdout, "%s, from %s to %s\n", count(len(d.Changes), "change"), point(d.From), point(d.To))
		a.rests.say(out.Stdout, s, to)
		return nil
	})
}

// deciders says of the events of a difference, by their positions, whose decision
// each was: what they were called by then, members or not, as replay has it.
func (a *audited) deciders(ctx context.Context, d history.Diff) (map[eventstore.Position]string, error) {
	by := make(map[eventstore.Position]string, len(d.Changes))
	for _, c := range d.Changes {
		by[c.Event.Position] = strings.TrimSpace(string(c.Event.Actor.Kind) + " " + c.Event.Actor.ID)
	}
	if len(by) == 0 {
		return by, nil
	}
	return by, a.history.Steps(ctx, a.org, "", history.Range{}, func(s history.Step) error {
		if _, wanted := by[s.Position]; wanted {
			by[s.Position] = s.Decider()
		}
		return nil
	})
}

func point(p history.Point) string {
	if p.Position == 0 {
		return "before the organization was founded"
	}
	return fmt.Sprintf("position %d (%s)", p.Position, instant(p.At))
}

// kind colours what has changed: green for what is more, red for what is less.
func (s style) kind(k history.Kind) string {
	switch k {
	case history.Joined, history.Rejoined, history.Reactivated, history.Requested, history.RequestedAgain, history.InvitationOpened, history.SpaceCreated:
		return s.good(string(k))
	case history.Left, history.Suspended, history.RequestClosed, history.InvitationClosed, history.SpaceDeleted, history.OrganizationEnded:
		return s.bad(string(k))
	}
	return s.warn(string(k))
}

// auditReview prints an access review, of a log or an export, or as a server makes it.
type auditReview struct {
	auditSource
	URL         string        `help:"Where the server is, without --data, --log and --export. Default: http://127.0.0.1:8080." name:"url" default:"http://127.0.0.1:8080" env:"-"`
	OperatorKey string        `help:"For the server: an operator's key, or a session's token. Prefer the environment variable: others may see the command line." env:"TENURE_OPERATOR_KEY" secret:"true"`
	AsOf        *string       `help:"When: an instant such as 2031-03-03T12:00:00Z, or a position of the log. Default: now." env:"-"`
	Format      string        `help:"html, to print and go through, or csv." enum:"html,csv" default:"html" env:"-"`
	Output      string        `help:"File to write; it must not be there yet. Default: standard output." type:"path" env:"-"`
	Wait        time.Duration `help:"How long the answer of a server may take." default:"2m" env:"-"`
}

// Run prints the review. What it rests on goes to standard error, and into a page.
func (c *auditReview) Run(ctx context.Context, out *kong.Context) error {
	if c.Data == "" && c.Log == "" && c.Export == "" {
		return c.ask(ctx)
	}
	at, err := moment("as-of", c.AsOf)
	if err != nil {
		return err
	}
	l := look{auditSource: c.auditSource}
	return l.answer(ctx, func(a *audited) error {
		r, err := a.review(ctx, at)
		if err != nil {
			return err
		}
		var rests strings.Builder
		a.rests.say(&rests, style{}, at)
		r.RestsOn = strings.Split(strings.TrimSpace(rests.String()), "\n")
		page := r.HTML
		if c.Format == "csv" {
			page = r.CSV
		}
		text, err := page()
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "As of position %d (%s)\n", r.Position, instant(r.At))
		a.rests.say(os.Stderr, styleOf(os.Stderr), at)
		return c.write(strings.NewReader(string(text)))
	})
}
