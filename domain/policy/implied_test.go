package policy_test

import (
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
	. "tenure/domain/policy"
)

// chain has a role that implies one that implies another, and two that imply
// each other.
var chain = &Policy{
	Roles: []Role{
		{Name: "ALL", Implies: roles{"MOST"}, AdminLike: true},
		{Name: "MOST", Implies: roles{"SOME"}, Permissions: []domain.Permission{"most"}, Grants: roles{"SOME"}, AllSpaces: true},
		{Name: "SOME", Permissions: []domain.Permission{"some"}, Manages: roles{"SOME"}},
		{Name: "LEFT", Implies: roles{"RIGHT"}, Permissions: []domain.Permission{"left"}},
		{Name: "RIGHT", Implies: roles{"LEFT"}, Permissions: []domain.Permission{"right"}},
	},
	Members: Members{Permissions: []domain.Permission{"any"}},
}

func TestARoleImpliesOthersAndWhatTheyImply(t *testing.T) {
	is := is.New(t)
	is.Equal(chain.Effective(roles{"ALL"}), roles{"ALL", "MOST", "SOME"})
	is.Equal(chain.Effective(roles{"SOME", "MOST"}), roles{"MOST", "SOME"}) // in the policy's order, each once
	is.Equal(len(chain.Effective(nil)), 0)
	is.Equal(chain.Effective(roles{"RIGHT"}), roles{"LEFT", "RIGHT"}) // a circle ends
	is.Equal(chain.Permissions(roles{"ALL"}), []domain.Permission{"any", "most", "some"})
	is.True(chain.Allows(roles{"ALL"}, "some"))
	is.True(chain.Allows(roles{"LEFT"}, "right"))
	is.True(!chain.Allows(roles{"SOME"}, "most"))
	is.True(chain.MayGrant(roles{"ALL"}, "SOME"))
	is.True(chain.MayManage(roles{"ALL"}, roles{"SOME"}))
	is.True(!chain.MayManage(roles{"ALL"}, roles{"SOME", "MOST"}))
	is.True(chain.AllSpaces(roles{"ALL"}))
	is.True(!chain.AllSpaces(roles{"SOME"}))
	is.True(!chain.AdminLike(roles{"MOST"})) // implied one way only
	is.True(chain.Implies())
	is.True(!rules.Implies())
}

func TestEveryMemberMayWhatThePolicySays(t *testing.T) {
	is := is.New(t)
	is.True(chain.Allows(nil, "any"))
	is.Equal(chain.Permissions(nil), []domain.Permission{"any"})
	is.True(!chain.Allows(nil, "some"))
	is.True(chain.MayManage(roles{"SOME"}, nil)) // a member without a role has none that protects
}

// guarded has a role that implies another which nobody gives, manages or holds
// twice.
var guarded = &Policy{Roles: []Role{
	{Name: "CHIEF", Implies: roles{"LEAD"}, Grants: roles{"CHIEF", "LEAD", "BOSS", "HR", "USER"}, Manages: roles{"CHIEF", "LEAD", "BOSS", "HR", "USER"}},
	{Name: "LEAD", Implies: roles{"BOSS"}},
	{Name: "BOSS", Exclusive: true, Manages: roles{"BOSS"}},
	{Name: "HR", Grants: roles{"LEAD", "USER"}, Manages: roles{"LEAD", "USER", "HR"}},
	{Name: "USER"},
}}

func TestARoleIsGivenManagedAndExclusiveWithAllThatItImplies(t *testing.T) {
	is := is.New(t)
	is.True(!guarded.MayGrant(roles{"HR"}, "LEAD")) // nor the BOSS in it
	is.True(guarded.MayGrant(roles{"HR"}, "USER"))
	is.True(guarded.MayGrant(roles{"CHIEF"}, "CHIEF"))
	is.True(!guarded.MayManage(roles{"HR"}, roles{"LEAD"}))
	is.True(!guarded.MayManage(roles{"HR"}, roles{"USER", "CHIEF"}))
	is.True(guarded.MayManage(roles{"HR", "BOSS"}, roles{"LEAD"})) // roles add up
	is.True(guarded.MayManage(roles{"CHIEF"}, roles{"LEAD", "HR"}))
	for _, r := range (roles{"CHIEF", "LEAD", "BOSS"}) {
		is.True(guarded.Exclusive(roles{r}))
	}
	is.True(!guarded.Exclusive(roles{"HR", "USER"}))
}
