package commands

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"tenure/domain"
	"tenure/domain/policy"
	"tenure/domain/publication"
)

// Policies are looked up in the log first, where operators publish their own
// (X10), and then among those that the program comes with. A name that stands in
// the log is the operator's, also when a later release of the program has a
// policy of that name: what was decided under it stays as it was.

// publishedStream is the one stream of all that operators publish, so that the
// list of it is as new as the log, and one append decides which version is next.
const publishedStream = "own"

// PoliciesStream is the name of that stream.
const PoliciesStream = "policies-" + publishedStream

// knownPolicies are versions of policies by name and number. They never change,
// so they are kept for good.
type knownPolicies struct{ versions sync.Map }

type policyKey struct {
	name    string
	version int
}

// policyVersion finds one version of a policy. What it reads is for everybody who
// asks for that version later, so no request's end keeps it from being read.
func (c *Commands) policyVersion(name string, version int) (*policy.Policy, bool, error) {
	key := policyKey{name, version}
	if p, ok := c.known.versions.Load(key); ok {
		return p.(*policy.Policy), true, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	s, _, err := c.publications.load(ctx, publishedStream)
	if err != nil {
		return nil, false, err
	}
	p, ok := c.Policies.Get(name, version)
	if s.Latest(name) > 0 {
		if p, ok, err = c.parsePublished(s, name, version); err != nil {
			return nil, false, err
		}
	}
	if ok {
		c.known.versions.Store(key, p)
	}
	return p, ok, nil
}

// latestPolicy finds the newest version of a policy, whichever node it was
// published on.
func (c *Commands) latestPolicy(ctx context.Context, name string) (*policy.Policy, bool, error) {
	s, _, err := c.publications.load(ctx, publishedStream)
	if err != nil {
		return nil, false, err
	}
	if newest := s.Latest(name); newest > 0 {
		return c.policyVersion(name, newest)
	}
	p, ok := c.Policies.Latest(name)
	return p, ok, nil
}

func (c *Commands) parsePublished(s publication.State, name string, version int) (*policy.Policy, bool, error) {
	document, ok := s.Document(name, version)
	if !ok {
		return nil, false, nil
	}
	p, err := c.Policies.Reread([]byte(document))
	if err != nil {
		return nil, false, fmt.Errorf("commands: the published policy %s, version %d: %w", name, version, err)
	}
	return p, true, nil
}

// PublishPolicy makes a policy of an operator known to every node (X10). The same
// document again changes nothing. It fails with what the reader of documents says
// is wrong, with CodePolicyBuiltIn, and as publication.Publish does.
func (c *Commands) PublishPolicy(ctx context.Context, r Request, document []byte) (*policy.Policy, Receipt, error) {
	p, err := c.Policies.Parse(document)
	if err != nil {
		return nil, Receipt{}, err
	}
	receipt, err := c.publications.execute(ctx, publishedStream, r, func(s publication.State) ([]domain.Event, error) {
		if _, ours := c.Policies.Latest(p.Name); ours && s.Latest(p.Name) == 0 {
			e := domain.Refuse(domain.CodePolicyBuiltIn, "The name of a built-in policy", "Choose another name; this is one of Tenure's own policies.")
			e.Field = "name"
			return nil, e
		}
		return publication.Publish(s, publication.Published{Name: p.Name, Version: p.Version, Document: string(document)})
	})
	return p, receipt, err
}

// PolicyListed is one version of a policy that organizations may be put under.
type PolicyListed struct {
	*policy.Policy
	BuiltIn bool
}

// ListPolicies lists every version of every policy, by name, the newest first.
func (c *Commands) ListPolicies(ctx context.Context) ([]PolicyListed, error) {
	s, _, err := c.publications.load(ctx, publishedStream)
	if err != nil {
		return nil, err
	}
	names := slices.Concat(c.Policies.Names(), s.Names())
	slices.Sort(names)
	var all []PolicyListed
	for _, name := range slices.Compact(names) {
		newest, builtIn := s.Latest(name), false
		if newest == 0 {
			p, _ := c.Policies.Latest(name)
			newest, builtIn = p.Version, true
		}
		for version := newest; version > 0; version-- {
			p, ok, err := c.policyVersion(name, version)
			if err != nil {
				return nil, err
			}
			if ok {
				all = append(all, PolicyListed{p, builtIn})
			}
		}
	}
	return all, nil
}

// PolicyDocument is what a version of a policy was read from. It fails with
// CodeNotFound.
func (c *Commands) PolicyDocument(ctx context.Context, name string, version int) ([]byte, error) {
	s, _, err := c.publications.load(ctx, publishedStream)
	if err != nil {
		return nil, err
	}
	if document, ok := s.Document(name, version); ok {
		return []byte(document), nil
	}
	if p, ok := c.Policies.Get(name, version); ok && s.Latest(name) == 0 {
		return c.Policies.Document(p), nil
	}
	return nil, domain.Refuse(domain.CodeNotFound, "No such policy", "Look the policy and its versions up in the list of policies.")
}
