package acceptance

import (
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestX9_WhoMayReadWhat tries every reader on every part of the feed, in every
// form: whether they are let in, whose events they get, and whether personal data
// is in them.
func TestX9_WhoMayReadWhat(t *testing.T) {
	onBothLogs(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)
		other := c.signUp(t, "Other")
		elsewhere := decoded[receipt](t, other.activate(unique("Elsewhere"))).OrganizationID
		out := c.newMember(t, "ADMIN")
		revoked := decoded[receipt](t, c.operator().createKey("revoked", "events.read"))
		ok(t, c.operator().delete("/v1/operator/api-keys/"+revoked.APIKeyID))
		ok(t, out.delete("/v1/sessions/current"))

		for _, reader := range []struct {
			name     string
			client   client
			all      string // what happens without an organization
			own      string
			foreign  string
			personal bool
		}{
			{"nobody", c.anonymous(), "not_signed_in", "not_signed_in", "not_signed_in", false},
			{"a session that has ended", out.client, "not_signed_in", "not_signed_in", "not_signed_in", false},
			{"a revoked key", client{server: c.server, token: revoked.Key}, "not_signed_in", "not_signed_in", "not_signed_in", false},
			{"the OWNER", c.owner.client, "permission_denied", "", "not_found", false},
			{"an ADMIN", c.admin.client, "permission_denied", "", "not_found", false},
			{"a VIEWER", c.viewer.client, "permission_denied", "", "not_found", false},
			{"a USER, whose role has no history.read", c.user.client, "permission_denied", "permission_denied", "not_found", false},
			{"a removed member", c.removed.client, "permission_denied", "not_found", "not_found", false},
			{"somebody", c.stranger.client, "permission_denied", "not_found", "not_found", false},
			{"a key for other things", c.follower(t, "organizations.read", "access.check"), "permission_denied", "permission_denied", "permission_denied", false},
			{"a key with personal data alone", c.follower(t, "events.read_personal"), "permission_denied", "permission_denied", "permission_denied", false},
			{"a key for events", c.follower(t, "events.read"), "", "", "", false},
			{"a key for events with personal data", c.follower(t, "events.read", "events.read_personal"), "", "", "", true},
			{"an operator", c.operator(), "", "", "", true},
		} {
			t.Run(reader.name, func(t *testing.T) {
				is := is.New(t)
				for _, part := range []struct{ query, refusal, organization string }{
					{"", reader.all, ""}, {"&organization=" + c.org, reader.own, c.org}, {"&organization=" + elsewhere, reader.foreign, elsewhere},
					{"&type=organization.member_joined", reader.all, ""}, {"&type=organization.member_joined&organization=" + c.org, reader.own, c.org},
				} {
					if part.refusal != "" {
						for _, accept := range []string{"application/json", "application/x-ndjson", "text/event-stream"} {
							is.Equal(reader.client.get("/v1/events?limit=1"+part.query, header("Accept", accept)).code(), part.refusal)
						}
						continue
					}
					pages, _ := reader.client.feed(t, part.query)
					is.True(len(pages) > 0 || strings.Contains(part.query, elsewhere))
					is.Equal(eventIDs(reader.client.lines(t, part.query)), eventIDs(pages))
					streamed := reader.client.stream(t, part.query, "").take(t, len(pages))
					is.Equal(eventIDs(streamed), eventIDs(pages))
					for _, e := range slices.Concat(pages, streamed, reader.client.lines(t, part.query)) {
						is.True(part.organization == "" || e.Organization == part.organization)
						if e.Type == "organization.member_joined.v1" {
							_, email := e.Data["email"]
							_, name := e.Data["display_name"]
							is.True(email == reader.personal && name == reader.personal)
						}
					}
				}
			})
		}
	})
}
