package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	maxMailBytes = 2 << 20
	defaultLimit = 50
)

// Entry is a line of the outbox's list.
type Entry struct {
	ID      string    `json:"id"`
	Date    time.Time `json:"date"`
	To      string    `json:"to"` // the bare address
	Subject string    `json:"subject"`
}

// Mail is a mail read from the outbox.
type Mail struct {
	Entry
	From      string              `json:"from"`
	ToName    string              `json:"to_name,omitempty"`
	MessageID string              `json:"message_id"` // without angle brackets
	Language  string              `json:"language"`
	Text      string              `json:"text"`
	HTML      string              `json:"html"`
	Links     []string            `json:"links"`   // the links of the plain part, in order
	Headers   map[string][]string `json:"headers"` // as they stand in the file
}

// List is the newest mails, newest first: at most limit (50 if it is 0), and
// only those to the address where one is given, compared without case.
func (o *Outbox) List(ctx context.Context, limit int, to string) ([]Entry, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	files, err := o.files()
	if err != nil {
		return nil, fmt.Errorf("mail: outbox: %w", err)
	}
	entries := []Entry{}
	for _, f := range files {
		if len(entries) == limit {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("mail: outbox: %w", err)
		}
		mail, err := o.parse(f)
		switch {
		case errors.Is(err, os.ErrNotExist): // made way for a newer one just now
		case err != nil:
			return nil, err
		case to == "" || addressKey(mail.To) == addressKey(to):
			entries = append(entries, mail.Entry)
		}
	}
	return entries, nil
}

// Read is the mail with the id; the error is ErrNotFound if there is none, and
// for whatever is no id.
func (o *Outbox) Read(ctx context.Context, id string) (Mail, error) {
	if err := ctx.Err(); err != nil {
		return Mail{}, fmt.Errorf("mail: outbox: %w", err)
	}
	files, err := o.files()
	if err != nil {
		return Mail{}, fmt.Errorf("mail: outbox: %w", err)
	}
	// The id is only compared, never made part of a path.
	for _, f := range files {
		if f.id != id {
			continue
		}
		mail, err := o.parse(f)
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		return mail, err
	}
	return Mail{}, fmt.Errorf("mail: %w", ErrNotFound)
}

var linkInText = regexp.MustCompile(`https?://\S+`)

func (o *Outbox) parse(f outboxFile) (Mail, error) {
	file, err := os.Open(filepath.Join(o.dir, f.name))
	if err != nil {
		return Mail{}, fmt.Errorf("mail: outbox: %w", err)
	}
	defer func() { _ = file.Close() }()
	mail, err := parseMail(io.LimitReader(file, maxMailBytes))
	if err != nil {
		// What is wrong may quote the mail; its name is enough to look at it.
		return Mail{}, fmt.Errorf("mail: outbox: %s is no mail of ours", f.name)
	}
	mail.ID = f.id
	return mail, nil
}

// parseMail reads what compose writes.
func parseMail(r io.Reader) (Mail, error) {
	raw, err := netmail.ReadMessage(r)
	if err != nil {
		return Mail{}, err
	}
	var words mime.WordDecoder
	subject, err := words.DecodeHeader(raw.Header.Get("Subject"))
	if err != nil {
		return Mail{}, err
	}
	from, err := words.DecodeHeader(raw.Header.Get("From"))
	if err != nil {
		return Mail{}, err
	}
	date, err := raw.Header.Date()
	if err != nil {
		return Mail{}, err
	}
	to, err := netmail.ParseAddress(raw.Header.Get("To"))
	if err != nil {
		return Mail{}, err
	}
	mail := Mail{
		Entry: Entry{Date: date.UTC(), To: to.Address, Subject: subject},
		From:  from, ToName: to.Name,
		MessageID: strings.Trim(raw.Header.Get("Message-ID"), "<>"),
		Language:  raw.Header.Get("Content-Language"),
		Headers:   raw.Header,
	}
	mail.Text, mail.HTML, err = parseParts(raw)
	mail.Links = append([]string{}, linkInText.FindAllString(mail.Text, -1)...)
	return mail, err
}

func parseParts(raw *netmail.Message) (text, html string, err error) {
	kind, params, err := mime.ParseMediaType(raw.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		return "", "", errors.Join(err, errors.New("not multipart/alternative"))
	}
	parts := multipart.NewReader(raw.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return text, html, nil
		}
		if err != nil {
			return "", "", err
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			return "", "", err
		}
		body = bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
		kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		switch {
		case err != nil:
			return "", "", err
		case kind == "text/plain":
			text = string(body)
		case kind == "text/html":
			html = string(body)
		}
	}
}

// addressKey is what two spellings of an address have in common.
func addressKey(address string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(strings.TrimSpace(address))))
}
