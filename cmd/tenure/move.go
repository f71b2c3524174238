package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"tenure/documents"
)

type policyPublishCommand struct {
	operatorClient
	File string `arg:"" help:"The YAML document."`
}

// Run publishes the document, or lists every problem of it.
func (x *policyPublishCommand) Run(ctx context.Context, out *kong.Context) error {
	document, err := os.ReadFile(x.File)
	if err != nil {
		return err
	}
	var published struct {
		Policy  string
		Version int
		Events  []any
	}
	err = x.send(ctx, http.MethodPost, "/v1/operator/policies", "application/yaml", document, &published)
	var refusal *refusedByServer
	if errors.As(err, &refusal) && len(refusal.Errors) > 0 && refusal.Errors[0].Line > 0 {
		for _, p := range refusal.Errors {
			fmt.Fprintf(out.Stdout, "%s: %s\n", x.File, documents.Problem{Line: p.Line, Column: p.Column, Path: p.Field, Message: p.Message})
		}
		return fmt.Errorf("%s is no policy: problems: %d", x.File, len(refusal.Errors))
	}
	if err != nil {
		return err
	}
	news := "published"
	if len(published.Events) == 0 {
		news = "was published before"
	}
	fmt.Fprintf(out.Stdout, "policy %s, version %d: %s\n", published.Policy, published.Version, news)
	return nil
}

type policyMoveCommand struct {
	operatorClient
	Organization string            `arg:"" help:"The organization's id."`
	To           string            `help:"The policy's name, with @2 behind it for version 2; otherwise the newest." required:"" placeholder:"NAME" env:"-"`
	Map          map[string]string `help:"What roles become: old=new, with commas between; new+new for several roles, nothing after = for none. A role that has the same name in both policies stays what it is." mapsep:"," env:"-"`
	NoRole       []string          `help:"What those get who have no role, where the new policy asks for one: names, with commas between." name:"no-role" placeholder:"ROLE" env:"-"`
	Reason       string            `help:"For the history." env:"-"`
	DryRun       bool              `help:"Say what would happen, and change nothing." env:"-"`
}

// Run moves the organization and prints what every role has become.
func (x *policyMoveCommand) Run(ctx context.Context, out *kong.Context) error {
	name, text, versioned := strings.Cut(x.To, "@")
	version := 0
	if versioned {
		var err error
		if version, err = strconv.Atoi(text); err != nil || version < 1 {
			return fmt.Errorf("%q is no version of a policy: give a number, such as %s@1", text, name)
		}
	}
	roles := make(map[string][]string, len(x.Map))
	for old, become := range x.Map {
		roles[old] = strings.FieldsFunc(become, func(r rune) bool { return r == '+' })
	}
	body, err := json.Marshal(map[string]any{"policy": name, "version": version, "roles": roles, "no_role": x.NoRole, "reason": x.Reason})
	if err != nil {
		return err
	}
	path := "/v1/operator/organizations/" + url.PathEscape(x.Organization) + "/policy"
	if x.DryRun {
		path += "?dry_run=true"
	}
	var done struct {
		Events []struct {
			Type string
			Data json.RawMessage
		}
	}
	if err := x.send(ctx, http.MethodPut, path, "application/json", body, &done); err != nil {
		return err
	}
	if len(done.Events) == 0 {
		fmt.Fprintln(out.Stdout, "it is under that policy already")
		return nil
	}
	for _, e := range done.Events {
		if err := x.report(out, e.Type, e.Data); err != nil {
			return err
		}
	}
	if x.DryRun {
		fmt.Fprintln(out.Stdout, "nothing was changed: a dry run")
	}
	return nil
}

// report says what an event does, in a line or several.
func (x *policyMoveCommand) report(out *kong.Context, kind string, data json.RawMessage) error {
	if !strings.HasPrefix(kind, "organization.policy_changed.") {
		fmt.Fprintf(out.Stdout, "%s %s\n", kind, data)
		return nil
	}
	type version struct {
		Policy  string
		Version int
	}
	var changed struct {
		Before, After version
		Roles         map[string][]string
		NoRole        []string `json:"no_role"`
	}
	if err := json.Unmarshal(data, &changed); err != nil {
		return err
	}
	fmt.Fprintf(out.Stdout, "from %s@%d to %s@%d\n", changed.Before.Policy, changed.Before.Version, changed.After.Policy, changed.After.Version)
	var names []string
	for name := range changed.Roles {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		become := strings.Join(changed.Roles[name], ", ")
		if become == "" {
			become = "no role"
		}
		fmt.Fprintf(out.Stdout, "  %s becomes %s\n", name, become)
	}
	if len(changed.NoRole) > 0 {
		fmt.Fprintf(out.Stdout, "  no role becomes %s\n", strings.Join(changed.NoRole, ", "))
	}
	return nil
}
