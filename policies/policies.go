// Package policies reads policies from YAML documents and holds the built-in
// ones. A document is checked against the JSON Schema in policy.schema.json and
// then for what a schema cannot say (a role that does not exist, an owner who
// could never be replaced); the errors are made for the person who wrote the
// document: all of them at once, each with its line and what to do.
//
// A released document never changes. A change is a new file with the next
// version, and the older one stays, since organizations that were decided under
// it are replayed under it. Nothing here writes anything: a process that is
// killed loses nothing.
package policies

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"tenure/domain/policy"
)

//go:embed *.yaml
var builtin embed.FS

// Catalogue holds policies by name and version. It never changes once loaded
// and is safe for concurrent use.
type Catalogue struct {
	versions  map[string]map[int]*policy.Policy
	documents map[*policy.Policy][]byte
}

// Builtin is the catalogue of the built-in policies. Call it once, at start.
// It panics when a document that was compiled in does not parse, which the
// tests of this package rule out.
func Builtin() *Catalogue {
	c, err := Load(builtin)
	if err != nil {
		panic(err)
	}
	return c
}

// Load reads every *.yaml file at the root of documents, one policy each. It
// fails with the *Error of the first document that is wrong, wrapped with the
// file's name, and when two files hold the same version of a policy.
func Load(documents fs.FS) (*Catalogue, error) {
	files, err := fs.Glob(documents, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("policies: list documents: %w", err)
	}
	c := &Catalogue{versions: make(map[string]map[int]*policy.Policy), documents: make(map[*policy.Policy][]byte)}
	for _, file := range files {
		document, err := fs.ReadFile(documents, file)
		if err != nil {
			return nil, fmt.Errorf("policies: read %s: %w", file, err)
		}
		p, err := Parse(document)
		if err != nil {
			return nil, fmt.Errorf("policies: %s: %w", file, err)
		}
		if !c.add(p) {
			return nil, fmt.Errorf("policies: %s: version %d of %s stands in another file; give this one the next version", file, p.Version, p.Name)
		}
		c.documents[p] = document
	}
	return c, nil
}

// Get finds one version of a policy, for example the one that an organization
// was activated under.
func (c *Catalogue) Get(name string, version int) (*policy.Policy, bool) {
	p, ok := c.versions[name][version]
	return p, ok
}

// Latest finds the newest version of a policy, for new organizations.
func (c *Catalogue) Latest(name string) (*policy.Policy, bool) {
	versions, ok := c.versions[name]
	if !ok {
		return nil, false
	}
	return versions[slices.Max(slices.Collect(maps.Keys(versions)))], true
}

// Document is what a policy of the catalogue was read from. Do not change it.
func (c *Catalogue) Document(p *policy.Policy) []byte { return c.documents[p] }

// Parse reads a document that is not of the catalogue, as the function of that
// name does.
func (c *Catalogue) Parse(document []byte) (*policy.Policy, error) {
	p, err := Parse(document)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Reread reads a document that was published, as the function of that name does.
func (c *Catalogue) Reread(document []byte) (*policy.Policy, error) { return Reread(document) }

// Check reads a document that is to be published beside the catalogue: it fails as
// Parse does, and for the name of one of the catalogue's policies.
func (c *Catalogue) Check(document []byte) (*policy.Policy, error) {
	return parse(document, func(name string) bool { _, taken := c.versions[name]; return taken })
}

// Names lists the policies, sorted.
func (c *Catalogue) Names() []string {
	return slices.Sorted(maps.Keys(c.versions))
}

func (c *Catalogue) add(p *policy.Policy) bool {
	if _, taken := c.versions[p.Name][p.Version]; taken {
		return false
	}
	if c.versions[p.Name] == nil {
		c.versions[p.Name] = make(map[int]*policy.Policy)
	}
	c.versions[p.Name][p.Version] = p
	return true
}
