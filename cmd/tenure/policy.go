package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"tenure/domain/policy"
	"tenure/policies"
)

type policyCommand struct {
	Check   policyCheckCommand   `cmd:"" help:"Check a policy document; list its problems and exit with 1 if it has any."`
	Show    policyShowCommand    `cmd:"" help:"Print a policy's document, or a table of its roles."`
	Diff    policyDiffCommand    `cmd:"" help:"Say what changes from one policy to another."`
	Publish policyPublishCommand `cmd:"" help:"Make a policy known to a running deployment."`
	Move    policyMoveCommand    `cmd:"" help:"Put an organization of a running deployment under another policy."`
}

type policyCheckCommand struct {
	File string `arg:"" help:"The YAML document."`
}

// Run lists every problem of the document, each with its line and what to do.
func (x policyCheckCommand) Run(out *kong.Context) error {
	document, err := os.ReadFile(x.File)
	if err != nil {
		return err
	}
	p, err := policies.Builtin().Check(document)
	var wrong *policies.Error
	switch {
	case errors.As(err, &wrong):
		for _, problem := range wrong.Problems {
			fmt.Fprintf(out.Stdout, "%s: %s\n", x.File, problem)
		}
		return fmt.Errorf("%s is no policy: problems: %d", x.File, len(wrong.Problems))
	case err != nil:
		return err
	}
	fmt.Fprintf(out.Stdout, "%s: policy %s, version %d, roles: %d, no problems\n", x.File, p.Name, p.Version, len(p.Roles))
	return nil
}

// policySource is where policies that are named are looked up.
type policySource struct {
	URL string `help:"A running deployment, whose operators may have published policies of their own. Without it: those that come with this program." name:"url" placeholder:"http://127.0.0.1:8080" env:"-"`
	Key string `help:"An operator's key, with --url. Prefer the environment variable: others may see the command line." env:"TENURE_OPERATOR_KEY" secret:"true"`
}

type policyShowCommand struct {
	policySource
	Policy string `arg:"" help:"The name of a policy, with @2 behind it for version 2, or a YAML document."`
	Table  bool   `help:"A table of what each role may do, in Markdown, instead of the document."`
}

// Run prints the document or the table.
func (x policyShowCommand) Run(ctx context.Context, out *kong.Context) error {
	p, document, err := x.find(ctx, x.Policy)
	if err != nil {
		return err
	}
	if x.Table {
		document = []byte(policies.RoleTable(p))
	}
	_, err = out.Stdout.Write(document)
	return err
}

type policyDiffCommand struct {
	policySource
	A string `arg:"" help:"The name of a policy, with @2 behind it for version 2, or a YAML document."`
	B string `arg:"" help:"The same."`
}

// Run prints one line for each setting that changes.
func (x policyDiffCommand) Run(ctx context.Context, out *kong.Context) error {
	a, _, err := x.find(ctx, x.A)
	if err != nil {
		return err
	}
	b, _, err := x.find(ctx, x.B)
	if err != nil {
		return err
	}
	fmt.Fprintf(out.Stdout, "from %s, version %d, to %s, version %d\n", a.Name, a.Version, b.Name, b.Version)
	changes := policies.Diff(a, b)
	for _, line := range changes {
		fmt.Fprintln(out.Stdout, line)
	}
	if len(changes) == 0 {
		fmt.Fprintln(out.Stdout, "the same settings")
	}
	return nil
}

// find reads a document when the name is that of a file, and finds a policy by its
// name otherwise: the newest version unless the name ends in @version.
func (x policySource) find(ctx context.Context, name string) (*policy.Policy, []byte, error) {
	if strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") || strings.ContainsRune(name, os.PathSeparator) {
		document, err := os.ReadFile(name)
		if err != nil {
			return nil, nil, err
		}
		p, err := policies.Parse(document)
		if err != nil {
			return nil, nil, fmt.Errorf("%s is no policy:\n%w", name, err)
		}
		return p, document, nil
	}
	named, text, versioned := strings.Cut(name, "@")
	version := 0
	if versioned {
		var err error
		if version, err = strconv.Atoi(text); err != nil || version < 1 {
			return nil, nil, fmt.Errorf("%q is no version of a policy: give a number, such as %s@1", text, named)
		}
	}
	if x.URL != "" {
		return x.fetch(ctx, named, version)
	}
	catalogue := policies.Builtin()
	p, ok := catalogue.Latest(named)
	if versioned {
		p, ok = catalogue.Get(named, version)
	}
	if !ok {
		return nil, nil, fmt.Errorf("there is no policy %s: give the path of a document, one of %s, or the --url of a deployment where it was published", name, strings.Join(catalogue.Names(), ", "))
	}
	return p, catalogue.Document(p), nil
}

// fetch asks the deployment; version 0 is the newest.
func (x policySource) fetch(ctx context.Context, name string, version int) (*policy.Policy, []byte, error) {
	deployment := operatorClient(x)
	if version == 0 {
		var all struct {
			Items []struct {
				Policy  string
				Version int
			}
		}
		if err := deployment.call(ctx, http.MethodGet, "/v1/operator/policies", &all); err != nil {
			return nil, nil, err
		}
		var names []string
		for _, p := range all.Items {
			if p.Policy == name {
				version = max(version, p.Version)
			}
			names = append(names, p.Policy)
		}
		if version == 0 {
			return nil, nil, fmt.Errorf("there is no policy %s: the deployment has %s", name, strings.Join(slices.Compact(names), ", "))
		}
	}
	body, err := deployment.fetch(ctx, fmt.Sprintf("v1/operator/policies/%s/%d", url.PathEscape(name), version), nil)
	if err != nil {
		return nil, nil, err
	}
	defer body.Close()
	document, err := io.ReadAll(io.LimitReader(body, 1<<20))
	if err != nil {
		return nil, nil, err
	}
	p, err := policies.Reread(document)
	return p, document, err
}
