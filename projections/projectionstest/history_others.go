package projectionstest

import (
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

// reservationKeys are those of the texts that commands attempt to use.
var reservationKeys = []string{"k1", "k2", "k3"}

// reserve begins an attempt, of which several may be under way for one holder.
func (h *history) reserve() {
	key := rapid.SampledFrom(reservationKeys).Draw(h.t, "key")
	holder := rapid.SampledFrom([]string{"holder1", "holder2"}).Draw(h.t, "holder")
	number, events := reservation.Make(h.reserved[key], "name", key, holder, h.now.Add(time.Minute))
	h.attempts = max(h.attempts, number)
	h.onReservation(key, events)
}

// settleReservation confirms one of the attempts, and releases a text of which all
// are confirmed.
func (h *history) settleReservation() {
	for _, key := range reservationKeys {
		h.onReservation(key, reservation.Confirm(h.reserved[key], h.now, rapid.IntRange(0, h.attempts).Draw(h.t, "attempt")))
		if rapid.Bool().Draw(h.t, "released") {
			h.onReservation(key, reservation.Release(h.reserved[key]))
		}
	}
}

func (h *history) onReservation(key string, events []domain.Event) {
	for _, e := range events {
		h.reserved[key] = reservation.Evolve(h.reserved[key], e)
		h.record("reservation-name-"+key, e)
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
