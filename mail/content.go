package mail

import (
	"fmt"
	"net/url"
	"regexp"
	"time"
)

const (
	maxLinkBytes  = 2048
	maxRolesShown = 16
)

// MaxRequestsShown is how many requests a RequestsDigest lists.
const MaxRequestsShown = 20

// Content is what a mail says. The types of this file are all there are. Every
// link in them is an absolute http or https address.
type Content interface {
	// Name is the name of the content's template, for example "verify_email".
	Name() string
	// cleaned is the content with everything that people choose made harmless.
	cleaned() Content
	// check refuses links and times that no mail can be written with.
	check() error
	// links are the links that both parts of the mail must hold.
	links() []string
}

// Person is somebody mentioned in a mail: the name, the address, or both. A
// mail shows what is there, "Ada Lovelace (ada@example.com)".
type Person struct {
	Name  string
	Email string
}

// VerifyEmail asks the recipient to prove that the address is theirs.
type VerifyEmail struct {
	Link    string // where the address is confirmed
	Expires time.Time
}

// AlreadyRegistered answers somebody who signs up with an address that has an
// account: only the owner of the address learns of it.
type AlreadyRegistered struct {
	Link      string // where to sign in
	ResetLink string // where to ask for a new password; empty leaves the advice out
}

// ResetPassword lets the recipient choose a new password.
type ResetPassword struct {
	Link    string // where the new password is chosen
	Expires time.Time
}

// Invitation invites the recipient to join an organization.
type Invitation struct {
	Organization string
	Inviter      Person
	Roles        []string // the names of the roles, as the policy has them
	Username     string   // the name inside the organization; empty where the policy has none
	SignInAs     string   // the address or name to sign in with; empty is the recipient's address
	Provider     string   // the only identity provider allowed, "Google"; empty is any, password included
	Link         string   // where the invitation is read and accepted
	Expires      time.Time
}

// OwnershipTransfer asks the current owner, who is the recipient, to confirm
// that somebody else becomes the owner.
type OwnershipTransfer struct {
	Organization string
	Target       Person
	OwnerRole    string // the role that the recipient has now and the target gets
	NextRole     string // the role that the recipient has afterwards
	Link         string // where the transfer is confirmed
	Expires      time.Time
}

// RequestsDigest tells somebody who decides on requests to join an organization
// which are open.
type RequestsDigest struct {
	Organization string
	Open         int       // how many there are
	Oldest       []Request // the first MaxRequestsShown of them
	Link         string    // where they are decided
}

// WebhookStopped tells somebody who manages an organization's webhooks that
// nothing is delivered to one of them any more.
type WebhookStopped struct {
	Organization string
	Receiver     string // the host that was delivered to
	WebhookID    string
	Link         string // the delivery log
	Gone         bool   // the receiver said so
	Failing      bool   // nothing has arrived for days; otherwise the policy has changed
}

// Request is a request to join.
type Request struct {
	Person Person
	Since  time.Time // zero when that is not known
}

// More is how many requests the mail does not list.
func (c RequestsDigest) More() int { return c.Open - len(c.Oldest) }

// Name is "verify_email".
func (VerifyEmail) Name() string { return "verify_email" }

// Name is "already_registered".
func (AlreadyRegistered) Name() string { return "already_registered" }

// Name is "reset_password".
func (ResetPassword) Name() string { return "reset_password" }

// Name is "invitation".
func (Invitation) Name() string { return "invitation" }

// Name is "ownership_transfer".
func (OwnershipTransfer) Name() string { return "ownership_transfer" }

// Name is "requests_digest".
func (RequestsDigest) Name() string { return "requests_digest" }

// Name is "webhook_stopped".
func (WebhookStopped) Name() string { return "webhook_stopped" }

func (c VerifyEmail) cleaned() Content       { return c }
func (c AlreadyRegistered) cleaned() Content { return c }
func (c ResetPassword) cleaned() Content     { return c }

func (c Invitation) cleaned() Content {
	roles := c.Roles[:min(len(c.Roles), maxRolesShown)]
	c.Roles = make([]string, len(roles))
	for i, role := range roles {
		c.Roles[i] = plainName(role)
	}
	c.Organization = plainName(c.Organization)
	c.Inviter = c.Inviter.cleaned()
	c.Username = plainIdentity(c.Username)
	c.SignInAs = plainIdentity(c.SignInAs)
	c.Provider = plainName(c.Provider)
	return c
}

func (c OwnershipTransfer) cleaned() Content {
	c.Organization = plainName(c.Organization)
	c.Target = c.Target.cleaned()
	c.OwnerRole = plainName(c.OwnerRole)
	c.NextRole = plainName(c.NextRole)
	return c
}

func (c RequestsDigest) cleaned() Content {
	oldest := c.Oldest[:min(len(c.Oldest), MaxRequestsShown)]
	c.Oldest = make([]Request, len(oldest))
	for i, r := range oldest {
		c.Oldest[i] = Request{Person: r.Person.cleaned(), Since: r.Since}
	}
	c.Organization = plainName(c.Organization)
	return c
}

func (c WebhookStopped) cleaned() Content {
	c.Organization = plainName(c.Organization)
	c.Receiver = plainName(c.Receiver)
	c.WebhookID = plainIdentity(c.WebhookID)
	return c
}

func (p Person) cleaned() Person {
	return Person{Name: plainName(p.Name), Email: plainIdentity(p.Email)}
}

func (p Person) String() string {
	switch {
	case p.Name == "":
		return p.Email
	case p.Email == "":
		return p.Name
	}
	return p.Name + " (" + p.Email + ")"
}

func (c VerifyEmail) links() []string       { return []string{c.Link} }
func (c ResetPassword) links() []string     { return []string{c.Link} }
func (c Invitation) links() []string        { return []string{c.Link} }
func (c OwnershipTransfer) links() []string { return []string{c.Link} }
func (c RequestsDigest) links() []string    { return []string{c.Link} }
func (c WebhookStopped) links() []string    { return []string{c.Link} }

func (c AlreadyRegistered) links() []string {
	if c.ResetLink == "" {
		return []string{c.Link}
	}
	return []string{c.Link, c.ResetLink}
}

func (c VerifyEmail) check() error       { return checkEnd(c, c.Expires) }
func (c ResetPassword) check() error     { return checkEnd(c, c.Expires) }
func (c Invitation) check() error        { return checkEnd(c, c.Expires) }
func (c OwnershipTransfer) check() error { return checkEnd(c, c.Expires) }
func (c AlreadyRegistered) check() error { return checkLinks(c) }
func (c RequestsDigest) check() error    { return checkLinks(c) }
func (c WebhookStopped) check() error    { return checkLinks(c) }

func checkEnd(c Content, expires time.Time) error {
	if expires.IsZero() {
		return fmt.Errorf("%w: %s: no time of expiry", ErrInvalid, c.Name())
	}
	return checkLinks(c)
}

// webAddress holds what a link may consist of, so that it is one word wherever
// it is written and html/template leaves it as it is.
var webAddress = regexp.MustCompile("^https?://[^\\s\"'<>`\\\\{}|^\\x00-\\x1f\\x7f-\\x{10ffff}]+$")

func checkLinks(c Content) error {
	for _, link := range c.links() {
		parsed, err := url.Parse(link)
		if err != nil || parsed.Host == "" || len(link) > maxLinkBytes || !webAddress.MatchString(link) {
			// The link holds a token, so the text does not.
			return fmt.Errorf("%w: %s: a link is no absolute http or https address", ErrInvalid, c.Name())
		}
	}
	return nil
}

// samples hold every content in every shape that a template has to cope with.
func samples() []Content {
	at := time.Date(2031, time.March, 1, 9, 5, 0, 0, time.UTC)
	link, reset := "https://tenure.example/link?token=sample-1", "https://tenure.example/reset?sample=2"
	ada := Person{Name: "Ada Lovelace", Email: "ada@example.com"}
	return []Content{
		VerifyEmail{Link: link, Expires: at},
		AlreadyRegistered{Link: link, ResetLink: reset},
		AlreadyRegistered{Link: link},
		ResetPassword{Link: link, Expires: at},
		Invitation{Organization: "Acme", Inviter: ada, Roles: []string{"ADMIN", "VIEWER"}, Username: "grace.h", Link: link, Expires: at},
		Invitation{Organization: "Acme", Inviter: Person{Email: ada.Email}, Roles: []string{"USER"}, SignInAs: "grace@work.example",
			Provider: "Google", Link: link, Expires: at},
		OwnershipTransfer{Organization: "Acme", Target: ada, OwnerRole: "OWNER", NextRole: "ADMIN", Link: link, Expires: at},
		RequestsDigest{Organization: "Acme", Open: 1, Oldest: []Request{{Person: ada}}, Link: link},
		RequestsDigest{Organization: "Acme", Open: 9, Oldest: []Request{{Person: ada, Since: at}, {Person: Person{Email: ada.Email}, Since: at}}, Link: link},
		WebhookStopped{Organization: "Acme", Receiver: "hooks.example.com", WebhookID: "0190d5a1-c3da-7f54-9507-91a2bd6e8f66", Link: link, Failing: true},
		WebhookStopped{Organization: "Acme", Receiver: "hooks.example.com", WebhookID: "0190d5a1-c3da-7f54-9507-91a2bd6e8f66", Link: link, Gone: true},
		WebhookStopped{Organization: "Acme", Receiver: "hooks.example.com", WebhookID: "0190d5a1-c3da-7f54-9507-91a2bd6e8f66", Link: link},
	}
}
