package mail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

const (
	defaultKeep = 1000
	tempPrefix  = ".writing-"
	fileSuffix  = ".eml"
	// timeLayout sorts like time.
	timeLayout = "20060102T150405.000000000Z"
)

// Outbox is the Sender for an installation without an SMTP server: a folder
// with one .eml file for each mail, which any mail program opens. It is safe
// for concurrent use, and several processes may share the folder.
//
// The mails hold links with tokens: the folder belongs to the user that Tenure
// runs as, and to nobody else (mode 0700, files 0600).
type Outbox struct {
	dir   string
	keep  int
	pages *template.Template
	mu    sync.Mutex // one writer at a time, so that an id has one file
}

// OpenOutbox makes the folder if it is missing and clears away what a killed
// process left half written. The newest keep mails stay, 1,000 if keep is 0.
func OpenOutbox(dir string, keep int) (*Outbox, error) {
	if keep <= 0 {
		keep = defaultKeep
	}
	pages, err := parsePages()
	if err != nil {
		return nil, fmt.Errorf("mail: outbox: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("mail: outbox: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("mail: outbox: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, tempPrefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("mail: outbox: %w", err)
	}
	for _, file := range left {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("mail: outbox: %w", err)
		}
	}
	return &Outbox{dir: dir, keep: keep, pages: pages}, nil
}

// Send keeps the mail; when it returns nil the file is on disk. A mail with an
// id that is there already takes its place.
func (o *Outbox) Send(ctx context.Context, mail Rendered) error {
	msg, err := compose(mail)
	if err != nil {
		return err
	}
	if len(mail.About) > 0 {
		msg.SetGenHeader(aboutHeader, strings.Join(mail.About, ", "))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("mail: outbox: %w: %w", ErrTemporary, err)
	}
	temp, err := os.CreateTemp(o.dir, tempPrefix+"*") // mode 0600
	if err != nil {
		return fmt.Errorf("mail: outbox: %w: %w", ErrTemporary, err)
	}
	_, err = msg.WriteTo(temp)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = o.put(temp.Name(), mail)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
		return fmt.Errorf("mail: outbox: %w: %w", ErrTemporary, err)
	}
	return nil
}

// put gives the written file its name and lets go of the oldest mails.
func (o *Outbox) put(temp string, mail Rendered) error {
	files, err := o.files()
	if err != nil {
		return err
	}
	name := mail.Date.UTC().Format(timeLayout) + "-" + mail.ID + fileSuffix
	if err := os.Rename(temp, filepath.Join(o.dir, name)); err != nil {
		return err
	}
	var others, gone []outboxFile
	for _, f := range files {
		switch {
		case f.name == name: // replaced
		case f.id == mail.ID: // the same mail with another date
			gone = append(gone, f)
		default:
			others = append(others, f)
		}
	}
	if len(others) >= o.keep {
		gone = append(gone, others[o.keep-1:]...)
	}
	for _, f := range gone {
		if err := os.Remove(filepath.Join(o.dir, f.name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return syncDir(o.dir)
}

// outboxFile is one mail of the folder.
type outboxFile struct{ name, id string }

// files are the mails, newest first. What else lies in the folder is passed
// over.
func (o *Outbox) files() ([]outboxFile, error) {
	entries, err := os.ReadDir(o.dir)
	if err != nil {
		return nil, err
	}
	files := make([]outboxFile, 0, len(entries))
	for _, entry := range entries {
		id, ok := idOf(entry.Name())
		if ok && entry.Type().IsRegular() {
			files = append(files, outboxFile{entry.Name(), id})
		}
	}
	slices.SortFunc(files, func(a, b outboxFile) int { return cmp.Compare(b.name, a.name) })
	return files, nil
}

// idOf is the id in a file name of ours.
func idOf(name string) (string, bool) {
	rest, ok := strings.CutSuffix(name, fileSuffix)
	if !ok || len(rest) <= len(timeLayout) || rest[len(timeLayout)] != '-' {
		return "", false
	}
	id := rest[len(timeLayout)+1:]
	return id, validID.MatchString(id) && strings.Trim(rest[:len(timeLayout)], "0123456789TZ.") == ""
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
