package acceptance

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestX1_NoTokenIsStoredInTheClear(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)
		// Every kind of secret is issued, used, and used in vain.
		guest := c.newPerson("Guest")
		id := decoded[receipt](t, c.owner.invite(c.org, guest.Email, guest.Name, "USER")).InvitationID
		first := c.tokenTo(t, guest.Email, invitePage, 1)
		ok(t, c.owner.resend(c.org, id))
		refused(t, guest.acceptNew(first), 404, "link_invalid")
		made := decoded[receipt](t, guest.acceptNew(c.tokenTo(t, guest.Email, invitePage, 2)))
		c.issued.add(made.Session.Token)
		ok(t, c.owner.requestTransfer(c.org, c.admin))
		ok(t, c.anonymous().confirmTransfer(c.newestTransferLink(t, c.owner)))
		ok(t, c.anonymous().post("/v1/password-resets", map[string]any{"email": c.user.Email}))
		ok(t, c.anonymous().resetPassword(c.tokenTo(t, c.user.Email, resetPage, 1), "another password entirely"))
		key := decoded[receipt](t, c.operator().createKey("reader", "organizations.read")).Key
		c.issued.add(key)
		ok(t, client{server: c.server, token: key}.get(orgPath(c.org, "members")))
		c.anonymous().get("/v1/me?token=" + made.Session.Token) // where it does not belong
		c.anonymous().get("/v1/" + made.Session.Token)
		c.user.delete("/v1/sessions/current")

		if n := len(c.issued.all()); n < 15 {
			t.Fatalf("only %d secrets are known to the test", n)
		}
		t.Run("not in a list or a history", func(t *testing.T) {
			shown := c.snapshot(t)
			for _, path := range []string{"/v1/operator/api-keys", "/v1/operator/organizations", "/metrics", "/openapi.json"} {
				r := c.operator().get(path)
				ok(t, r)
				if path != "/openapi.json" { // which has examples
					shown += string(r.body)
				}
			}
			c.searchFor(t, "a list", []byte(shown))
		})
		t.Run("not in the log, the views, or what the server says", func(t *testing.T) {
			c.stop(t)
			c.searchFor(t, "standard error", c.stderr.bytes())
			c.searchFor(t, "standard output", bytes.ReplaceAll(c.stdout.bytes(), []byte(*c.key.Load()), nil))
			searched := 0
			for where, text := range c.stores.contents(t) {
				c.searchFor(t, where, text)
				searched++
			}
			if searched < 2 {
				t.Fatalf("only %d places were searched", searched)
			}
		})
		t.Run("nor is a password", func(t *testing.T) {
			held := c.stores.contents(t)
			for where, text := range held {
				for _, secret := range []string{password, "another password entirely"} {
					if bytes.Contains(text, []byte(secret)) {
						t.Errorf("%s holds a password", where)
					}
				}
			}
			for where, text := range held {
				if bytes.Contains(text, []byte("$argon2id$")) {
					t.Errorf("%s holds the hash of a password in plain", where)
				}
			}
		})
		t.Run("the server's secret is for its owner's eyes", func(t *testing.T) {
			text, err := os.ReadFile(c.stores.secret)
			if err != nil {
				t.Fatal(err)
			}
			for _, said := range [][]byte{c.stderr.bytes(), c.stdout.bytes()} {
				if bytes.Contains(said, bytes.TrimSpace(text)) {
					t.Error("the server tells its secret")
				}
			}
		})
	})
}

var anyToken = regexp.MustCompile(`tnr_(inv|ver|rst|own|ses|key|sld)_[A-Za-z0-9_-]{40,}`)

// searchFor looks for each secret that was issued, as it is and in other forms,
// and for whatever looks like one.
func (c *cast) searchFor(t *testing.T, where string, text []byte) {
	t.Helper()
	if found := anyToken.Find(text); found != nil {
		t.Errorf("%s holds a token: %s…", where, found[:12])
	}
	for _, token := range c.issued.all() {
		encoded := token[strings.LastIndex(token[:8], "_")+1:]
		raw, err := base64.RawURLEncoding.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		proof := raw[len(raw)-16:] // what nobody else can make
		forms := [][]byte{
			[]byte(encoded), proof, []byte(hex.EncodeToString(proof)), []byte(base64.StdEncoding.EncodeToString(proof)),
			[]byte(base64.RawURLEncoding.EncodeToString(proof)), []byte(base64.StdEncoding.EncodeToString(raw)),
		}
		for _, form := range forms {
			if bytes.Contains(text, form) {
				t.Errorf("%s holds the token %s…", where, token[:12])
			}
		}
	}
}
