package codec_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
	"tenure/domain"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

var update = flag.Bool("update", false, "make the golden files that are missing")

// golden is a file that holds one event as the log holds it. It never changes:
// what was written once is read for ever.
type golden struct {
	Data     json.RawMessage `json:"data"`
	Metadata json.RawMessage `json:"metadata"`
}

func goldenPath(wireName string) string {
	return filepath.Join("testdata", "golden", wireName+".json")
}

// TestGolden encodes every sample to its file, and decodes every file to its
// sample. With -update it makes the files that are missing, and changes none.
func TestGolden(t *testing.T) {
	c := codec.New()
	files := additions()
	for _, sample := range samples() {
		files[sample.EventType()] = sample
	}
	for name, sample := range files {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			encoded, err := c.Encode(anEventID(), sample, aMetadata())
			is.NoErr(err)
			is.Equal(encoded.ID, anEventID())
			is.Equal(encoded.Type, sample.EventType())
			text := fmt.Sprintf("{\n\"data\": %s,\n\"metadata\": %s\n}\n", encoded.Data, encoded.Metadata)
			if *update {
				makeMissing(t, goldenPath(name), text)
			}
			file, err := os.ReadFile(goldenPath(name))
			is.NoErr(err) // go test ./eventstore/codec -update makes a new one
			is.Equal(string(file), text)

			written := recorded(t, name)
			written.Type = encoded.Type
			decoded, err := c.Decode(written)
			is.NoErr(err)
			is.Equal(decoded.Event, sample)
			is.Equal(decoded.Metadata, aMetadata())
		})
	}
}

func makeMissing(t *testing.T, path, text string) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return
	}
	if err == nil {
		_, err = file.WriteString(text)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// recorded is the event of a golden file, somewhere in the log; the file has the
// wire name, and what is added to it for a field that came later.
func recorded(t *testing.T, wireName string) eventstore.Recorded {
	t.Helper()
	file, err := os.ReadFile(goldenPath(wireName))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(file, &g); err != nil {
		t.Fatal(err)
	}
	return eventstore.Recorded{
		Event:  eventstore.Event{ID: anEventID(), Type: wireName, Data: g.Data, Metadata: g.Metadata},
		Stream: "stream-1", Revision: 7, Position: 42, RecordedAt: aTime(),
	}
}

// TestEveryEventHasItsFiles compares the registry, the samples and the folder.
func TestEveryEventHasItsFiles(t *testing.T) {
	is := is.New(t)
	c := codec.New()
	var sampled []string
	for _, sample := range samples() {
		sampled = append(sampled, sample.EventType())
		is.Equal(reflect.TypeOf(sample), c.Form(sample.EventType()))
		checkFilled(t, sample, slices.Collect(maps.Values(additions())))
	}
	slices.Sort(sampled)
	is.Equal(sampled, c.WireNames())

	// A form that is no longer current keeps its file, and decodes.
	want := c.WireNames()
	for _, up := range codec.CurrentUpcasts() {
		want = append(want, up.From())
		_, err := c.Decode(recorded(t, up.From()))
		is.NoErr(err)
	}
	files, err := filepath.Glob(goldenPath("*"))
	is.NoErr(err)
	var found []string
	for _, file := range files {
		found = append(found, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	for name := range additions() {
		want = append(want, name)
	}
	slices.Sort(want)
	slices.Sort(found)
	is.Equal(found, want)
}

// checkFilled checks that the sample shows every field, but for those that may
// be left out and one of the additions shows.
func checkFilled(t *testing.T, sample domain.Event, additions []domain.Event) {
	value := reflect.ValueOf(sample)
	for field := range value.Type().Fields() {
		_, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		added := strings.HasPrefix(option, "omit") && slices.ContainsFunc(additions, func(e domain.Event) bool {
			return reflect.TypeOf(e) == value.Type() && !reflect.ValueOf(e).FieldByIndex(field.Index).IsZero()
		})
		if never := field.Tag.Get("log") == "never"; value.FieldByIndex(field.Index).IsZero() != never && !added {
			t.Errorf("the sample of %s leaves %s empty", sample.EventType(), field.Name)
		}
	}
}

func TestWireNames(t *testing.T) {
	valid := regexp.MustCompile(`^[a-z_]+\.[a-z_]+\.v[0-9]+$`)
	for _, name := range codec.New().WireNames() {
		if !valid.MatchString(name) {
			t.Errorf("%s is no wire name", name)
		}
	}
}

// TestTags checks what the tags of every event say about personal data.
func TestTags(t *testing.T) {
	c := codec.New()
	for _, name := range c.WireNames() {
		for _, problem := range problems(c.Form(name), c.PersonalFields(name), "") {
			t.Errorf("%s: %s", name, problem)
		}
	}
}

// TestTagsTest gives the check above what it has to find.
func TestTagsTest(t *testing.T) {
	is := is.New(t)
	for _, c := range []struct {
		form codec.Entry
		want int
	}{
		{codec.Registered[good](), 0},
		{codec.Registered[noSubject](), 1},
		{codec.Registered[untagged](), 5},
		{codec.Registered[secretAlone](), 1},
		{codec.Registered[unsealable](), 3},
		{codec.Registered[listed](), 0},
		{codec.Registered[unlisted](), 4},
	} {
		built, err := codec.Build([]codec.Entry{c.form}, nil)
		is.NoErr(err)
		name := built.WireNames()[0]
		is.Equal(len(problems(built.Form(name), built.PersonalFields(name), "")), c.want)
	}
}

// problems are those of a struct, whose fields are found in personal with the prefix.
func problems(form reflect.Type, personal []codec.Field, prefix string) (found []string) {
	names := map[string]bool{}
	for field := range form.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" || !field.IsExported() {
			found = append(found, field.Name+" has no JSON name")
		}
		names[name] = true
	}
	tagged := map[string]bool{}
	for _, p := range personal {
		name, here := strings.CutPrefix(p.Name, prefix)
		if !here || strings.Contains(name, ".") {
			continue
		}
		tagged[name] = true
		if !names[p.Subject] || p.Subject == name {
			found = append(found, fmt.Sprintf("%s is the personal data of %q, which is not a field", p.Name, p.Subject))
		}
	}
	for field := range form.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Type.Kind() == reflect.Slice && field.Type.Elem().Kind() == reflect.Struct {
			found = append(found, problems(field.Type.Elem(), personal, prefix+name+".")...)
		}
		if field.Tag.Get("secret") != "" && prefix != "" {
			found = append(found, name+" is a secret in a list: it would not be left out")
		}
		if tagged[name] && field.Type.Kind() != reflect.String && field.Type != reflect.TypeFor[*string]() {
			found = append(found, name+" is personal and no text: it cannot be sealed")
		}
		if erased, ok := field.Tag.Lookup("erased"); ok && (!tagged[name] || erased != "id" && erased != "text" && erased != "empty") {
			found = append(found, name+" has a tag erased that means nothing")
		}
		if !tagged[name] && (isPersonal(field.Type, name) || field.Tag.Get("secret") != "") {
			found = append(found, name+" lacks the tag personal")
		}
	}
	return found
}

func isPersonal(kind reflect.Type, name string) bool {
	return kind == reflect.TypeFor[domain.Email]() || kind == reflect.TypeFor[domain.Username]() ||
		strings.HasPrefix(name, "display_name") || name == "hash"
}

type (
	good struct {
		Who   string       `json:"who"`
		Email domain.Email `json:"email" personal:"who"`
		Hash  string       `json:"hash" personal:"who" secret:"true"`
	}
	noSubject struct {
		Email domain.Email `json:"email" personal:"who"`
	}
	untagged struct {
		Email    domain.Email    `json:"email"`
		Username domain.Username `json:"other"`
		Name     string          `json:"display_name"`
		After    string          `json:"display_name_after,omitempty"`
		Hash     string          `json:"hash"`
	}
	secretAlone struct {
		Key string `json:"key" secret:"true"`
	}
	unsealable struct {
		Who   string   `json:"who" erased:"id"`
		Names []string `json:"names" personal:"who"`
		Name  string   `json:"name" personal:"who" erased:"somehow"`
	}
)

// listed has personal fields in the structs of its lists, and unlisted has them wrong.
type (
	listed struct {
		Who   string     `json:"who"`
		Email string     `json:"email" personal:"who"`
		Said  []saying   `json:"said"`
		Other []whatever `json:"other"`
	}
	saying struct {
		ID      string   `json:"id,omitempty"`
		Text    *string  `json:"text" personal:"id" erased:"text"`
		By      string   `json:"by"`
		Name    string   `json:"name" personal:"by"`
		Answers []answer `json:"answers,omitempty"`
	}
	answer struct {
		ID   string `json:"answer_id"`
		Text string `json:"text" personal:"answer_id" erased:"text"`
	}
	whatever struct {
		Text *string `json:"text"`
	}
	unlisted struct {
		Who  string  `json:"who"`
		Said []wrong `json:"said"`
	}
	wrong struct {
		By    string       `json:"by"`
		Email domain.Email `json:"email" personal:"who"` // who is not in the list
		Hash  string       `json:"hash" personal:"by" secret:"true"`
		Text  *int         `json:"text" personal:"by"`
		Name  string       `json:"display_name"`
	}
)

func (listed) EventType() string      { return "test.listed.v1" }
func (unlisted) EventType() string    { return "test.unlisted.v1" }
func (good) EventType() string        { return "test.good.v1" }
func (noSubject) EventType() string   { return "test.no_subject.v1" }
func (untagged) EventType() string    { return "test.untagged.v1" }
func (secretAlone) EventType() string { return "test.secret_alone.v1" }
func (unsealable) EventType() string  { return "test.unsealable.v1" }
