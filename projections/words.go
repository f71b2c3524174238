package projections

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"tenure/domain"
)

// Bounds of a search.
const (
	maxSearchRunes = 200
	maxSearchWords = 8
)

// findableWords are the words by whose beginnings a person is found, folded,
// sorted and each once: what stands between spaces in the texts, and what
// stands between punctuation there; the whole e-mail address, its local part,
// what stands between punctuation in that, and the domain. A word that another
// one begins with is left out: whatever finds it finds the other.
func findableWords(email domain.Email, texts ...string) []string {
	words := make([]string, 0, 8)
	for _, text := range texts {
		for _, word := range strings.Fields(domain.Fold(text)) {
			words = append(words, word)
			words = appendParts(words, word)
		}
	}
	if address := email.Key(); address != "" {
		words = append(words, address)
		if at := strings.LastIndexByte(address, '@'); at >= 0 {
			words = appendParts(words, address[:at])
			words = append(words, address[at+1:])
		}
	}
	slices.Sort(words)
	kept := words[:0]
	for i, word := range words {
		if i+1 < len(words) && strings.HasPrefix(words[i+1], word) {
			continue
		}
		kept = append(kept, word)
	}
	return kept
}

// searchWords splits what somebody typed, the longest word first.
func searchWords(q string) ([]string, error) {
	if !utf8.ValidString(q) || strings.IndexByte(q, 0) >= 0 {
		return nil, domain.Invalid("q", "Give text in UTF-8.")
	}
	if utf8.RuneCountInString(q) > maxSearchRunes {
		return nil, domain.Invalid("q", "Give at most 200 characters.")
	}
	words := strings.Fields(domain.Fold(q))
	if len(words) > maxSearchWords {
		return nil, domain.Invalid("q", "Give at most 8 words.")
	}
	slices.SortStableFunc(words, func(a, b string) int { return len(b) - len(a) })
	return words, nil
}

// smallestMatch is the first of the sorted words that begins with prefix.
func smallestMatch(words []string, prefix string) (string, bool) {
	i, _ := slices.BinarySearch(words, prefix)
	if i < len(words) && strings.HasPrefix(words[i], prefix) {
		return words[i], true
	}
	return "", false
}

func appendParts(words []string, word string) []string {
	if !strings.ContainsFunc(word, isPunctuation) {
		return append(words, word)
	}
	return append(words, strings.FieldsFunc(word, isPunctuation)...)
}

func isPunctuation(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
}
