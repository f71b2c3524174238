package httpapi_test

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"net/url"
	"strings"
	"testing"
	"time"
)

// pastOf is an organization in which something has happened every hour.
type pastOf struct {
	*stack
	org          string
	owner, admin person
	founded      string // positions
	joined       string // the admin
	invited      string
	last         string
}

func newPast(t *testing.T) *pastOf {
	s := newStack(t)
	p := &pastOf{stack: s, owner: s.person("owner@example.com")}
	hour := func() { s.offset.Add(int64(time.Hour)) }
	p.org, p.founded = s.organization(p.owner, "Engines")
	hour()
	p.admin = s.member(p.owner, p.org, "admin@example.com", "ADMIN")
	p.joined = s.want(200, "GET", "/v1/organizations/"+p.org+"/history/diff?from=1", p.owner.token, nil).header.Get("Tenure-Position")
	hour()
	_, position := s.invite(p.owner, p.org, "guest@example.com", "guest", "USER")
	_ = position
	p.invited = s.want(200, "GET", "/v1/organizations/"+p.org+"/history/diff?from=1", p.owner.token, nil).header.Get("Tenure-Position")
	hour()
	s.want(200, "PUT", p.path("members", p.admin.id, "roles"), p.owner.token, map[string]any{"roles": []string{"USER"}, "reason": "=cmd|' /C calc'!A0"})
	hour()
	p.last = s.want(200, "DELETE", p.path("members", p.admin.id), p.owner.token, map[string]any{"reason": "Left."}).header.Get("Tenure-Position")
	hour()
	return p
}

func (p *pastOf) path(parts ...string) string {
	return "/v1/organizations/" + strings.Join(append([]string{p.org}, parts...), "/")
}

func (p *pastOf) get(path string, headers ...string) answer {
	p.Helper()
	return p.want(200, "GET", path, p.owner.token, nil, headers...)
}

func TestReadsShowThePast(t *testing.T) {
	p := newPast(t)
	names := func(a answer) (all []string) {
		for _, item := range a.object["items"].([]any) {
			all = append(all, item.(map[string]any)["email"].(string))
		}
		return all
	}
	p.is.Equal(names(p.get(p.path("members")+"?role=ADMIN&as_of="+p.joined)), []string{"admin@example.com"})
	p.is.Equal(names(p.get(p.path("members")+"?q=adm&as_of="+p.joined)), []string{"admin@example.com"})
	p.is.Equal(len(names(p.get(p.path("members")+"?as_of="+p.founded))), 1)
	p.is.Equal(len(names(p.get(p.path("members")+"?as_of="+p.last))), 1)
	p.is.Equal(len(names(p.get(p.path("invitations")+"?status=pending&as_of="+p.joined))), 0)
	p.is.Equal(names(p.get(p.path("invitations")+"?status=pending&as_of="+p.invited)), []string{"guest@example.com"})
	member := p.get(p.path("members", p.admin.id) + "?as_of=" + p.joined)
	p.is.Equal(member.object["roles"], []any{"ADMIN"})
	p.is.Equal(member.header.Get("Tenure-Position"), p.joined)
	p.is.Equal(member.header.Get("Cache-Control"), "private, max-age=60")
	p.is.True(strings.Contains(member.header.Get("Vary"), "Authorization"))
	p.is.Equal(p.get(p.path() + "?as_of=" + p.joined).object["members"], 2.0)
	p.is.Equal(p.get(p.path() + "?as_of=" + p.founded).object["members"], 1.0)
	p.is.Equal(len(names(p.get(p.path("spaces")+"?as_of="+p.founded))), 0)
	limits := func(asOf string) (taken, open any) {
		a := p.get(p.path("limits") + "?as_of=" + asOf).object
		return a["taken"], a["open_invitations"]
	}
	taken, open := limits(p.founded)
	p.is.Equal([]any{taken, open}, []any{1.0, 0.0})
	taken, open = limits(p.invited)
	p.is.Equal([]any{taken, open}, []any{2.0, 1.0})
	set := p.want(200, "PUT", p.path("settings"), p.owner.token, map[string]any{"settings": map[string]string{"city": "Bern"}}).header.Get("Tenure-Position")
	p.want(200, "PUT", p.path("settings"), p.owner.token, map[string]any{"settings": map[string]string{"city": "Basel"}})
	p.is.Equal(p.get(p.path("settings") + "?as_of=" + set).object["settings"], map[string]any{"city": "Bern"})
	p.is.Equal(p.get(p.path("settings") + "?as_of=" + p.last).object["settings"], map[string]any{})
	p.refused(404, "not_found", "GET", p.path("members", p.admin.id)+"?as_of="+p.founded, p.owner.token, nil)

	instant := url.QueryEscape(time.Now().Add(90 * time.Minute).Format(time.RFC3339Nano))
	a := p.get(p.path("members") + "?as_of=" + instant)
	p.is.Equal(a.header.Get("Tenure-Position"), p.joined)
	p.is.Equal(a.header.Get("Cache-Control"), "no-store")
	p.is.Equal(len(names(a)), 2)
}

func TestPagesOfThePastAreOfOnePosition(t *testing.T) {
	p := newPast(t)
	first := p.get(p.path("members") + "?limit=1&as_of=" + p.joined)
	cursor := first.str("next_cursor")
	p.is.True(cursor != "")
	second := p.get(p.path("members") + "?limit=1&as_of=" + p.joined + "&cursor=" + cursor)
	p.is.Equal(second.header.Get("Tenure-Position"), p.joined)
	p.is.Equal(second.str("next_cursor"), "")
	seen := func(a answer) string { return a.object["items"].([]any)[0].(map[string]any)["email"].(string) }
	p.is.True(seen(first) != seen(second))
	present := p.get(p.path("members") + "?limit=1").str("next_cursor")
	is := p.is
	for _, sealed := range []string{cursor, present} {
		raw, err := base64.RawURLEncoding.DecodeString(sealed)
		is.NoErr(err)
		for _, m := range []string{p.owner.id, p.admin.id, "owner", "admin"} {
			is.True(!bytes.Contains(bytes.ToLower(raw), []byte(m)))
		}
	}
	for _, wrong := range []string{"as_of=" + p.invited + "&cursor=" + cursor, "as_of=" + p.joined + "&cursor=" + present, "cursor=" + cursor, "as_of=" + p.joined + "&cursor=" + cursor + "x", "as_of=" + p.joined + "&cursor=" + cursor[1:]} {
		p.refused(422, "invalid", "GET", p.path("members")+"?limit=1&"+wrong, p.owner.token, nil)
	}
}

func TestMomentsThatCannotBeShown(t *testing.T) {
	p := newPast(t)
	for _, path := range []string{p.path(), p.path("members"), p.path("members", p.owner.id), p.path("invitations"), p.path("spaces"), p.path("settings"), p.path("limits"), p.path("history", "review")} {
		p.refused(400, "ahead_of_log", "GET", path+"?as_of=99999999", p.owner.token, nil)
		p.refused(400, "ahead_of_log", "GET", path+"?as_of=9999-01-01T00:00:00Z", p.owner.token, nil)
		early := p.refused(404, "not_founded", "GET", path+"?as_of=2001-01-01T00:00:00Z", p.owner.token, nil)
		p.is.True(strings.Contains(early.str("detail"), "founded on 20"))
		p.refused(422, "invalid", "GET", path+"?as_of=yesterday", p.owner.token, nil)
		p.refused(422, "invalid", "GET", path+"?as_of=", p.owner.token, nil) // a script with an empty variable
	}
	p.refused(422, "invalid", "GET", p.path("members")+"?include=profile&as_of="+p.joined, p.owner.token, nil)
	p.refused(422, "invalid", "GET", p.path("history", "diff")+"?from="+p.last+"&to="+p.joined, p.owner.token, nil)
	p.refused(422, "invalid", "GET", p.path("history", "diff"), p.owner.token, nil)
	p.refused(422, "invalid", "GET", p.path("history", "diff")+"?to=&from="+p.joined, p.owner.token, nil)
}

// The present decides who may look back.
func TestWhoMayLookBack(t *testing.T) {
	p := newPast(t)
	user, viewer := p.member(p.owner, p.org, "user@example.com", "USER"), p.member(p.owner, p.org, "viewer@example.com", "VIEWER")
	reader, _ := p.key("organizations.read")
	checker, _ := p.key("access.check")
	p.refused(404, "not_found", "GET", p.path("members")+"?as_of="+p.joined, p.admin.token, nil) // was an ADMIN then
	p.refused(403, "permission_denied", "GET", p.path()+"?as_of="+p.joined, user.token, nil)     // reads the organization, not its history
	p.want(200, "GET", p.path(), user.token, nil)
	p.want(200, "GET", p.path()+"?as_of="+p.joined, viewer.token, nil)
	p.want(200, "GET", p.path("members")+"?as_of="+p.joined, reader, nil)
	own := p.path("members", user.id)
	joined := p.want(200, "GET", own, user.token, nil)
	p.is.Equal(joined.str("status"), "active")
	now := p.get(p.path("history", "diff") + "?from=1").header.Get("Tenure-Position")
	p.want(200, "GET", own+"?as_of="+now, user.token, nil) // about oneself
	p.refused(404, "not_found", "GET", own+"?as_of="+p.joined, user.token, nil)

	ask := func(token, account, permission, asOf string) answer {
		p.Helper()
		return p.do("POST", "/access/v1/evaluation", token, map[string]any{
			"subject": map[string]any{"type": "user", "id": account}, "action": map[string]any{"name": permission},
			"resource": map[string]any{"type": "organization", "id": p.org}, "context": map[string]any{"as_of": asOf, "tenure_explain": true},
		})
	}
	for _, token := range []string{checker, p.owner.token, viewer.token} {
		was := ask(token, p.admin.id, "members.invite", p.joined)
		p.is.Equal(was.object["decision"], true)
		p.is.Equal(ask(token, p.admin.id, "members.invite", p.founded).object["decision"], false)
		p.is.Equal(ask(token, p.admin.id, "members.invite", p.last).object["decision"], false)
	}
	reason := func(a answer) any { return a.object["context"].(map[string]any)["reason"] }
	p.is.Equal(reason(ask(checker, p.admin.id, "members.invite", "2001-01-01T00:00:00Z")), "organization_unknown")
	p.is.Equal(ask(user.token, p.admin.id, "members.invite", p.joined).status, 403)
	p.is.Equal(ask(p.admin.token, p.owner.id, "members.invite", p.joined).status, 403)
	p.is.Equal(reason(ask(p.admin.token, p.admin.id, "members.invite", p.joined)), "not_a_member")
	p.is.Equal(reason(ask(user.token, user.id, "organization.read", p.joined)), "not_a_member")
	p.is.Equal(ask(user.token, user.id, "organization.read", now).object["decision"], true)
	for asOf, code := range map[string]string{"yesterday": "malformed", "": "malformed", "99999999": "ahead_of_log"} {
		a := ask(checker, p.admin.id, "members.invite", asOf)
		p.is.Equal(a.status, 400)
		p.is.Equal(a.str("code"), code)
	}
}

func TestDiff(t *testing.T) {
	p := newPast(t)
	a := p.get(p.path("history", "diff") + "?from=" + p.founded + "&to=" + p.invited)
	items := a.object["items"].([]any)
	p.is.Equal(len(items), 2)
	joined, opened := items[0].(map[string]any), items[1].(map[string]any)
	p.is.Equal(joined["change"], "joined")
	p.is.Equal(joined["before"], nil)
	p.is.Equal(joined["after"].(map[string]any)["roles"], []any{"ADMIN"})
	p.is.Equal(joined["event"].(map[string]any)["type"], "organization.member_joined.v1")
	p.is.Equal(opened["change"], "invitation_opened")
	p.is.Equal(opened["event"].(map[string]any)["type"], "invitation.issued.v1")
	p.is.Equal(a.object["from"].(map[string]any)["position"], p.founded)
	p.is.Equal(a.header.Get("Cache-Control"), "private, max-age=60")

	// Who joined and left in between is in neither.
	items = p.get(p.path("history", "diff") + "?from=" + p.founded + "&to=" + p.last).object["items"].([]any)
	p.is.Equal(len(items), 1)

	roles := p.get(p.path("history", "diff")+"?from="+p.invited+"&to="+p.last, "Accept", "text/csv")
	p.is.Equal(roles.header.Get("Content-Type"), "text/csv; charset=utf-8")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(roles.body), "\xef\xbb\xbf"))).ReadAll()
	p.is.NoErr(err)
	p.is.Equal(len(rows), 2)
	p.is.Equal(rows[1][1], "left")
	p.is.Equal(rows[1][10], "Left.")
	before := p.get(p.path("history", "diff") + "?format=csv&from=" + p.joined + "&to=" + url.QueryEscape(time.Now().Add(3*time.Hour+30*time.Minute).Format(time.RFC3339)))
	p.is.True(strings.Contains(string(before.body), "'=cmd|' /C calc'!A0")) // no formula
	whole := p.get(p.path("history", "diff") + "?from=2001-01-01T00:00:00Z&to=" + p.founded)
	p.is.Equal(whole.object["from"], map[string]any{})
	p.is.Equal(len(whole.object["items"].([]any)), 3) // the name, the policy, the founder
}

func TestReview(t *testing.T) {
	p := newPast(t)
	p.want(200, "PATCH", p.path(), p.owner.token, map[string]any{"name": "<script>alert(1)</script>"})
	a := p.get(p.path("history", "review"))
	p.is.Equal(a.header.Get("Content-Type"), "text/html; charset=utf-8")
	p.is.True(!strings.Contains(string(a.body), "<script"))
	p.is.True(strings.HasPrefix(a.header.Get("Content-Security-Policy"), "default-src 'none'"))
	p.is.True(!strings.Contains(string(a.body), "admin@example.com"))
	a = p.get(p.path("history", "review") + "?as_of=" + p.joined)
	for _, wanted := range []string{"admin@example.com", "ADMIN", "members.invite", "Person owner@example.com", "position " + p.joined} {
		p.is.True(strings.Contains(string(a.body), wanted))
	}
	table := p.get(p.path("history", "review")+"?as_of="+p.joined, "Accept", "text/csv")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(table.body), "\xef\xbb\xbf"))).ReadAll()
	p.is.NoErr(err)
	p.is.Equal(len(rows), 3)
	p.is.Equal(rows[1][2:6], []string{"admin@example.com", "admin", "active", "ADMIN"})
	p.is.True(strings.Contains(rows[1][6], "members.invite"))
	p.is.True(strings.Contains(rows[1][10], p.owner.id)) // who has invited
}
