package acceptance

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

const rubbishPerOperation = 80

// TestRubbish_IsRefused sends random requests to every operation: each is
// answered with what the document says, and none changes anything.
func TestRubbish_IsRefused(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t, withFlags("--read-wait", "50ms", "--log-level", "error")).newCast(t)
		pending := decoded[receipt](t, c.owner.invite(c.org, "pending@example.com", "pending", "USER")).InvitationID
		ids := map[string]string{"org": c.org, "user": c.user.AccountID, "invitation": pending, "key": c.org, "space": c.org, "webhook": c.org, "broker": "nats", "kind": "contact", "work": "4711"}
		d := &dice{rng: rand.New(rand.NewPCG(*seed, 3)), tokens: c.issued.all()}
		before, shown := c.everything(t), c.snapshot(t)
		sent, refusedOnes := 0, 0
		for _, o := range c.operations(t) {
			for range rubbishPerOperation {
				r, request := c.throw(d, o, ids)
				sent++
				if r.done() {
					continue
				}
				refusedOnes++
				if complaint := o.complaint(r); complaint != "" {
					t.Errorf("seed %d: %s: %s\n%v", *seed, complaint, request, r)
				}
			}
		}
		is := is.New(t)
		is.Equal(c.everything(t), before)
		is.Equal(c.snapshot(t), shown)
		is.True(refusedOnes > sent/2)
		t.Logf("seed %d: %d requests, of which %d were refused", *seed, sent, refusedOnes)
	})
}

// complaint says what is wrong with a refusal.
func (o operation) complaint(r response) string {
	switch {
	case errors.Is(r.err, syscall.EPIPE), errors.Is(r.err, syscall.ECONNRESET):
		return "" // the server has answered 413 and does not read the rest
	case r.err != nil:
		return "no answer"
	case r.status == http.StatusNotModified:
		return ""
	case r.status >= 500 && r.code() != "view_behind":
		return "the server is at fault"
	case r.code() == "":
		return "no problem with a code"
	case r.problem().Status != r.status || r.problem().Title == "" || r.problem().Detail == "":
		return "the problem is not complete"
	case !slices.Contains(o.responses, fmt.Sprint(r.status)) && r.status != 413 && r.status != 431:
		return "not documented"
	}
	return ""
}

// dice make random values.
type dice struct {
	rng    *rand.Rand
	tokens []string
}

func (d *dice) one(from ...string) string { return from[d.rng.IntN(len(from))] }

func (d *dice) chance(percent int) bool { return d.rng.IntN(100) < percent }

// throw sends a request that is wrong in one way or several. Those that could be
// right by chance are dry runs.
func (c *cast) throw(d *dice, o operation, ids map[string]string) (response, string) {
	who := []client{c.owner.client, c.owner.client, c.operator(), c.viewer.client, c.anonymous()}[d.rng.IntN(5)]
	if o.access.Kind == "operator" && d.chance(70) {
		who = c.operator()
	}
	path := o.filled(ids)
	if d.chance(20) {
		path = o.filled(map[string]string{"org": d.id(), "user": d.id(), "invitation": d.id(), "key": d.id(), "space": d.id(), "webhook": d.id(), "broker": d.id(), "kind": d.id(), "work": d.id()})
	}
	query := url.Values{}
	for _, p := range o.params {
		if p.In == "query" && d.chance(40) {
			query.Set(p.Name, d.text())
		}
	}
	if o.takes("dry_run") {
		query.Set("dry_run", "true")
	}
	if base, _, _ := strings.Cut(path, "?"); len(query) > 0 {
		path = base + "?" + query.Encode()
	}
	var extras []extra
	extras = append(extras, anyPosition)
	for _, p := range o.params {
		if p.In == "header" && d.chance(25) {
			extras = append(extras, header(p.Name, d.headerText()))
		}
	}
	if d.chance(10) {
		extras = append(extras, header("Authorization", d.one("Bearer ", "Basic ", "bearer", "")+printable(d.token())))
	}
	if d.chance(5) {
		extras = append(extras, header("Content-Type", d.one("text/plain", "application/xml", "application/json; charset=latin1", "")))
	}
	if d.chance(5) {
		extras = append(extras, header("Content-Encoding", "gzip"))
	}
	var body []byte
	if !o.reads() {
		body = d.body(o.example)
	}
	return who.send(o.method, path, body, extras...), fmt.Sprintf("%s %s %.300q", o.method, path, body)
}

// body is the document's example with something wrong.
func (d *dice) body(example json.RawMessage) []byte {
	var fields map[string]any
	if len(example) == 0 || json.Unmarshal(example, &fields) != nil {
		fields = map[string]any{}
	}
	switch d.rng.IntN(12) {
	case 0:
		return []byte(d.one("", "null", "[]", "7", `"text"`, "{", "{}", "{}{}", `{"a":}`, "\x00", "\xff\xfe{}", "[[[[[[[[", `{"email":"a@example.com","email":"b@example.com"}`))
	case 1:
		return []byte(strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000))
	case 2:
		return []byte(`{"name":"` + strings.Repeat("x", 70_000) + `"}`)
	case 3:
		return example[:d.rng.IntN(len(example)+1)]
	}
	for name := range fields {
		if d.chance(45) {
			fields[name] = d.value(0)
		} else if d.chance(10) {
			delete(fields, name)
		}
	}
	if d.chance(15) {
		fields[d.text()] = d.value(0)
	}
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return text
}

func (d *dice) value(depth int) any {
	switch n := d.rng.IntN(12); {
	case n == 0:
		return nil
	case n == 1:
		return d.chance(50)
	case n == 2:
		return []any{0, -1, 1.5, 1e300, 1 << 62}[d.rng.IntN(5)]
	case n == 3 && depth < 3:
		return []any{d.value(depth + 1), d.value(depth + 1)}
	case n == 4 && depth < 3:
		return map[string]any{d.text(): d.value(depth + 1)}
	case n < 7:
		return d.token()
	}
	return d.text()
}

func (d *dice) text() string {
	return d.one("", " ", "a", "0", "-1", "true", "null", "ä", "\u0000", "\u202e", "\u200d", "a\nb", "%00", "%zz", "../../etc/passwd", "' OR 1=1 --", "<script>alert(1)</script>",
		"{{.}}", "a@b", "a@example.com", "A@EXAMPLE.COM", "\"a b\"@example.com", "a@[127.0.0.1]", strings.Repeat("a", 254)+"@example.com", strings.Repeat("𝔸", 300),
		strings.Repeat("e\u0301", 200), "OWNER", "ADMIN", "asc", "desc", "name", "joined_at", "pending", "2031-03-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999+14:00",
		"18446744073709551615", "18446744073709551616", "1e9", "AQ", "AQkUq1Zt8v0DDWdyYWNlAA", d.id(), d.token(), "\xff\xfe")
}

func (d *dice) id() string {
	return d.one("0190d5a1-7c3e-7b4a-9d2f-1e6b8a4c0d11", "00000000-0000-0000-0000-000000000000", "0190D5A1-7C3E-7B4A-9D2F-1E6B8A4C0D11", "x", "%20", "..%2f..", "{org}",
		"0190d5a17c3e7b4a9d2f1e6b8a4c0d11", "%F0%9F%92%A9", strings.Repeat("a", 500))
}

// token is one that was issued, with something changed, or nothing like one.
func (d *dice) token() string {
	real := []byte(d.tokens[d.rng.IntN(len(d.tokens))])
	switch d.rng.IntN(4) {
	case 0:
		real[8+d.rng.IntN(len(real)-8)] ^= byte(1 + d.rng.IntN(3))
		return strings.ToValidUTF8(string(real), "A")
	case 1:
		return string(real[:d.rng.IntN(len(real))])
	case 2:
		return string(real) + d.one("A", "=", " ", "\u0000")
	}
	return d.one("", "tnr_", "tnr_inv_", "tnr_own_"+strings.Repeat("A", 71), "tnr_ses_"+strings.Repeat("-", 71), strings.Repeat("t", 5000))
}

// headerText is text that may stand in a header.
func (d *dice) headerText() string {
	text := printable(d.text())
	return text[:min(len(text), 300)]
}

func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}
