package policies_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/domain/policy"
	"tenure/policies"
)

func TestParseFillsInWhatIsAbsent(t *testing.T) {
	is := is.New(t)
	p, err := policies.Parse([]byte(small))
	is.NoErr(err)
	is.Equal(*p, policy.Policy{
		Name: "small", Version: 1, Summary: "As little as it takes.",
		Roles: []policy.Role{
			{
				Name: "BOSS", Summary: "Manages everybody.", AdminLike: true,
				Grants: []domain.Role{"BOSS", "HAND"}, Manages: []domain.Role{"BOSS", "HAND"},
				Permissions: []domain.Permission{"members.invite", "members.change_roles", "members.remove"},
			},
			{Name: "HAND", Summary: "Works.", Permissions: []domain.Permission{"app:work.do"}},
		},
		Members:     policy.Members{FounderRoles: []domain.Role{"BOSS"}, MinimumAdmins: 1},
		Invitations: policy.Invitations{Lifetime: 7 * 24 * time.Hour, RevokeWhenInviterLeaves: true}, // X14: by default
	})
}

func TestParseReadsEverySetting(t *testing.T) {
	is := is.New(t)
	p, err := policies.Parse([]byte(owned + `refusals:
  last_admin: {title: Stop, message: Somebody has to stay., oneself: You have to stay.}
  email_taken: {title: Taken}
`))
	is.NoErr(err)
	is.Equal(p.Members, policy.Members{FounderRoles: []domain.Role{"KING", "HAND"}, SeveralRoles: true, MayRemoveOneself: true})
	is.Equal(*p.Ownership, policy.Ownership{
		Role: "KING", Candidates: []domain.Role{"HAND"}, PreviousOwnerBecomes: "HAND", TransferLifetime: 36 * time.Hour,
	})
	is.Equal(p.Invitations, policy.Invitations{Lifetime: 30 * time.Minute, UsernameRequired: true, Providers: []string{"any", "google"}})
	is.Equal(p.Refusals, map[domain.Code]policy.Refusal{
		domain.CodeLastAdmin:  {Title: "Stop", Message: "Somebody has to stay.", Oneself: "You have to stay."},
		domain.CodeEmailTaken: {Title: "Taken"},
	})
}

// Every mistake is one edit of a document that is right; the error names its
// line, its setting and what to do.
func TestParseSaysWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name     string
		document string
		old, new string
		problem  string // a whole line of the error
	}{
		{"unknown setting", small, "summary: As", "sumary: As", `line 3, column 1: sumary: Remove "sumary"; there is no such setting here. Did you mean "summary"?`},
		{"nothing near", small, "summary: As", "zzz: As", `line 3, column 1: zzz: Remove "zzz"; there is no such setting here.`},
		{"missing setting", small, "version: 1\n", "", `line 1, column 1: Add "version": a whole number from 1 that grows with every change of the document.`},
		{"missing inside", small, "  minimum_admins: 1\n", "", `line 15, column 3: members: Add "minimum_admins": how many active members with an admin_like role always remain: 0 or 1.`},
		{"doubled setting", small, "version: 1", "version: 1\nversion: 2", `line 3, column 1: version: Name the setting "version" once.`},
		{"text for a number", small, "version: 1", "version: one", `line 2, column 10: version: Give a whole number from 1 that grows with every change of the document. This is text.`},
		{"number for text", small, "summary: Works.", "summary: 7", `line 12, column 14: roles[1].summary: Give one line of text for people. This is a number.`},
		{"empty", small, "summary: Works.", "summary:", `line 12, column 13: roles[1].summary: Give one line of text for people. This is empty.`},
		{"empty text", small, "summary: Works.", `summary: ""`, `line 12, column 14: roles[1].summary: Give one line of text for people. This is empty.`},
		{"long text", small, "Works.", strings.Repeat("w", 501), `line 12, column 14: roles[1].summary: Give one line of text for people. This is longer than 500 characters.`},
		{"several lines", small, "summary: Works.", `summary: "a\nb"`, `line 12, column 14: roles[1].summary: Give one line of text for people.`},
		{"list for a group", small, "members:\n  founder_roles: [BOSS]\n  minimum_admins: 1", "members: [1]", `line 14, column 10: members: Give the rules for members. This is a list.`},
		{"group for a list", small, "[BOSS, HAND]\n    manages", "{BOSS: 1}\n    manages", `line 8, column 13: roles[0].grants: Give the roles that its holder may invite to and change members to. This is a group of settings.`},
		{"truth for a list", small, "[BOSS, HAND]\n    manages", "true\n    manages", `line 8, column 13: roles[0].grants: Give the roles that its holder may invite to and change members to. This is true or false.`},
		{"version 0", small, "version: 1", "version: 0", `line 2, column 10: version: Give a whole number from 1 that grows with every change of the document.`},
		{"two admins", small, "minimum_admins: 1", "minimum_admins: 2", `line 16, column 19: members.minimum_admins: Give how many active members with an admin_like role always remain: 0 or 1. This number is too large; the largest is 1.`},
		{"larger than any number", small, "version: 1", "version: 99999999999999999999", `line 2, column 10: version: Give a whole number from 1 that grows with every change of the document. This number is too large; the largest is 1000000.`},
		{"hundreds of digits", small, "version: 1", "version: " + strings.Repeat("9", 400), `line 2, column 10: version: Give a whole number from 1 that grows with every change of the document. This number is too large; the largest is 1000000.`},
		{"as small", small, "version: 1", "version: -99999999999999999999", `line 2, column 10: version: Give a whole number from 1 that grows with every change of the document.`},
		{"digits in quotes", small, "version: 1", `version: "99999999999999999999"`, `line 2, column 10: version: Give a whole number from 1 that grows with every change of the document. This is text.`},
		{"bad name", small, "name: small", "name: Small Policy", `line 1, column 7: name: Give the policy's name: small letters, digits and dashes, for example "ownership".`},
		{"no founder", small, "[BOSS]", "[]", `line 15, column 18: members.founder_roles: Give the roles of an organization's first member. This is empty.`},
		{"unknown permission", small, "members.remove", "member.remove", `line 10, column 57: roles[0].permissions[2]: Give one of Tenure's permissions, or one of the host product's, which start with "app:", for example "app:endpoints.read". Did you mean "members.remove"?`},
		{"permission of nothing", small, "app:work.do", "app:", `line 13, column 19: roles[1].permissions[0]: Give one of Tenure's permissions, or one of the host product's, which start with "app:", for example "app:endpoints.read".`},
		{"permission twice", small, "members.remove", "members.invite", `line 10, column 57: roles[0].permissions[2]: Leave this out; it stands in the list already.`},
		{"a provider that none can be", small, "  lifetime: 7 days\n", "  lifetime: 7 days\n  providers: [any, Google]\n", `line 19, column 20: invitations.providers[1]: Give the name of an identity provider in the server's settings, for example "google", or "any".`},
		{"no providers", small, "  lifetime: 7 days\n", "  lifetime: 7 days\n  providers: []\n", `line 19, column 14: invitations.providers: Give the list of identity providers that invitations may ask for, "any" for those that ask for none; when absent, none may be asked for. This is empty.`},
		{"unknown code", small, "  lifetime: 7 days\n", "  lifetime: 7 days\nrefusals: {lastadmin: {title: T}}\n", `line 19, column 12: refusals.lastadmin: Remove "lastadmin"; there is no such setting here. Did you mean "last_admin"?`},

		{"role twice", small, "name: HAND", "name: Boss", `line 11, column 11: roles[1].name: Choose another name; the role BOSS stands above.`},
		{"unknown grant", small, "grants: [BOSS, HAND]", "grants: [BOSS, HADN]", `line 8, column 20: roles[0].grants[1]: Name a role of this policy; "HADN" is none. Did you mean "HAND"?`},
		{"unknown managed role", small, "manages: [BOSS, HAND]", "manages: [BOSS, X]", `line 9, column 21: roles[0].manages[1]: Name a role of this policy; "X" is none.`},
		{"unknown founder", small, "founder_roles: [BOSS]", "founder_roles: [BOS]", `line 15, column 19: members.founder_roles[0]: Name a role of this policy; "BOS" is none. Did you mean "BOSS"?`},
		{"grants without use", small, "members.invite, members.change_roles, ", "", `line 8, column 13: roles[0].grants: Leave this out, or give BOSS the permission members.invite or members.change_roles.`},
		{"invites to nothing", small, "    grants: [BOSS, HAND]\n", "", `line 5, column 5: roles[0]: Add "grants": the roles that BOSS may give when it invites or changes members, or take members.invite and members.change_roles away.`},
		{"manages without use", small, "    permissions: [\"app", "    manages: [HAND]\n    permissions: [\"app", `line 13, column 14: roles[1].manages: Leave this out, or give HAND the permission members.change_roles or members.remove.`},
		{"removes nobody", small, "    manages: [BOSS, HAND]\n", "", `line 5, column 5: roles[0]: Add "manages": the roles whose holders BOSS may change or remove, or take members.change_roles and members.remove away.`},
		{"nobody manages", small, "    manages: [BOSS, HAND]\n", "", `line 5, column 3: roles: Let at least one role manage others: give it "manages" and the permission members.change_roles or members.remove.`},
		{"several founder roles", small, "[BOSS]", "[BOSS, HAND]", `line 15, column 18: members.founder_roles: Give exactly one role, or set several_roles to true.`},
		{"founder is no admin", small, "[BOSS]", "[HAND]", `line 15, column 18: members.founder_roles: Give the founder an admin_like role, or set minimum_admins to 0; an organization starts with its founder alone.`},
		{"transfer of nothing", small, "members.remove]", "members.remove, ownership.transfer]", `line 10, column 73: roles[0].permissions[3]: Leave this out, or add "ownership"; nobody owns an organization of this policy.`},
		{"lifetime", small, "7 days", "7 dais", `line 18, column 13: invitations.lifetime: "7 dais" is no length of time for a policy: give a number and a unit, for example "7 days" or "1 day 12 hours"; the units are weeks, days, hours and minutes.`},
		{"no lifetime", small, "7 days", "0 days", `line 18, column 13: invitations.lifetime: "0 days" is no length of time for a policy: give more than nothing and at most 365 days.`},
		{"too long a lifetime", small, "7 days", "366 days", `line 18, column 13: invitations.lifetime: "366 days" is no length of time for a policy: give more than nothing and at most 365 days.`},
		{"lifetime in numbers", small, "7 days", "7", `line 18, column 13: invitations.lifetime: Give a length of time up to 365 days, for example "7 days" or "1 day 12 hours". This is a number.`},

		{"granted ownership", owned, "grants: [HAND]", "grants: [HAND, KING]", `line 7, column 20: roles[0].grants[1]: Leave out KING; the owner's role changes hands by the ownership transfer alone.`},
		{"unknown owner", owned, "  role: KING", "  role: QUEEN", `line 19, column 9: ownership.role: Name a role of this policy; "QUEEN" is none.`},
		{"founder is not the owner", owned, "founder_roles: [KING, HAND]", "founder_roles: [HAND]", `line 14, column 18: members.founder_roles: Add KING; the founder is the first owner.`},
		{"owner cannot transfer", owned, "members.invite, members.remove, ownership.transfer", "members.invite, members.remove", `line 19, column 9: ownership.role: Give KING the permission ownership.transfer; the ownership could never change hands.`},
		{"owner is a candidate", owned, "candidates: [HAND]", "candidates: [HAND, KING]", `line 20, column 22: ownership.candidates[1]: Name another role; KING is the owner's own.`},
		{"unknown candidate", owned, "candidates: [HAND]", "candidates: [HAMD]", `line 20, column 16: ownership.candidates[0]: Name a role of this policy; "HAMD" is none. Did you mean "HAND"?`},
		{"owner stays", owned, "previous_owner_becomes: HAND", "previous_owner_becomes: KING", `line 21, column 27: ownership.previous_owner_becomes: Name another role; KING is the owner's own.`},
		{"unknown previous", owned, "previous_owner_becomes: HAND", "previous_owner_becomes: DUKE", `line 21, column 27: ownership.previous_owner_becomes: Name a role of this policy; "DUKE" is none.`},
		{"transfer lifetime", owned, "1 day 12 hours", "12 hours 1 day", `line 22, column 22: ownership.transfer_lifetime: "12 hours 1 day" is no length of time for a policy: name each unit once and larger ones first, for example "1 day 12 hours".`},
		{"transfer leaves no admin", strings.Replace(strings.Replace(strings.Replace(small, "founder_roles: [BOSS]", "founder_roles: [BOSS, KING]\n  several_roles: true", 1),
			"members:\n", "  - {name: KING, summary: Owns., permissions: [ownership.transfer]}\nmembers:\n", 1),
			"invitations:\n", "ownership: {role: KING, candidates: [BOSS], previous_owner_becomes: HAND, transfer_lifetime: 1 day}\ninvitations:\n", 1),
			"", "", `line 19, column 69: ownership.previous_owner_becomes: Make KING or HAND admin_like; a transfer to the last admin would leave none.`},

		{"implied by itself", chained, "implies: [BOSS]", "implies: [LEAD]", `line 12, column 15: roles[1].implies[0]: Leave out LEAD: a role implies neither itself nor the owner's.`},
		{"implied in a circle", chained, "    admin_like: true\n", "    implies: [LEAD]\n", `line 12, column 15: roles[1].implies[0]: Leave out BOSS: it implies LEAD already, and two roles cannot imply each other.`},
		{"implied in a wide circle", chained, "implies: [BOSS]", "implies: [HR]", `line 15, column 15: roles[2].implies[0]: Leave out LEAD: it implies HR already, and two roles cannot imply each other.`},
		{"grants less than it implies", chained, "grants: [BOSS, LEAD, HR]", "grants: [LEAD, HR]", `line 7, column 14: roles[0].grants[0]: Add BOSS, or leave out LEAD, which implies it: giving the one takes the right to do so with the other.`},
		{"manages less than it implies", chained, "manages: [BOSS, LEAD, HR]", "manages: [BOSS, HR]", `line 8, column 21: roles[0].manages[1]: Add LEAD, or leave out HR, which implies it: managing the one takes the right to do so with the other.`},
		{"no invitations", small, "invitations:\n  lifetime: 7 days\n", "", `line 1, column 1: Add "invitations": the rules for invitations.`},
		{"requests that nobody approves", small, "  lifetime: 7 days\n", "  lifetime: 7 days\nrequests: {roles: [HAND], by_domain: true, auto_activate: true}\n", `line 19, column 59: requests.auto_activate: Leave this out, or by_domain; whoever asks by an e-mail domain must be approved.`},
		{"onboarding to nothing", small, "  lifetime: 7 days\n", "  lifetime: 7 days\nonboarding: {}\n", `line 19, column 13: onboarding: Set by_domain to true, name the policy of the personal spaces, or leave this out; it says nothing.`},
		{"onboarding without requests", small, "  lifetime: 7 days\n", "  lifetime: 7 days\nonboarding: {by_domain: true}\n", `line 19, column 25: onboarding.by_domain: Add "requests" with by_domain: true; who comes second from an e-mail domain could not ask to join.`},
		{"onboarding with requests by hand", small, "  lifetime: 7 days\n", "  lifetime: 7 days\nrequests: {roles: [HAND]}\nonboarding: {by_domain: true}\n", `line 20, column 25: onboarding.by_domain: Add "requests" with by_domain: true; who comes second from an e-mail domain could not ask to join.`},
		{"no policy's name", small, "  lifetime: 7 days\n", "  lifetime: 7 days\nonboarding: {personal: My Own}\n", `line 19, column 24: onboarding.personal: Give the name of the policy of everybody's personal space, for example "personal"; nobody has one when absent.`},
		{"invites to a personal space", own, "[organization.read]", "[organization.read, members.invite]", `line 7, column 38: roles[0].permissions[1]: Leave this out; a personal space has one member for ever.`},
		{"everybody deletes a personal space", own, "personal: true", "personal: true\n  permissions: [organization.delete]", `line 11, column 17: members.permissions[0]: Leave this out; a personal space has one member for ever.`},
		{"exclusive in a personal space", own, "    admin_like: true\n", "    exclusive: true\n", `line 6, column 16: roles[0].exclusive: Leave this out; a personal space keeps nobody from a role elsewhere.`},
		{"leaving a personal space", own, "personal: true", "personal: true\n  may_remove_oneself: true", `line 11, column 23: members.may_remove_oneself: Leave this out; nobody leaves their own space.`},
		{"invitations to a personal space", own, "members:\n", "invitations: {lifetime: 7 days}\nmembers:\n", `line 9, column 14: invitations: Leave this out; a personal space has one member for ever.`},
		{"requests for a personal space", own, "members:\n", "requests: {roles: [ME]}\nmembers:\n", `line 9, column 11: requests: Leave this out; a personal space has one member for ever.`},

		{"anchor", small, "grants: [BOSS, HAND]", "grants: &all [BOSS, HAND]", `line 8, column 13: roles[0].grants: Write the value out: anchors, aliases, tags and infinite numbers are not read.`},
		{"tag", small, "version: 1", "version: !!int 1", `line 2, column 10: version: Write the value out: anchors, aliases, tags and infinite numbers are not read.`},
		{"merge", small, "version: 1", "<<: {version: 1}", `line 2, column 1: Name a setting in plain text, followed by a colon and its value; merges are not read.`},
		{"number as a name", small, "version: 1", "7: 1", `line 2, column 1: Name a setting in plain text, followed by a colon and its value; merges are not read.`},
		{"no YAML", small, "[BOSS]", "[BOSS", `line 16, column 3: Write valid YAML: ',' or ']' must be specified.`},
		{"two documents", small, "version: 1", "version: 1\n---\na: 1", `line 3, column 1: Write exactly one YAML document, without directives, into a file.`},
		{"a directive", small, "name: small", "%YAML 1.2\n---\nname: small", `line 1, column 1: Write exactly one YAML document, without directives, into a file.`},
		{"nothing", "", "", "", `line 1, column 1: Write exactly one YAML document, without directives, into a file.`},
		{"no settings", "policy", "", "", `line 1, column 1: Give the settings of a policy. This is text.`},
		{"not UTF-8", small, "Works.", "W\xff", `line 12, column 15: Write the document in UTF-8.`},
		{"too long", small, "Works.", strings.Repeat("w", 64<<10), `Shorten the document to at most 65536 bytes.`},
		{"too deep", small, "Works.", strings.Repeat("[", 33), `line 12, column 46: Close the brackets; too many are open at once.`},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			document := strings.Replace(c.document, c.old, c.new, 1)
			is.True(c.old == "" || document != c.document) // the edit found its place
			_, err := policies.Parse([]byte(document))
			var wrong *policies.Error
			is.True(errors.As(err, &wrong))
			lines := strings.Split(err.Error(), "\n")
			is.Equal(len(lines), len(wrong.Problems))
			if !slices.Contains(lines, c.problem) {
				t.Errorf("expected\n%s\nfound\n%s", c.problem, err)
			}
		})
	}
}

// chained has roles that imply others.
const chained = `name: chained
version: 1
summary: A role is with all that it implies.
roles:
  - name: BOSS
    summary: Manages everybody.
    grants: [BOSS, LEAD, HR]
    manages: [BOSS, LEAD, HR]
    permissions: [members.invite, members.change_roles, members.remove]
    admin_like: true
  - name: LEAD
    implies: [BOSS]
    summary: Is a boss.
    permissions: [members.invite, members.remove]
  - implies: [LEAD]
    name: HR
    summary: Is one by another role.
    permissions: []
members:
  founder_roles: [HR]
  minimum_admins: 1
invitations:
  lifetime: 7 days
`

// What a role implies counts for whatever is asked of it: an administrator's
// standing, and the roles that it gives and manages.
func TestWhatIsImpliedCounts(t *testing.T) {
	is := is.New(t)
	_, err := policies.Parse([]byte(chained))
	is.NoErr(err)
	_, err = policies.Parse([]byte(strings.NewReplacer("founder_roles: [HR]", "founder_roles: [KING, HR]\n  several_roles: true", "members:\n",
		"  - {name: KING, summary: Owns., implies: [TRADER], permissions: []}\n  - {name: TRADER, summary: Sells., permissions: [ownership.transfer]}\nmembers:\n",
		"invitations:\n", "ownership: {role: KING, candidates: [HR], previous_owner_becomes: HR, transfer_lifetime: 1 day}\ninvitations:\n").Replace(chained)))
	is.NoErr(err)
}

// own is a personal space with as little as it takes.
const own = `name: own
version: 1
summary: Somebody's own.
roles:
  - name: ME
    admin_like: true
    permissions: [organization.read]
    summary: Whose space it is.
members:
  personal: true
  founder_roles: [ME]
  minimum_admins: 1
`

func TestParseReadsWhatIsBehindAByteOrderMark(t *testing.T) {
	is := is.New(t)
	p, err := policies.Parse([]byte("\ufeff" + small))
	is.NoErr(err)
	is.Equal(p.Name, "small")
	_, err = policies.Parse([]byte("\ufeff" + strings.Replace(small, "name: small", "name: 7", 1)))
	is.True(strings.HasPrefix(err.Error(), "line 1, column 7: name: "))
}

func TestParseReportsEverythingAtOnceInOrder(t *testing.T) {
	is := is.New(t)
	document := strings.NewReplacer("version: 1", "version: one", "summary: Works.", "sumary: Works.", "[BOSS]", "[BOS]", "7 days", "soon").Replace(small)
	_, err := policies.Parse([]byte(document))
	var wrong *policies.Error
	is.True(errors.As(err, &wrong))
	var found []string
	for _, p := range wrong.Problems {
		found = append(found, p.Path)
	}
	is.Equal(found, []string{"version", "roles[1]", "roles[1].sumary", "members.founder_roles[0]", "invitations.lifetime"})
	is.Equal(wrong.Problems[0], policies.Problem{
		Line: 2, Column: 10, Path: "version",
		Message: "Give a whole number from 1 that grows with every change of the document. This is text.",
	})
}

func TestDurations(t *testing.T) {
	is := is.New(t)
	for text, expected := range map[string]time.Duration{
		"7 days": 7 * 24 * time.Hour, "24 hours": 24 * time.Hour, "1 day 12 hours": 36 * time.Hour, "1 minute": time.Minute,
		" 2  weeks\t1 day ": 15 * 24 * time.Hour, "365 days": policies.MaxDuration, "90 minutes": 90 * time.Minute, "1 hour 90 minutes": 150 * time.Minute,
	} {
		d, err := policies.ParseDuration(text)
		is.NoErr(err)
		is.Equal(d, expected)
	}
	for _, text := range []string{
		"", "7", "days", "7days", "7 days 3", "days 7", "-7 days", "+7 days", "7.5 days", "0 days", "0 days 0 hours", "366 days", "365 days 1 minute",
		"1 day 1 day", "1 hour 1 day", "7 Days", "7 months", "1 year", "99999999999999999999 days", "4294967295 weeks", "1 day, 2 hours", "٧ days",
	} {
		_, err := policies.ParseDuration(text)
		is.True(err != nil) // text is refused
	}
}

// owned is a policy with every setting but refusals.
const owned = `name: owned
version: 3
summary: Somebody owns it.
roles:
  - name: KING
    summary: Owns.
    grants: [HAND]
    manages: [HAND]
    permissions: [members.invite, members.remove, ownership.transfer]
  - name: HAND
    summary: Works.
    permissions: []
members:
  founder_roles: [KING, HAND]
  several_roles: true
  minimum_admins: 0
  may_remove_oneself: true
ownership:
  role: KING
  candidates: [HAND]
  previous_owner_becomes: HAND
  transfer_lifetime: 1 day 12 hours
invitations:
  lifetime: 30 minutes
  providers: [any, google]
  username_required: true
  revoke_when_inviter_leaves: false
`
