package processes_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/mail"
	"tenure/processes"
	"tenure/projections"
	viewsqlite "tenure/projections/sqlite"
)

// noted says when a process asks for the organizations of an account.
type noted struct {
	processes.Memberships
	asked chan struct{}
}

func (n noted) OrganizationsOf(ctx context.Context, account domain.AccountID, atLeast eventstore.Position) ([]domain.OrganizationID, error) {
	close(n.asked)
	return n.Memberships.OrganizationsOf(ctx, account, atLeast)
}

// said keeps what a logger says.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// A node that has to stop in the middle of a step has not failed, and says
// nothing of a failure. The step is left to whoever is next.
func TestAStepThatAStopInterruptsIsNoFailure(t *testing.T) {
	is := is.New(t)
	s := newStack(t)
	stop := s.run()
	_, by := s.organization()
	stop()
	owner, _ := by.Actor.Account()
	name := "Olga the Great"
	_, err := s.commands.ChangeProfile(s.ctx, commands.Request{Actor: domain.ByAccount(owner)}, owner, &name, nil)
	is.NoErr(err)

	views, err := viewsqlite.Open(filepath.Join(t.TempDir(), "views.db"), viewsqlite.Options{})
	is.NoErr(err)
	defer views.Close()
	log := &said{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	// Nobody applies the log to the views, which the step waits for.
	projector := projections.NewProjector(s.log, codec.New().Decode, views, projections.Views(), projections.Options{Logger: logger})
	reader := projections.NewReader(views, 0)
	templates, err := mail.LoadTemplates("", "Tenure <no-reply@tenure.example>")
	is.NoErr(err)
	memberships := noted{processes.ViewMemberships{Reader: reader, Projector: projector}, make(chan struct{})}
	p, err := processes.New(processes.Dependencies{
		Log: s.log, Codec: codec.New(), Checkpoints: views, Commands: s.commands, Memberships: memberships, Deadlines: reader, Now: s.now, Logger: logger,
		Mailer: &processes.Mailer{
			Node: "node", Commands: s.commands, Templates: templates, Sender: s.sent, PublicURL: "https://members.example", Now: s.now,
			Backoff: func(string, int) time.Duration { return time.Millisecond }, Step: s.step,
		},
	})
	is.NoErr(err)
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	<-memberships.asked
	cancel()
	is.Equal(<-done, context.Canceled)
	is.Equal(log.String(), "")
	kept, err := views.Checkpoint(s.ctx, "process.profiles")
	is.NoErr(err)
	is.True(kept < s.find("account.profile_changed.")[0].Position) // it comes again
}
