package acceptance

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestX11_DryRun(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)

		t.Run("any command returns the events that it would write, and writes nothing", func(t *testing.T) {
			for _, x := range c.script(t) {
				before := c.everything(t)
				dry := x.give(dryRun)
				if !dry.done() {
					t.Errorf("%s is refused as a dry run: %v", x.name, dry)
				}
				if after := c.endOfLog(t).Head; after != before { // no more was on its way
					t.Fatalf("the dry run of %s has changed something: %s → %s", x.name, before, after)
				}
				if anyToken.Match(dry.body) {
					t.Errorf("the dry run of %s answers with a token", x.name)
				}
				if dry.status == 201 {
					t.Errorf("%s: a dry run makes nothing: %v", x.name, dry)
				}
				// With a key the receipt is whole, also where a process was faster.
				real := x.tell(t, idempotencyKey(unique("real")))
				if !real.hasReceipt() {
					continue
				}
				would, did := decoded[receipt](t, dry), decoded[receipt](t, real)
				is := is.New(t)
				is.True(would.DryRun)
				is.True(!did.DryRun)
				if dry.status != 200 || dry.header.Get("Location") != "" || dry.header.Get("ETag") != "" {
					t.Errorf("%s: a dry run makes nothing: %v", x.name, dry)
				}
				if a, b := likeness(t, would.Events), likeness(t, did.Events); a != b {
					t.Errorf("%s would have written %s and wrote %s", x.name, a, b)
				}
			}
		})

		t.Run("in every stream that it would write to", func(t *testing.T) {
			guest := c.newPerson("Guest")
			in := func(give func(...extra) response) string {
				t.Helper()
				would, did := decoded[receipt](t, ok(t, give(dryRun))), decoded[receipt](t, ok(t, give(idempotencyKey(unique("real")))))
				is.New(t).Equal(would.types(), did.types())
				return did.types()
			}
			is := is.New(t)
			is.Equal(in(func(x ...extra) response { return c.owner.invite(c.org, guest.Email, guest.Name, "USER", x...) }),
				"organization.invitation_opened invitation.issued")
			token := c.invitationTo(t, guest.Email)
			is.Equal(in(func(x ...extra) response { return guest.acceptNew(token, x...) }), "account.registered account.password_set account.email_verified "+
				"invitation.accepted organization.member_joined account.session_started")
		})

		t.Run("or the refusal", func(t *testing.T) {
			ok(t, c.owner.invite(c.org, "taken@example.com", "taken", "USER"))
			_, accepted := find(c.owner.invitations(t, c.org, ""), func(i invitationDoc) bool { return i.Status == "accepted" })
			is.New(t).True(accepted)
			before := c.everything(t)
			for _, give := range c.refusals(t) {
				dry, real := give(dryRun), give()
				if dry.done() || dry.status != real.status || string(dry.body) != string(real.body) {
					t.Errorf("as a dry run: %v, without: %v", dry, real)
				}
			}
			is.New(t).Equal(c.everything(t), before)
		})

		t.Run("dry_run is true or false", func(t *testing.T) {
			r := c.owner.patch(orgPath(c.org)+"?dry_run=perhaps", map[string]any{"name": "x"})
			is.New(t).Equal(r.status, 422)
		})
	})
}

// everything tells whether anything has changed: the end of the log, once
// nothing is on its way. Mails that are due are looked for every 200 ms.
func (s *server) everything(t *testing.T) string {
	t.Helper()
	return s.unchangedFor(t, 700*time.Millisecond)
}

// unchangedFor waits until nothing has changed for a while.
func (s *server) unchangedFor(t *testing.T, d time.Duration) string {
	t.Helper()
	var head string
	changed := time.Now()
	eventually(t, "nothing is on its way", func() bool {
		if end := s.endOfLog(t); end.Head != head || end.Position != head {
			head, changed = end.Head, time.Now()
		}
		// A log at rest ends with a checkpoint of the ledger, which is no leaf of it.
		return time.Since(changed) > d && s.operator().get("/v1/ledger/proof/inclusion?position="+head, anyPosition).code() == "not_found"
	})
	return head
}

// progress is how far a view has got.
type progress struct {
	Position string `json:"position"`
	Head     string `json:"head"`
}

// endOfLog is where the log ends now, and how far the views are.
func (s *server) endOfLog(t *testing.T) progress {
	t.Helper()
	return decoded[page[progress]](t, s.operator().get("/v1/operator/projections")).Items[0]
}

var (
	anyID   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	anyTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)
)

// likeness is what events have in common however often they are decided.
func likeness(t *testing.T, events []event) string {
	t.Helper()
	text, err := json.Marshal(events)
	if err != nil {
		t.Fatal(err)
	}
	return string(anyTime.ReplaceAll(anyID.ReplaceAll(text, []byte("id")), []byte("time")))
}

// refusals are commands that are refused, one for each kind of them.
func (c *cast) refusals(t *testing.T) []func(...extra) response {
	t.Helper()
	accepted := c.owner.invitations(t, c.org, "?status=accepted")[0].InvitationID
	used := c.mailsTo(c.admin.Email, invitePage)[0].token(invitePage)
	return []func(...extra) response{
		func(x ...extra) response { return c.stranger.activate(c.name, x...) },
		func(x ...extra) response { return c.viewer.rename(c.org, "Mine", x...) },
		func(x ...extra) response { return c.stranger.rename(c.org, "Mine", x...) },
		func(x ...extra) response { return c.owner.invite(c.org, "TAKEN@example.com", "free", "USER", x...) },
		func(x ...extra) response { return c.owner.invite(c.org, "free@example.com", "TAKEN", "USER", x...) },
		func(x ...extra) response { return c.owner.invite(c.org, "free@example.com", "free", "OWNER", x...) },
		func(x ...extra) response { return c.owner.resend(c.org, accepted, x...) },
		func(x ...extra) response { return c.owner.revoke(c.org, accepted, x...) },
		func(x ...extra) response { return c.admin.accept(used, x...) },
		func(x ...extra) response { return c.anonymous().decline(used, x...) },
		func(x ...extra) response { return c.owner.changeRole(c.org, c.owner, "ADMIN", x...) },
		func(x ...extra) response { return c.owner.changeRole(c.org, c.removed, "ADMIN", x...) },
		func(x ...extra) response { return c.admin.remove(c.org, c.admin, x...) },
		func(x ...extra) response { return c.owner.requestTransfer(c.org, c.viewer, x...) },
		func(x ...extra) response { return c.owner.cancelTransfer(c.org, x...) },
		func(x ...extra) response { return c.anonymous().confirmTransfer("tnr_own_rubbish", x...) },
		func(x ...extra) response { return c.admin.delete("/v1/operator/api-keys/"+c.org, x...) },
		func(x ...extra) response { return c.operator().delete("/v1/operator/api-keys/"+c.org, x...) },
		func(x ...extra) response {
			return c.owner.put("/v1/me/password", map[string]any{"old_password": "wrong password", "new_password": "a new password"}, x...)
		},
	}
}
