package acceptance

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// The words that only the person who is erased has said; each test's server has
// its own stores.
const (
	erasedName   = "Zebedee Quillfeather"
	erasedBefore = "Zebedeus Oldfeather"
	erasedEmail  = "Zebedee.Quillfeather@Example.com"
	erasedUser   = "zebquill"
	erasedReason = "Because quillfeather asked."
)

// traceWords are what must not be left, in the form of search words: texts are
// searched without regard to case.
var traceWords = []string{"zebede", "quillfeather", "oldfeather", "zebquill"}

// erasable is somebody who has left traces wherever there are any.
type erasable struct {
	*person
	elsewhere *person // owns an organization that has invited the person, and one that the person has left
	former    string
	invited   string
	inviter   *person // owns the one that has invited, whose settings name the person
	own       string  // which nobody else is a member of
	billed    string  // of the inviter too; it has never had to do with the person
	billedAt  uint64

	seen   uint64                    // a position at which the person was where they have been
	resent []func(...extra) response // commands with their keys, sent once more
}

func (c *cast) newErasable(t *testing.T) *erasable {
	t.Helper()
	p := &person{client: c.anonymous(), Name: erasedBefore, Email: erasedEmail, Password: password}
	p.register(t)
	p.signIn(t)
	ok(t, p.patch("/v1/me", map[string]any{"display_name": erasedName}))
	ok(t, p.put("/v1/me/avatar", map[string]any{"avatar_url": "https://example.com/quillfeather.png"}))
	x := &erasable{person: p}
	once := func(command func(...extra) response) {
		key := idempotencyKey(unique("once"))
		x.resent = append(x.resent, func(more ...extra) response { return command(append(more, key)...) })
		ok(t, command(key))
	}
	once(func(more ...extra) response { return c.owner.invite(c.org, p.Email, erasedUser, "ADMIN", more...) })
	ok(t, p.accept(c.tokenTo(t, p.Email, invitePage, 1)))
	once(func(more ...extra) response { // ends with the change of roles
		return c.owner.post(orgPath(c.org, "ownership-transfer"), map[string]any{"to": p.AccountID, "reason": erasedReason}, more...)
	})
	once(func(more ...extra) response {
		return c.owner.put(orgPath(c.org, "members", p.AccountID, "roles"), map[string]any{"roles": []string{"USER"}, "reason": erasedReason}, more...)
	})
	x.elsewhere = c.signUp(t, "Elsewhere")
	x.former = decoded[receipt](t, ok(t, x.elsewhere.activate(unique("Former")))).OrganizationID
	ok(t, x.elsewhere.invite(x.former, p.Email, erasedUser, "USER"))
	ok(t, p.accept(c.tokenTo(t, p.Email, invitePage, 2)))
	x.seen = c.position.Load()
	ok(t, x.elsewhere.remove(x.former, p))
	x.inviter = c.signUp(t, "Other")
	x.invited = decoded[receipt](t, ok(t, x.inviter.activate(unique("Inviting")))).OrganizationID
	ok(t, x.inviter.invite(x.invited, p.Email, erasedUser, "USER"))
	c.tokenTo(t, p.Email, invitePage, 3)
	x.named(t, c, once)
	eventually(t, "the members show the name", func() bool { return c.owner.member(t, c.org, p).DisplayName == erasedName })
	return x
}

// named has settings name the person: where they are, and where they never were.
func (x *erasable) named(t *testing.T, c *cast, once func(func(...extra) response)) {
	t.Helper()
	x.own = decoded[receipt](t, ok(t, x.activate(unique("Own")))).OrganizationID
	ok(t, x.set(x.own, "settings", map[string]string{"street": "Quillfeather Lane 5"}))
	ok(t, c.owner.set(c.org, "settings", map[string]string{"contact": erasedEmail, "zone": "Europe/Vienna"}))
	elsewhere := decoded[receipt](t, ok(t, x.inviter.activate(unique("Billed")))).OrganizationID
	once(func(more ...extra) response {
		return x.inviter.set(elsewhere, "settings", map[string]string{"contact": strings.ToUpper(erasedEmail), "vat": "4711"}, more...)
	})
	ok(t, x.inviter.set(elsewhere, "settings", map[string]string{"contact": "Bills <" + erasedEmail + ">, please.", "vat": "4711"}))
	x.billed, x.billedAt = elsewhere, c.position.Load()
}

// settings are what is shown of those that name the person, now and before.
func (x *erasable) settings(t *testing.T, c *cast) string {
	t.Helper()
	shown := string(ok(t, c.owner.get(orgPath(c.org, "settings"))).body)
	for _, path := range []string{"settings", "history", fmt.Sprintf("settings?as_of=%d", x.billedAt), fmt.Sprintf("settings?as_of=%d", x.billedAt-1)} {
		shown += string(ok(t, x.inviter.get(orgPath(x.billed, path))).body)
	}
	return shown
}

func (x *erasable) erase(more ...extra) response {
	return x.post("/v1/me/erase", map[string]any{"password": password, "reason": "Enough."}, more...)
}

// leftOver finds traces in what a text says, in whatever case.
func leftOver(text []byte) string {
	text = bytes.ToLower(text)
	for _, word := range traceWords {
		if at := bytes.Index(text, []byte(word)); at >= 0 {
			return string(text[max(0, at-60):min(len(text), at+60)])
		}
	}
	return ""
}

// shownOf is what the API shows of everything that the person had to do with.
func (c *cast) shownOf(t *testing.T, x *erasable) string {
	t.Helper()
	shown := c.snapshot(t) + snapshotOf(t, x.elsewhere.client, x.former) + x.settings(t, c)
	for _, path := range []string{"/metrics", "/v1/operator/organizations", orgPath(c.org, "members", x.AccountID, "history"), orgPath(x.invited, "history"), orgPath(x.own, "history")} {
		shown += string(ok(t, c.operator().get(path)).body)
	}
	for _, again := range x.resent {
		shown += string(ok(t, again()).body)
	}
	return shown
}

// pastOfPerson is what the API shows of the past, and of what has happened, where
// the person was.
func (c *cast) pastOfPerson(t *testing.T, x *erasable) string {
	t.Helper()
	shown := c.feedOf(t)
	for _, org := range []string{c.org, x.former} {
		shown += c.pastOf(t, org, x.seen)
	}
	return shown
}

// vanished reports whether views and mails show nothing of the person.
func (c *cast) vanished(t *testing.T, x *erasable) bool {
	return leftOver([]byte(c.shownOf(t, x))) == "" && c.outboxTrace(t) == "" && leftOver([]byte(c.pastOfPerson(t, x))) == ""
}

func (c *cast) outboxTrace(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(c.data, "outbox", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			if trace := leftOver(text); trace != "" {
				return trace
			}
		}
	}
	return ""
}

func TestX8_ErasingAPerson(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		c := b.start(t, withFlags("--webhooks-private")).newCast(t)
		late := c.deliverLate(t)
		x := c.newErasable(t)
		ada := c.owner.member(t, c.org, c.owner)
		if leftOver([]byte(c.shownOf(t, x))) == "" || leftOver([]byte(c.pastOfPerson(t, x))) == "" {
			t.Fatal("the test would find no trace")
		}

		refused(t, x.post("/v1/me/erase", map[string]any{"password": "not the password"}), 401, "credentials_wrong")
		dry := decoded[receipt](t, ok(t, x.erase(dryRun)))
		is.True(dry.DryRun)
		is.Equal(dry.types(), "account.erased")
		ok(t, x.get("/v1/me"))

		key := idempotencyKey(unique("erase"))
		first := ok(t, x.erase(key))
		is.Equal(decoded[receipt](t, first).types(), "account.erased")
		refused(t, x.get("/v1/me"), 401, "not_signed_in") // at once
		refused(t, x.requestSession(), 401, "credentials_wrong")
		sameAnswer(t, "erase", first, x.erase(key))
		eventually(t, "no trace is shown", func() bool { return c.vanished(t, x) })

		t.Run("what is delivered late shows the pseudonym", func(t *testing.T) {
			late.arrives(t, c, x)
		})
		t.Run("histories and lists show a pseudonym, always the same", func(t *testing.T) {
			is := is.New(t)
			m := c.owner.member(t, c.org, x.person)
			is.Equal(m.Status, "removed")
			is.True(strings.HasPrefix(m.DisplayName, "Erased person "))
			is.True(strings.HasSuffix(m.Email, "@erased.invalid"))
			is.Equal(x.elsewhere.member(t, x.former, x.person).Email, m.Email)
			shown := c.shownOf(t, x) + c.pastOfPerson(t, x)
			is.True(strings.Contains(shown, m.Email) && strings.Contains(shown, "[erased]"))
			is.True(!strings.Contains(shown, "tnr_sealed"))
		})
		t.Run("nobody else's data is touched", func(t *testing.T) {
			is := is.New(t)
			is.Equal(c.owner.member(t, c.org, c.owner), ada)
			c.user.signIn(t)
			is.Equal(decoded[settingsDoc](t, c.owner.get(orgPath(c.org, "settings"))).Settings, map[string]string{"contact": "[erased]", "zone": "Europe/Vienna"})
			is.Equal(decoded[settingsDoc](t, x.inviter.get(orgPath(x.billed, "settings"))).Settings, map[string]string{"contact": "[erased]", "vat": "4711"})
		})
		t.Run("no byte is left anywhere", func(t *testing.T) {
			before := lists(c.shownOf(t, x) + c.pastOfPerson(t, x))
			c.exportTraces(t)
			// What the process does last, it does after views show nothing.
			last := ""
			defer func() {
				if t.Failed() {
					t.Logf("left: %q", last)
				}
			}()
			eventually(t, "files and Redis hold nothing", func() bool { last = c.searchStores(t); return last == "" })
			c.stop(t)
			if trace := c.searchStores(t); trace != "" {
				t.Error(trace)
			}
			for where, text := range map[string][]byte{"standard error": c.stderr.bytes(), "standard output": c.stdout.bytes()} {
				if trace := leftOver(text); trace != "" {
					t.Errorf("%s: %s", where, trace)
				}
			}
			c.run(t)
			is.New(t).Equal(lists(c.shownOf(t, x)+c.pastOfPerson(t, x)), before)
			c.rebuild(t)
			is.New(t).Equal(lists(c.shownOf(t, x)+c.pastOfPerson(t, x)), before)
			eventually(t, "nor after a rebuild", func() bool { return c.searchStores(t) == "" })
		})
		t.Run("the same address signs up anew", func(t *testing.T) {
			is := is.New(t)
			again := &person{client: c.anonymous(), Name: "Somebody Else", Email: erasedEmail, Password: "a new password here"}
			before := len(c.mailsTo(again.Email, verifyPage))
			ok(t, again.requestAccount())
			again.enter(decoded[session](t, ok(t, again.verify(c.tokenTo(t, again.Email, verifyPage, before+1)))))
			is.True(again.AccountID != x.AccountID)
			ok(t, c.owner.invite(c.org, again.Email, erasedUser, "USER"))
			ok(t, again.accept(c.invitationTo(t, again.Email)))
			is.Equal(c.owner.member(t, c.org, again).Username, erasedUser)
		})
	})
}

var moves = regexp.MustCompile(`127\.0\.0\.1:\d+|"next_cursor":"[^"]*"`)

// lists leaves out what changes by itself: metrics, where the server listens, and
// how far the log is.
func lists(shown string) string {
	var kept []string
	for line := range strings.Lines(shown) {
		if strings.HasPrefix(line, "{") || strings.HasPrefix(line, "/") {
			kept = append(kept, line)
		}
	}
	return moves.ReplaceAllString(strings.Join(kept, ""), "here")
}

// searchStores names a place that holds a trace: the raw bytes of every file, and
// every key and value in Redis.
func (c *cast) searchStores(t *testing.T) string {
	t.Helper()
	held := c.stores.contents(t)
	if c.stores.keys != nil {
		held["keys"] = c.stores.keys.dump(t, c.stores.keysPrefix)
	}
	for where, text := range held {
		if trace := leftOver(text); trace != "" {
			return where + ": " + trace
		}
	}
	return c.outboxTrace(t)
}

func TestX8_WhoCannotBeSpared(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		c := b.start(t).newCast(t)
		path := "/v1/operator/accounts/" + c.owner.AccountID + "/erase"
		for _, r := range []response{
			c.owner.post("/v1/me/erase", map[string]any{"password": password}),
			c.operator().post(path, map[string]any{}),
			c.operator().post(path, map[string]any{}, dryRun),
		} {
			refused(t, r, 409, "erasure_blocked")
			is.True(strings.Contains(r.problem().Detail, c.name) && strings.Contains(r.problem().Detail, c.org))
			is.True(strings.Contains(strings.ToLower(r.problem().Detail), "transfer"))
		}
		refused(t, c.operator().post("/v1/operator/accounts/"+c.org+"/erase", map[string]any{}), 404, "not_found")
		refused(t, c.admin.post(path, map[string]any{}), 403, "permission_denied")
		forced := decoded[erasureReceipt](t, ok(t, c.operator().post(path, map[string]any{"force": true}, dryRun)))
		is.Equal(forced.Organizations[0].OrganizationID, c.org)
		is.Equal(forced.Organizations[0].Outcome, "left")
		is.True(strings.Contains(strings.ToLower(forced.Organizations[0].Lacks), "transfer"))
		ok(t, c.operator().post(path, map[string]any{"force": true, "reason": "A court says so."}))
		refused(t, c.owner.get("/v1/me"), 401, "not_signed_in")
		eventually(t, "the owner is gone", func() bool { return c.admin.member(t, c.org, c.owner).Status == "removed" })
		is.Equal(decoded[receipt](t, ok(t, c.operator().post(path, map[string]any{"force": true}))).types(), "")

		alone := c.signUp(t, "Alone")
		own := decoded[receipt](t, ok(t, alone.activate(unique("Alone")))).OrganizationID
		foretold := decoded[erasureReceipt](t, ok(t, alone.post("/v1/me/erase", map[string]any{"password": password}, dryRun)))
		is.Equal(foretold.Organizations, []erasureConsequence{{own, "deleted", ""}})
		is.Equal(decoded[erasureReceipt](t, ok(t, alone.post("/v1/me/erase", map[string]any{"password": password}))).Organizations, nil) // nobody is left who needs an owner
	})
}

type erasureReceipt struct {
	Organizations []erasureConsequence `json:"organizations"`
}

type erasureConsequence struct {
	OrganizationID string `json:"organization_id"`
	Outcome        string `json:"outcome"`
	Lacks          string `json:"lacks"`
}

// erasing is the fate of somebody who has left traces everywhere.
func erasing(t *testing.T, c *cast) doing {
	x := c.newErasable(t)
	left, anew := "", false
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("left at last: %q", left)
		}
	})
	return doing{
		give: func(more ...extra) response { return x.erase(more...) },
		finished: func() bool {
			if !anew { // once the address signs up anew, there are mails to it
				if left = leftOver([]byte(c.shownOf(t, x))); left == "" {
					left = c.searchStores(t)
				}
				if left == "" {
					left = leftOver([]byte(c.pastOfPerson(t, x)))
				}
				if left != "" {
					return false
				}
				again := &person{client: c.anonymous(), Name: "Somebody Else", Email: erasedEmail, Password: password}
				anew = ok(t, again.requestAccount()).done()
			}
			return len(c.mailsTo(erasedEmail, verifyPage)) > 0
		},
	}
}
