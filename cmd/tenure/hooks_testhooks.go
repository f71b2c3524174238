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
// file that TENURE_TEST_CLOCK names shifts its clock by the duration in it, and
// it kills itself at the step that the file of TENURE_TEST_KILL names.

func now() time.Time { return time.Now().Add(clock.offset()) }

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

var clock = &shiftedClock{path: os.Getenv("TENURE_TEST_CLOCK")}

// shiftedClock looks at its file again after a moment.
type shiftedClock struct {
	path    string
	mu      sync.Mutex
	read    time.Time
	current time.Duration
}

func (c *shiftedClock) offset() time.Duration {
	if c.path == "" {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.read) > 20*time.Millisecond {
		c.read = time.Now()
		if text, err := os.ReadFile(c.path); err == nil {
			if d, err := time.ParseDuration(strings.TrimSpace(string(text))); err == nil {
				c.current = d
			}
		}
	}
	return c.current
}
