package mail_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/matryer/is"
	"pgregory.net/rapid"

	"tenure/mail"
)

func TestBackoff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		is := is.New(t)
		id := rapid.String().Draw(t, "id")
		attempt := rapid.IntRange(1, 40).Draw(t, "attempt")
		full := 15 * time.Minute
		if attempt <= 10 {
			full = min(full, time.Second<<(attempt-1))
		}
		wait := mail.Backoff(id, attempt)
		is.True(wait <= full && wait >= full*3/4-1)
		is.Equal(wait, mail.Backoff(id, attempt)) // a restart changes nothing
	})
	is := is.New(t)
	is.True(mail.Backoff("a", -1) > 0)
	is.True(mail.Backoff("a", 1<<40) > 10*time.Minute)
	spread := map[time.Duration]bool{}
	for i := range 100 {
		spread[mail.Backoff(fmt.Sprint(i), 12)] = true
	}
	is.True(len(spread) > 90) // mails that fail together do not come back together
}
