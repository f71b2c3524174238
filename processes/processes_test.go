package processes_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/commands/password"
	"tenure/commands/token"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	logsqlite "tenure/eventstore/sqlite"
	"tenure/mail"
	"tenure/policies"
	"tenure/processes"
	"tenure/projections"
	viewsqlite "tenure/projections/sqlite"
)

// stack is the whole system but for HTTP, on real files, with a clock.
type stack struct {
	t         *testing.T
	ctx       context.Context
	log       *logsqlite.Store
	views     *viewsqlite.Storage
	keys      *token.Keys
	passwords *password.Hasher
	commands  *commands.Commands
	policies  *policies.Catalogue
	killAt    string // the step at which a command stops as if killed
	sent      *mailServer

	mu      sync.Mutex
	shift   time.Duration
	stopped time.Time // what the clock shows since it was stopped
	health  *processes.Health
}

func newStack(t *testing.T) *stack {
	t.Helper()
	return newStackUnder(t, policies.Builtin())
}

func newStackUnder(t *testing.T, catalogue *policies.Catalogue) *stack {
	t.Helper()
	s := &stack{t: t, ctx: context.Background(), policies: catalogue, sent: &mailServer{}}
	var err error
	must := func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s.log, err = logsqlite.Open(filepath.Join(t.TempDir(), "log.db"), logsqlite.Options{})
	must()
	t.Cleanup(func() { s.log.Close() })
	s.keys, err = token.NewKeys([]byte(strings.Repeat("k", token.MinKeyBytes)))
	must()
	passwords, err := password.New(64, 1, 4)
	must()
	s.passwords = passwords
	s.commands = s.newCommands()
	return s
}

// newCommands are those of another node on the same log.
func (s *stack) newCommands() *commands.Commands {
	return commands.New(commands.Dependencies{
		Store: s.log, Codec: codec.New(), Policies: s.policies, Keys: s.keys, Passwords: s.passwords,
		Now: s.now, SessionLifetime: time.Hour, CachedEvents: 100_000, Step: s.step,
	})
}

func (s *stack) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped.IsZero() {
		return s.stopped
	}
	return time.Now().Add(s.shift)
}

func (s *stack) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shift += d
}

// stopClock has the clock stand still at a time.
func (s *stack) stopClock(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = at
}

type killed struct{}

func (s *stack) step(name string) {
	s.mu.Lock()
	reached := name == s.killAt
	if reached {
		s.killAt = ""
	}
	s.mu.Unlock()
	if reached {
		panic(killed{})
	}
}

// killedAt gives a command that stops at a step, which is what a killed process
// leaves behind.
func (s *stack) killedAt(step string, command func()) {
	s.t.Helper()
	s.mu.Lock()
	s.killAt = step
	s.mu.Unlock()
	defer func() {
		if r := recover(); r != (killed{}) {
			s.t.Fatalf("not stopped at %q: %v", step, r)
		}
	}()
	command()
}

// run runs projector and processes on views of their own until the test ends or
// stop is called.
func (s *stack) run() (stop func()) {
	s.t.Helper()
	return s.runNode("node", s.commands)
}

func (s *stack) runNode(node string, c *commands.Commands) (stop func()) {
	s.t.Helper()
	views, err := viewsqlite.Open(filepath.Join(s.t.TempDir(), "views.db"), viewsqlite.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.views = views
	logger := slog.New(slog.DiscardHandler)
	projector := projections.NewProjector(s.log, codec.New().Decode, views, projections.Views(), projections.Options{Logger: logger})
	reader := projections.NewReader(views, 1<<20)
	templates, err := mail.LoadTemplates("", "Tenure <no-reply@tenure.example>")
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := processes.New(processes.Dependencies{
		Log: s.log, Codec: codec.New(), Checkpoints: views, Commands: c,
		Memberships: processes.ViewMemberships{Reader: reader, Projector: projector},
		Deadlines:   reader, Now: s.now, Logger: logger,
		Mailer: &processes.Mailer{
			Node: node, Commands: c, Templates: templates, Sender: s.sent, PublicURL: "https://members.example", Now: s.now,
			Backoff: func(string, int) time.Duration { return time.Millisecond }, Step: s.step,
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.health = p.Health()
	ctx, cancel := context.WithCancel(s.ctx)
	var all sync.WaitGroup
	all.Go(func() { projector.Run(ctx) })
	all.Go(func() { p.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		all.Wait()
		views.Close()
	})
	s.t.Cleanup(stop)
	return stop
}

// eventually waits, within bounds, until something holds.
func (s *stack) eventually(what string, holds func() bool) {
	s.t.Helper()
	for range 1000 {
		if holds() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Fatalf("never: %s", what)
}

const secret = "correct horse battery"

func public() commands.Request { return commands.Request{Actor: domain.Public()} }

func (s *stack) organization() (domain.OrganizationID, commands.Request) {
	s.t.Helper()
	const email = "owner@example.com"
	_, err := s.commands.SignUp(s.ctx, public(), commands.Registrant{Email: email, DisplayName: "Olga", Password: secret, Language: "en"})
	if err != nil {
		s.t.Fatal(err)
	}
	link := s.tokenIn(email, 1)
	signedIn, err := s.commands.VerifyEmail(s.ctx, public(), link, secret)
	if err != nil {
		s.t.Fatal(err)
	}
	by := commands.Request{Actor: domain.ByAccount(signedIn.AccountID)}
	id, _, err := s.commands.ActivateOrganization(s.ctx, by, "ownership", "Acme", "olga")
	if err != nil {
		s.t.Fatal(err)
	}
	return id, by
}

// tokenIn waits for the n-th mail to an address and finds the token in it.
func (s *stack) tokenIn(address string, n int) string {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%d mails to %s", n, address), func() bool { return len(s.sent.to(address)) >= n })
	_, after, _ := strings.Cut(s.sent.to(address)[n-1].Text, "#token=")
	return strings.Fields(after)[0]
}

func (s *stack) invite(org domain.OrganizationID, by commands.Request, name string) (domain.InvitationID, error) {
	id, _, err := s.commands.InviteMember(s.ctx, by, org, organization.Invitee{
		Email: domain.Email(name + "@example.com"), Username: domain.Username(name), Roles: []domain.Role{"ADMIN"}, Language: "en",
	})
	return id, err
}

func (s *stack) join(org domain.OrganizationID, by commands.Request, name string) domain.AccountID {
	s.t.Helper()
	if _, err := s.invite(org, by, name); err != nil {
		s.t.Fatal(err)
	}
	accepted, err := s.commands.AcceptInvitation(s.ctx, public(), s.tokenIn(name+"@example.com", 1), &commands.Joining{DisplayName: name, Password: secret, Language: "en"})
	if err != nil {
		s.t.Fatal(err)
	}
	return accepted.AccountID
}

func (s *stack) isMember(org domain.OrganizationID, id domain.AccountID) bool {
	_, err := s.commands.AuthorizeMember(s.ctx, domain.ByAccount(id), org)
	return err == nil
}

// find reads the last event of a type in the log.
func (s *stack) find(eventType string) (found []eventstore.Recorded) {
	s.t.Helper()
	for page := (eventstore.Page{}); !page.Head; {
		var err error
		if page, err = s.log.ReadAll(s.ctx, page.Position, 100, eventstore.Filter{TypePrefixes: []string{eventType}}); err != nil {
			s.t.Fatal(err)
		}
		found = append(found, page.Events...)
	}
	return found
}

func TestAnInvitationThatWasOpenedGetsItsLinkAndMail(t *testing.T) {
	s := newStack(t)
	s.run()
	org, by := s.organization()
	s.killedAt(commands.StepInvitationOpened, func() { s.invite(org, by, "ada") })
	if s.tokenIn("ada@example.com", 1) == "" {
		t.Fatal("no link")
	}
}

func TestAnAcceptedInvitationGetsItsMember(t *testing.T) {
	s := newStack(t)
	s.run()
	org, by := s.organization()
	_, err := s.invite(org, by, "ada")
	is.New(t).NoErr(err)
	link := s.tokenIn("ada@example.com", 1)
	s.killedAt(commands.StepInvitationAccepted, func() {
		s.commands.AcceptInvitation(s.ctx, public(), link, &commands.Joining{DisplayName: "Ada", Password: secret, Language: "en"})
	})
	s.eventually("the member is admitted", func() bool { return len(s.find("organization.member_joined.")) == 1 })
}

func TestTheInvitationsOfALeaverAreRevoked(t *testing.T) {
	is := is.New(t)
	s := newStack(t)
	s.run()
	org, by := s.organization()
	ada := s.join(org, by, "ada")
	_, err := s.invite(org, commands.Request{Actor: domain.ByAccount(ada)}, "bob")
	is.NoErr(err)
	link := s.tokenIn("bob@example.com", 1)
	_, err = s.commands.RemoveMember(s.ctx, by, org, ada)
	is.NoErr(err)
	s.eventually("the invitation is revoked", func() bool { return len(s.find("invitation.revoked.")) == 1 })
	_, err = s.commands.LookUpInvitation(s.ctx, link)
	is.True(errors.Is(err, &domain.Error{Code: domain.CodeInvitationRevoked}))
	s.eventually("the names are free", func() bool { _, err := s.invite(org, by, "bob"); return err == nil })
}

func TestDeadlinesAreSettledWhenTheirTimeComes(t *testing.T) {
	is := is.New(t)
	s := newStack(t)
	stop := s.run()
	org, by := s.organization()
	ada := s.join(org, by, "ada")
	_, err := s.invite(org, by, "bob")
	is.NoErr(err)
	_, _, err = s.commands.RequestTransfer(s.ctx, by, org, ada)
	is.NoErr(err)
	s.tokenIn("bob@example.com", 1)
	s.pass(24*time.Hour - time.Minute)
	s.run() // a second set, as after a restart that the first one survived
	is.Equal(len(s.find("organization.ownership_transfer_ended.")), 0)
	s.pass(time.Minute)
	s.eventually("the transfer expires", func() bool { return len(s.find("organization.ownership_transfer_ended.")) == 1 })
	stop()
	s.pass(6 * 24 * time.Hour)
	s.eventually("the invitation expires", func() bool { return len(s.find("invitation.expired.")) == 1 })
	s.eventually("and the names are free", func() bool { return len(s.find("organization.invitation_closed.")) == 1 })
}

func TestAMailIsTriedAgainUntilItIsTakenAndThenNeverMore(t *testing.T) {
	is := is.New(t)
	s := newStack(t)
	s.sent.fail = []error{mail.ErrTemporary, mail.ErrTemporary}
	stop := s.run()
	s.organization()
	s.eventually("the mail is recorded", func() bool { return len(s.find("mail.sent.")) == 1 })
	stop()
	s.run() // new views: every checkpoint is lost
	s.eventually("the processes have caught up", func() bool { return len(s.health.Statuses()) >= 5 })
	time.Sleep(500 * time.Millisecond) // time enough to send once more, if something would
	is.Equal(len(s.sent.to("owner@example.com")), 1)
}

func TestAMailThatIsRefusedForGoodIsGivenUp(t *testing.T) {
	s := newStack(t)
	s.sent.fail = []error{mail.ErrRejected}
	s.run()
	_, err := s.commands.SignUp(s.ctx, public(), commands.Registrant{Email: "ada@example.com", DisplayName: "Ada", Password: secret, Language: "en"})
	is.New(t).NoErr(err)
	s.eventually("the mail is given up", func() bool { return len(s.find("mail.abandoned.")) == 1 })
}

func TestAMailWhoseLinkHasDiedIsNotSent(t *testing.T) {
	is := is.New(t)
	s := newStack(t)
	stop := s.run()
	org, by := s.organization()
	stop()
	id, err := s.invite(org, by, "ada")
	is.NoErr(err)
	_, err = s.commands.RevokeInvitation(s.ctx, by, org, id)
	is.NoErr(err)
	s.run()
	s.eventually("the mail is given up", func() bool { return len(s.find("mail.abandoned.")) == 1 })
	is.Equal(len(s.sent.to("ada@example.com")), 0)
}

func TestAChangedNameReachesTheOrganizations(t *testing.T) {
	is := is.New(t)
	s := newStack(t)
	s.run()
	org, by := s.organization()
	ada := s.join(org, by, "ada")
	name := "Countess of Lovelace"
	_, err := s.commands.ChangeProfile(s.ctx, commands.Request{Actor: domain.ByAccount(ada)}, ada, &name, nil)
	is.NoErr(err)
	s.eventually("the member is renamed", func() bool { return len(s.find("organization.member_renamed.")) == 1 })
	is.True(s.isMember(org, ada))
}
