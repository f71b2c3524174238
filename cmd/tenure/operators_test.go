package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write the table of settings into docs/operators.md")

const (
	operatorsPage = "../../docs/operators.md"
	settingsBegin = "<!-- settings, written by make docs -->\n"
	settingsEnd   = "<!-- end of settings -->\n"
)

// TestOperatorsPageHasEverySetting compares the table with the flags of
// `tenure serve`, which are all there is.
func TestOperatorsPageHasEverySetting(t *testing.T) {
	text, err := os.ReadFile(operatorsPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), settingsBegin)
	written, after, foundEnd := strings.Cut(rest, settingsEnd)
	if !found || !foundEnd {
		t.Fatal("the page lacks the marks around the table of settings")
	}
	table := settingsTable(t)
	if written == table {
		return
	}
	if !*update {
		t.Fatalf("the table of settings is not that of the flags: run make docs\n--- written\n%s--- flags\n%s", written, table)
	}
	if err := os.WriteFile(operatorsPage, []byte(before+settingsBegin+table+settingsEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func settingsTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| flag | environment | default | what |\n|---|---|---|---|\n")
	for _, command := range newParser().Model.Children {
		if command.Name != "serve" {
			continue
		}
		for _, f := range command.Flags {
			if f.Name != "help" {
				fmt.Fprintf(&b, "| `--%s` | `%s` | %s | %s |\n", f.Name, strings.Join(f.Envs, "` `"), defaultOf(f), strings.ReplaceAll(f.Help, "|", `\|`))
			}
		}
	}
	return b.String()
}

func defaultOf(f *kong.Flag) string {
	switch {
	case f.IsBool():
		return "off"
	case f.Default == "":
		return ""
	default:
		return "`" + f.Default + "`"
	}
}
