package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/eventstore/sqlite"
	"tenure/keyring"
	keysqlite "tenure/keyring/sqlite"
)

// sealedEvents is how many events a round encodes or decodes.
const sealedEvents = 20_000

// benchSealing compares the codec with keys, in memory and not, with the one
// without.
func benchSealing(ctx context.Context, dir string) error {
	store, err := keysqlite.Open(filepath.Join(dir, "keys.db"), keysqlite.Options{MayMake: true})
	if err != nil {
		return err
	}
	defer store.Close()
	ring := func() (*keyring.Ring, error) {
		masters, err := keyring.NewMasters(make([]byte, keyring.MasterBytes))
		if err != nil {
			return nil, err
		}
		return keyring.New(store, masters, keyring.Options{Pseudonyms: make([]byte, keyring.MasterBytes)})
	}
	keys, err := ring()
	if err != nil {
		return err
	}
	people := make([]domain.AccountID, 1000)
	for i := range people {
		people[i] = domain.AccountID(newID())
	}
	plain, sealing := codec.New(), codec.NewSealing(keys)
	pages := map[*codec.Codec][]eventstore.Recorded{}
	for _, c := range []*codec.Codec{plain, sealing} {
		if pages[c], err = joined(c, people); err != nil {
			return err
		}
	}
	newPeople := func() (float64, error) {
		began := time.Now()
		for range sealedEvents / 1000 {
			batch := sealing.Batch()
			var events []eventstore.Event
			for range 100 {
				e, err := batch.Encode(eventstore.ID(uuid.New()), joining(domain.AccountID(newID())), codec.Metadata{Actor: domain.Public()})
				if err != nil {
					return 0, err
				}
				events = append(events, e)
			}
			if err := batch.Settle(ctx, events); err != nil {
				return 0, err
			}
		}
		return perEvent(began, sealedEvents/10), nil
	}
	log, err := sqlite.Open(filepath.Join(dir, "sealed.db"), sqlite.Options{})
	if err != nil {
		return err
	}
	defer log.Close()
	admissions := func(c *codec.Codec, person func() domain.AccountID) func() (float64, error) {
		return func() (float64, error) { return admitting(ctx, log, c, person) }
	}
	known := func() domain.AccountID { return people[rand.IntN(len(people))] }
	anybody := func() domain.AccountID { return domain.AccountID(newID()) }
	if err := warm(admissions(sealing, known)); err != nil {
		return err
	}
	m, err := measure(
		func() (float64, error) { return encoding(plain, people) },
		func() (float64, error) { return encoding(sealing, people) },
		func() (float64, error) { return decoding(ctx, plain, pages[plain]) },
		func() (float64, error) { return decoding(ctx, sealing, pages[sealing]) },
		func() (float64, error) {
			fresh, err := ring()
			if err != nil {
				return 0, err
			}
			return decoding(ctx, codec.NewSealing(fresh), pages[sealing])
		},
		newPeople, admissions(plain, known), admissions(sealing, known), admissions(sealing, anybody),
	)
	if err != nil {
		return err
	}
	title("Sealing: an event that admits a member, three personal fields")
	for i, what := range []string{"encode, plain", "encode, sealed", "decode, plain", "decode, sealed", "decode, sealed, keys looked up", "encode, 100 new people at a time, keys on disk"} {
		base := m[0]
		if i >= 2 && i <= 4 {
			base = m[2]
		}
		row("%-48s %8.1f µs   × %.2f", what, m[i], m[i]/base)
	}
	row("%-48s %8.1f µs", "of that, sealing the three fields", m[1]-m[0])
	row("%-48s %8.1f µs", "of that, opening them", m[3]-m[2])
	for i, what := range []string{"plain", "sealed", "sealed, each of somebody new, whose key is made"} {
		row("%-48s %8.0f /s   × %.2f", fmt.Sprintf("%d writers append, %s", sealingWriters, what), m[6+i], m[6+i]/m[6])
	}
	row("%-48s %8d bytes more", "an event in the log", len(pages[sealing][0].Data)-len(pages[plain][0].Data))
	return nil
}

// sealingWriters is how many encode and append at the same time.
const sealingWriters = 64

// admitting lets writers encode and append events, each to a stream of its own,
// one at a time.
func admitting(ctx context.Context, log eventstore.Store, c *codec.Codec, person func() domain.AccountID) (float64, error) {
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	write := func(stream string, expected eventstore.Expected) (eventstore.Expected, error) {
		batch := c.Batch()
		e, err := batch.Encode(eventstore.ID(uuid.Must(uuid.NewV7())), joining(person()), codec.Metadata{Actor: domain.ByProcess("bench"), OccurredAt: time.Now()})
		if err != nil {
			return expected, err
		}
		events := []eventstore.Event{e}
		if err := batch.Settle(ctx, events); err != nil {
			return expected, err
		}
		result, err := log.Append(ctx, stream, expected, events)
		return eventstore.Exactly(result.LastRevision), err
	}
	began := time.Now()
	for range sealingWriters {
		all.Go(func() {
			stream, expected := "organization-"+newID(), eventstore.NoStream()
			for time.Since(began) < *window {
				var err error
				if expected, err = write(stream, expected); err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / time.Since(began).Seconds(), nil
}

func joining(id domain.AccountID) organization.MemberJoined {
	return organization.MemberJoined{
		OrganizationID: "0192d2a1-7f5e-7c3a-9a41-4f6f0b1c2d3e", AccountID: id, Email: "grace.hopper@example.com", Username: "grace",
		DisplayName: "Grace Hopper", Roles: []domain.Role{"ADMIN"}, InvitationID: "0192d2a1-8000-7000-8000-000000000003",
	}
}

func joined(c *codec.Codec, people []domain.AccountID) ([]eventstore.Recorded, error) {
	events := make([]eventstore.Recorded, sealedEvents)
	for i := range events {
		e, err := c.Encode(eventstore.ID(uuid.New()), joining(people[i%len(people)]), codec.Metadata{Actor: domain.ByProcess("bench"), OccurredAt: time.Now()})
		if err != nil {
			return nil, err
		}
		events[i] = eventstore.Recorded{Event: e, Stream: fmt.Sprint("organization-", i), Position: eventstore.Position(i + 1)}
	}
	return events, nil
}

func encoding(c *codec.Codec, people []domain.AccountID) (float64, error) {
	began := time.Now()
	_, err := joined(c, people)
	return perEvent(began, sealedEvents), err
}

func decoding(ctx context.Context, c *codec.Codec, events []eventstore.Recorded) (float64, error) {
	began := time.Now()
	for page := range len(events) / 1000 {
		part := events[page*1000 : (page+1)*1000]
		if err := c.Prefetch(ctx, part); err != nil {
			return 0, err
		}
		for _, e := range part {
			if _, err := c.Decode(e); err != nil {
				return 0, err
			}
		}
	}
	return perEvent(began, len(events)), nil
}

// perEvent is the time of one event in microseconds.
func perEvent(began time.Time, events int) float64 {
	return float64(time.Since(began).Microseconds()) / float64(events)
}
