package acceptance

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// What the specification says about requests, and its conformance scenario.
func TestX3_AuthZEN(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		s := b.start(t)
		c := s.newCast(t)
		host := s.keyFor(t, "access.check")
		admin, org := user(c.admin.AccountID), inOrganization(c.org)
		yes, no := obj{"action": todo("members.invite")}, obj{"action": todo("ownership.transfer")}
		several := func(t *testing.T, body obj) []decisionDoc {
			t.Helper()
			d := decoded[decisionsDoc](t, host.post(evaluations, body))
			is.New(t).True(d.Decision == nil)
			return d.Evaluations
		}
		decisions := func(t *testing.T, body obj) (said []bool) {
			t.Helper()
			for _, d := range several(t, body) {
				said = append(said, *d.Decision)
			}
			return said
		}

		t.Run("all, until the first denial, until the first permission", func(t *testing.T) {
			is := is.New(t)
			with := func(semantic any, questions ...obj) []bool {
				body := obj{"subject": admin, "resource": org, "evaluations": questions}
				if semantic != nil {
					body["options"] = obj{"evaluations_semantic": semantic, "another_option": "value"}
				}
				return decisions(t, body)
			}
			is.Equal(with(nil, yes, no, yes), []bool{true, false, true})
			is.Equal(with("execute_all", no, yes, no), []bool{false, true, false})
			is.Equal(with("deny_on_first_deny", yes, no, yes), []bool{true, false})
			is.Equal(with("deny_on_first_deny", yes, yes), []bool{true, true})
			is.Equal(with("permit_on_first_permit", no, yes, no), []bool{false, true})
			is.Equal(with("permit_on_first_permit", yes, no), []bool{true})
			is.Equal(with("deny_on_first_deny", yes, obj{}, yes), []bool{true, false}) // a failure is a denial
			for _, wrong := range []any{"sometimes", 7, "", []string{"execute_all"}} {
				refused(t, host.post(evaluations, obj{"subject": admin, "resource": org, "evaluations": []obj{yes}, "options": obj{"evaluations_semantic": wrong}}), 400, "malformed")
			}
		})

		t.Run("defaults, whole for whole", func(t *testing.T) {
			is := is.New(t)
			is.Equal(decisions(t, obj{"subject": admin, "action": todo("members.invite"), "resource": org, "evaluations": []obj{
				{}, {"subject": user(c.user.AccountID)}, {"action": todo("ownership.transfer")}, {"resource": inOrganization("x")}, {"context": obj{"ip": "192.0.2.1"}},
			}}), []bool{true, false, false, false, true})
			is.Equal(decisions(t, obj{"evaluations": []obj{
				{"subject": admin, "action": todo("members.invite"), "resource": org}, {"subject": user(c.user.AccountID), "action": todo("members.invite"), "resource": org},
			}}), []bool{true, false})
			explained := several(t, obj{"subject": admin, "resource": org, "context": obj{"tenure_explain": true}, "evaluations": []obj{
				yes, {"action": todo("members.invite"), "context": obj{}}, no,
			}})
			is.True(explained[0].Context.Explanation != nil)
			is.True(explained[1].Context.Explanation == nil) // its own context stands for the other
			is.Equal(explained[2].Context.Explanation.Revision, explained[0].Context.Explanation.Revision)
		})

		t.Run("a question that cannot be read spoils no other", func(t *testing.T) {
			is := is.New(t)
			said := several(t, obj{"subject": admin, "resource": org, "evaluations": []any{
				yes, obj{}, obj{"action": todo("members.invite"), "resource": obj{"type": "organization"}}, obj{"action": 7}, "text", yes,
			}})
			is.Equal(len(said), 6)
			is.True(*said[0].Decision && *said[5].Decision)
			for i, field := range map[int]string{1: "evaluations[1].action", 2: "evaluations[2].resource.id", 3: "evaluations[3].action", 4: "evaluations[4]"} {
				is.True(!*said[i].Decision)
				is.Equal(said[i].Context.Error.Status, 400)
				is.True(strings.HasPrefix(said[i].Context.Error.Message, field+": "))
			}
		})

		t.Run("without evaluations it is one question", func(t *testing.T) {
			is := is.New(t)
			for _, none := range []any{nil, []obj{}} {
				d := decoded[decisionsDoc](t, host.post(evaluations, obj{"subject": admin, "action": todo("members.invite"), "resource": org, "evaluations": none}))
				is.True(*d.Decision)
				is.True(d.Evaluations == nil)
			}
			refused(t, host.post(evaluations, obj{"subject": admin, "action": todo("members.invite")}), 400, "malformed")
		})

		t.Run("at most a hundred", func(t *testing.T) {
			is := is.New(t)
			hundred := slices.Repeat([]obj{yes}, 100)
			is.Equal(len(decisions(t, obj{"subject": admin, "resource": org, "evaluations": hundred})), 100)
			refused(t, host.post(evaluations, obj{"subject": admin, "resource": org, "evaluations": append(hundred, yes)}), 400, "malformed")
		})

		t.Run("everything wrong with a request is a 400", func(t *testing.T) {
			right := obj{"subject": admin, "action": todo("members.invite"), "resource": org}
			without := func(name, field string) obj {
				body := maps.Clone(right)
				if field == "" {
					delete(body, name)
					return body
				}
				part := maps.Clone(body[name].(obj))
				delete(part, field)
				body[name] = part
				return body
			}
			with := func(name string, value any) obj {
				body := maps.Clone(right)
				body[name] = value
				return body
			}
			for field, body := range map[string]obj{
				"subject": without("subject", ""), "action": without("action", ""), "resource": without("resource", ""),
				"subject.type": without("subject", "type"), "subject.id": without("subject", "id"), "action.name": without("action", "name"),
				"resource.type": without("resource", "type"), "resource.id": without("resource", "id"),
				"context": with("context", "x"), "subject.properties": with("subject", obj{"type": "user", "id": "x", "properties": []int{1}}),
			} {
				is.New(t).Equal(refused(t, host.post(evaluation, body), 400, "malformed").Errors[0].Field, field)
			}
			for _, body := range []obj{
				with("subject", "alice"), with("action", obj{"name": 123}), with("resource", nil), with("subject", []any{admin}),
			} {
				refused(t, host.post(evaluation, body), 400, "malformed")
			}
			refused(t, host.post(evaluations, obj{"subject": "alice", "action": todo("x"), "resource": org, "evaluations": []obj{{}}}), 400, "malformed")
			refused(t, host.post(evaluations, obj{"subject": admin, "action": todo("x"), "resource": org, "evaluations": "all"}), 400, "malformed")
			refused(t, host.post(evaluation, right, header("Content-Type", "text/plain")), 400, "malformed")
			for _, body := range []string{"", "{", "[]", "null", `{"subject":{"type":"user","id":"a","id":"b"}}`} {
				refused(t, host.send(http.MethodPost, evaluation, []byte(body)), 400, "malformed")
			}
			ok(t, host.post(evaluation, right))
		})

		t.Run("what is not known is passed over", func(t *testing.T) {
			is := is.New(t)
			r := host.post(evaluation, obj{
				"subject": obj{"type": "user", "id": c.admin.AccountID, "name": "x", "properties": obj{"role": "OWNER"}}, "resource": org,
				"action": obj{"name": "ownership.transfer", "properties": obj{"method": "GET"}}, "context": obj{"time": "1985-10-26T01:22-07:00", "tenure_explain": "yes"},
				"foo": "bar", "futureField": obj{"nested": true},
			})
			d := decoded[decisionDoc](t, r)
			is.True(!*d.Decision) // whatever the caller says about the subject
			is.True(d.Context.Explanation == nil)
			is.Equal(r.header.Get("Content-Type"), "application/json")
		})

		t.Run("the client's id for the request comes back", func(t *testing.T) {
			is := is.New(t)
			for _, id := range []string{"bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "anything at all, {even} \"this\"", strings.Repeat("x", 1000)} {
				is.Equal(host.ask(c.org, c.admin.AccountID, "members.invite", header("X-Request-Id", id)).header.Get("X-Request-Id"), id)
				is.Equal(host.post(evaluation, obj{}, header("X-Request-Id", id)).header.Get("X-Request-Id"), id)
				is.Equal(s.anonymous().post(evaluation, obj{}, header("X-Request-Id", id)).header.Get("X-Request-Id"), id)
			}
			is.True(host.ask(c.org, c.admin.AccountID, "members.invite").header.Get("X-Request-Id") != "")
		})

		t.Run("the document of the decision point", func(t *testing.T) {
			is := is.New(t)
			public := b.start(t, withFlags("--public-url", "https://members.example.com/"))
			is.Equal(decoded[map[string]string](t, public.anonymous().get("/.well-known/authzen-configuration")), map[string]string{
				"policy_decision_point":       "https://members.example.com",
				"access_evaluation_endpoint":  "https://members.example.com/access/v1/evaluation",
				"access_evaluations_endpoint": "https://members.example.com/access/v1/evaluations",
			})
		})
	})
}
