// Package maildomain tells the mail domains that belong to an organization from
// those in which anybody gets an address: whoever signs in with an address of
// acme.example has to do with that company, whoever signs in with one of
// gmail.com has not.
//
// The list of the latter, free and disposable ones, is that of the npm package
// free-email-domains, which is kept by many and renewed every few days; make
// mail-domains brings the newest. What is missing there stands in also.txt.
package maildomain

import (
	_ "embed"
	"strings"
	"sync"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"tenure/domain"
)

//go:embed public.txt
var list string

//go:embed also.txt
var also string

var public = sync.OnceValue(func() map[string]bool {
	all := make(map[string]bool, strings.Count(list, "\n"))
	for line := range strings.Lines(list + also) {
		if name := strings.TrimSpace(line); name != "" && !strings.HasPrefix(name, "#") {
			all[name] = true
		}
	}
	return all
})

// Of is the domain of an address in its one spelling: lower case, and as the DNS
// has it (IDNA). It is empty for an address whose domain is no name of the DNS.
func Of(email domain.Email) string {
	name := string(email)[strings.LastIndexByte(string(email), '@')+1:]
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(name, "."))
	if err != nil || !strings.Contains(ascii, ".") {
		return ""
	}
	return ascii
}

// Private reports whether a domain, as Of answers, is for the addresses of one
// organization: neither it nor a domain above it is on the list, and it is not
// one under which anybody gets a domain, such as co.uk.
func Private(name string) bool {
	registrable, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return false
	}
	for {
		if public()[name] {
			return false
		}
		if name == registrable {
			return true
		}
		_, name, _ = strings.Cut(name, ".")
	}
}

// Display is a domain as people write it.
func Display(name string) string {
	if shown, err := idna.Display.ToUnicode(name); err == nil {
		return shown
	}
	return name
}
