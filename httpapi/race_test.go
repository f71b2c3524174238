//go:build race

package httpapi_test

// raceEnabled reports whether the race detector makes everything slow.
const raceEnabled = true
