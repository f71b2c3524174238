package domain

// Pseudonym stands for a person who was erased: some hexadecimal digits that are
// always the same for the same person and lead back to nobody. What it makes has
// the form of what it stands for, so that nothing that reads it need know.
type Pseudonym string

// ErasedText stands for free text about somebody who was erased.
const ErasedText = "[erased]"

// Email is an address that no mail reaches: RFC 2606 keeps the domain from ever
// being there.
func (p Pseudonym) Email() Email { return Email("erased-" + string(p) + "@erased.invalid") }

// Username is a username.
func (p Pseudonym) Username() Username { return Username(p.Text()) }

// DisplayName is a name as others see it.
func (p Pseudonym) DisplayName() string { return "Erased person " + string(p)[:min(len(p), 8)] }

// Text is an opaque text.
func (p Pseudonym) Text() string { return "erased-" + string(p) }
