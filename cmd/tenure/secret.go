package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tenure/commands/token"
)

// loadSecret reads the server's secret, from which all tokens and keys are
// derived, and makes it when the folder is new. Whoever has it can make tokens:
// the file is the owner's alone. Without it, all tokens, keys and reserved names
// are lost: it belongs into the backup.
//
// Killed while it is made, either no file is there or a whole one. It is made for
// a new log only.
func loadSecret(path string, mayMake bool) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !mayMake {
			return nil, fmt.Errorf("%s is missing: restore it from the backup, or for a new log make one with tenure secret", path)
		}
		return makeSecret(path)
	}
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others: chmod 600 it", path)
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(secret) < token.MinKeyBytes {
		return nil, fmt.Errorf("%s does not hold a secret: restore it from the backup", path)
	}
	return secret, nil
}

func newSecret() []byte {
	secret := make([]byte, token.MinKeyBytes)
	rand.Read(secret)
	return secret
}

// secretLine is the form that a secret has in its file.
func secretLine(secret []byte) string { return base64.StdEncoding.EncodeToString(secret) + "\n" }

func makeSecret(path string) ([]byte, error) {
	secret := newSecret()
	temporary, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(temporary.Name())
	if _, err := temporary.WriteString(secretLine(secret)); err != nil {
		return nil, err
	}
	if err := errors.Join(temporary.Sync(), temporary.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(temporary.Name(), path); err != nil { // fails if another was faster
		return nil, err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	return secret, errors.Join(folder.Sync(), folder.Close())
}

// secretCommand makes the secret before the first start, which several nodes
// need: the same file for all of them.
type secretCommand struct {
	To string `help:"Write it to this file, with mode 0600, unless that holds a secret already." type:"path" env:"-"`
}

// Run prints a new secret, or sees to it that the file holds one.
func (c *secretCommand) Run() error {
	if c.To == "" {
		fmt.Print(secretLine(newSecret()))
		return nil
	}
	_, err := makeSecret(c.To)
	if errors.Is(err, fs.ErrExist) {
		_, err = loadSecret(c.To, false)
	}
	return err
}
