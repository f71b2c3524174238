package policy_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	. "tenure/domain/policy"
)

type roles = []domain.Role

var rules = &Policy{
	Roles: []Role{
		{Name: "KING", AdminLike: true, Permissions: []domain.Permission{"b", "a"}, Grants: roles{"DUKE"}, Manages: roles{"DUKE", "HAND"}},
		{Name: "DUKE", Permissions: []domain.Permission{"b", "c"}, Grants: roles{"HAND"}, Manages: roles{"HAND"}},
		{Name: "HAND"},
	},
	Ownership: &Ownership{Role: "KING", Candidates: roles{"DUKE", "HAND"}},
	Refusals:  map[domain.Code]Refusal{domain.CodeLastAdmin: {Title: "Stop"}, domain.CodeInvalid: {Message: "Mend it."}, domain.CodeSeatsFull: {Message: "Make room.", Oneself: "Wait."}},
}

func TestSeveralRolesAddUp(t *testing.T) {
	is := is.New(t)
	is.True(rules.Allows(roles{"KING"}, "a"))
	is.True(!rules.Allows(roles{"DUKE"}, "a"))
	is.True(rules.Allows(roles{"HAND", "DUKE"}, "c"))
	is.True(!rules.Allows(nil, "a"))
	is.True(!rules.Allows(roles{"JOKER"}, "a"))
	is.Equal(rules.Permissions(roles{"KING", "DUKE", "JOKER"}), []domain.Permission{"a", "b", "c"})
	is.Equal(len(rules.Permissions(roles{"HAND"})), 0)

	is.True(rules.MayGrant(roles{"KING"}, "DUKE"))
	is.True(!rules.MayGrant(roles{"KING"}, "HAND"))
	is.True(rules.MayGrant(roles{"KING", "DUKE"}, "HAND"))

	is.True(rules.AdminLike(roles{"HAND", "KING"}))
	is.True(!rules.AdminLike(roles{"HAND", "DUKE"}))
}

func TestAManagerNeedsPowerOverEveryRole(t *testing.T) {
	is := is.New(t)
	is.True(rules.MayManage(roles{"DUKE"}, roles{"HAND"}))
	is.True(!rules.MayManage(roles{"DUKE"}, roles{"HAND", "DUKE"}))
	is.True(rules.MayManage(roles{"KING"}, roles{"HAND", "DUKE"}))
	is.True(!rules.MayManage(roles{"KING"}, roles{"KING"}))
	is.True(!rules.MayManage(roles{"HAND"}, roles{"HAND"}))
}

func TestOwnership(t *testing.T) {
	is := is.New(t)
	is.True(rules.Owns(roles{"HAND", "KING"}))
	is.True(!rules.Owns(roles{"DUKE"}))
	is.True(rules.MayBecomeOwner(roles{"DUKE"}))
	is.True(rules.MayBecomeOwner(roles{"DUKE", "HAND"}))
	is.True(!rules.MayBecomeOwner(roles{"DUKE", "KING"}))
	is.True(!rules.MayBecomeOwner(nil))

	var ownerless Policy
	is.True(!ownerless.Owns(roles{"KING"}))
	is.True(!ownerless.MayBecomeOwner(roles{"DUKE"}))
}

func TestRefusalsInThePolicysOwnWords(t *testing.T) {
	is := is.New(t)
	is.Equal(*rules.Refuse(domain.CodeLastAdmin, "Title", "Message"), domain.Error{Code: domain.CodeLastAdmin, Title: "Stop", Message: "Message"})
	is.Equal(*rules.Refuse(domain.CodeInvalid, "Title", "Message"), domain.Error{Code: domain.CodeInvalid, Title: "Title", Message: "Mend it."})
	is.Equal(*rules.Refuse(domain.CodeNotFound, "Title", "Message"), domain.Error{Code: domain.CodeNotFound, Title: "Title", Message: "Message"})

	// What it says to those who manage others is not for the person themself.
	is.Equal(*rules.RefuseOneself(domain.CodeLastAdmin, "Title", "Message"), domain.Error{Code: domain.CodeLastAdmin, Title: "Stop", Message: "Message"})
	is.Equal(*rules.RefuseOneself(domain.CodeInvalid, "Title", "Message"), domain.Error{Code: domain.CodeInvalid, Title: "Title", Message: "Message"})
	is.Equal(*rules.RefuseOneself(domain.CodeSeatsFull, "Title", "Message"), domain.Error{Code: domain.CodeSeatsFull, Title: "Title", Message: "Wait."})
}

func TestRolesByName(t *testing.T) {
	is := is.New(t)
	r, ok := rules.Role("DUKE")
	is.True(ok)
	is.Equal(r.Grants, roles{"HAND"})
	_, ok = rules.Role("JOKER")
	is.True(!ok)
}
