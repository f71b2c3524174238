package mail

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	netmail "net/mail"
	"strings"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/net/idna"
)

// compose is the mail as both senders write it: multipart/alternative, byte for
// byte the same for the same mail. The error is ErrRejected: what cannot be
// written now never can.
func compose(r Rendered) (*gomail.Msg, error) {
	from, err := netmail.ParseAddress(r.From)
	if err != nil || !validAddress(r.To) || !validID.MatchString(r.ID) || r.Date.IsZero() {
		return nil, fmt.Errorf("mail: %w: no valid id, date, sender or recipient", ErrRejected)
	}
	boundary := sha256.Sum256([]byte(r.ID))
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithCharset(gomail.CharsetUTF8),
		gomail.WithEncoding(gomail.EncodingQP), gomail.WithBoundary(hex.EncodeToString(boundary[:16])))
	m.FromMailAddress(from)
	m.ToMailAddress(&netmail.Address{Name: visible(r.ToName), Address: r.To})
	m.Subject(visible(r.Subject))
	m.SetDateWithValue(r.Date.UTC())
	m.SetMessageIDWithValue(visible(r.MessageID))
	m.SetGenHeader(gomail.HeaderContentLang, visible(r.Language))
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	// Everything but NDR: that a mail could not be delivered is worth knowing.
	m.SetGenHeader("X-Auto-Response-Suppress", "DR", "RN", "NRN", "OOF", "AutoReply")
	m.SetBodyString(gomail.TypeTextPlain, r.Text)
	m.AddAlternativeString(gomail.TypeTextHTML, r.HTML)
	return m, nil
}

// validAddress holds for a bare address, "local@domain", that is one word.
func validAddress(address string) bool {
	parsed, err := netmail.ParseAddress(address)
	return err == nil && parsed.Address == address && len(address) <= maxAddressBytes && visible(address) == address
}

// asciiAddress is the address with its domain as it stands in the DNS, so that
// every server can take a mail for it.
func asciiAddress(address string) (string, error) {
	domain, err := idna.Lookup.ToASCII(domainOf(address))
	if err != nil || domain == "" {
		return "", fmt.Errorf("%w: no valid domain", ErrInvalid)
	}
	return strings.TrimSuffix(address, domainOf(address)) + domain, nil
}

func domainOf(address string) string {
	return address[strings.LastIndexByte(address, '@')+1:]
}
