package domain_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/domain"
)

func TestEmailsAreKeptAsTyped(t *testing.T) {
	is := is.New(t)
	for _, text := range []string{"Ada.Lovelace+work@Example.COM", "jörg@bücher.example", "o'neil@example.co.uk", "a@b.c"} {
		email, err := domain.ParseEmail("email", "  "+text+"\n")
		is.NoErr(err)
		is.Equal(string(email), text)
	}
	for _, text := range []string{
		"", " ", "ada", "ada@", "@example.com", "ada@example", "ada example@example.com", "Ada <ada@example.com>", "<ada@example.com>", "ada@example.com, bob@example.com",
		"ada@example.com (Ada)", "ada@@example.com", "ada@exam\u202eple.com", "ada\u200b@example.com", "ada@example.com\x00", "a\xffda@example.com", "group:ada@example.com;",
		"ada\u115f@example.com", strings.Repeat("a", 243) + "@example.com",
	} {
		_, err := domain.ParseEmail("to", text)
		var refusal *domain.Error
		is.True(errors.As(err, &refusal)) // text is refused
		is.Equal(refusal.Code, domain.CodeInvalid)
		is.Equal(refusal.Field, "to")
	}
	_, err := domain.ParseEmail("email", strings.Repeat("a", 242)+"@example.com") // 254 bytes
	is.NoErr(err)
}

func TestEmailsAreEqualByCaseAndUnicodeFormAlone(t *testing.T) {
	is := is.New(t)
	for _, same := range [][2]domain.Email{
		{"Ada@Example.com", "ada@example.COM"}, {"jörg@example.com", "JO\u0308RG@example.com"}, {"groß@example.com", "GROSS@example.com"},
		{"\u212aelvin@example.com", "kelvin@example.com"}, {"ὈΔΥΣΣΕΎΣ@example.com", "ὀδυσσεύς@example.com"}, {"ꭰ@example.com", "Ꭰ@example.com"},
	} {
		is.Equal(same[0].Key(), same[1].Key())
	}
	for _, other := range [][2]domain.Email{
		{"ada.l@example.com", "adal@example.com"}, {"ada+work@example.com", "ada@example.com"}, {"jörg@example.com", "jorg@example.com"},
		{"ada@example.com", "ada@example.org"}, {"ada@gmail.com", "ada@googlemail.com"},
	} {
		is.True(other[0].Key() != other[1].Key())
	}
}

func TestOrganizationNamesAreEqualWhateverTheirSpacesAndCase(t *testing.T) {
	is := is.New(t)
	for _, same := range [][2]domain.OrganizationName{
		{"Acme Corp", "ACME  corp"}, {"Acme Corp", "acmecorp"}, {"Straße", "STRASSE"}, {"Café", "CAFE\u0301"}, {"Acme\u00a0Corp", "acme corp"}, {"e \u0301x", "éx"},
	} {
		is.Equal(same[0].Key(), same[1].Key())
	}
	is.True(domain.OrganizationName("Acme").Key() != domain.OrganizationName("Acne").Key())
	is.True(domain.OrganizationName("A-cme").Key() != domain.OrganizationName("Acme").Key())
	is.True(domain.Username("a b").Key() != domain.Username("ab").Key()) // spaces count in usernames
	is.Equal(domain.Username("ÅSA").Key(), domain.Username("a\u030asa").Key())
	is.Equal(domain.Fold("ÅSA"), domain.Fold("åsa"))
}

func TestTextIsVisibleAndShort(t *testing.T) {
	is := is.New(t)
	parsers := []struct {
		name  string
		limit int
		parse func(field, text string) (string, error)
	}{
		{"username", domain.MaxUsernameRunes, func(f, s string) (string, error) { u, err := domain.ParseUsername(f, s); return string(u), err }},
		{"organization name", domain.MaxNameRunes, func(f, s string) (string, error) {
			n, err := domain.ParseOrganizationName(f, s)
			return string(n), err
		}},
		{"display name", domain.MaxDisplayNameRunes, domain.ParseDisplayName},
		{"reason", domain.MaxReasonRunes, domain.ParseReason},
	}
	for _, p := range parsers {
		text, err := p.parse("field", "  Jo\u0308rg 東京 ❤️ ")
		is.NoErr(err)
		is.Equal(text, "Jörg 東京 ❤️") // trimmed and composed
		longest := strings.Repeat("ö", p.limit)
		text, err = p.parse("field", longest)
		is.NoErr(err)
		is.Equal(text, longest)
		for _, bad := range []string{
			longest + "x", "a\nb", "a\tb", "a\x00b", "a\x7fb", "a\u0085b", "a\u2028b", "a\u2029b", "a\u202eb", "a\u2066b", "a\u200bb", "a\u200db", "a\ufeffb", "a\u00adb",
			"\u3164", "a\u115fb", "a\u034fb", "a\xffb", "\xc3",
		} {
			_, err := p.parse("field", bad)
			var refusal *domain.Error
			is.True(errors.As(err, &refusal)) // bad is refused
			is.Equal(refusal.Code, domain.CodeInvalid)
			is.Equal(refusal.Field, "field")
			is.True(!strings.Contains(refusal.Error(), bad)) // and not repeated
		}
		empty, err := p.parse("field", " \n ")
		is.Equal(err == nil, p.name == "reason") // only a reason may be missing
		is.Equal(empty, "")
	}
}

func TestSameRoles(t *testing.T) {
	is := is.New(t)
	type roles = []domain.Role
	is.True(domain.SameRoles(nil, roles{}))
	is.True(domain.SameRoles(roles{"A", "B"}, roles{"B", "A"}))
	is.True(!domain.SameRoles(roles{"A", "B"}, roles{"A"}))
	is.True(!domain.SameRoles(roles{"A"}, roles{"A", "B"}))
	is.True(!domain.SameRoles(roles{"A", "A"}, roles{"A", "B"}))
	is.True(!domain.SameRoles(roles{"A", "B"}, roles{"A", "A"}))
}

func TestErrorsAreMatchedByCode(t *testing.T) {
	is := is.New(t)
	err := error(domain.Refuse(domain.CodeEmailTaken, "Taken", "Use another."))
	is.True(errors.Is(err, &domain.Error{Code: domain.CodeEmailTaken}))
	is.True(!errors.Is(err, &domain.Error{Code: domain.CodeUsernameTaken}))
	is.True(!errors.Is(err, errors.New("another kind")))
	is.Equal(err.Error(), "email_taken: Use another.")
	is.Equal(domain.Invalid("name", "Give one.").Error(), "invalid: name: Give one.")
}

func TestActors(t *testing.T) {
	is := is.New(t)
	id, ok := domain.ByAccount("ada").Account()
	is.True(ok)
	is.Equal(id, domain.AccountID("ada"))
	for _, actor := range []domain.Actor{domain.ByAPIKey("ada"), domain.ByProcess("ada"), domain.Public()} {
		_, ok := actor.Account()
		is.True(!ok)
	}
}
