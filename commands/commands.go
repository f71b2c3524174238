// Package commands is the only writer of the log. Each command is one file: it
// loads what it needs, asks the aggregates to decide, appends their events and
// answers with a Receipt, or with the *domain.Error that refuses it.
//
// Commands to one aggregate are decided one after another and appended together
// (see aggregate.go), so a busy organization costs the log no more than a quiet
// one. A command that spans streams writes them in an order in which every
// prefix is a legal state that a process manager knows how to finish: the steps
// are named where they happen, and listed in steps.go. So a process that is
// killed between any two instructions loses nothing that was acknowledged and
// leaves nothing half done for longer than it takes to start again.
package commands

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"tenure/commands/token"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/apikey"
	"tenure/domain/broker"
	"tenure/domain/checkpoint"
	"tenure/domain/erasure"
	"tenure/domain/invitation"
	"tenure/domain/mailing"
	"tenure/domain/organization"
	"tenure/domain/policy"
	"tenure/domain/publication"
	"tenure/domain/reservation"
	"tenure/domain/sealing"
	"tenure/domain/webhook"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// Lifetimes of what commands make.
const (
	VerificationLifetime  = 24 * time.Hour
	PasswordResetLifetime = time.Hour
)

// Policies are those that the program comes with, and the reader of documents of
// others.
type Policies interface {
	Get(name string, version int) (*policy.Policy, bool)
	Latest(name string) (*policy.Policy, bool)
	Names() []string
	Document(*policy.Policy) []byte
	// Parse reads a document of an operator. Its error says what is wrong with it.
	Parse(document []byte) (*policy.Policy, error)
	// Reread reads a document that Parse has accepted, maybe of an earlier release.
	Reread(document []byte) (*policy.Policy, error)
}

// Passwords hashes and checks passwords; both are slow on purpose.
type Passwords interface {
	Hash(ctx context.Context, password string) (string, error)
	// Matches reports whether hash is that of the password; an empty hash
	// matches none and takes as long.
	Matches(ctx context.Context, password, hash string) (bool, error)
}

// Keyring destroys the keys of people who are erased.
type Keyring interface {
	Pseudonym(subject string) string
	Destroyed(ctx context.Context, subjects []string) ([]bool, error)
	Destroy(ctx context.Context, subjects ...string) error
}

// Dependencies are what Commands works with; all but Founding, Onboarding, Logger and Step
// are needed, and Keyring by who erases.
type Dependencies struct {
	Store           eventstore.Store
	Codec           *codec.Codec
	Policies        Policies
	Keys            *token.Keys
	Passwords       Passwords
	Keyring         Keyring
	Now             func() time.Time
	SessionLifetime time.Duration
	CachedEvents    int // how many folded events the aggregate cache holds, for each kind of aggregate

	// Founding names the policies under which accounts found organizations, the one
	// that is meant where none is named first; empty for all.
	Founding []string
	// Onboarding names the policy whose onboarding rules hold for whoever signs in,
	// in its newest version; empty: nobody is onboarded.
	Onboarding string

	// Logger learns what is left to processes because the request could not do it.
	Logger *slog.Logger

	// Step is called between the writes of a command that spans streams.
	Step func(name string)
}

// Commands gives every command there is. It is safe for concurrent use.
type Commands struct {
	Dependencies
	dry bool // of a dry run

	organizations *aggregates[organization.State]
	invitations   *aggregates[invitation.State]
	accounts      *aggregates[account.State]
	reservations  *aggregates[reservation.State]
	apiKeys       *aggregates[apikey.State]
	mails         *aggregates[mailing.State]
	checkpoints   *aggregates[checkpoint.State]
	webhooks      *aggregates[webhook.State]
	brokers       *aggregates[broker.State]
	trails        *aggregates[trail] // of organizations, for explanations
	publications  *aggregates[publication.State]
	keyrings      *aggregates[sealing.State]
	erasures      *aggregates[erasure.State]
	known         *knownPolicies

	scrubbed   atomic.Bool          // since a key was destroyed
	unfinished atomic.Pointer[pass] // of erasures, which has failed
}

// New makes the commands.
func New(d Dependencies) *Commands {
	if d.Step == nil {
		d.Step = func(string) {}
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	checkpoints := newAggregates(d, LedgerStream, checkpoint.Evolve) // there is one, whose id is empty
	// Everybody may hand in a cosignature again, and it stays what it is: that is
	// no reason to write, least of all what is no part of the ledger.
	checkpoints.traceless = true
	return &Commands{
		Dependencies:  d,
		organizations: newAggregates(d, "organization-", organization.Evolve),
		invitations:   newAggregates(d, "invitation-", invitation.Evolve),
		accounts:      newAggregates(d, "account-", account.Evolve),
		reservations:  newAggregates(d, "reservation-", reservation.Evolve),
		apiKeys:       newAggregates(d, "apikey-", apikey.Evolve),
		mails:         newAggregates(d, "mail-", mailing.Evolve),
		checkpoints:   checkpoints,
		webhooks:      newAggregates(d, "webhooks-", webhook.Evolve),
		brokers:       newAggregates(d, "brokers-", broker.Evolve),
		keyrings:      newAggregates(d, "keyring-", sealing.Evolve),
		erasures:      newAggregates(d, "erasures-", erasure.Evolve),
		trails:        newAggregates(d, "organization-", follow),
		publications:  newAggregates(d, "policies-", publication.Evolve),
		known:         &knownPolicies{},
	}
}

// ErrBusy says that too many commands wait for one aggregate: try again later.
var ErrBusy = errors.New("commands: too many commands are waiting")

// rules finds the policy that an organization is under.
func (c *Commands) rules(s organization.State) (*policy.Policy, error) {
	if !s.Exists() {
		return noPolicy, nil
	}
	p, ok, err := c.policyVersion(s.Policy, s.PolicyVersion)
	if err == nil && !ok {
		err = errors.New("commands: the log names policy " + s.Policy + " in a version that neither this server nor the log has")
	}
	return p, err
}

// PolicyOf is the policy that an organization is under; one that allows nothing
// where there is no such organization.
func (c *Commands) PolicyOf(ctx context.Context, org domain.OrganizationID) (*policy.Policy, error) {
	s, _, err := c.organizations.load(ctx, string(org))
	if err != nil {
		return nil, err
	}
	return c.rules(s)
}

// inWordsOf gives a refusal, which may rest on something else than the
// organization, the words that the organization's policy has for it.
func (c *Commands) inWordsOf(ctx context.Context, org domain.OrganizationID, err error) error {
	if !isRefusal(err) {
		return err
	}
	s, _, loadErr := c.organizations.load(ctx, string(org))
	if loadErr != nil {
		return loadErr
	}
	p, rulesErr := c.rules(s)
	if rulesErr != nil {
		return rulesErr
	}
	return reword(p, err)
}

func reword(p *policy.Policy, err error) error {
	var refusal *domain.Error
	if !errors.As(err, &refusal) {
		return err
	}
	own := p.Refuse(refusal.Code, refusal.Title, refusal.Message)
	own.Field = refusal.Field
	return own
}

// noPolicy is that of an organization that does not exist: it allows nothing.
var noPolicy = &policy.Policy{}

// newID makes an identifier: the same one for the same request, so that a
// command that is sent again after a crash goes on where it stopped (X12).
// Scope is the stream that remembers the Idempotency-Key; it never forgets one,
// so that no identifier is made a second time for something else.
func (c *Commands) newID(r Request, purpose, scope string) string {
	if command := c.commandID(r); command != "" {
		return c.Keys.ID("id", purpose, scope, command).String()
	}
	return uuid.Must(uuid.NewV7()).String()
}

// onOrganization runs a decision about one organization under its policy. It
// fails as the decision does, and with CodeRoleExclusive.
func (c *Commands) onOrganization(ctx context.Context, r Request, id domain.OrganizationID, decide func(organization.State, *policy.Policy) ([]domain.Event, error)) (Receipt, error) {
	var p *policy.Policy
	receipt, err := c.exclusively(ctx, r, id, func(held holds) (Receipt, error) {
		return c.organizations.execute(ctx, string(id), r, func(s organization.State) (_ []domain.Event, err error) {
			if p, err = c.rules(s); err != nil {
				return nil, err
			}
			events, err := decide(s, p)
			if err != nil {
				return nil, err
			}
			return events, held.lacking(s, p, events, c.Now())
		})
	})
	if err != nil || p == nil {
		return receipt, err
	}
	c.releaseExclusive(ctx, r, organization.LosesExclusive(p, receipt.Events))
	return receipt, nil
}
