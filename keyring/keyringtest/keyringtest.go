// Package keyringtest holds the contract of every keyring.Store.
package keyringtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"

	"tenure/keyring"
)

// Run runs the contract. Open opens the store of a place, which is new to the
// store when the test has not opened it before.
func Run(t *testing.T, open func(t *testing.T, place string) keyring.Store) {
	for name, test := range map[string]func(*testing.T, func() keyring.Store){
		"what is added is found":              added,
		"the first key of a generation stays": first,
		"destroyed is for ever":               destroyed,
		"a walk sees every key":               walked,
		"replaced if it is as before":         replaced,
		"many at once":                        concurrent,
		"all of it lasts":                     lasting,
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func() keyring.Store { return open(t, strings.ReplaceAll(t.Name(), "/", "-")) })
		})
	}
}

var ctx = context.Background()

func wrapped(subject string, generation int, text string) keyring.Wrapped {
	return keyring.Wrapped{Subject: subject, Generation: generation, Master: "c0ffee00", Text: []byte(text)}
}

func added(t *testing.T, open func() keyring.Store) {
	is := is.New(t)
	s := open()
	defer s.Close()
	odd := strings.Repeat("x", keyring.MaxSubjectBytes)
	keys := []keyring.Wrapped{
		wrapped("a", 1, "one"), wrapped("b", 1, "\x00\xff:\r\n"), wrapped("a", 2, "two"), wrapped("a", keyring.MaxGeneration, "last"),
		wrapped("{a}*?[b] é", 1, "odd"), wrapped(odd, 1, "long"),
	}
	held, err := s.Add(ctx, keys)
	is.NoErr(err)
	ofA := []keyring.Wrapped{keys[0], keys[2], keys[3]}
	is.Equal(held[1], keyring.Holding{Keys: keys[1:2]})
	is.Equal(held[3], keyring.Holding{Keys: ofA})
	held, err = s.Find(ctx, []string{"b", "nobody", "a", odd, "{a}*?[b] é", "a"})
	is.NoErr(err)
	is.Equal(held, []keyring.Holding{{Keys: keys[1:2]}, {}, {Keys: ofA}, {Keys: keys[5:]}, {Keys: keys[4:5]}, {Keys: ofA}})
	held, err = s.Find(ctx, nil)
	is.NoErr(err)
	is.Equal(len(held), 0)
}

func first(t *testing.T, open func() keyring.Store) {
	is := is.New(t)
	s := open()
	defer s.Close()
	for _, keys := range [][]keyring.Wrapped{
		{wrapped("a", 1, "first"), wrapped("a", 1, "second")},
		{wrapped("a", 1, "third")},
	} {
		held, err := s.Add(ctx, keys)
		is.NoErr(err)
		is.Equal(len(held), len(keys))
		is.Equal(held[len(held)-1], keyring.Holding{Keys: []keyring.Wrapped{wrapped("a", 1, "first")}})
	}
}

func destroyed(t *testing.T, open func() keyring.Store) {
	is := is.New(t)
	s := open()
	defer s.Close()
	_, err := s.Add(ctx, []keyring.Wrapped{wrapped("a", 1, "one"), wrapped("a", 2, "two"), wrapped("b", 1, "other")})
	is.NoErr(err)
	for range 2 {
		is.NoErr(s.Destroy(ctx, []string{"a", "never seen"}))
		held, err := s.Find(ctx, []string{"a", "b", "never seen"})
		is.NoErr(err)
		gone := keyring.Holding{Destroyed: true}
		is.Equal(held, []keyring.Holding{gone, {Keys: []keyring.Wrapped{wrapped("b", 1, "other")}}, gone})
		held, err = s.Add(ctx, []keyring.Wrapped{wrapped("a", 1, "again"), wrapped("never seen", 1, "new")})
		is.NoErr(err)
		is.Equal(held, []keyring.Holding{gone, gone})
	}
}

func walked(t *testing.T, open func() keyring.Store) {
	is := is.New(t)
	s := open()
	defer s.Close()
	want := map[string]bool{}
	var keys []keyring.Wrapped
	for i := range 50 {
		for g := range 1 + i%3 {
			keys = append(keys, wrapped(fmt.Sprint("subject ", i), g+1, fmt.Sprint(i, g)))
			want[fmt.Sprint(i, g)] = true
		}
	}
	_, err := s.Add(ctx, keys)
	is.NoErr(err)
	is.NoErr(s.Destroy(ctx, []string{"subject 0"}))
	delete(want, fmt.Sprint(0, 0))
	seen := map[string]bool{}
	for cursor := ""; ; {
		page, next, err := s.Page(ctx, cursor, 7)
		is.NoErr(err)
		for _, w := range page {
			is.True(slices.ContainsFunc(keys, func(k keyring.Wrapped) bool { return fmt.Sprint(k) == fmt.Sprint(w) }))
			seen[string(w.Text)] = true
		}
		if cursor = next; next == "" {
			break
		}
	}
	is.Equal(seen, want)
}

func replaced(t *testing.T, open func() keyring.Store) {
	is := is.New(t)
	s := open()
	defer s.Close()
	_, err := s.Add(ctx, []keyring.Wrapped{wrapped("a", 1, "one"), wrapped("a", 2, "two"), wrapped("b", 1, "other")})
	is.NoErr(err)
	is.NoErr(s.Destroy(ctx, []string{"b"}))
	anew := keyring.Wrapped{Subject: "a", Generation: 1, Master: "beef", Text: []byte("anew")}
	n, err := s.Replace(ctx,
		[]keyring.Wrapped{wrapped("a", 1, "one"), wrapped("a", 2, "not so"), wrapped("b", 1, "other"), wrapped("c", 1, "none")},
		[]keyring.Wrapped{anew, wrapped("a", 2, "x"), wrapped("b", 1, "x"), wrapped("c", 1, "x")})
	is.NoErr(err)
	is.Equal(n, 1)
	held, err := s.Find(ctx, []string{"a", "b", "c"})
	is.NoErr(err)
	is.Equal(held, []keyring.Holding{{Keys: []keyring.Wrapped{anew, wrapped("a", 2, "two")}}, {Destroyed: true}, {}})
}

func concurrent(t *testing.T, open func() keyring.Store) {
	is := is.New(t)
	s := open()
	defer s.Close()
	const writers, subjects = 8, 20
	var answers [writers][]keyring.Holding
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			var keys []keyring.Wrapped
			for i := range subjects {
				keys = append(keys, wrapped(fmt.Sprint(i), 1, fmt.Sprint("by ", w)))
			}
			var err error
			answers[w], err = s.Add(ctx, keys)
			is.NoErr(err)
		})
	}
	all.Wait()
	for _, a := range answers {
		is.Equal(a, answers[0]) // everybody seals with the same keys
		for _, h := range a {
			is.Equal(len(h.Keys), 1)
		}
	}
}

func lasting(t *testing.T, open func() keyring.Store) {
	is := is.New(t)
	s := open()
	identity, err := s.Identity(ctx)
	is.NoErr(err)
	is.True(identity != "")
	_, err = s.Add(ctx, []keyring.Wrapped{wrapped("a", 1, "one"), wrapped("b", 1, "one")})
	is.NoErr(err)
	is.NoErr(s.Destroy(ctx, []string{"b"}))
	other := open() // another process
	is.NoErr(s.Close())
	is.NoErr(other.Close())
	s = open()
	defer s.Close()
	again, err := s.Identity(ctx)
	is.NoErr(err)
	is.Equal(again, identity)
	held, err := s.Find(ctx, []string{"a", "b"})
	is.NoErr(err)
	is.Equal(held, []keyring.Holding{{Keys: []keyring.Wrapped{wrapped("a", 1, "one")}}, {Destroyed: true}})
}
