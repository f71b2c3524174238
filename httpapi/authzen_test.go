package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tenure/httpapi"
)

func TestChecksAreOfTheFormOfTheDocument(t *testing.T) {
	c := newScene(newStack(t))
	ask := func(more string) answer {
		return c.want(200, "POST", "/access/v1/evaluation", c.operator,
			`{"subject":{"type":"user","id":"`+c.target.id+`"},"action":{"name":"members.invite"},"resource":{"type":"organization","id":"`+c.org+`"}`+more+`}`)
	}
	a := ask("")
	c.is.Equal(a.object["decision"], false)
	c.is.True(a.header.Get("Tenure-Position") != "")
	a = ask(`,"context":{"tenure_explain":true}`)
	explanation := a.object["context"].(map[string]any)["explanation"].(map[string]any)
	c.is.Equal(explanation["member"].(map[string]any)["account_id"], c.target.id)
	c.is.Equal(explanation["position"], a.header.Get("Tenure-Position"))
	c.is.Equal(len(ask(`,"context":{"tenure_explain":false}`).object["context"].(map[string]any)), 2) // reason and message
}

func TestTheDecisionPointSaysWhereItIs(t *testing.T) {
	s := newStack(t)
	a := s.want(200, "GET", "/.well-known/authzen-configuration", "", nil)
	s.is.Equal(a.header.Get("Content-Type"), "application/json")
	s.is.Equal(a.str("policy_decision_point"), "https://tenure.example")
	s.is.Equal(a.str("access_evaluation_endpoint"), "https://tenure.example/access/v1/evaluation")
}

// Whatever a question is, it is answered alike alone, among others, and as the
// default of an empty one.
func FuzzQuestions(f *testing.F) {
	c := newScene(newStack(f, func(c *httpapi.Config) { c.ViewWait = 200 * time.Millisecond }))
	right := `{"subject":{"type":"user","id":"` + c.target.id + `"},"action":{"name":"members.invite"},"resource":{"type":"organization","id":"` + c.org + `"}}`
	f.Add(right)
	f.Add(strings.Replace(right, `"organization"`, `"app:x"`, 1))
	f.Add(strings.Replace(right, `"user"`, `"email"`, 1))
	f.Add(strings.Replace(right, `"members.invite"`, `null`, 1))
	f.Add(`{"subject":"x","context":{"tenure_explain":true},"evaluations":[{}]}`)
	f.Fuzz(func(t *testing.T, question string) {
		var object map[string]any
		if err := json.Unmarshal([]byte(question), &object); err != nil || object == nil {
			return
		}
		delete(object, "evaluations") // else it is no question
		delete(object, "options")
		post := func(path string, body any) (a answer) {
			request, err := http.NewRequest("POST", c.url+path, bytes.NewReader(mustJSON(body)))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Authorization", "Bearer "+c.operator)
			response, err := c.client.Do(request)
			if err != nil {
				return answer{status: 413} // answered before all of it was sent
			}
			defer response.Body.Close()
			a.status = response.StatusCode
			if a.body, err = io.ReadAll(response.Body); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(a.body, &a.object); err != nil || a.status != 200 && a.status != 400 && a.status != 413 {
				t.Fatalf("%s %s: %d %s", path, question, a.status, a.body)
			}
			return a
		}
		alone := post("/access/v1/evaluation", object)
		if again := post("/access/v1/evaluations", object); again.status != 413 && string(again.body) != string(alone.body) {
			t.Fatalf("alone %s, without evaluations %s", alone.body, again.body)
		}
		among := post("/access/v1/evaluations", map[string]any{"evaluations": []any{object}})
		if among.status != 200 || alone.status == 413 {
			return
		}
		said := among.object["evaluations"].([]any)[0].(map[string]any)
		context, _ := said["context"].(map[string]any)
		if alone.status == 400 {
			if said["decision"] != false || context["error"] == nil {
				t.Fatalf("alone %s, among others %s", alone.body, among.body)
			}
			return
		}
		if string(mustJSON(said)) != string(mustJSON(alone.object)) {
			t.Fatalf("alone %s, among others %s", alone.body, among.body)
		}
		object["evaluations"] = []any{map[string]any{}}
		if defaulted := post("/access/v1/evaluations", object); defaulted.status != 413 && string(defaulted.body) != string(among.body) {
			t.Fatalf("among others %s, by default %s", among.body, defaulted.body)
		}
	})
}
