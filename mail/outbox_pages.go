package mail

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

//go:embed pages
var pageFiles embed.FS

// Page is a page of the outbox for the browser.
type Page struct {
	// HTML is the whole document. It links to /outbox, /outbox/{id} and
	// /outbox/style.css, and needs no script.
	HTML []byte
	// ContentSecurityPolicy is the header to send with it: no scripts, nothing
	// from elsewhere. The styles inside a mail are allowed by their hashes.
	ContentSecurityPolicy string
}

// ListPage shows what List returns for the limit and the address; for GET
// /outbox?to=….
func (o *Outbox) ListPage(ctx context.Context, limit int, to string) (Page, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	entries, err := o.List(ctx, limit, to)
	if err != nil {
		return Page{}, err
	}
	return o.page("list.html", contentPolicy(nil), struct {
		Title   string
		To      string
		Entries []Entry
		Keep    int
		Full    bool // there may be more than are shown
	}{"Outbox", to, entries, o.keep, len(entries) == limit})
}

// MailPage shows the mail with the id; for GET /outbox/{id}. The error is
// ErrNotFound if there is none.
func (o *Outbox) MailPage(ctx context.Context, id string) (Page, error) {
	mail, err := o.Read(ctx, id)
	if err != nil {
		return Page{}, err
	}
	return o.page("mail.html", contentPolicy(styleHashes(mail.HTML)), struct {
		Title string
		Mail  Mail
		// Frame is the HTML part with its links opening outside of the frame.
		Frame string
	}{mail.Subject, mail, `<base target="_blank">` + mail.HTML})
}

// Stylesheet is the CSS of the pages; for GET /outbox/style.css, as text/css.
func (o *Outbox) Stylesheet() ([]byte, error) {
	css, err := pageFiles.ReadFile("pages/style.css")
	if err != nil {
		return nil, fmt.Errorf("mail: outbox: %w", err)
	}
	return css, nil
}

func (o *Outbox) page(name, policy string, data any) (Page, error) {
	var b bytes.Buffer
	if err := o.pages.ExecuteTemplate(&b, name, data); err != nil {
		return Page{}, fmt.Errorf("mail: outbox: %w", err)
	}
	return Page{HTML: b.Bytes(), ContentSecurityPolicy: policy}, nil
}

func parsePages() (*template.Template, error) {
	return template.New("pages").Funcs(template.FuncMap{"date": englishDate}).ParseFS(pageFiles, "pages/*.html")
}

// contentPolicy is the policy of a page; a frame with srcdoc inherits it.
func contentPolicy(styles []string) string {
	return "default-src 'none'; style-src " + strings.Join(append([]string{"'self'"}, styles...), " ") +
		"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

// styleHashes allow exactly the styles that stand in the document.
func styleHashes(document string) []string {
	var hashes []string
	add := func(style string) {
		sum := sha256.Sum256([]byte(style))
		hash := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		if !slices.Contains(hashes, hash) {
			hashes = append(hashes, hash)
		}
	}
	attributes, inStyle := false, false
	for z := html.NewTokenizer(strings.NewReader(document)); z.Next() != html.ErrorToken; {
		token := z.Token()
		if inStyle && token.Type == html.TextToken {
			add(token.Data)
		}
		inStyle = token.Type == html.StartTagToken && token.Data == "style"
		for _, a := range token.Attr {
			if a.Key == "style" {
				add(a.Val)
				attributes = true
			}
		}
	}
	if attributes {
		hashes = append([]string{"'unsafe-hashes'"}, hashes...)
	}
	return hashes
}
