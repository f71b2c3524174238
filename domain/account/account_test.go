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

const issuer = "https://issuer.example"

var (
	identity = Identity{Provider: "google", Issuer: issuer, Subject: "1"}
	linked   = IdentityLinked{AccountID: ada, Provider: "google", Issuer: issuer, Subject: "1"}
)

func identified(r Registration, by string) decision {
	return func(s State) ([]domain.Event, error) { return RegisterIdentified(s, r, identity, by) }
}

func unlink(i Identity) decision {
	return domaintest.Always(func(s State) []domain.Event { return Unlink(s, i) })
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

func changeAvatar(url string) decision {
	return func(s State) ([]domain.Event, error) { return ChangeAvatar(s, url) }
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

	other := IdentityLinked{AccountID: ada, Provider: "google", Issuer: issuer, Subject: "other"}
	var many []domain.Event
	for i := range MaxIdentities {
		many = append(many, IdentityLinked{AccountID: ada, Provider: "p", Issuer: fmt.Sprint("https://", i), Subject: "s"})
	}
	r.Refused("RegisterIdentified", domain.CodeNotSignedIn, "proven, and the provider does not vouch", known, identified(registration(), ByInvitation))
	r.Refused("RegisterIdentified", domain.CodeIdentityConflict, "another of the issuer", with(known, other), identified(registration(), ByProvider))
	r.Refused("RegisterIdentified", domain.CodeIdentityConflict, "too many", with(known, many...), identified(registration(), ByProvider))

	r.Refused("ChangePassword", domain.CodeNotFound, "no account", nil, changePassword(""))
	r.Refused("Erase", domain.CodeNotFound, "no account", nil, Erase)

	r.Refused("StartSession", domain.CodeEmailUnverified, "not proven", fresh, start("s", noon))
	r.Refused("StartSession", domain.CodeEmailUnverified, "no account", nil, start("s", noon))

	r.Refused("ChangeAvatar", domain.CodeNotFound, "no account", nil, changeAvatar("https://example.com/a.png"))
	r.Refused("SelectOrganization", domain.CodeNotFound, "no account", nil, selectOrganization("acme"))
	r.Refused("ChangeProfile", domain.CodeNotFound, "no account", nil, changeProfile("Ada", "en"))
	added := with([]domain.Event{registered}, PasswordAssigned{AccountID: ada, OrganizationID: "acme", Hash: "hash"})
	r.Refused("RegisterAdded", domain.CodeAccountExists, "verified", known, registerAdded(registration()))
	r.Refused("RegisterAdded", domain.CodeAccountExists, "added before", added, registerAdded(registration()))
	r.Refused("AssignPassword", domain.CodeNotFound, "no account", nil, assignPassword)
	r.Refused("CheckEnters", domain.CodeEmailUnverified, "of another organization", added, checkEnters("other"))
	r.Refused("CheckProven", domain.CodeEmailUnverified, "added", added, checkProven)
	r.Refused("CheckProven", domain.CodeEmailUnverified, "a password was assigned", with(known, PasswordAssigned{AccountID: ada, OrganizationID: "acme", Hash: "hash"}), checkProven)
	r.Refused("CheckOwner", domain.CodeEmailUnverified, "a password was assigned", with(known, PasswordAssigned{AccountID: ada, OrganizationID: "acme", Hash: "hash"}), checkOwner)
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

func TestAnIdentityMakesAnAccountWithoutAPassword(t *testing.T) {
	is := is.New(t)
	byProvider := EmailVerified{AccountID: ada, By: ByProvider}
	fromNothing := registration()
	fromNothing.PasswordHash = ""
	in := domaintest.Given(t, Evolve).When(identified(fromNothing, ByProvider)).Then(registered, byProvider, linked)
	is.True(in.State.Verified)
	is.Equal(in.State.PasswordHash, "")
	is.Equal(in.State.Identities(), []Identity{identity})
	in.When(identified(fromNothing, ByProvider)).Then() // linked already
	in.When(requestReset).Then(resettable)              // a password may follow
	in.When(start("s", noon)).Then(SessionStarted{AccountID: ada, SessionID: "s", ExpiresAt: noon.Add(time.Hour)})
	domaintest.Given(t, Evolve).When(identified(fromNothing, ByInvitation)).Then(registered, EmailVerified{AccountID: ada, By: ByInvitation}, linked)
}

func TestAnIdentityIsLinkedWithTheAccountOfTheAddress(t *testing.T) {
	is := is.New(t)
	mine := registration()
	mine.PasswordHash = ""
	in := domaintest.Given(t, Evolve, known...).When(identified(mine, ByProvider)).Then(linked)
	is.Equal(in.State.PasswordHash, "hash") // which its owner has chosen

	// A stranger may have chosen the password of an account that is not proven.
	over := domaintest.Given(t, Evolve, fresh...).When(identified(mine, ByProvider)).Then(
		PasswordSet{AccountID: ada}, EmailVerified{AccountID: ada, By: ByProvider}, linked)
	is.Equal(over.State.PasswordHash, "")
	over.When(verify(1, noon)).Refused(domain.CodeAlreadyVerified)
}

func TestUnlinkingAnIdentity(t *testing.T) {
	is := is.New(t)
	unlinked := IdentityUnlinked{AccountID: ada, Provider: "google", Issuer: issuer, Subject: "1"}
	given := domaintest.Given(t, Evolve, with(known, linked)...)
	given.When(unlink(Identity{Issuer: issuer, Subject: "2"})).Then()
	given.When(unlink(Identity{Issuer: "https://other.example", Subject: "1"})).Then()
	out := given.When(unlink(Identity{Issuer: issuer, Subject: "1"})).Then(unlinked)
	is.True(!out.State.Linked(identity))
	out.When(unlink(identity)).Then()
	out.When(identified(registration(), ByProvider)).Then(linked)
	is.True(identity.Key() != Identity{Issuer: issuer + "1", Subject: ""}.Key())
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

func TestChangingTheAvatar(t *testing.T) {
	const a, b = "https://example.com/a.png", "https://example.com/b.png"
	first := domaintest.Given(t, Evolve, known...).When(changeAvatar(a)).Then(AvatarChanged{AccountID: ada, After: a})
	first.When(changeAvatar(a)).Then()
	first.When(changeAvatar(b)).Then(AvatarChanged{AccountID: ada, Before: a, After: b})
	first.When(changeAvatar("")).Then(AvatarChanged{AccountID: ada, Before: a})
}

func TestBeingSeenIsRecordedOnceADay(t *testing.T) {
	const lifetime = 30 * 24 * time.Hour
	see := func(at time.Time) decision {
		return domaintest.Always(func(s State) []domain.Event { return See(s, lifetime, at) })
	}
	domaintest.Given(t, Evolve).When(see(noon)).Then() // nobody
	in := domaintest.Given(t, Evolve, with(known, SessionStarted{AccountID: ada, SessionID: "s", ExpiresAt: noon.Add(lifetime)})...)
	in.When(see(noon.Add(SeenEvery - 1))).Then() // since signing in
	seen := in.When(see(noon.Add(SeenEvery))).Then(Seen{AccountID: ada, At: noon.Add(SeenEvery)})
	seen.When(see(noon.Add(2*SeenEvery - 1))).Then()
	seen.When(see(noon.Add(2 * SeenEvery))).Then(Seen{AccountID: ada, At: noon.Add(2 * SeenEvery)})
}

func selectOrganization(id domain.OrganizationID) decision {
	return func(s State) ([]domain.Event, error) { return SelectOrganization(s, id) }
}

func TestSelectingAnOrganization(t *testing.T) {
	is := is.New(t)
	selected := domaintest.Given(t, Evolve, known...).When(selectOrganization("acme")).
		Then(OrganizationSelected{AccountID: ada, After: "acme"})
	is.Equal(selected.State.Organization, domain.OrganizationID("acme"))
	selected.When(selectOrganization("acme")).Then()
	none := selected.When(selectOrganization("")).Then(OrganizationSelected{AccountID: ada, Before: "acme"})
	is.Equal(none.State.Organization, domain.OrganizationID(""))
}
