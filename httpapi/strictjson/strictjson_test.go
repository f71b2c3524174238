package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/httpapi/strictjson"
)

func shape() *strictjson.Shape {
	return &strictjson.Shape{Fields: map[string]*strictjson.Shape{
		"a": nil,
		"b": {Fields: map[string]*strictjson.Shape{"c": nil}},
		"l": {Items: &strictjson.Shape{Fields: map[string]*strictjson.Shape{"d": nil}}},
	}}
}

func TestAcceptsWhatFitsTheShape(t *testing.T) {
	is := is.New(t)
	got, err := strictjson.Object([]byte(` {"a":"é","b":{"c":1.50},"l":[{"d":null},{}]} `), shape())
	is.NoErr(err)
	is.Equal(got["a"], "é")
	is.Equal(got["b"].(map[string]any)["c"], json.Number("1.50"))
	is.Equal(len(got["l"].([]any)), 2)
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct{ body, field string }{
		"empty":              {``, ""},
		"no object":          {`[]`, ""},
		"null":               {`null`, ""},
		"cut off":            {`{"a":`, ""},
		"after the object":   {`{} {}`, ""},
		"comma at the end":   {`{"a":1,}`, ""},
		"invalid UTF-8":      {"{\"a\":\"\xff\"}", ""},
		"unknown":            {`{"x":1}`, "x"},
		"other case":         {`{"A":1}`, "A"},
		"unknown inside":     {`{"b":{"x":1}}`, "b.x"},
		"unknown in a list":  {`{"l":[{"d":1},{"x":1}]}`, "l[1].x"},
		"twice":              {`{"a":1,"a":1}`, "a"},
		"twice, escaped":     {`{"a":1,"\u0061":1}`, "a"},
		"twice inside":       {`{"b":{"c":1,"c":2}}`, "b.c"},
		"zero byte":          {`{"a":"x\u0000"}`, "a"},
		"nested without end": {`{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "a" + strings.Repeat("[0]", 16)},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := strictjson.Object([]byte(c.body), shape())
			var refused *strictjson.Error
			is.True(errors.As(err, &refused))
			is.Equal(refused.Field, c.field)
			is.True(refused.Message != "")
		})
	}
}

func FuzzObject(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, `{"a":"\ud800"}`, `{"l":[{"d":[]}]}`, `{"a":1e999}`, `[`, ` { "a" : [ 1 , -2.5E+3 , true , false , null , "\\" , "\"," ] , "b" : { } } `} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := strictjson.Object(body, nil)
		if err != nil {
			return
		}
		usual := json.NewDecoder(bytes.NewReader(body))
		usual.UseNumber()
		var want map[string]any
		if err := usual.Decode(&want); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%#v, encoding/json reads %#v", got, want)
		}
		canonical, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := strictjson.Object(canonical, nil); err != nil {
			t.Fatalf("refuses its own answer: %v", err)
		}
	})
}
