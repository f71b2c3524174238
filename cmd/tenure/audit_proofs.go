package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"tenure/ledger"
)

// proofs are what an auditor has from elsewhere than what is verified: without
// any of it, whoever can make a file can make one that fits itself.
type proofs struct {
	Key         string   `help:"The verifier key, from tenure ledger key or GET /v1/ledger/key, kept since before." env:"TENURE_LEDGER_KEY"`
	WithoutKey  bool     `help:"Verify without --key: only that all of it fits itself. Signatures are not checked, and a forger who makes new checkpoints is not found." env:"-"`
	Checkpoint  []string `help:"File with a signed checkpoint that was kept elsewhere, which has to fit as well." type:"path" env:"-"`
	Consistency []string `help:"File with the answer of GET /v1/ledger/proof/consistency, which links a --checkpoint to an export that does not reach to it, or is of one organization." type:"path" env:"-"`
	Witness     []string `help:"Verifier key of a witness, name+hash+key, whose cosignature the checkpoint at the end has to have. For several, the flag several times." env:"-"`
	Quorum      int      `help:"How many of the witnesses it takes. Default: all of them." env:"-"`

	WithoutEnd bool `help:"Take an export whose end is not signed, as of an exporter that had not the secret: whoever has handed it over may have left out what came last." name:"without-signed-end" env:"-"`

	witnesses []*ledger.Witness
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
	if _, err := note.NewVerifier(p.Key); p.Key != "" && err != nil {
		return errors.New("--key: give the whole line that tenure ledger key prints, name+hash+key")
	}
	p.witnesses = nil
	for _, key := range p.Witness {
		w, err := ledger.ParseWitness(key)
		if err != nil {
			return fmt.Errorf("--witness %s: %w", key, err)
		}
		if slices.ContainsFunc(p.witnesses, w.Same) {
			return fmt.Errorf("--witness %s: the key is there twice", key)
		}
		p.witnesses = append(p.witnesses, w)
	}
	if p.Quorum < 0 || p.Quorum > len(p.witnesses) {
		return fmt.Errorf("--quorum %d: there are %d keys with --witness", p.Quorum, len(p.witnesses))
	}
	return nil
}

// options are those of a verification, with a bar that done removes.
func (p *proofs) options() (o ledger.Options, done func(), err error) {
	o.Key, o.Witnesses, o.Quorum, o.UnsignedEnd = p.Key, p.witnesses, p.Quorum, p.WithoutEnd
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
