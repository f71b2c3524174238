package codec_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

func text(s string) *string { return &s }

func newListed(t testing.TB, v *vault) *codec.Codec {
	t.Helper()
	c, err := codec.Build([]codec.Entry{codec.Registered[listed]()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Sealing(v.Ring)
}

func sayings() listed {
	return listed{Who: "ada", Email: "ada@example.com", Said: []saying{
		{ID: "one", Text: text("First words."), By: "ada", Name: "Ada", Answers: []answer{{ID: "a1", Text: "Really?"}, {ID: "a2", Text: "Yes."}}},
		{ID: "two", Text: text("Second words."), By: "grace", Name: "Grace"},
		{ID: "three", Text: text(""), By: "grace"},
		{ID: "four", By: "grace"},
		{Text: text("Nobody's words."), By: "grace"},
	}, Other: []whatever{{Text: text("Whatever.")}, {}}}
}

// Personal fields in lists are sealed one by one, each under the key of its own
// subject, and what the caller has given is not changed.
func TestListsAreSealed(t *testing.T) {
	is := is.New(t)
	v := newVault(t)
	c := newListed(t, v)
	given := sayings()
	encoded, err := c.Encode(anEventID(), given, codec.Metadata{})
	is.NoErr(err)
	is.Equal(given, sayings())
	is.Equal(v.stored, 1) // all keys in one commit
	for _, word := range []string{"ada@", "words.", "Ada", "Grace", "Really", "Yes"} {
		is.Equal(bytes.Contains(encoded.Data, []byte(word)), word == "words.") // nobody's are in plain
	}
	is.Equal(bytes.Count(encoded.Data, []byte("tnr_sealed1.")), 7)
	is.True(!bytes.Contains(encoded.Data, []byte("First")))

	other := openVault(t, v.path)
	c = newListed(t, other)
	r := eventstore.Recorded{Event: encoded}
	for range 2 {
		decoded, err := c.Decode(r)
		is.NoErr(err)
		is.Equal(decoded.Event, given)
	}
	is.Equal(other.loaded, 1) // for all of them

	// One saying is erased, and neither another one nor who has said it.
	is.NoErr(other.Destroy(context.Background(), "one", "a2"))
	decoded, err := c.Decode(r)
	is.NoErr(err)
	erased := sayings()
	erased.Said[0].Text, erased.Said[0].Answers[1].Text = text(codec.ErasedReason), codec.ErasedReason
	is.Equal(decoded.Event, erased)
	again, err := c.Encode(anEventID(), given, codec.Metadata{})
	is.NoErr(err)
	decoded, err = c.Decode(eventstore.Recorded{Event: again})
	is.NoErr(err)
	is.Equal(decoded.Event, erased)
	is.Equal(given, sayings())
}

// A sealed value of a list opens nowhere but where it was sealed.
func TestSealedValuesOfListsAreBound(t *testing.T) {
	is := is.New(t)
	c := newListed(t, newVault(t))
	encoded, err := c.Encode(anEventID(), sayings(), codec.Metadata{})
	is.NoErr(err)
	var as struct {
		Said []struct {
			Text, Name *string
			Answers    []struct{ Text string }
		}
	}
	is.NoErr(json.Unmarshal(encoded.Data, &as))
	first, second := *as.Said[0].Text, *as.Said[1].Text
	swap := strings.NewReplacer(first, second, second, first)
	for name, data := range map[string]string{
		"to another place in the list": swap.Replace(string(encoded.Data)),
		"to another list":              strings.Replace(string(encoded.Data), as.Said[0].Answers[0].Text, first, 1),
		"to another field":             strings.Replace(string(encoded.Data), *as.Said[0].Name, first, 1),
		"with another subject":         strings.Replace(string(encoded.Data), `"id":"one"`, `"id":"two"`, 1),
		"with an unknown subject":      strings.Replace(string(encoded.Data), `"id":"one"`, `"id":"seven"`, 1),
	} {
		is.True(data != string(encoded.Data))
		moved := encoded
		moved.Data = []byte(data)
		if _, err := c.Decode(eventstore.Recorded{Event: moved}); !errors.Is(err, codec.ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := encoded
	other.ID[0]++
	_, err = c.Decode(eventstore.Recorded{Event: other})
	is.True(errors.Is(err, codec.ErrSealed))
}

// fullSettings changes as many settings as there may be, whose values before were
// changed in the event before.
func fullSettings(change int) organization.SettingsChanged {
	e := organization.SettingsChanged{OrganizationID: anOrganization, Section: organization.SectionBilling}
	for i := range organization.MaxSettings {
		one := organization.SettingChange{Name: fmt.Sprint("setting", i), After: text(fmt.Sprint("value", i)), AfterID: valueID(change, i)}
		if change > 0 {
			one.Before, one.BeforeID = text(fmt.Sprint("value", i)), valueID(change-1, i)
		}
		e.Changes = append(e.Changes, one)
	}
	return e
}

func TestKeysOfListsAreFetchedTogether(t *testing.T) {
	is := is.New(t)
	v := newVault(t)
	var page []eventstore.Recorded
	for i := range 5 {
		node := openVault(t, v.path) // that has no keys in memory
		encoded, err := codec.NewSealing(node.Ring).Encode(anEventID(), fullSettings(i), aMetadata())
		is.NoErr(err)
		is.Equal(node.stored, 1)
		is.Equal(node.loaded, 0)
		is.True(encoded.Size() < eventstore.MaxAppendBytes)
		page = append(page, eventstore.Recorded{Event: encoded})
	}
	other := openVault(t, v.path)
	c := codec.NewSealing(other.Ring)
	is.NoErr(c.Prefetch(context.Background(), page))
	for i, r := range page {
		decoded, err := c.Decode(r)
		is.NoErr(err)
		is.Equal(decoded.Event, fullSettings(i))
		is.Equal(decoded.Metadata.Reason, aMetadata().Reason) // whose key is the actor's
	}
	is.Equal(other.loaded, 1)

	withheld, err := codec.NewWithholding().Decode(page[1])
	is.NoErr(err)
	change := withheld.Event.(organization.SettingsChanged).Changes[7]
	is.Equal(*change.Before+*change.After, codec.WithheldReason+codec.WithheldReason)
	is.Equal(change.AfterID, valueID(1, 7))
}

func valueID(change, i int) domain.ValueID { return domain.ValueID(fmt.Sprintf("%d-%d", change, i)) }
