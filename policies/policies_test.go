package policies_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/policy"
	"tenure/policies"
)

func TestOwnershipIsThePolicyOfItsSource(t *testing.T) {
	is := is.New(t)
	p, ok := policies.Builtin().Latest("ownership")
	is.True(ok)

	everyone := []domain.Role{"OWNER", "ADMIN", "USER", "VIEWER"}
	is.Equal(roleNames(p), everyone)
	is.Equal(p.Members, policy.Members{FounderRoles: []domain.Role{"OWNER"}, MinimumAdmins: 1})
	is.Equal(*p.Ownership, policy.Ownership{
		Role: "OWNER", Candidates: []domain.Role{"ADMIN", "USER"}, PreviousOwnerBecomes: "ADMIN", TransferLifetime: 24 * time.Hour,
	})
	is.Equal(p.Invitations, policy.Invitations{Lifetime: 7 * 24 * time.Hour, UsernameRequired: true, RevokeWhenInviterLeaves: true})

	// Who may do what: one line a permission, one column a role.
	table := []struct {
		permission domain.Permission
		roles      string
	}{
		{domain.ReadOrganization, "OWNER ADMIN USER VIEWER"},
		{domain.UpdateOrganization, "OWNER ADMIN"},
		{domain.ReadMembers, "OWNER ADMIN VIEWER"},
		{domain.InviteMembers, "OWNER ADMIN"},
		{domain.ChangeRoles, "OWNER ADMIN"},
		{domain.RemoveMembers, "OWNER ADMIN"},
		{domain.ReadInvitations, "OWNER ADMIN VIEWER"},
		{domain.TransferOwnership, "OWNER"},
		{domain.ReadHistory, "OWNER ADMIN VIEWER"},
		{domain.ReadSettings, "OWNER ADMIN VIEWER"},
		{domain.UpdateSettings, "OWNER ADMIN"},
		{domain.ReadWebhooks, "OWNER ADMIN VIEWER"},
		{domain.ManageWebhooks, "OWNER ADMIN"},
		{"app:delivery.read", "OWNER ADMIN USER VIEWER"},
		{"app:delivery.manage", "OWNER ADMIN USER"},
		{"app:endpoints.read", "OWNER ADMIN USER VIEWER"},
		{"app:endpoints.manage", "OWNER ADMIN"},
		{"app:targets.read", "OWNER ADMIN USER VIEWER"},
		{"app:targets.manage", "OWNER ADMIN"},
		{"app:settings.read", "OWNER ADMIN VIEWER"},
		{"app:settings.manage", "OWNER ADMIN"},
	}
	for _, role := range everyone {
		var expected []domain.Permission
		for _, line := range table {
			if slices.Contains(strings.Fields(line.roles), string(role)) {
				expected = append(expected, line.permission)
			}
		}
		slices.Sort(expected)
		is.Equal(p.Permissions([]domain.Role{role}), expected) // permissions of a role
		for _, other := range everyone {
			manager := role == "OWNER" || role == "ADMIN"
			is.Equal(p.MayGrant([]domain.Role{role}, other), manager && other != "OWNER")
			is.Equal(p.MayManage([]domain.Role{role}, []domain.Role{other}), role == "OWNER" || (role == "ADMIN" && other != "OWNER"))
		}
		is.Equal(p.AdminLike([]domain.Role{role}), role == "OWNER" || role == "ADMIN")
	}
}

func TestOwnershipRefusesInTheWordsOfItsSource(t *testing.T) {
	is := is.New(t)
	p, _ := policies.Builtin().Latest("ownership")
	for code, words := range map[domain.Code]string{
		domain.CodePermissionDenied:    "Admin access required",
		domain.CodeEmailTaken:          "Invite conflict",
		domain.CodeUsernameTaken:       "Invite conflict",
		domain.CodeInvitationExpired:   "Invite expired",
		domain.CodeInvitationAccepted:  "Accepted invitations cannot be revoked",
		domain.CodeOwnerProtected:      "The current owner cannot be demoted or removed directly. Transfer ownership first.",
		domain.CodeSelfRemoval:         "Admins cannot remove themselves",
		domain.CodeLastAdmin:           "at least one active admin-like member (OWNER or ADMIN)",
		domain.CodeMemberRemoved:       "Removed users cannot be modified",
		domain.CodeRoleNotGranted:      "Use ownership transfer after the user joins",
		domain.CodeTransferNotOffered:  "Only the current owner can transfer organization ownership",
		domain.CodeTransferNotEligible: "Ownership cannot be transferred to yourself, removed users, VIEWER members, or the current owner",
	} {
		refusal := p.Refuse(code, "", "")
		is.True(strings.Contains(refusal.Title+"\n"+refusal.Message, words)) // the source's words
		is.True(refusal.Title != "" && refusal.Message != "")
	}
}

func TestCatalogueKeepsEveryVersion(t *testing.T) {
	is := is.New(t)
	second := strings.Replace(small, "version: 1", "version: 2", 1)
	tenth := strings.Replace(small, "version: 1", "version: 10", 1)
	c, err := policies.Load(fstest.MapFS{
		"small.yaml": {Data: []byte(small)}, "small-10.yaml": {Data: []byte(tenth)}, "small-2.yaml": {Data: []byte(second)},
		"other.yaml": {Data: []byte(strings.Replace(small, "name: small", "name: another", 1))}, "README.md": {Data: []byte("not a policy")},
	})
	is.NoErr(err)
	is.Equal(c.Names(), []string{"another", "small"})
	latest, ok := c.Latest("small")
	is.True(ok)
	is.Equal(latest.Version, 10)
	for _, version := range []int{1, 2, 10} {
		p, ok := c.Get("small", version)
		is.True(ok)
		is.Equal(p.Version, version)
	}
	_, ok = c.Get("small", 3)
	is.True(!ok) // no such version
	_, ok = c.Get("none", 1)
	is.True(!ok) // no such policy
	_, ok = c.Latest("none")
	is.True(!ok)

	_, err = policies.Load(fstest.MapFS{"a.yaml": {Data: []byte(small)}, "b.yaml": {Data: []byte(small)}})
	is.True(err != nil && strings.Contains(err.Error(), "b.yaml: version 1 of small stands in another file"))
	_, err = policies.Load(fstest.MapFS{"a.yaml": {Data: []byte("name: [")}})
	var wrong *policies.Error
	is.True(errors.As(err, &wrong))
	is.True(strings.Contains(err.Error(), "a.yaml"))
}

func TestBuiltinNamesAreTheirFiles(t *testing.T) {
	is := is.New(t)
	c := policies.Builtin()
	is.True(slices.Contains(c.Names(), "ownership"))
	for _, name := range c.Names() {
		p, _ := c.Latest(name)
		same, ok := c.Get(name, p.Version)
		is.True(ok)
		is.True(same == p) // one and the same
		_, err := os.Stat(name + ".yaml")
		is.NoErr(err)
	}
}

// What an organization is under does not change its meaning, nor stop to have one,
// when a release is stricter with new documents.
func TestAPublishedDocumentIsReadAgainWithoutNewChecks(t *testing.T) {
	is := is.New(t)
	c := policies.Builtin()
	for _, name := range c.Names() {
		p, _ := c.Latest(name)
		again, err := c.Reread(c.Document(p))
		is.NoErr(err)
		is.Equal(again, p)
	}
	circular := []byte(strings.Replace(chained, "    admin_like: true\n", "    admin_like: true\n    implies: [LEAD]\n", 1))
	_, err := policies.Parse(circular)
	is.True(err != nil)
	p, err := policies.Reread(circular)
	is.NoErr(err)
	is.True(p.MayGrant([]domain.Role{"HR"}, "LEAD")) // by what it implies
	_, err = policies.Reread([]byte("name: ["))
	is.True(err != nil)
}

// The schema lists the permissions and codes of package domain: a new one there
// has to be written into the schema as well.
func TestSchemaKnowsTheVocabulary(t *testing.T) {
	is := is.New(t)
	schema, err := os.ReadFile("policy.schema.json")
	is.NoErr(err)
	permissions, codes := constants(t, "../domain/role.go", "Permission"), constants(t, "../domain/error.go", "Code")
	is.True(len(permissions) >= 9 && len(codes) >= 30)
	for _, p := range permissions {
		_, err := policies.Parse([]byte(strings.Replace(small, "app:work.do", p, 1)))
		is.True(err == nil || !strings.Contains(err.Error(), "Give one of Tenure's permissions")) // p is known
	}
	for _, code := range codes {
		_, err := policies.Parse([]byte(small + "refusals: {" + code + ": {title: T, message: M}}\n"))
		is.NoErr(err)
	}
	listed := regexp.MustCompile(`"([a-z_]+)": \{\s*"\$ref": "#/\$defs/refusal"`).FindAllSubmatch(schema, -1)
	is.Equal(len(listed), len(codes)) // nothing besides
}

func roleNames(p *policy.Policy) []domain.Role {
	var names []domain.Role
	for _, r := range p.Roles {
		names = append(names, r.Name)
	}
	return names
}

// constants lists the values of a file's constants of a type.
func constants(t *testing.T, file, ofType string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	is.New(t).NoErr(err)
	var values []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == ofType {
			values = append(values, strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`))
		}
		return true
	})
	return values
}

// small is a policy with as little as it takes.
const small = `name: small
version: 1
summary: As little as it takes.
roles:
  - name: BOSS
    summary: Manages everybody.
    admin_like: true
    grants: [BOSS, HAND]
    manages: [BOSS, HAND]
    permissions: [members.invite, members.change_roles, members.remove]
  - name: HAND
    summary: Works.
    permissions: ["app:work.do"]
members:
  founder_roles: [BOSS]
  minimum_admins: 1
invitations:
  lifetime: 7 days
`
