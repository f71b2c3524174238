package main

import (
	"errors"
	"fmt"
	"os"
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
	p, err := policies.Parse(document)
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

type policyShowCommand struct {
	Policy string `arg:"" help:"The name of a built-in policy, with @2 behind it for version 2, or a YAML document."`
	Table  bool   `help:"A table of what each role may do, in Markdown, instead of the document."`
}

// Run prints the document or the table.
func (x policyShowCommand) Run(out *kong.Context) error {
	p, document, err := findPolicy(x.Policy)
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
	A string `arg:"" help:"The name of a built-in policy, with @2 behind it for version 2, or a YAML document."`
	B string `arg:"" help:"The same."`
}

// Run prints one line for each setting that changes.
func (x policyDiffCommand) Run(out *kong.Context) error {
	a, _, err := findPolicy(x.A)
	if err != nil {
		return err
	}
	b, _, err := findPolicy(x.B)
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

// findPolicy reads a document when the name is that of a file, and finds a
// built-in policy otherwise: the newest version unless the name ends in @version.
func findPolicy(name string) (*policy.Policy, []byte, error) {
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
	catalogue := policies.Builtin()
	builtin, version, versioned := strings.Cut(name, "@")
	p, ok := catalogue.Latest(builtin)
	if versioned {
		number, err := strconv.Atoi(version)
		if err != nil {
			return nil, nil, fmt.Errorf("%q is no version of a policy: give a number, such as %s@1", version, builtin)
		}
		p, ok = catalogue.Get(builtin, number)
	}
	if !ok {
		return nil, nil, fmt.Errorf("there is no policy %s: give the path of a document, or one of %s", name, strings.Join(catalogue.Names(), ", "))
	}
	return p, catalogue.Document(p), nil
}
