package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html"
	htmltemplate "html/template"
	"io/fs"
	netmail "net/mail"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"
)

const (
	maxTemplateBytes = 256 << 10
	maxSubjectRunes  = 200
	maxAddressBytes  = 254
)

//go:embed templates
var embedded embed.FS

// Templates are the texts of the mails. They are safe for concurrent use.
type Templates struct {
	from    netmail.Address
	sender  string
	locales []locale
	parsed  map[string]parsedTemplate // "en/verify_email"
}

// LoadTemplates loads the templates that come with the program, each file
// replaced by the one of the same name below overrideDir where there is one
// ("fr/invitation.txt", "layout.html"); an empty overrideDir replaces nothing.
// Files and folders whose name starts with a dot are passed over.
//
// From is the sender of all mails, "Acme <no-reply@acme.example>". Its name is
// what mails call the product; its domain is the right side of Message-IDs.
//
// Every template is rendered here with sample data, so that one that cannot
// work is refused with its file and line: bad syntax, an unknown field, a part
// without its link, a file that is none of ours.
func LoadTemplates(overrideDir, from string) (*Templates, error) {
	address, err := netmail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("mail: the sender must read like Acme <no-reply@acme.example>: %w", err)
	}
	if address.Address, err = asciiAddress(address.Address); err != nil {
		return nil, fmt.Errorf("mail: the sender: %w", err)
	}
	files, err := readTemplates(overrideDir)
	if err != nil {
		return nil, fmt.Errorf("mail: templates: %w", err)
	}
	t := &Templates{from: *address, sender: visible(address.Name), locales: locales(), parsed: map[string]parsedTemplate{}}
	if t.sender == "" {
		t.sender = domainOf(address.Address)
	}
	for _, l := range t.locales {
		for _, content := range samples() {
			parsed, err := parseTemplate(files, l, content.Name())
			if err == nil {
				t.parsed[l.name+"/"+content.Name()] = parsed
				err = t.try(l, content)
			}
			if err != nil {
				return nil, fmt.Errorf("mail: templates: %w", err)
			}
		}
	}
	return t, nil
}

// Render writes the mail. The same message gives the same mail. The error is
// ErrInvalid for a message that is wrong in itself.
func (t *Templates) Render(m Message) (Rendered, error) {
	switch {
	case !validID.MatchString(m.ID):
		return Rendered{}, fmt.Errorf("mail: %w: no valid id", ErrInvalid)
	case !validAddress(m.To):
		return Rendered{}, fmt.Errorf("mail: %w: no valid address", ErrInvalid)
	case m.Content == nil || m.At.IsZero():
		return Rendered{}, fmt.Errorf("mail: %w: no content or no date", ErrInvalid)
	}
	if err := m.Content.check(); err != nil {
		return Rendered{}, fmt.Errorf("mail: %w", err)
	}
	l := localeFor(m.Language, t.locales)
	name := plainName(m.ToName)
	subject, text, page, err := t.parsed[l.name+"/"+m.Content.Name()].execute(view{
		Language: l.name, Sender: t.sender, To: plainIdentity(m.To), Name: name, Data: m.Content.cleaned(),
	})
	if err != nil {
		return Rendered{}, fmt.Errorf("mail: %w", err)
	}
	return Rendered{
		ID: m.ID, MessageID: m.ID + "@" + domainOf(t.from.Address), From: t.from.String(), To: m.To, ToName: name,
		Language: l.name, Subject: subject, Text: text, HTML: page, Date: m.At.UTC(), About: m.About,
	}, nil
}

// view is what a template sees. Everything in it has been made harmless.
type view struct {
	Language string
	Sender   string  // what the product is called
	To       string  // the recipient's address
	Name     string  // the recipient's name, or empty
	Subject  string  // set for the parts, empty while the subject is written
	Data     Content // one of the types of content.go
}

var validID = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?$`)

// try renders the content in the language and asks for its links in both parts.
func (t *Templates) try(l locale, content Content) error {
	sample := Message{ID: "sample", To: "grace@example.com", Language: l.name, Content: content,
		At: time.Date(2031, time.March, 1, 9, 5, 0, 0, time.UTC)}
	for _, name := range []string{"", "Grace Hopper"} {
		sample.ToName = name
		mail, err := t.Render(sample)
		if err != nil {
			return err
		}
		for _, link := range content.links() {
			file := t.parsed[l.name+"/"+content.Name()]
			if !strings.Contains(mail.Text, link) {
				return fmt.Errorf("%s:1: the mail does not show its link; write {{.Data.Link}}", file.textFile)
			}
			if !strings.Contains(html.UnescapeString(mail.HTML), `href="`+link+`"`) {
				return fmt.Errorf(`%s:1: the mail does not hold its link; write <a href="{{.Data.Link}}">`, file.htmlFile)
			}
		}
	}
	return nil
}

// parsedTemplate is one mail in one language.
type parsedTemplate struct {
	text               *template.Template
	html               *htmltemplate.Template
	textFile, htmlFile string
}

func (p parsedTemplate) execute(v view) (subject, text, page string, err error) {
	var b bytes.Buffer
	if err := p.text.ExecuteTemplate(&b, "subject", v); err != nil {
		return "", "", "", err
	}
	subject = cut(visible(b.String()), maxSubjectRunes)
	if subject == "" {
		return "", "", "", fmt.Errorf("%s:1: the subject is empty", p.textFile)
	}
	v.Subject = subject
	b.Reset()
	if err := p.text.Execute(&b, v); err != nil {
		return "", "", "", err
	}
	text = strings.TrimSpace(b.String()) + "\n"
	b.Reset()
	if err := p.html.Execute(&b, v); err != nil {
		return "", "", "", err
	}
	return subject, text, strings.TrimSpace(b.String()) + "\n", nil
}

// source is the text of a template and the name of its file, for errors.
type source struct{ file, text string }

// parseTemplate puts a mail together: the layout, the language's common
// definitions, and the mail's own file as the template "content".
func parseTemplate(files map[string]source, l locale, name string) (parsedTemplate, error) {
	functions := map[string]any{
		"date": l.date,
		"join": func(words []string) string { return strings.Join(words, ", ") },
	}
	base := path.Join(l.name, name)
	p := parsedTemplate{textFile: files[base+".txt"].file, htmlFile: files[base+".html"].file}
	p.text = template.New(files["layout.txt"].file).Funcs(functions)
	p.html = htmltemplate.New(files["layout.html"].file).Funcs(functions)
	if _, err := p.text.Parse(files["layout.txt"].text); err != nil {
		return p, err
	}
	if _, err := p.html.Parse(files["layout.html"].text); err != nil {
		return p, err
	}
	for _, file := range []string{path.Join(l.name, "common"), base} {
		txt, htm := files[file+".txt"], files[file+".html"]
		if _, err := p.text.New(txt.file).Parse(txt.text); err != nil {
			return p, err
		}
		if _, err := p.html.New(htm.file).Parse(htm.text); err != nil {
			return p, err
		}
	}
	text, page := p.text.Lookup(p.textFile), p.html.Lookup(p.htmlFile)
	if text == nil || text.Tree == nil || page == nil || page.Tree == nil {
		return p, fmt.Errorf("%s, %s: one of them is empty", p.textFile, p.htmlFile)
	}
	if p.text.Lookup("subject") == nil {
		return p, fmt.Errorf(`%s:1: no subject; write {{define "subject"}}…{{end}}`, p.textFile)
	}
	_, err := p.text.AddParseTree("content", text.Tree)
	_, htmlErr := p.html.AddParseTree("content", page.Tree)
	return p, errors.Join(err, htmlErr)
}

// readTemplates reads the program's own files and then the operator's.
func readTemplates(overrideDir string) (map[string]source, error) {
	own, err := fs.Sub(embedded, "templates")
	if err != nil {
		return nil, err
	}
	files := map[string]source{}
	if err := readFolder(own, "templates", func(name string, s source) error {
		files[name] = s
		return nil
	}); err != nil || overrideDir == "" {
		return files, err
	}
	return files, readFolder(os.DirFS(overrideDir), overrideDir, func(name string, s source) error {
		if _, known := files[name]; !known {
			return fmt.Errorf("%s: no such template; the templates are %s", s.file, strings.Join(namesOf(files), ", "))
		}
		files[name] = s
		return nil
	})
}

func readFolder(folder fs.FS, root string, add func(string, source) error) error {
	return fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(entry.Name(), ".") && entry.IsDir():
			return fs.SkipDir
		case entry.IsDir() || strings.HasPrefix(entry.Name(), "."):
			return nil
		}
		info, err := fs.Stat(folder, name)
		if err != nil {
			return err
		}
		file := filepath.Join(root, filepath.FromSlash(name))
		if !info.Mode().IsRegular() || info.Size() > maxTemplateBytes {
			return fmt.Errorf("%s: no regular file, or larger than %d bytes", file, maxTemplateBytes)
		}
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		return add(name, source{file, strings.ReplaceAll(string(text), "\r\n", "\n")})
	})
}

func namesOf(files map[string]source) []string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
