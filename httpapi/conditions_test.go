package httpapi_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"tenure/httpapi"
	"tenure/httpapi/throttle"
)

func TestIfMatchMakesACommandConditional(t *testing.T) {
	s := newStack(t)
	ada := s.person("ada@example.com")
	org, position := s.organization(ada, "Engines")
	path := "/v1/organizations/" + org
	read := s.want(200, "GET", path, ada.token, nil, "Tenure-Min-Position", position)
	tag := read.header.Get("ETag")
	s.is.Equal(tag, `"0"`)
	s.want(304, "GET", path, ada.token, nil, "If-None-Match", `"7", W/`+tag)
	renamed := s.want(200, "PATCH", path, ada.token, map[string]any{"name": "Looms"}, "If-Match", tag)
	s.is.Equal(renamed.header.Get("ETag"), `"1"`)
	s.is.Equal(renamed.object["revision"], 1.0)
	s.refused(412, "revision_mismatch", "PATCH", path, ada.token, map[string]any{"name": "Mills"}, "If-Match", tag)
	s.refused(412, "revision_mismatch", "PATCH", path, ada.token, map[string]any{"name": "Mills"}, "If-Match", `"other"`)
	s.refused(412, "revision_mismatch", "PATCH", path, ada.token, map[string]any{"name": "Mills"}, "If-Match", `"01"`)
	for _, bad := range []string{"1", `W/"1"`, `"1`, `"1", "2"`, `""1""`, "**"} {
		s.refused(400, "malformed", "PATCH", path, ada.token, map[string]any{"name": "Mills"}, "If-Match", bad)
	}
	s.want(200, "PATCH", path, ada.token, map[string]any{"name": "Mills"}, "If-Match", "*")
	a := s.want(200, "GET", path, ada.token, nil, "If-None-Match", tag)
	s.is.Equal(a.header.Get("ETag"), `"2"`)

	me := s.want(200, "GET", "/v1/me", ada.token, nil).header.Get("ETag")
	changed := s.want(200, "PATCH", "/v1/me", ada.token, map[string]any{"display_name": "Ada King"}, "If-Match", me)
	s.is.Equal(len(changed.object["events"].([]any)), 0) // nobody's business
	s.refused(412, "revision_mismatch", "PATCH", "/v1/me", ada.token, map[string]any{"display_name": "Ada"}, "If-Match", me)
	s.is.Equal(s.want(200, "GET", "/v1/me", ada.token, nil).header.Get("ETag"), changed.header.Get("ETag"))
}

func TestIdempotencyKeys(t *testing.T) {
	s := newStack(t)
	ada, eve := s.person("ada@example.com"), s.person("eve@example.com")
	create := func(status int, who person, name string) answer {
		t.Helper()
		return s.want(status, "POST", "/v1/organizations", who.token, map[string]any{"name": name}, "Idempotency-Key", "k-1")
	}
	first := create(201, ada, "Engines")
	again := create(201, ada, "Engines")
	s.is.Equal(again.str("organization_id"), first.str("organization_id"))
	s.is.Equal(again.object["events"], first.object["events"])
	s.is.Equal(again.header.Get("Location"), first.header.Get("Location"))
	s.refused(422, "idempotency_key_reused", "POST", "/v1/organizations", ada.token, map[string]any{"name": "Looms"}, "Idempotency-Key", "k-1")
	s.is.True(create(201, eve, "Looms").str("organization_id") != first.str("organization_id")) // another actor's key is another key
	for _, bad := range []string{"with space", "ü", strings.Repeat("k", 256)} {
		s.refused(400, "malformed", "POST", "/v1/organizations", ada.token, map[string]any{"name": "Mills"}, "Idempotency-Key", bad)
	}
	// The order of fields and white space make no other request.
	a := s.want(201, "POST", "/v1/organizations", ada.token, `{"name":"Mills","username":"ada"}`, "Idempotency-Key", "k-2")
	b := s.want(201, "POST", "/v1/organizations", ada.token, ` { "username" : "ada" , "name" : "Mills" } `, "Idempotency-Key", "k-2")
	s.is.Equal(a.str("organization_id"), b.str("organization_id"))
}

// Strangers share no actor: a key that two of them choose belongs to neither.
func TestIdempotencyKeysOfStrangers(t *testing.T) {
	s := newStack(t)
	signUp := func(email string) {
		t.Helper()
		s.want(202, "POST", "/v1/accounts", "", map[string]any{"email": email, "display_name": "P", "password": secretWord}, "Idempotency-Key", "1")
	}
	signUp("ada@example.com")
	signUp("ada@example.com")
	signUp("eve@example.com")
	verify := func(email string) answer {
		t.Helper()
		return s.want(201, "POST", "/v1/accounts/verify", "", map[string]any{"token": s.verification(email), "password": secretWord}, "Idempotency-Key", "1")
	}
	s.is.True(verify("ada@example.com").str("account_id") != verify("eve@example.com").str("account_id"))
	signIn := func(email string) answer {
		t.Helper()
		return s.want(201, "POST", "/v1/sessions", "", map[string]any{"email": email, "password": secretWord}, "Idempotency-Key", "2")
	}
	s.is.Equal(signIn("ada@example.com").str("session_id"), signIn("ada@example.com").str("session_id"))
	s.is.True(signIn("ada@example.com").str("session_id") != signIn("eve@example.com").str("session_id"))
}

func TestDryRunWritesNothing(t *testing.T) {
	s := newStack(t)
	ada := s.person("ada@example.com")
	org, _ := s.organization(ada, "Engines")
	invite := map[string]any{"email": "grace@example.com", "username": "grace", "role": "USER"}
	a := s.want(200, "POST", "/v1/organizations/"+org+"/invitations?dry_run=true", ada.token, invite)
	s.is.Equal(a.object["dry_run"], true)
	s.is.Equal(a.object["events"].([]any)[0].(map[string]any)["type"], "organization.invitation_opened.v1")
	s.is.Equal(a.header.Get("Location"), "")
	s.is.Equal(a.header.Get("ETag"), "")
	s.refused(409, "email_taken", "POST", "/v1/organizations/"+org+"/invitations?dry_run=true", ada.token, map[string]any{"email": "ada@example.com", "username": "x", "role": "USER"})
	s.refused(422, "invalid", "POST", "/v1/organizations/"+org+"/invitations?dry_run=perhaps", ada.token, invite)
	s.want(201, "POST", "/v1/organizations/"+org+"/invitations", ada.token, invite) // the names were not taken
}

func TestReadsWaitForAPosition(t *testing.T) {
	s := newStack(t, func(c *httpapi.Config) { c.ViewWait = 30 * time.Millisecond })
	ada := s.person("ada@example.com")
	org, _ := s.organization(ada, "Engines")
	for i := range 20 {
		a := s.want(200, "PATCH", "/v1/organizations/"+org, ada.token, map[string]any{"name": fmt.Sprint("Engines ", i)})
		s.is.Equal(s.want(200, "GET", "/v1/organizations/"+org, ada.token, nil, "Tenure-Min-Position", a.header.Get("Tenure-Position")).str("name"), fmt.Sprint("Engines ", i))
	}
	a := s.refused(503, "view_behind", "GET", "/v1/organizations/"+org, ada.token, nil, "Tenure-Min-Position", "999999999")
	s.is.Equal(a.header.Get("Retry-After"), "1")
	for _, bad := range []string{"x", "-1", "1.5", "99999999999999999999"} {
		s.refused(400, "malformed", "GET", "/v1/organizations/"+org, ada.token, nil, "Tenure-Min-Position", bad)
	}
}

func limited(change func(*httpapi.Throttle)) func(*httpapi.Config) {
	return func(c *httpapi.Config) {
		c.Throttle = &httpapi.Throttle{}
		change(c.Throttle)
	}
}

func TestFailedSignInsAreThrottledPerEmail(t *testing.T) {
	s := newStack(t, limited(func(t *httpapi.Throttle) { t.SignInPerEmail = throttle.Rate{Events: 3, Per: time.Hour} }))
	s.person("ada@example.com")
	s.person("eve@example.com")
	try := func(email, password string) answer {
		return s.do("POST", "/v1/sessions", "", map[string]any{"email": email, "password": password})
	}
	for range 10 {
		s.is.Equal(try("ada@example.com", secretWord).status, 201) // successes do not count
	}
	for range 3 {
		s.is.Equal(try("ADA@example.com", "wrong password").status, 401)
	}
	a := try("ada@example.com", secretWord)
	s.is.Equal(a.status, 429)
	s.is.Equal(a.str("code"), "too_many_attempts")
	s.is.True(a.header.Get("Retry-After") > "0")
	s.is.Equal(try("eve@example.com", secretWord).status, 201) // others are not concerned
	s.is.True(!strings.Contains(s.log.String(), "ada@"))
}

// Attempts at the same time do not slip through before the first one has failed.
func TestGuessesAtTheSameTimeAreCounted(t *testing.T) {
	s := newStack(t, limited(func(t *httpapi.Throttle) { t.SignInPerEmail = throttle.Rate{Events: 5, Per: time.Hour} }))
	s.person("ada@example.com")
	var wg sync.WaitGroup
	statuses := make([]int, 40)
	for i := range statuses {
		wg.Go(func() {
			statuses[i] = s.do("POST", "/v1/sessions", "", map[string]any{"email": "ada@example.com", "password": "wrong password"}).status
		})
	}
	wg.Wait()
	guessed := 0
	for _, status := range statuses {
		if status == 401 {
			guessed++
		}
	}
	s.is.Equal(guessed, 5)
}

func TestThrottlesPerAddress(t *testing.T) {
	s := newStack(t, limited(func(t *httpapi.Throttle) {
		t.SignInPerAddress = throttle.Rate{Events: 2, Per: time.Hour}
		t.SignUpPerAddress = throttle.Rate{Events: 2, Per: time.Hour}
		t.LinksPerAddress = throttle.Rate{Events: 2, Per: time.Hour}
	}), func(c *httpapi.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")} // in memory, everybody is 0.0.0.0
	})
	for _, c := range []struct {
		path   string
		body   map[string]any
		status int
	}{
		{"/v1/sessions", map[string]any{"email": "a@example.com", "password": "wrong password"}, 401},
		{"/v1/password-resets", map[string]any{"email": "a@example.com"}, 202},
		{"/v1/invitations/lookup", map[string]any{"token": "tnr_inv_x"}, 404},
	} {
		from := func(forwarded string) int {
			return s.do("POST", c.path, "", c.body, "X-Forwarded-For", forwarded).status
		}
		s.is.Equal(from("192.0.2.1"), c.status)
		s.is.Equal(from("6.6.6.6, 192.0.2.1, 10.1.1.1"), c.status) // what the client made up is passed over
		s.is.Equal(from("7.7.7.7, 192.0.2.1"), 429)
		s.is.Equal(from("192.0.2.2"), c.status)
		s.is.Equal(from("2001:db8:1:1::1"), c.status)
		s.is.Equal(from("2001:db8:1:1::2"), c.status)
		s.is.Equal(from("2001:db8:1:1:ffff::3"), 429) // one subscriber has the whole network
		s.is.Equal(from("2001:db8:1:2::1"), c.status)
	}
}

func TestPasswordsAreNotGuessedByAStolenSession(t *testing.T) {
	s := newStack(t, limited(func(t *httpapi.Throttle) { t.PasswordPerPerson = throttle.Rate{Events: 2, Per: time.Hour} }))
	ada := s.person("ada@example.com")
	body := map[string]any{"old_password": "wrong password", "new_password": "another password"}
	s.refused(401, "credentials_wrong", "PUT", "/v1/me/password", ada.token, body)
	s.refused(401, "credentials_wrong", "PUT", "/v1/me/password", ada.token, body)
	s.refused(429, "too_many_attempts", "PUT", "/v1/me/password", ada.token, body)
}
