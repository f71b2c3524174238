package projections

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"

	"tenure/domain"
)

// guardedTypes are the events with values that not everybody sees who may read a
// timeline.
var guardedTypes = func() (all []string) {
	for _, name := range plainCodec.WireNames() {
		if plainCodec.Form(name).Implements(reflect.TypeFor[domain.Guarded]()) {
			all = append(all, name)
		}
	}
	return all
}()

// ShownTo is a page of a timeline as somebody with the permissions sees it
// (domain.ShownTo). What is on it is in its current form, and open.
func (p Page) ShownTo(may func(domain.Permission) bool) (Page, error) {
	if !p.mentions(guardedTypes) {
		return p, nil
	}
	entries, err := p.Items()
	if err != nil {
		return Page{}, err
	}
	items := make([][]byte, len(entries))
	for i, text := range entries {
		if items[i], err = entryShownTo(text, may); err != nil {
			return Page{}, err
		}
	}
	return newPage(items, p.NextCursor()), nil
}

func (p Page) mentions(types []string) bool {
	for _, name := range types {
		if bytes.Contains(p.JSON(), []byte(`"type":"`+name+`"`)) {
			return true
		}
	}
	return false
}

func entryShownTo(text []byte, may func(domain.Permission) bool) ([]byte, error) {
	var entry TimelineEntry
	if err := json.Unmarshal(text, &entry); err != nil {
		return nil, err
	}
	if !slices.Contains(guardedTypes, entry.Type) {
		return text, nil
	}
	event := reflect.New(plainCodec.Form(entry.Type))
	err := json.Unmarshal(entry.Data, event.Interface())
	if err != nil {
		return nil, err
	}
	guarded := event.Elem().Interface().(domain.Guarded)
	if may(guarded.Guard()) {
		return text, nil
	}
	if entry.Data, err = plainCodec.Public(guarded.Withheld()); err != nil {
		return nil, err
	}
	return json.Marshal(entry)
}
