package acceptance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// urlSecret is what of an address not everybody may read.
const urlSecret = "/t0ken-of-the-receiver?key=also-secret"

// deliverOwn registers a webhook of an organization.
func (c client) deliverOwn(t *testing.T, org string, h *hooks, body obj) (hook string) {
	t.Helper()
	body["url"] = h.URL + urlSecret
	made := decoded[receipt](t, c.post(orgPath(org, "webhooks"), body))
	c.server.issued.add(made.Secret)
	h.accept(made.Secret)
	return orgPath(org, "webhooks", made.WebhookID)
}

// TestX9_WebhooksOfAnOrganization: those who manage an organization have its
// events delivered, its own alone, and what they may not read does not leave.
func TestX9_WebhooksOfAnOrganization(t *testing.T) {
	onBothLogs(t, func(t *testing.T, b backend) {
		s := b.start(t, withFlags("--organization-webhooks-private", "--session-lifetime", "2000h"))
		c := s.newCast(t)
		other := s.signUp(t, "Other")
		elsewhere := decoded[receipt](t, other.activate(unique("Elsewhere"))).OrganizationID
		plain, full := newHooks(t), newHooks(t)
		hook := c.admin.deliverOwn(t, c.org, plain, obj{})
		secret := plain.secrets[0]
		c.owner.deliverOwn(t, c.org, full, obj{"personal": true, "type": "organization.member_"})
		arrived := func(h *hooks, n int) []eventDoc {
			t.Helper()
			eventually(t, fmt.Sprint(n, " events have arrived"), func() bool { return len(h.arrived()) >= n })
			return h.arrived()
		}

		t.Run("its own events, signed, without personal data unless it was asked for", func(t *testing.T) {
			is := is.New(t)
			before, _ := c.follower(t, "events.read").feed(t, "&organization="+c.org)
			ok(t, other.rename(elsewhere, unique("Elsewhere")))
			newcomer := c.newMember(t, "USER")
			ok(t, other.rename(elsewhere, unique("Elsewhere")))
			whole, _ := c.follower(t, "events.read").feed(t, "&organization="+c.org)
			want := whole[len(before):]
			is.Equal(eventIDs(arrived(plain, len(want))), eventIDs(want))
			joined := arrived(full, 1)[0]
			is.Equal(joined.Data["email"], newcomer.Email)
			for _, e := range plain.arrived() {
				is.True(!strings.Contains(fmt.Sprint(e.Data), newcomer.Email))
			}
			is.Equal(plain.unsigned+full.unsigned, 0)
		})

		t.Run("for nobody else", func(t *testing.T) {
			is := is.New(t)
			moved := strings.Replace(hook, c.org, elsewhere, 1)
			refused(t, other.get(moved), 404, "not_found")
			refused(t, other.delete(moved), 404, "not_found")
			refused(t, other.post(moved+"/rotate-secret", obj{}), 404, "not_found")
			is.Equal(refused(t, other.get(hook), 404, "not_found").Title, "No such organization")
			refused(t, c.user.get(hook), 403, "permission_denied")
			ok(t, c.viewer.get(hook))
			refused(t, c.viewer.patch(hook, obj{"enabled": false}), 403, "permission_denied")
			is.True(!strings.Contains(string(ok(t, c.operator().get("/v1/webhooks")).body), plain.URL))
			ok(t, c.operator().get("/v1/webhooks/"+hook[strings.LastIndex(hook, "/")+1:])) // operators can stop any
		})

		t.Run("it belongs to the organization, not to who has made it", func(t *testing.T) {
			ok(t, c.owner.remove(c.org, c.admin))
			n := len(plain.arrived())
			ok(t, c.owner.rename(c.org, unique("Acme")))
			arrived(plain, n+1)
			refused(t, c.admin.get(hook), 404, "not_found")
		})

		t.Run("the history shows who has changed what", func(t *testing.T) {
			is := is.New(t)
			ok(t, c.owner.patch(hook, obj{"enabled": false, "reason": "The receiver moves."}))
			ok(t, c.owner.patch(hook, obj{"enabled": true}))
			var shown []string
			for _, e := range c.owner.history(t, c.org) {
				if e.Stream == "webhook" {
					shown = append(shown, e.Type+" "+e.Actor.ID+" "+e.Reason)
				}
			}
			is.Equal(shown, []string{
				"webhook.registered.v1 " + c.admin.AccountID + " ", "webhook.registered.v1 " + c.owner.AccountID + " ",
				"webhook.disabled.v1 " + c.owner.AccountID + " The receiver moves.", "webhook.enabled.v1 " + c.owner.AccountID + " ",
			})
		})

		t.Run("only those who may manage webhooks see the whole address", func(t *testing.T) {
			is := is.New(t)
			ok(t, c.owner.patch(hook, obj{"url": plain.URL + urlSecret + "-2"}))
			id := hook[strings.LastIndex(hook, "/")+1:]
			shown := func(as client, path string) string { return string(ok(t, as.get(path)).body) }
			reader := c.follower(t, "organizations.read")
			for _, path := range []string{hook, orgPath(c.org, "webhooks"), orgPath(c.org, "history")} {
				is.True(strings.Contains(shown(c.owner.client, path), urlSecret) && strings.Contains(shown(c.operator(), path), urlSecret))
				for _, as := range []client{c.viewer.client, reader} {
					masked := shown(as, path)
					is.True(strings.Contains(masked, plain.URL+"/…#"))
					is.True(!strings.Contains(masked, "t0ken") && !strings.Contains(masked, "also-secret"))
				}
			}
			for _, e := range c.viewer.history(t, c.org) {
				if e.Type == "webhook.changed.v1" {
					is.True(e.Data["url_before"] != e.Data["url_after"])
					is.Equal(e.Data["url_after"], hookOf(t, c.viewer.client, hook).URL)
				}
			}
			is.True(strings.Contains(shown(c.operator(), "/v1/webhooks/"+id), urlSecret))
			is.True(!strings.Contains(shown(c.operator(), "/metrics"), "t0ken") && !s.stderr.contains("t0ken") && !s.stdout.contains("t0ken"))
		})

		t.Run("the delivery log has every attempt, and dead letters are tried again", func(t *testing.T) {
			is := is.New(t)
			plain.accept() // everything is refused from now on
			ok(t, c.owner.rename(c.org, unique("Acme")))
			eventually(t, "it fails", func() bool { return hookOf(t, c.owner.client, hook).Failing != nil })
			s.shiftClock(t, 80*time.Hour)
			eventually(t, "it is a dead letter", func() bool { return len(c.owner.letters(t, hook)) == 1 })
			letter := c.owner.letters(t, hook)[0]
			ok(t, c.owner.post(hook+"/retry", obj{"event_ids": []string{letter.EventID}}))
			retried := func(d deliveryDoc) bool { return d.Retry }
			eventually(t, "it was tried again in vain", func() bool { return slices.ContainsFunc(c.owner.deliveries(t, hook, ""), retried) })
			eventually(t, "it stays a dead letter", func() bool { return !c.owner.letters(t, hook)[0].Retrying })
			plain.accept(secret)
			n := len(plain.arrived())
			ok(t, c.owner.post(hook+"/retry", obj{}))
			is.Equal(arrived(plain, n+1)[n].ID, letter.EventID)
			eventually(t, "there are no dead letters", func() bool { return len(c.owner.letters(t, hook)) == 0 })
			refused(t, c.owner.post(hook+"/retry", obj{"event_ids": []string{letter.EventID}}), 422, "invalid")
			eventually(t, "the log says so", func() bool { return c.owner.deliveries(t, hook, "")[0].Outcome == "delivered" })
			log := c.owner.deliveries(t, hook, "")
			is.True(log[0].Retry && log[0].EventID == letter.EventID && log[0].Status == 200)
			is.True(slices.IsSortedFunc(log, func(a, b deliveryDoc) int { return b.At.Compare(a.At) }))
			for _, d := range log {
				is.True(d.Type != "" && d.Attempt > 0 && (d.Outcome == "delivered") == (d.Cause == ""))
			}
			given := c.owner.deliveries(t, hook, "&outcome=given_up")
			is.Equal(len(given), 1)
			is.Equal(given[0].Status, 401)
			for _, d := range c.owner.deliveries(t, hook, "&outcome=failed") {
				is.True(d.Cause == "status_401" && (d.NextAt.IsZero() || d.NextAt.After(d.At)))
			}
		})

		t.Run("where nothing arrives for days it is switched off, and who manages it is told", func(t *testing.T) {
			is := is.New(t)
			plain.accept()
			ok(t, c.owner.rename(c.org, unique("Acme")))
			eventually(t, "it fails", func() bool { return hookOf(t, c.owner.client, hook).Failing != nil })
			s.shiftClock(t, 80*time.Hour+121*time.Hour)
			eventually(t, "it is switched off", func() bool { return hookOf(t, c.owner.client, hook).Cause == "failing" })
			eventually(t, "the owner is told", func() bool {
				mails, err := s.mailbox.mails(c.owner.Email)
				return err == nil && slices.ContainsFunc(mails, func(m mail) bool { return strings.Contains(m.Subject, "was switched off") })
			})
			mails, _ := s.mailbox.mails(c.viewer.Email)
			is.True(!slices.ContainsFunc(mails, func(m mail) bool { return strings.Contains(m.Subject, "was switched off") }))
			n := len(plain.arrived())
			plain.accept(secret)
			ok(t, c.owner.patch(hook, obj{"enabled": true}))
			arrived(plain, n+1) // nothing is lost
		})

		t.Run("under a policy that lets nobody have it, it stops", func(t *testing.T) {
			ok(t, c.operator().publish(strings.ReplaceAll(club(t, 1), "      - webhooks.manage\n", "")))
			ok(t, c.operator().moveTo(c.org, "club", 1, toClub))
			eventually(t, "it is stopped", func() bool {
				return hookOf(t, c.operator(), "/v1/webhooks/"+hook[strings.LastIndex(hook, "/")+1:]).Cause == "policy"
			})
		})
	})
}

func hookOf(t *testing.T, c client, path string) webhookDoc {
	t.Helper()
	return decoded[webhookDoc](t, c.get(path))
}

// The end of an organization that is deleted arrives, with the work that is released by
// that; then there is no webhook any more. There are 10 of an organization at most, and
// none of them reaches the server's own network because the operators' may.
func TestX9_WebhooksOfAnOrganizationEndWithIt(t *testing.T) {
	onTheFolder(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t, withFlags("--webhooks-private"))
		owner := s.signUp(t, "Owner")
		org := s.found(t, owner, "delegated")
		guarded := newHooks(t)
		hook := owner.deliverOwn(t, org, guarded, obj{"personal": true})
		ok(t, owner.rename(org, unique("Acme")))
		eventually(t, "it is refused", func() bool {
			tried := owner.deliveries(t, hook, "")
			return len(tried) > 0 && tried[0].Cause == "not_https"
		})

		// Who looks for the names of the server's own network learns nothing.
		inside := decoded[receipt](t, owner.post(orgPath(org, "webhooks"), obj{"url": strings.Replace(guarded.URL, "http:", "https:", 1)}))
		s.issued.add(inside.Secret)
		probe := orgPath(org, "webhooks", inside.WebhookID)
		ok(t, owner.rename(org, unique("Acme")))
		eventually(t, "it looks as if nobody were there", func() bool {
			tried := owner.deliveries(t, probe, "")
			return len(tried) > 0 && tried[0].Cause == "unreachable" && tried[0].DurationMS == 0
		})
		failing := hookOf(t, owner.client, probe).Failing.(obj)
		is.Equal(failing["cause"], "unreachable")
		is.True(strings.HasSuffix(failing["at"].(string), ":00Z")) // not when it ended
		is.Equal(hookOf(t, s.operator(), "/v1/webhooks/"+inside.WebhookID).Failing.(obj)["cause"], "refused_address")
		is.Equal(s.operator().deliveries(t, "/v1/webhooks/"+inside.WebhookID, "")[0].Cause, "refused_address")
		for range 8 {
			made := decoded[receipt](t, owner.post(orgPath(org, "webhooks"), obj{"url": guarded.URL, "type": "organization.seat"}))
			s.issued.add(made.Secret)
		}
		refused(t, owner.post(orgPath(org, "webhooks"), obj{"url": guarded.URL}), 422, "invalid")
		is.Equal(len(guarded.arrived()), 0)

		s.stop(t)
		s.flags = append(s.flags, "--organization-webhooks-private")
		s.run(t)
		s.shiftClock(t, time.Minute)
		eventually(t, "it arrives", func() bool { return len(guarded.arrived()) == 2 })
		host := s.keyFor(t, "work.manage")
		for _, id := range []string{"1", "2", "3"} {
			ok(t, host.assignWork(org, owner, id, ""))
		}
		ok(t, owner.delete("/v1/organizations/"+org))
		eventually(t, "there is no webhook any more", func() bool {
			return s.operator().get("/v1/webhooks/"+hook[strings.LastIndex(hook, "/")+1:]).code() == "not_found"
		})
		var end []string
		for _, e := range guarded.arrived() {
			end = append(end, e.Type)
		}
		const released = "organization.work_released.v1"
		is.Equal(end[len(end)-4:], []string{"organization.deleted.v1", released, released, released})
	})
}
