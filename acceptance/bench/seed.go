package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"tenure/commands/token"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/apikey"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/eventstore/sqlite"
)

// seeded is a data folder whose log holds organizations as large as wanted,
// written as the commands would have written them.
type seeded struct {
	dir    string
	owner  string // session token
	orgs   []seededOrganization
	events int
}

type seededOrganization struct {
	id      domain.OrganizationID
	members []domain.AccountID // without the owner
}

// seed writes organizations of these sizes, owned by one signed-in account. Each
// member has changed roles churn times.
func seed(ctx context.Context, dir string, churn int, sizes ...int) (*seeded, error) {
	secret := make([]byte, token.MinKeyBytes)
	rand.Read(secret)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "secret.key"), []byte(base64.StdEncoding.EncodeToString(secret)), 0o600); err != nil {
		return nil, err
	}
	keys, err := token.NewKeys(secret)
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(filepath.Join(dir, "log.db"), sqlite.Options{})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	w := &seeder{ctx: ctx, store: store, codec: codec.New()}
	owner, session := newID(), newID()
	s := &seeded{dir: dir}
	if s.owner, err = keys.Make(token.Token{Kind: token.Session, Subject: owner, Detail: session}); err != nil {
		return nil, err
	}
	id := domain.AccountID(owner)
	err = w.write("account-"+owner,
		account.Registered{AccountID: id, Email: "owner@example.com", DisplayName: "Olga Owner", Language: "en"},
		account.EmailVerified{AccountID: id, By: account.ByVerification},
		account.SessionStarted{AccountID: id, SessionID: domain.SessionID(session), ExpiresAt: time.Now().Add(24 * time.Hour)})
	if err != nil {
		return nil, err
	}
	// What a log begins with.
	first := domain.APIKeyID(keys.ID("first api key").String())
	if err := w.write("apikey-"+string(first), apikey.Created{APIKeyID: first, Name: "first operator", Scopes: apikey.Scopes()}); err != nil {
		return nil, err
	}
	for i, size := range sizes {
		o, err := w.organization(id, i, size, churn)
		if err != nil {
			return nil, err
		}
		s.orgs = append(s.orgs, o)
	}
	s.events = w.written
	return s, nil
}

// seedServed seeds what a server is started on: each member has an account as
// well, or the server would look for its name in vain.
func seedServed(ctx context.Context, dir string, sizes ...int) (*seeded, error) {
	s, err := seed(ctx, dir, 0, sizes...)
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(filepath.Join(dir, "log.db"), sqlite.Options{})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	var accounts errgroup.Group
	accounts.SetLimit(64)
	for _, o := range s.orgs {
		for i, id := range o.members {
			accounts.Go(func() error {
				w := &seeder{ctx: ctx, store: store, codec: codec.New()}
				return w.write("account-"+string(id), account.Registered{AccountID: id, Email: emailOf(i + 1), DisplayName: nameOf(i + 1), Language: "en"})
			})
		}
	}
	return s, accounts.Wait()
}

type seeder struct {
	ctx     context.Context
	store   eventstore.Store
	codec   *codec.Codec
	written int
}

func (w *seeder) organization(owner domain.AccountID, number, size, churn int) (seededOrganization, error) {
	o := seededOrganization{id: domain.OrganizationID(newID())}
	events := []domain.Event{organization.Activated{
		OrganizationID: o.id, Name: domain.OrganizationName(fmt.Sprintf("Organization %d", number)), Policy: "ownership", PolicyVersion: 1,
		AccountID: owner, Email: "owner@example.com", Username: "owner", DisplayName: "Olga Owner", Roles: []domain.Role{"OWNER"},
	}}
	for i := 1; i < size; i++ {
		member := domain.AccountID(newID())
		o.members = append(o.members, member)
		events = append(events, organization.MemberJoined{
			OrganizationID: o.id, AccountID: member, Email: emailOf(i),
			Username: domain.Username(fmt.Sprintf("member%d", i)), DisplayName: nameOf(i),
			Roles: []domain.Role{"USER"}, InvitedBy: owner,
		})
	}
	roles := []domain.Role{"USER", "VIEWER"}
	for round := range churn {
		for _, member := range o.members {
			events = append(events, organization.RolesChanged{
				OrganizationID: o.id, AccountID: member, Before: roles[round%2 : round%2+1], After: roles[(round+1)%2 : (round+1)%2+1],
			})
		}
	}
	return o, w.write("organization-"+string(o.id), events...)
}

func (w *seeder) write(stream string, events ...domain.Event) error {
	expected := eventstore.NoStream()
	for len(events) > 0 {
		n := min(len(events), eventstore.MaxBatchEvents)
		batch := make([]eventstore.Event, n)
		for i, e := range events[:n] {
			m := codec.Metadata{Actor: domain.ByProcess("bench"), OccurredAt: time.Now().UTC(), Correlation: newID()}
			encoded, err := w.codec.Encode(eventstore.ID(uuid.Must(uuid.NewV7())), e, m)
			if err != nil {
				return err
			}
			batch[i] = encoded
		}
		result, err := w.store.Append(w.ctx, stream, expected, batch)
		if err != nil {
			return err
		}
		expected, events = eventstore.Exactly(result.LastRevision), events[n:]
		w.written += n
	}
	return nil
}

// emailOf and nameOf are those of an organization's i-th member.
func emailOf(i int) domain.Email { return domain.Email(fmt.Sprintf("member%d@example.com", i)) }

func nameOf(i int) string {
	return fmt.Sprintf("%s %s %d", first[i%len(first)], last[i/len(first)%len(last)], i)
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

var (
	first = []string{"Ada", "Bilal", "Chen", "Dalia", "Edsger", "Fatou", "Grace", "Hedy", "Ivan", "Jelena", "Katherine", "Linus"}
	last  = []string{"Lovelace", "Turing", "Hopper", "Dijkstra", "Johnson", "Lamarr", "Noether", "Okafor", "Perlman", "Quispe"}
)
