package projectionstest

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/apikey"
	"tenure/domain/mailing"
	"tenure/domain/organization"
	"tenure/domain/reservation"
)

// What happens besides organizations: mails, reservations, keys.

func (h *history) askForMail() {
	p, _ := pick(h, "account", h.accounts)
	e := rapid.SampledFrom([]domain.Event{
		account.VerificationRequested{AccountID: p.id, Generation: 2, ExpiresAt: h.now.Add(time.Hour)},
		account.PasswordResetRequested{AccountID: p.id, Generation: 3, ExpiresAt: h.now.Add(time.Hour)},
		account.RegistrationRepeated{AccountID: p.id},
		account.SessionStarted{AccountID: p.id, SessionID: "s", ExpiresAt: h.now.Add(time.Hour)}, // no view's business
	}).Draw(h.t, "account event")
	eventID := h.record("account-"+string(p.id), e)
	if _, session := e.(account.SessionStarted); !session {
		h.mail(eventID)
	}
}

// summarizeRequests asks for a mail to each of some members, and maybe for the
// next time.
func (h *history) summarizeRequests() {
	o, ok := h.organization()
	if !ok {
		return
	}
	e := organization.RequestsSummarized{OrganizationID: o.id, Due: h.now, Requests: 2}
	for _, p := range h.accounts[:rapid.IntRange(0, 3).Draw(h.t, "recipients")] {
		e.Recipients = append(e.Recipients, p.id)
	}
	if rapid.Bool().Draw(h.t, "next") {
		e.NextAt = h.now.Add(7 * 24 * time.Hour)
	}
	eventID := uuid.UUID(h.inOrg(o, e)).String()
	for _, to := range e.Recipients {
		h.mails = append(h.mails, domain.MailID(eventID+"."+string(to)))
	}
}

// claimMail leaves the mail where it is.
func (h *history) claimMail() {
	if mail, ok := pick(h, "mail", h.mails); ok {
		h.record("mail-"+string(mail), mailing.Claimed{MailID: mail, Template: "t", By: "node", Until: h.now.Add(time.Minute)})
	}
}

func (h *history) settleMail() {
	if len(h.mails) == 0 {
		return
	}
	n := rapid.IntRange(0, len(h.mails)-1).Draw(h.t, "mail")
	mail := h.mails[n]
	h.mails = append(h.mails[:n:n], h.mails[n+1:]...)
	e := domain.Event(mailing.Sent{MailID: mail, Template: "t", MessageID: "m"})
	if rapid.Bool().Draw(h.t, "abandoned") {
		e = mailing.Abandoned{MailID: mail, Template: "t", Cause: mailing.CauseRejected}
	}
	h.record("mail-"+string(mail), e)
}

func (h *history) reserve() {
	key := rapid.SampledFrom([]string{"k1", "k2", "k3"}).Draw(h.t, "key")
	if _, taken := h.reserved[key]; taken {
		return
	}
	holder := "holder" + fmt.Sprint(len(h.events))
	h.reserved[key] = holder
	h.record("reservation-name-"+key, reservation.Made{Kind: "name", Key: key, Holder: holder, ExpiresAt: h.now.Add(time.Minute)})
}

func (h *history) settleReservation() {
	for _, key := range []string{"k1", "k2", "k3"} {
		if holder, held := h.reserved[key]; held {
			delete(h.reserved, key)
			e := domain.Event(reservation.Confirmed{Kind: "name", Key: key, Holder: holder})
			if rapid.Bool().Draw(h.t, "released") {
				e = reservation.Released{Kind: "name", Key: key, Holder: holder}
			}
			h.record("reservation-name-"+key, e)
			return
		}
	}
}

func (h *history) makeKey() {
	key := domain.APIKeyID(id("key", len(h.events)))
	h.keys = append(h.keys, key)
	h.record("api_key-"+string(key), apikey.Created{APIKeyID: key, Name: "ci", Scopes: []apikey.Scope{apikey.ScopeOperator}})
}

func (h *history) revokeKey() {
	if n := len(h.keys); n > 0 {
		key := h.keys[n-1]
		h.keys = h.keys[:n-1]
		h.record("api_key-"+string(key), apikey.Revoked{APIKeyID: key})
	}
}
