package acceptance

import "sync"

// secretList collects every token that a test came to know, so that it can be
// looked for where it must not be.
type secretList struct {
	mu   sync.Mutex
	text map[string]bool
}

func (l *secretList) add(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text == nil {
		l.text = make(map[string]bool)
	}
	if text != "" {
		l.text[text] = true
	}
}

func (l *secretList) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for text := range l.text {
		all = append(all, text)
	}
	return all
}
