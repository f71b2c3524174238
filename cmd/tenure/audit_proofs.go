package main

import (
	"errors"
	"fmt"
	"os"

	"tenure/ledger"
)

// proofs are what an auditor has from elsewhere than what is verified: without
// any of it, whoever can make a file can make one that fits itself.
type proofs struct {
	Key         string   `help:"The verifier key, from tenure ledger key or GET /v1/ledger/key, kept since before." env:"TENURE_LEDGER_KEY"`
	WithoutKey  bool     `help:"Verify without --key: only that all of it fits itself. Signatures are not checked, and a forger who makes new checkpoints is not found." env:"-"`
	Checkpoint  []string `help:"File with a signed checkpoint that was kept elsewhere, which has to fit as well." type:"path" env:"-"`
	Consistency []string `help:"File with the answer of GET /v1/ledger/proof/consistency, which links a --checkpoint to an export that does not reach to it, or is of one organization." type:"path" env:"-"`
}

// check sees that whoever verifies without the key does so on purpose: a script
// that has lost it takes the exit code for a proof. kong ends with 80 then, and
// not with 1, which says that something was altered.
func (p *proofs) check() error {
	switch {
	case p.Key == "" && !p.WithoutKey:
		return errors.New("give --key, the verifier key, so that signatures are checked; or --without-key, to see only whether all of it fits itself")
	case p.Key != "" && p.WithoutKey:
		return errors.New("give --key (or TENURE_LEDGER_KEY) or --without-key, not both")
	}
	return nil
}

// options are those of a verification, with a bar that done removes.
func (p *proofs) options() (o ledger.Options, done func(), err error) {
	o.Key = p.Key
	for _, path := range p.Checkpoint {
		text, err := os.ReadFile(path)
		if err != nil {
			return o, nil, err
		}
		o.Kept = append(o.Kept, string(text))
	}
	for _, path := range p.Consistency {
		text, err := os.ReadFile(path)
		if err != nil {
			return o, nil, err
		}
		c, err := ledger.ParseConsistency(text)
		if err != nil {
			return o, nil, fmt.Errorf("%s: %w", path, err)
		}
		o.Consistency = append(o.Consistency, c)
	}
	bar := newProgress("verifying", -1)
	o.Progress = func(leaves uint64) {
		if leaves%1000 == 0 {
			bar.show(int(leaves), fmt.Sprintf("%d events", leaves))
		}
	}
	return o, bar.finish, nil
}
