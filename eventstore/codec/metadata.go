package codec

import (
	"strings"

	"tenure/domain"
)

// decodeMetadata is json.Unmarshal into a Metadata, which is most of the cost
// of reading the log: what Encode has written in its usual form is taken apart
// by hand, anything else is left to encoding/json.
func decodeMetadata(data []byte, m *Metadata) error {
	if decoded, ok := scanMetadata(data); ok {
		*m = decoded
		return nil
	}
	return unmarshal(data, m)
}

// scanMetadata takes the fields in the order in which they are written.
func scanMetadata(data []byte) (m Metadata, ok bool) {
	s := scanner{rest: string(data)} // all texts share these bytes
	s.must(`{"actor":{"kind":"`)
	m.Actor.Kind = domain.ActorKind(s.text())
	if s.may(`,"id":"`) {
		m.Actor.ID = s.text()
	}
	s.must(`},"at":"`)
	at := s.text()
	for _, field := range [...]struct {
		begin string
		value *string
	}{
		{`,"correlation":"`, &m.Correlation},
		{`,"causation":"`, &m.Causation},
		{`,"command":"`, &m.CommandID},
		{`,"request":"`, &m.Fingerprint},
		{`,"reason":"`, &m.Reason},
		{`,"trace":"`, &m.Trace},
	} {
		if s.may(field.begin) {
			*field.value = s.text()
		}
	}
	s.must(`}`)
	if s.failed || s.rest != "" || m.OccurredAt.UnmarshalText([]byte(at)) != nil {
		return Metadata{}, false
	}
	return m, true
}

// scanner reads from the front of a text, until something else stands there.
type scanner struct {
	rest   string
	failed bool
}

func (s *scanner) may(begin string) (found bool) {
	s.rest, found = strings.CutPrefix(s.rest, begin)
	return found
}

func (s *scanner) must(begin string) { s.failed = !s.may(begin) || s.failed }

// text reads up to the closing quote a text that stands for itself: ASCII
// without escapes.
func (s *scanner) text() string {
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			text := s.rest[:i]
			s.rest = s.rest[i+1:]
			return text
		case c < ' ' || c == '\\' || c >= 0x7f:
			s.failed = true
			return ""
		}
	}
	s.failed = true
	return ""
}
