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
