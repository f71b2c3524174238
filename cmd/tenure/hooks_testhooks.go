//go:build testhooks

package main

import (
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A program that is built with the tag testhooks does what no other does: the
// file that TENURE_TEST_CLOCK names shifts its clock by the duration in it, or
// stops it at the time in it (RFC 3339), and it kills itself at the step that the
// file of TENURE_TEST_KILL names.

func now() time.Time { return clock.now() }

func step(name string) {
	path := os.Getenv("TENURE_TEST_KILL")
	if path == "" {
		return
	}
	wanted, err := os.ReadFile(path)
	if err != nil || strings.TrimSpace(string(wanted)) != name {
		return
	}
	os.Remove(path)
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

var clock = &heldClock{path: os.Getenv("TENURE_TEST_CLOCK")}

// heldClock looks at its file again after a moment.
type heldClock struct {
	path    string
	mu      sync.Mutex
	read    time.Time
	shift   time.Duration
	stopped time.Time // zero while it runs
}

func (c *heldClock) now() time.Time {
	if c.path == "" {
		return time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.read) > 20*time.Millisecond {
		c.read = time.Now()
		if text, err := os.ReadFile(c.path); err == nil {
			c.set(strings.TrimSpace(string(text)))
		}
	}
	if !c.stopped.IsZero() {
		return c.stopped
	}
	return time.Now().Add(c.shift)
}

// set leaves the clock as it is while the file is half written.
func (c *heldClock) set(text string) {
	if d, err := time.ParseDuration(text); err == nil {
		c.shift, c.stopped = d, time.Time{}
	} else if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		c.stopped = at
	}
}
