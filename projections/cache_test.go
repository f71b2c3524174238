package projections_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/projections"
)

// While a member's name changes, whoever waits for a change sees it or a later
// one in the list, and nobody sees an older list after a newer one.
func TestPagesInMemoryAreNeverOld(t *testing.T) {
	f := newFixture(t)
	f.append(activated(), renamed(0, "0"))
	p, _ := f.run(codec.New().Decode, projections.Views())
	r := projections.NewReader(f.views, 1<<20)
	f.is.NoErr(p.Wait(patience(t), f.head))

	const changes = 300
	type change struct {
		n  int
		at eventstore.Position
	}
	made := make(chan change)
	var readers sync.WaitGroup
	problems := make(chan error, 16)
	ctx := patience(t)
	for range 4 {
		readers.Go(func() {
			newest := 0
			for c := range made {
				if err := p.Wait(ctx, c.at); err != nil {
					problems <- err
					continue
				}
				for range 20 { // most of these come from memory
					n, err := nameInList(r)
					if err != nil || n < c.n || n < newest {
						problems <- fmt.Errorf("after change %d and having seen %d: %d %w", c.n, newest, n, err)
						break
					}
					newest = n
				}
			}
		})
	}
	for n := 1; n <= changes; n++ {
		made <- change{n, f.append(renamed(0, strconv.Itoa(n)))}
	}
	close(made)
	readers.Wait()
	close(problems)
	for err := range problems {
		t.Error(err)
	}
}

// A page that is read while its partition changes is not kept: it can be older
// than where the partition is at its end.
func TestAPageOfTwoInstantsIsNotKept(t *testing.T) {
	f := newFixture(t)
	f.append(activated(), renamed(0, "Ada Owner"))
	for n := range 10 {
		f.append(joined(n+1, "Ada"))
	}
	p, _ := f.run(codec.New().Decode, projections.Views())
	f.is.NoErr(p.Wait(patience(t), f.head))
	storage := &observed{Storage: f.views}
	r := projections.NewReader(storage, 1<<20)
	storage.afterRange = func() {
		if storage.ranges == 1 {
			f.is.NoErr(p.Wait(patience(t), f.append(renamed(0, "Ada Changed"))))
		}
	}
	q := projections.MembersQuery{Organization: org, Q: "ada", Role: "OWNER", Limit: 2, NeverMoved: true}
	page, err := r.Members(t.Context(), q)
	f.is.NoErr(err)
	f.is.True(storage.ranges > 1)
	f.is.True(strings.Contains(string(page.JSON()), "Ada Owner"))
	page, err = r.Members(t.Context(), q)
	f.is.NoErr(err)
	f.is.True(strings.Contains(string(page.JSON()), "Ada Changed"))
}

// Each question is a way to the storage and back: a page costs one that is not in
// memory, and one that is.
func TestAPageCostsOneQuestion(t *testing.T) {
	f := newFixture(t)
	f.append(activated())
	f.reader()
	storage := &observed{Storage: f.views}
	r := projections.NewReader(storage, 1<<20)
	for asked := range 3 {
		_, err := r.Members(t.Context(), projections.MembersQuery{Organization: org, NeverMoved: true})
		f.is.NoErr(err)
		f.is.Equal(storage.ranges, 1)
		f.is.Equal(storage.positions, asked)
	}
}

// Where the policy was changed a page costs one question more, however many
// members are on it, and none when it is in memory.
func TestAPageCostsTwoQuestionsAfterAMove(t *testing.T) {
	f := newFixture(t)
	f.append(activated(), joined(1, "Ada"), joined(2, "Bob"), moved("USER", "HAND"), moved("HAND", "ARM"))
	f.reader()
	storage := &observed{Storage: f.views}
	r := projections.NewReader(storage, 1<<20)
	for asked := range 3 {
		page, err := r.Members(t.Context(), projections.MembersQuery{Organization: org, Role: "ARM"})
		f.is.NoErr(err)
		f.is.Equal(page.Len(), 2)
		f.is.Equal(storage.ranges, 4) // of the changes of policy, and of the indexes of three names
		f.is.Equal(storage.positions, asked)
	}
}

// observed counts what is asked of a storage.
type observed struct {
	projections.Storage
	ranges, positions int
	afterRange        func()
}

func (s *observed) Range(ctx context.Context, view string, q projections.RangeQuery) ([]projections.Row, eventstore.Position, error) {
	rows, at, err := s.Storage.Range(ctx, view, q)
	if s.ranges++; s.afterRange != nil {
		s.afterRange()
	}
	return rows, at, err
}

func (s *observed) Positions(ctx context.Context, view string, partitions []string) ([]eventstore.Position, error) {
	s.positions++
	return s.Storage.Positions(ctx, view, partitions)
}

func nameInList(r *projections.Reader) (int, error) {
	page, err := r.Members(context.Background(), projections.MembersQuery{Organization: org})
	if err != nil {
		return 0, err
	}
	items, err := page.Items()
	if err != nil {
		return 0, err
	}
	var m projections.Member
	if err := json.Unmarshal(items[0], &m); err != nil {
		return 0, err
	}
	return strconv.Atoi(m.DisplayName)
}

// Memory holds no more pages than it may, and what does not fit is answered all
// the same.
func TestPagesThatDoNotFitAreAnswered(t *testing.T) {
	f := newFixture(t)
	f.append(activated(), joined(1, "Ada "+strings.Repeat("x", 80)))
	f.reader()
	for _, bytes := range []int{0, 1, 2000, 1 << 20} {
		r := projections.NewReader(f.views, bytes)
		for i := range 300 {
			page, err := r.Members(t.Context(), projections.MembersQuery{Organization: org, Limit: 1 + i%150})
			f.is.NoErr(err)
			f.is.Equal(page.Len(), min(2, 1+i%150))
		}
	}
}
