package mail

import (
	"fmt"
	"time"

	"golang.org/x/text/language"
)

// locale is a language that mails are written in.
type locale struct {
	tag  language.Tag
	name string // the folder of its templates
	date func(time.Time) string
}

// locales are the languages; the first is for everybody else.
func locales() []locale {
	return []locale{
		{language.English, "en", englishDate},
		{language.French, "fr", frenchDate},
	}
}

// localeFor is the best of known for the tag, the first where none fits.
func localeFor(tag string, known []locale) locale {
	tags := make([]language.Tag, len(known))
	for i, l := range known {
		tags[i] = l.tag
	}
	wanted, err := language.Parse(tag)
	if err != nil {
		return known[0]
	}
	_, best, confidence := language.NewMatcher(tags).Match(wanted)
	if confidence == language.No {
		return known[0]
	}
	return known[best]
}

// englishDate is "1 March 2031, 09:05 UTC".
func englishDate(t time.Time) string {
	return t.UTC().Format("2 January 2006, 15:04 UTC")
}

// frenchDate is "1er mars 2031 à 09:05 UTC".
func frenchDate(t time.Time) string {
	months := [...]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet",
		"août", "septembre", "octobre", "novembre", "décembre"}
	t = t.UTC()
	day := fmt.Sprint(t.Day())
	if t.Day() == 1 {
		day = "1er"
	}
	return fmt.Sprintf("%s %s %d à %s UTC", day, months[t.Month()-1], t.Year(), t.Format("15:04"))
}
