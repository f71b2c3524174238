package acceptance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestD5_TheListOfUsers(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		d := b.start(t, withFlags("--session-lifetime", "1000h")).newDelegation(t)
		is := is.New(t)
		const avatar = "https://example.com/member.png"
		ok(t, d.member.put("/v1/me/avatar", map[string]any{"avatar_url": avatar}))
		for _, wrong := range []string{"http://example.com/a.png", "javascript:alert(1)", "https://", "https://a@example.com/a.png"} {
			refused(t, d.member.put("/v1/me/avatar", map[string]any{"avatar_url": wrong}), 422, "invalid")
		}
		list := d.users.users(t, d.org, "?status=present&include=profile&limit=2") // in pages
		is.Equal(len(list), 5)
		is.True(slices.IsSortedFunc(list, func(a, b userDoc) int {
			return strings.Compare(strings.ToLower(a.DisplayName), strings.ToLower(b.DisplayName))
		}))
		member, found := find(list, func(u userDoc) bool { return u.AccountID == d.member.AccountID })
		is.True(found)
		is.Equal(member.DisplayName, d.member.Name)
		is.Equal(member.Email, d.member.Email)
		is.Equal(member.Roles, []string{"MEMBER"})
		is.Equal(member.AvatarURL, avatar)
		is.Equal(member.Spaces, []string{d.spaces[0]})
		is.True(member.LastActiveAt != nil && !member.AllSpaces)
		admin, _ := find(list, func(u userDoc) bool { return u.AccountID == d.admin.AccountID })
		is.True(admin.AllSpaces)

		// Pending until the invitation is accepted.
		pending, found := find(list, func(u userDoc) bool { return u.Status == "invited" })
		is.True(found)
		is.Equal(pending.Email, d.invitee.Email)
		is.Equal(pending.InvitationID, d.invitation)
		is.True(pending.LastActiveAt == nil && pending.AccountID == "")
		is.Equal(len(d.users.users(t, d.org, "?status=invited")), 1)
		is.Equal(len(d.users.users(t, d.org, "")), 4) // members are those who have accepted
		is.Equal(len(d.users.users(t, d.org, "?status=present&role=MEMBER&sort=-joined_at")), 2)

		// Found by part of a name or an address, whoever it is.
		for _, who := range []*person{d.member, d.biller, d.invitee} {
			for _, q := range []string{who.Name[:len(who.Name)-1], who.Email} {
				hits := d.users.users(t, d.org, "?status=present&q="+q)
				_, found := find(hits, func(u userDoc) bool { return u.Email == who.Email })
				is.True(found)
			}
		}
		ok(t, d.invitee.acceptNew(d.invitationTo(t, d.invitee.Email)))
		is.Equal(len(d.users.users(t, d.org, "?status=invited")), 0)
		list = d.users.users(t, d.org, "?status=present&include=profile")
		joined, _ := find(list, func(u userDoc) bool { return u.Email == d.invitee.Email })
		is.Equal(joined.Status, "active")
		is.True(joined.LastActiveAt != nil)

		// A session that is in use counts once a day, without a write for each read.
		seen := *member.LastActiveAt
		d.shiftClock(t, 25*time.Hour)
		ok(t, d.member.get("/v1/me"))
		later := d.users.user(t, d.org, d.member).LastActiveAt
		is.True(later.Sub(seen) >= 24*time.Hour)
		for range 3 {
			ok(t, d.member.get("/v1/me"))
		}
		is.Equal(d.users.user(t, d.org, d.member).LastActiveAt, later)

		before := d.users.users(t, d.org, "?status=present&include=profile")
		d.restart(t)
		is.Equal(d.users.users(t, d.org, "?status=present&include=profile"), before)
	})
}

func TestD6_AddingAUserWithSpaces(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		d := b.start(t).newDelegation(t)
		is := is.New(t)
		for i := len(d.spaces); i < 12; i++ {
			d.spaces = append(d.spaces, d.space(t, fmt.Sprint("Space ", i)))
		}
		const words = "You can only assign a user to 10 spaces at this point. To assign more, add the user at the respective spaces."
		// The second step of the dialog, while the invitation is open.
		is.Equal(refused(t, d.users.assignInvitee(d.org, d.invitation, d.spaces[:11]...), 422, "too_many_spaces").Detail, words)
		ok(t, d.users.assignInvitee(d.org, d.invitation, d.spaces[:10]...))
		is.Equal(len(d.users.users(t, d.org, "?status=invited")[0].Spaces), 10)
		d.tokenTo(t, d.invitee.Email, invitePage, 1)
		ok(t, d.users.resend(d.org, d.invitation))
		ok(t, d.users.deleteSpace(d.org, d.spaces[9]))
		d.restart(t)
		accepted := decoded[receipt](t, d.invitee.acceptNew(d.tokenTo(t, d.invitee.Email, invitePage, 2)))
		d.invitee.enter(*accepted.Session)
		is.Equal(len(d.users.user(t, d.org, d.invitee).Spaces), 9) // the deleted one is left out
		is.Equal(len(d.invitee.spaceNames(t, d.org, "?limit=4")), 9)
		is.Equal(d.invitee.spaceNames(t, d.org, "?q=nor"), []string{"North"})

		// At once with the invitation, or skipped.
		both := d.newPerson("Both")
		body := map[string]any{"email": both.Email, "roles": []string{"MEMBER"}, "spaces": d.spaces[:2]}
		ok(t, d.users.inviteWith(d.org, body))
		decodedBoth := decoded[receipt](t, both.acceptNew(d.invitationTo(t, both.Email)))
		both.enter(*decodedBoth.Session)
		is.Equal(both.spaceNames(t, d.org, "?sort=-name"), []string{"South", "North"})
		body["email"], body["spaces"] = unique("eleven")+"@example.com", d.spaces[:11]
		refused(t, d.users.inviteWith(d.org, body), 404, "not_found") // one was deleted
		body["spaces"] = append(append([]string{}, d.spaces[:9]...), d.spaces[10], d.spaces[11])
		is.Equal(refused(t, d.users.inviteWith(d.org, body), 422, "too_many_spaces").Detail, words)
		is.Equal(d.member.spaceNames(t, d.org, ""), []string{"North"})
	})
}

func TestD7_EditingAUserInOneSave(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		d := b.start(t).newDelegation(t)
		is := is.New(t)
		tag := ok(t, d.admin.get(orgPath(d.org, "members", d.member.AccountID))).header.Get("ETag")
		save := map[string]any{"roles": []string{"USER_ADMIN"}, "spaces": d.spaces[1:], "reason": "Takes over."}
		r := decoded[receipt](t, d.admin.edit(d.org, d.member, save, ifMatch(tag)))
		is.Equal(r.types(), "organization.roles_changed organization.spaces_assigned")
		refused(t, d.admin.edit(d.org, d.member, save, ifMatch(tag)), 412, "revision_mismatch")
		u := d.admin.user(t, d.org, d.member)
		is.Equal(u.Roles, []string{"USER_ADMIN"})
		is.Equal(len(u.Spaces), 2)
		is.Equal(len(decoded[receipt](t, d.admin.edit(d.org, d.member, save)).Events), 0)
		// Both or neither.
		refused(t, d.admin.edit(d.org, d.member, map[string]any{"roles": []string{"MEMBER"}, "spaces": []string{d.org}}), 404, "not_found")
		is.Equal(d.admin.user(t, d.org, d.member), u)
		refused(t, d.admin.edit(d.org, d.member, map[string]any{}), 422, "invalid")

		h := d.admin.historyOf(t, d.org, d.member)
		last := h[len(h)-1]
		is.Equal(last.Type, "organization.spaces_assigned.v1")
		is.Equal(last.Reason, "Takes over.")
		is.Equal(last.Data["before"], []any{d.spaces[0]})
		d.rebuild(t)
		is.Equal(d.admin.user(t, d.org, d.member), u)
	})
}
