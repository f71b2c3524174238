package mail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Forget deletes every mail that holds one of the words, whatever their case: in
// its headers, its text or as the file has it. A mail that cannot be read is
// deleted as well, since nobody can say what it holds.
func (o *Outbox) Forget(ctx context.Context, words []string) error {
	keys := make([]string, 0, len(words))
	for _, word := range words {
		if key := addressKey(word); key != "" {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	files, err := o.files()
	if err != nil {
		return fmt.Errorf("mail: outbox: %w", err)
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("mail: outbox: %w", err)
		}
		if !o.holds(f, keys) {
			continue
		}
		if err := os.Remove(filepath.Join(o.dir, f.name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("mail: outbox: %w", err)
		}
	}
	if err := syncDir(o.dir); err != nil {
		return fmt.Errorf("mail: outbox: %w", err)
	}
	return nil
}

func (o *Outbox) holds(f outboxFile, keys []string) bool {
	raw, err := os.ReadFile(filepath.Join(o.dir, f.name))
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	mail, parseErr := o.parse(f)
	if err != nil || parseErr != nil {
		return true
	}
	all := addressKey(strings.Join([]string{string(raw), mail.To, mail.ToName, mail.Subject, mail.Text, mail.HTML}, "\n"))
	for _, key := range keys {
		if strings.Contains(all, key) {
			return true
		}
	}
	return false
}
