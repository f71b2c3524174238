package mail

import (
	"hash/fnv"
	"strconv"
	"time"
)

const (
	firstWait = time.Second
	maxWait   = 15 * time.Minute
)

// Backoff is how long to wait after the attempt (1 is the first) to send the
// mail with the id has failed: about 1 s, 2 s, 4 s, … and at most 15 minutes.
// Up to a quarter is taken off by the id and the attempt, so that mails that
// failed together do not come back together, and a restart changes nothing.
func Backoff(id string, attempt int) time.Duration {
	wait := firstWait
	for n := attempt; n > 1 && wait < maxWait; n-- {
		wait *= 2
	}
	wait = min(wait, maxWait)
	h := fnv.New64a()
	h.Write([]byte(id + "/" + strconv.Itoa(attempt)))
	return wait - time.Duration(h.Sum64()%uint64(wait/4+1))
}
