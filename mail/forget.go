package mail

import (
	"context"
	"errors"
	"fmt"
	"io"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// aboutHeader is where a mail in the outbox says whom it is to or about. What a
// mail server gets has no such header.
const aboutHeader = "X-Tenure-About"

// Forget deletes every mail that is to or about somebody who is gone, which it
// asks once for all who are named. A mail that does not say whom it is about, or
// cannot be read, is deleted as well, since nobody can say what it holds.
//
// It needs no more than that question, so a node that was down when somebody was
// erased does it when it starts.
func (o *Outbox) Forget(ctx context.Context, gone func(ctx context.Context, ids []string) ([]bool, error)) error {
	o.mu.Lock()
	files, err := o.files()
	o.mu.Unlock()
	if err != nil {
		return fmt.Errorf("mail: outbox: %w", err)
	}
	about := make([][]string, len(files))
	var asked []string
	for i, f := range files {
		about[i] = o.about(f)
		asked = append(asked, about[i]...)
	}
	slices.Sort(asked)
	asked = slices.Compact(asked)
	answers, err := gone(ctx, asked)
	if err != nil {
		return err
	}
	left := make(map[string]bool, len(asked))
	for i, id := range asked {
		left[id] = !answers[i]
	}
	deleted := false
	for i, f := range files {
		if len(about[i]) > 0 && !slices.ContainsFunc(about[i], func(id string) bool { return !left[id] }) {
			continue
		}
		deleted = true
		if err := os.Remove(filepath.Join(o.dir, f.name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("mail: outbox: %w", err)
		}
	}
	if !deleted {
		return nil
	}
	if err := syncDir(o.dir); err != nil {
		return fmt.Errorf("mail: outbox: %w", err)
	}
	return nil
}

// about are the ids that a mail names; none of one that cannot be read.
func (o *Outbox) about(f outboxFile) []string {
	file, err := os.Open(filepath.Join(o.dir, f.name))
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }()
	raw, err := netmail.ReadMessage(io.LimitReader(file, maxMailBytes))
	if err != nil {
		return nil
	}
	return strings.FieldsFunc(raw.Header.Get(aboutHeader), func(r rune) bool { return r == ',' || r == ' ' })
}
