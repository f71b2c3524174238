package account_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	. "tenure/domain/account"
	"tenure/domain/domaintest"
)

const ada domain.AccountID = "ada"

var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	link = noon.Add(time.Hour) // when links stop to work

	registered = Registered{AccountID: ada, Email: "Ada@example.com", DisplayName: "Ada", Language: "en"}
	password   = PasswordSet{AccountID: ada, Hash: "hash"}
	verifiable = VerificationRequested{AccountID: ada, Generation: 1, ExpiresAt: link}
	resettable = PasswordResetRequested{AccountID: ada, Generation: 1, ExpiresAt: link}
	verified   = EmailVerified{AccountID: ada, By: ByVerification}

	fresh = []domain.Event{registered, password, verifiable}
	known = []domain.Event{registered, password, verifiable, verified}
)

type decision = func(State) ([]domain.Event, error)

func registration() Registration {
	return Registration{AccountID: ada, Email: "Ada@example.com", DisplayName: "Ada", Language: "en", PasswordHash: "hash"}
}

func register(r Registration) decision {
	return domaintest.Always(func(s State) []domain.Event { return Register(s, r, link) })
}

func registerInvited(r Registration) decision {
	return func(s State) ([]domain.Event, error) { return RegisterInvited(s, r) }
}

func verify(generation int, at time.Time) decision {
	return func(s State) ([]domain.Event, error) { return Verify(s, generation, at) }
}

func requestReset(s State) ([]domain.Event, error) { return RequestPasswordReset(s, link) }

func reset(generation int, at time.Time) decision {
	return func(s State) ([]domain.Event, error) { return ResetPassword(s, generation, "new", at) }
}

func checkReset(generation int, at time.Time) decision {
	return func(s State) ([]domain.Event, error) { return nil, CheckResetLink(s, generation, at) }
}

func changePassword(kept domain.SessionID) decision {
	return func(s State) ([]domain.Event, error) { return ChangePassword(s, "new", kept) }
}

func start(id domain.SessionID, at time.Time) decision {
	return func(s State) ([]domain.Event, error) { return StartSession(s, id, at.Add(time.Hour), at) }
}

func end(id domain.SessionID) decision {
	return domaintest.Always(func(s State) []domain.Event { return EndSession(s, id) })
}

func changeProfile(name, language string) decision {
	return func(s State) ([]domain.Event, error) { return ChangeProfile(s, name, language) }
}

func with(events []domain.Event, more ...domain.Event) []domain.Event {
	return append(events[:len(events):len(events)], more...)
}

func TestEveryRefusalOfEveryDecision(t *testing.T) {
	second := VerificationRequested{AccountID: ada, Generation: 2, ExpiresAt: link}
	resetTwice := with(known, resettable, PasswordResetRequested{AccountID: ada, Generation: 2, ExpiresAt: link})
	r := domaintest.NewRefusals(t, Evolve)
	r.Refused("RegisterInvited", domain.CodeNotSignedIn, "account exists", known, registerInvited(registration()))

	r.Refused("Verify", domain.CodeNotFound, "no account", nil, verify(1, noon))
	r.Refused("Verify", domain.CodeAlreadyVerified, "twice", known, verify(1, noon))
	r.Refused("Verify", domain.CodeLinkInvalid, "replaced", with(fresh, second), verify(1, noon))
	r.Refused("Verify", domain.CodeLinkInvalid, "never made", fresh, verify(2, noon))
	r.Refused("Verify", domain.CodeLinkInvalid, "no link at all", []domain.Event{registered}, verify(0, noon))
	r.Refused("Verify", domain.CodeLinkExpired, "at its end", fresh, verify(1, link))

	r.Refused("RequestPasswordReset", domain.CodeNotFound, "no account", nil, requestReset)

	r.Refused("ResetPassword", domain.CodeNotFound, "no account", nil, reset(1, noon))
	r.Refused("ResetPassword", domain.CodeLinkInvalid, "none made", known, reset(0, noon))
	r.Refused("ResetPassword", domain.CodeLinkInvalid, "replaced", resetTwice, reset(1, noon))
	r.Refused("ResetPassword", domain.CodeLinkInvalid, "used", with(known, resettable, PasswordSet{AccountID: ada, Hash: "new"}), reset(1, noon))
	r.Refused("ResetPassword", domain.CodeLinkExpired, "at its end", with(known, resettable), reset(1, link))

	r.Refused("CheckResetLink", domain.CodeNotFound, "no account", nil, checkReset(1, noon))
	r.Refused("CheckResetLink", domain.CodeLinkInvalid, "replaced", resetTwice, checkReset(1, noon))
	r.Refused("CheckResetLink", domain.CodeLinkExpired, "at its end", with(known, resettable), checkReset(1, link))

	r.Refused("ChangePassword", domain.CodeNotFound, "no account", nil, changePassword(""))

	r.Refused("StartSession", domain.CodeEmailUnverified, "not proven", fresh, start("s", noon))
	r.Refused("StartSession", domain.CodeEmailUnverified, "no account", nil, start("s", noon))

	r.Refused("ChangeProfile", domain.CodeNotFound, "no account", nil, changeProfile("Ada", "en"))
	added := with([]domain.Event{registered}, PasswordAssigned{AccountID: ada, OrganizationID: "acme", Hash: "hash"})
	r.Refused("RegisterAdded", domain.CodeAccountExists, "verified", known, registerAdded(registration()))
	r.Refused("RegisterAdded", domain.CodeAccountExists, "added before", added, registerAdded(registration()))
	r.Refused("AssignPassword", domain.CodeNotFound, "no account", nil, assignPassword)
	r.Refused("CheckProven", domain.CodeEmailUnverified, "added", added, checkProven)
	r.Refused("CheckProven", domain.CodeEmailUnverified, "a password was assigned", with(known, PasswordAssigned{AccountID: ada, OrganizationID: "acme", Hash: "hash"}), checkProven)
	r.Complete()
}

func TestSigningUpAndProvingTheAddress(t *testing.T) {
	is := is.New(t)
	up := domaintest.Given(t, Evolve).When(register(registration())).Then(registered, password, verifiable)
	is.True(up.State.Exists())
	is.True(!up.State.Verified)
	is.Equal(up.State.PasswordHash, "hash")
	is.Equal(up.State.VerificationExpires(), link)

	in := up.When(verify(1, link.Add(-1))).Then(verified)
	is.True(in.State.Verified)
}

func TestSigningUpAgainStartsAnUnprovenAccountOver(t *testing.T) {
	is := is.New(t)
	stranger := registration()
	stranger.DisplayName, stranger.Language, stranger.PasswordHash = "Eve", "de", "other"
	second := VerificationRequested{AccountID: ada, Generation: 2, ExpiresAt: link}

	over := domaintest.Given(t, Evolve, fresh...).When(register(stranger)).Then(
		ProfileChanged{AccountID: ada, DisplayNameBefore: "Ada", DisplayNameAfter: "Eve", LanguageBefore: "en", LanguageAfter: "de"},
		PasswordSet{AccountID: ada, Hash: "other"}, second)
	is.Equal(over.State.PasswordHash, "other")
	over.When(verify(1, noon)).Refused(domain.CodeLinkInvalid)
	over.When(verify(2, noon)).Then(verified)

	domaintest.Given(t, Evolve, fresh...).When(register(registration())).Then(password, second) // nothing but the password and the link

	domaintest.Given(t, Evolve, known...).When(register(stranger)).Then(RegistrationRepeated{AccountID: ada}) // proven: nothing changes
}

func TestComingByAnInvitationProvesTheAddress(t *testing.T) {
	byInvitation := EmailVerified{AccountID: ada, By: ByInvitation}
	domaintest.Given(t, Evolve).When(registerInvited(registration())).Then(registered, password, byInvitation)

	mine := registration()
	mine.PasswordHash = "mine"
	domaintest.Given(t, Evolve, fresh...).When(registerInvited(mine)).Then(PasswordSet{AccountID: ada, Hash: "mine"}, byInvitation).
		When(verify(1, noon)).Refused(domain.CodeAlreadyVerified)
}

func TestResettingThePassword(t *testing.T) {
	is := is.New(t)
	session := SessionStarted{AccountID: ada, SessionID: "s", ExpiresAt: link}
	asked := domaintest.Given(t, Evolve, with(known, session)...).When(requestReset).Then(resettable)
	is.Equal(asked.State.PasswordResetExpires(), link)
	asked.When(checkReset(1, noon)).Then()
	done := asked.When(reset(1, link.Add(-1))).Then(PasswordSet{AccountID: ada, Hash: "new"})
	_, signedIn := done.State.Session("s", noon)
	is.True(!signedIn) // every session ends
	done.When(reset(1, noon)).Refused(domain.CodeLinkInvalid)
	done.When(requestReset).Then(PasswordResetRequested{AccountID: ada, Generation: 2, ExpiresAt: link})

	// The mail proves the address as well as a verification.
	domaintest.Given(t, Evolve, with(fresh, resettable)...).When(reset(1, noon)).Then(
		PasswordSet{AccountID: ada, Hash: "new"}, EmailVerified{AccountID: ada, By: ByPasswordReset})
}

func TestChangingThePasswordKeepsOneSession(t *testing.T) {
	is := is.New(t)
	one, two := SessionStarted{AccountID: ada, SessionID: "one", ExpiresAt: link}, SessionStarted{AccountID: ada, SessionID: "two", ExpiresAt: link}
	after := domaintest.Given(t, Evolve, with(known, one, two, resettable)...).When(changePassword("two")).Then(PasswordSet{AccountID: ada, Hash: "new", KeptSession: "two"})
	_, ok := after.State.Session("one", noon)
	is.True(!ok)
	_, ok = after.State.Session("two", noon)
	is.True(ok)
	after.When(reset(1, noon)).Refused(domain.CodeLinkInvalid) // a link from before is dead
}

func TestSessionsEnd(t *testing.T) {
	is := is.New(t)
	in := domaintest.Given(t, Evolve, known...).When(start("s", noon)).Then(SessionStarted{AccountID: ada, SessionID: "s", ExpiresAt: noon.Add(time.Hour)})
	s, ok := in.State.Session("s", noon.Add(time.Hour-1))
	is.True(ok)
	is.Equal(s, Session{ID: "s", ExpiresAt: noon.Add(time.Hour)})
	_, ok = in.State.Session("s", noon.Add(time.Hour))
	is.True(!ok) // by itself
	_, ok = in.State.Session("other", noon)
	is.True(!ok)
	out := in.When(end("s")).Then(SessionEnded{AccountID: ada, SessionID: "s", Cause: "signed_out"})
	_, ok = out.State.Session("s", noon)
	is.True(!ok)
	out.When(end("s")).Then()
}

func TestSessionsAreCapped(t *testing.T) {
	is := is.New(t)
	full := domaintest.Given(t, Evolve, known...)
	for i := range MaxSessions {
		id := domain.SessionID(fmt.Sprint(i))
		full = full.When(start(id, noon)).Then(SessionStarted{AccountID: ada, SessionID: id, ExpiresAt: noon.Add(time.Hour)})
	}
	more := full.When(start("more", noon)).Then(
		SessionEnded{AccountID: ada, SessionID: "0", Cause: "replaced"},
		SessionStarted{AccountID: ada, SessionID: "more", ExpiresAt: noon.Add(time.Hour)})
	_, ok := more.State.Session("0", noon)
	is.True(!ok)
	_, ok = more.State.Session("1", noon)
	is.True(ok)

	// One that has run out makes room without an event.
	later := noon.Add(time.Hour)
	quiet := full.When(start("later", later)).Then(SessionStarted{AccountID: ada, SessionID: "later", ExpiresAt: later.Add(time.Hour)})
	_, ok = quiet.State.Session("1", noon)
	is.True(ok)
	_, ok = quiet.State.Session("0", noon)
	is.True(!ok)
}

func TestChangingTheProfile(t *testing.T) {
	is := is.New(t)
	changed := ProfileChanged{AccountID: ada, DisplayNameBefore: "Ada", DisplayNameAfter: "Ada L.", LanguageBefore: "en", LanguageAfter: "de"}
	after := domaintest.Given(t, Evolve, known...).When(changeProfile("Ada L.", "de")).Then(changed)
	is.Equal(after.State.DisplayName, "Ada L.")
	is.Equal(after.State.Language, "de")
	after.When(changeProfile("Ada L.", "de")).Then()
}
