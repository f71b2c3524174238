package processes_test

import (
	"context"
	"sync"

	"tenure/mail"
)

// mailServer takes mails, or fails as it is told to.
type mailServer struct {
	mu    sync.Mutex
	fail  []error
	slow  func(context.Context) // runs after a mail was taken
	mails []mail.Rendered
}

// Send implements mail.Sender.
func (m *mailServer) Send(ctx context.Context, r mail.Rendered) error {
	if m.slow != nil {
		defer m.slow(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.fail) > 0 {
		err := m.fail[0]
		m.fail = m.fail[1:]
		return err
	}
	m.mails = append(m.mails, r)
	return nil
}

func (m *mailServer) taken() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.mails)
}

func (m *mailServer) to(address string) []mail.Rendered {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []mail.Rendered
	for _, r := range m.mails {
		if r.To == address {
			found = append(found, r)
		}
	}
	return found
}
