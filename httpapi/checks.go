package httpapi

import (
	"errors"
	"unicode/utf8"

	"golang.org/x/text/language"

	"tenure/commands"
	"tenure/domain"
)

// checks parses the values of a request and remembers everything that is wrong
// with them, so that one answer names it all.
type checks struct{ invalid invalidFields }

// err refuses the request if a value was refused.
func (k *checks) err() error {
	if len(k.invalid) == 0 {
		return nil
	}
	return k.invalid
}

func (k *checks) note(err error) {
	var refusal *domain.Error
	if errors.As(err, &refusal) {
		k.invalid = append(k.invalid, ProblemField{Field: refusal.Field, Message: refusal.Message})
	}
}

func (k *checks) email(field, text string) domain.Email {
	v, err := domain.ParseEmail(field, text)
	k.note(err)
	return v
}

func (k *checks) displayName(field, text string) string {
	v, err := domain.ParseDisplayName(field, text)
	k.note(err)
	return v
}

// username is empty for none; whether one is needed is for the policy to say.
func (k *checks) username(field, text string) domain.Username {
	if text == "" {
		return ""
	}
	v, err := domain.ParseUsername(field, text)
	k.note(err)
	return v
}

func (k *checks) organizationName(field, text string) domain.OrganizationName {
	v, err := domain.ParseOrganizationName(field, text)
	k.note(err)
	return v
}

func (k *checks) password(field, text string) {
	switch {
	case utf8.RuneCountInString(text) < commands.MinPasswordRunes:
		k.note(domain.Invalid(field, "Choose a password of at least 10 characters."))
	case len(text) > commands.MaxPasswordBytes:
		k.note(domain.Invalid(field, "Choose a password of at most 256 bytes."))
	}
}

// language is a BCP 47 tag in its canonical form; empty for otherwise.
func (k *checks) language(field, text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	tag, err := language.Parse(text)
	if err != nil || len(text) > maxLanguageBytes {
		k.note(domain.Invalid(field, "Give a language tag such as en or fr-CA."))
	}
	return tag.String()
}

const maxLanguageBytes = 35

// id is a UUID in its canonical form.
func (k *checks) id(field, text string) string {
	if !isID(text) {
		k.note(domain.Invalid(field, "Give an id as other answers name it."))
	}
	return text
}

// spaces are ids; none for a list that is left out.
func (k *checks) spaces(field string, ids []string) []domain.SpaceID {
	if ids == nil {
		return nil
	}
	all := make([]domain.SpaceID, len(ids))
	for i, id := range ids {
		all[i] = domain.SpaceID(k.id(field, id))
	}
	return all
}

func (k *checks) spaceName(field, text string) string {
	v, err := domain.ParseSpaceName(field, text)
	k.note(err)
	return v
}

// roles takes roles, or the single role.
func (k *checks) roles(roles []string, role string) []domain.Role {
	if role != "" {
		if len(roles) > 0 {
			k.note(domain.Invalid("role", "Give either role or roles."))
		}
		roles = []string{role}
	}
	all := make([]domain.Role, len(roles))
	for i, r := range roles {
		all[i] = domain.Role(r)
	}
	return all
}

// preferredLanguage is the browser's, of those that mails are written in.
func preferredLanguage(acceptLanguage string) string {
	spoken := []language.Tag{language.English, language.French}
	if len(acceptLanguage) > 256 {
		return "en"
	}
	wanted, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil {
		return "en"
	}
	_, best, confidence := language.NewMatcher(spoken).Match(wanted...)
	if confidence == language.No {
		return "en"
	}
	return spoken[best].String()
}
