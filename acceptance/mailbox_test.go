package acceptance

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The pages that links in mails lead to.
const (
	verifyPage   = "/verify"
	resetPage    = "/reset-password"
	invitePage   = "/accept-invitation"
	transferPage = "/confirm-transfer"
)

// mail is a mail that the server has sent.
type mail struct {
	ID        string              `json:"id"`
	Date      time.Time           `json:"date"`
	To        string              `json:"to"`
	From      string              `json:"from"`
	Subject   string              `json:"subject"`
	Language  string              `json:"language"`
	MessageID string              `json:"message_id"`
	Text      string              `json:"text"`
	HTML      string              `json:"html"`
	Links     []string            `json:"links"`
	Headers   map[string][]string `json:"headers"`
}

// token is the token of the link to a page; empty where the mail has none.
func (m mail) token(page string) string {
	for _, link := range m.Links {
		if before, token, ok := strings.Cut(link, "#token="); ok && strings.HasSuffix(before, page) {
			return token
		}
	}
	return ""
}

// mailbox is where the server's mails arrive.
type mailbox interface {
	// mails are those to an address, the oldest first.
	mails(to string) ([]mail, error)
}

// mailsTo are those to an address that have a link to a page, the oldest first.
func (s *server) mailsTo(address, page string) []mail {
	mails, err := s.mailbox.mails(address)
	if err != nil {
		return nil
	}
	var found []mail
	for _, m := range mails {
		if token := m.token(page); token != "" {
			s.issued.add(token)
			found = append(found, m)
		}
	}
	return found
}

// mailTo waits for the count-th mail to an address with a link to a page.
func (s *server) mailTo(t *testing.T, address, page string, count int) mail {
	t.Helper()
	var found []mail
	eventually(t, fmt.Sprintf("mail %d to %s for %s", count, address, page), func() bool {
		found = s.mailsTo(address, page)
		return len(found) >= count
	})
	return found[count-1]
}

// tokenTo waits for the count-th mail and answers with the token of its link.
func (s *server) tokenTo(t *testing.T, address, page string, count int) string {
	t.Helper()
	return s.mailTo(t, address, page, count).token(page)
}

// invitationTo waits until the newest invitation to an address works, and answers
// with its token. A mail whose link is dead before it leaves is not sent.
func (s *server) invitationTo(t *testing.T, address string) string {
	t.Helper()
	var token string
	eventually(t, "an invitation to "+address+" that works", func() bool {
		found := s.mailsTo(address, invitePage)
		if len(found) > 0 {
			token = found[len(found)-1].token(invitePage)
		}
		return token != "" && s.anonymous().lookup(token).done()
	})
	return token
}

// outbox reads the mails of a server that has no mail server, as its operator.
type outbox struct {
	server *server
	mu     sync.Mutex
	read   map[string]mail
}

func (o *outbox) mails(to string) ([]mail, error) {
	r := o.server.operator().get("/outbox?limit=200&to="+url.QueryEscape(to), anyPosition, header("Accept", "application/json"))
	if !r.done() {
		return nil, fmt.Errorf("%v", r)
	}
	entries, err := outboxEntries(r.body)
	if err != nil {
		return nil, err
	}
	mails := make([]mail, 0, len(entries))
	for _, e := range entries {
		m, err := o.one(e.ID)
		if err != nil {
			return nil, err
		}
		mails = append(mails, m)
	}
	slices.SortStableFunc(mails, func(a, b mail) int { return a.Date.Compare(b.Date) })
	return mails, nil
}

// outboxEntries reads the list, newest first.
func outboxEntries(body []byte) ([]mail, error) {
	var list page[mail]
	err := json.Unmarshal(body, &list)
	slices.Reverse(list.Items)
	return list.Items, err
}

func (o *outbox) one(id string) (mail, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m, ok := o.read[id]; ok {
		return m, nil
	}
	r := o.server.operator().get("/outbox/"+id, anyPosition, header("Accept", "application/json"))
	if !r.done() {
		return mail{}, fmt.Errorf("%v", r)
	}
	var m mail
	if err := json.Unmarshal(r.body, &m); err != nil {
		return mail{}, err
	}
	o.read[id] = m
	return m, nil
}
