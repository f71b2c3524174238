package policies

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tenure/documents"
)

// Error says everything that is wrong with a policy document, as Problems.
type (
	Error   = documents.Error
	Problem = documents.Problem
)

func newError(problems []Problem) *Error {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	return &Error{Problems: slices.Compact(problems)}
}

// didYouMean answers with a question when one of the names that exist is close
// to the one that was given, and with nothing otherwise.
func didYouMean[S ~string](given string, exist []S) string {
	best, distance := "", max(1, len(given)/3)+1
	for _, name := range exist {
		if d := editDistance(strings.ToLower(given), strings.ToLower(string(name))); d < distance {
			best, distance = string(name), d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", best)
}

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours that make b of a. Both are names: what is longer is far apart.
func editDistance(a, b string) int {
	const longest = 100
	if len(a) > longest || len(b) > longest {
		return longest
	}
	var before, last, row [longest + 1]int
	for j := range row {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
