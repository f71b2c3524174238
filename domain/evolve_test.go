package domain_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/apikey"
	"tenure/domain/broker"
	"tenure/domain/checkpoint"
	"tenure/domain/erasure"
	"tenure/domain/invitation"
	"tenure/domain/mailing"
	"tenure/domain/organization"
	"tenure/domain/reservation"
	"tenure/domain/webhook"
	"tenure/policies"
)

// events is one of each kind.
var events = []domain.Event{
	organization.Activated{}, organization.Renamed{}, organization.PersonalSpaceRenamed{}, organization.InvitationOpened{}, organization.InvitationClosed{}, organization.MemberJoined{},
	organization.MemberRenamed{}, organization.RolesChanged{}, organization.MemberRemoved{},
	organization.InvitationSpacesChanged{}, organization.SpaceCreated{}, organization.SpaceRenamed{}, organization.SpaceDeleted{},
	organization.SpacesAssigned{}, organization.WorkAssigned{}, organization.WorkReleased{}, organization.SettingsChanged{}, organization.Deleted{},
	organization.SeatClaimed{}, organization.SeatsChanged{}, organization.PolicyChanged{},
	organization.OwnershipTransferRequested{}, organization.OwnershipTransferEnded{}, organization.OwnershipTransferred{},
	invitation.Issued{}, invitation.Resent{}, invitation.Accepted{}, invitation.Declined{}, invitation.Revoked{}, invitation.Expired{},
	account.Registered{}, account.RegistrationRepeated{}, account.VerificationRequested{}, account.EmailVerified{}, account.PasswordSet{},
	account.PasswordResetRequested{}, account.ProfileChanged{}, account.AvatarChanged{}, account.Seen{}, account.SessionStarted{}, account.SessionEnded{},
	account.Erased{}, organization.MemberErased{}, organization.InvitationErased{}, organization.ValuesErased{}, erasure.Requested{}, erasure.Concluded{},
	reservation.Made{}, reservation.Confirmed{}, reservation.Released{},
	apikey.Created{}, apikey.Revoked{}, domain.ChangedNothing{}, mailing.Claimed{}, mailing.Sent{}, mailing.Abandoned{}, checkpoint.Signed{}, checkpoint.Cosigned{},
	webhook.Registered{}, webhook.Changed{}, webhook.SecretRotated{}, webhook.Disabled{}, webhook.Enabled{}, webhook.Replayed{}, webhook.Deleted{},
	webhook.DeliveryFailed{}, webhook.GivenUp{}, webhook.Delivered{}, webhook.RetryRequested{}, webhook.Retried{},
	broker.Paused{}, broker.Resumed{}, broker.Replayed{}, broker.Failed{}, broker.Reached{},
}

// words are what every text of a random event is: few, so that events meet.
var words = []string{"", "a", "b", "c", "A", "owner@example.com", "OWNER", "ADMIN", "USER", "declined"}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestEvolveTakesWhateverIsInTheLog folds events that no decision would have
// made. Nothing panics, neither then nor in a decision on what has come out, and
// the states before stay as they were.
func TestEvolveTakesWhateverIsInTheLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all states
		var older []organization.State
		var answers []string
		for _, e := range rapid.SliceOfN(rapid.Custom(anyEvent), 1, 60).Draw(t, "events") {
			older, answers = append(older, all.organization), append(answers, ask(all.organization))
			all = all.evolve(e)
			checkSane(t, all.organization)
		}
		for i := range older {
			if now := ask(older[i]); now != answers[i] {
				t.Fatalf("an older state has changed:\n%s\n%s", answers[i], now)
			}
		}
		decideEverything(t, all)
	})
}

// states is one aggregate of each kind.
type states struct {
	organization organization.State
	invitation   invitation.State
	account      account.State
	reservation  reservation.State
	key          apikey.State
	checkpoint   checkpoint.State
	mail         mailing.State
	webhooks     webhook.State
	brokers      broker.State
}

func (s states) evolve(e domain.Event) states {
	return states{
		organization.Evolve(s.organization, e), invitation.Evolve(s.invitation, e), account.Evolve(s.account, e),
		reservation.Evolve(s.reservation, e), apikey.Evolve(s.key, e), checkpoint.Evolve(s.checkpoint, e), mailing.Evolve(s.mail, e),
		webhook.Evolve(s.webhooks, e), broker.Evolve(s.brokers, e),
	}
}

// anyEvent fills an event of any kind with anything.
func anyEvent(t *rapid.T) domain.Event {
	kind := reflect.TypeOf(rapid.SampledFrom(events).Draw(t, "kind"))
	e := reflect.New(kind).Elem()
	for i := range e.NumField() {
		fill(t, kind.Field(i).Name, e.Field(i))
	}
	return e.Interface().(domain.Event)
}

func fill(t *rapid.T, name string, v reflect.Value) {
	at := noon.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, name)) * time.Hour)
	switch {
	case v.Kind() == reflect.String:
		v.SetString(rapid.SampledFrom(words).Draw(t, name))
	case v.Kind() == reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	case v.CanInt():
		v.SetInt(int64(rapid.IntRange(-1, 3).Draw(t, name)))
	case v.CanUint():
		v.SetUint(uint64(rapid.IntRange(0, 3).Draw(t, name)))
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rapid.IntRange(0, 2).Draw(t, name) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, name, key)
			fill(t, name, value)
			v.SetMapIndex(key, value)
		}
	case v.Kind() == reflect.Slice:
		n := rapid.IntRange(0, 2).Draw(t, name)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, name, v.Index(i))
		}
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(at))
	case v.Type() == reflect.TypeFor[*time.Time]():
		v.Set(reflect.ValueOf(&at))
	case v.Type() == reflect.TypeFor[*string]():
		v.Set(reflect.ValueOf(&name))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Type().Field(i).Name, v.Field(i))
		}
	default:
		t.Fatalf("%s: no way to make a %s", name, v.Type())
	}
}

// checkSane holds what is true of an organization whatever is in its log.
func checkSane(t *rapid.T, s organization.State) {
	active := 0
	for _, id := range words {
		m, known := s.Member(domain.AccountID(id))
		switch {
		case m.Status == organization.Active:
			active++
		case known && (m.Status != organization.Removed || len(m.Roles) > 0):
			t.Fatalf("%q is %+v", id, m)
		}
	}
	if s.ActiveMembers() != active {
		t.Fatalf("%d active members, not %d", s.ActiveMembers(), active)
	}
}

// ask is what a state answers about everybody.
func ask(s organization.State) string {
	text := fmt.Sprint(s.ID, s.Name, s.Policy, s.PolicyVersion, s.ActiveMembers())
	if s.Transfer != nil {
		text += fmt.Sprintf(" %+v", *s.Transfer)
	}
	for _, word := range words {
		m, known := s.Member(domain.AccountID(word))
		open, isOpen := s.Invitation(domain.InvitationID(word))
		text += fmt.Sprintf("\n%q %+v %v %+v %v %v", word, m, known, open, isOpen, slices.Sorted(slices.Values(s.InvitationsBy(domain.AccountID(word)))))
	}
	return text
}

// decideEverything asks for every decision; what comes out does not matter, but
// that something does.
func decideEverything(t *rapid.T, s states) {
	p, _ := policies.Builtin().Latest("ownership")
	word := func(what string) string { return rapid.SampledFrom(words).Draw(t, what) }
	by, member := domain.ByAccount(domain.AccountID(word("actor"))), domain.AccountID(word("member"))
	id, roles := domain.InvitationID(word("invitation")), []domain.Role{domain.Role(word("role"))}
	transfer, generation := domain.TransferID(word("transfer")), rapid.IntRange(-1, 3).Draw(t, "generation")
	in := organization.Invitee{InvitationID: id, Email: domain.Email(word("email")), Username: domain.Username(word("username")), Roles: roles}

	_, _ = organization.Activate(s.organization, p, organization.Activation{AccountID: member, Username: "u"})
	_, _ = organization.Rename(s.organization, p, by, "Name")
	_, _ = organization.Invite(s.organization, p, by, in, noon)
	_, _ = organization.Resend(s.organization, p, by, in, generation, noon)
	_ = organization.AuthorizeRevocation(s.organization, p, by, roles)
	_ = organization.CheckAdmission(s.organization, p, id)
	_, _ = organization.ChangeRoles(s.organization, p, by, member, roles)
	_, _ = organization.Remove(s.organization, p, by, member)
	_, _ = organization.RequestTransfer(s.organization, p, by, transfer, member, noon)
	_, _ = organization.CancelTransfer(s.organization, p, by)
	_, _ = organization.ConfirmTransfer(s.organization, p, transfer, noon)
	organization.ExpireTransfer(s.organization, transfer, noon)
	capabilities, _ := policies.Builtin().Latest("capabilities")
	_, _ = organization.RequestToJoin(s.organization, capabilities, member, organization.Request{Email: in.Email}, noon)
	organization.SummarizeRequests(s.organization, capabilities, noon)
	s.organization.OldestRequests(generation + 1)
	organization.ExpireInvitation(s.organization, id, generation)
	organization.CloseInvitation(s.organization, id, "declined")
	organization.RenameMember(s.organization, member, "Name")
	_, _ = organization.ChangeEmailDomain(s.organization, p, by, word("domain"))
	_, _ = organization.ClaimSeat(s.organization, p, id)
	_, _ = organization.SetSeats(s.organization, p, generation)
	other, _ := policies.Builtin().Latest(rapid.SampledFrom([]string{"seats", "moderated", "delegated"}).Draw(t, "policy"))
	move := organization.Move{To: other, Roles: map[domain.Role][]domain.Role{roles[0]: {other.Roles[0].Name}}}
	if events, err := organization.ChangePolicy(s.organization, p, move); err == nil {
		_, _, _ = organization.ExclusiveMoves(s.organization, p, other, events)
	}
	organization.Admit(s.organization, organization.Joiner{AccountID: member, InvitationID: id})

	invitation.Issue(s.invitation, invitation.Details{InvitationID: id})
	_, _ = invitation.Resend(s.invitation, generation, member, noon)
	_, _ = invitation.Accept(s.invitation, generation, member, noon)
	_, _ = invitation.Decline(s.invitation, generation, noon)
	_, _ = invitation.Revoke(s.invitation, invitation.CauseRevoked)
	invitation.Expire(s.invitation, noon)
	_ = invitation.CheckPresented(s.invitation, invitation.Presented{Provider: word("provider"), Names: []string{word("name")}})

	session := domain.SessionID(word("session"))
	account.Register(s.account, account.Registration{AccountID: member}, noon)
	_, _ = account.RegisterInvited(s.account, account.Registration{AccountID: member})
	_, _ = account.Verify(s.account, generation, noon)
	_, _ = account.RequestPasswordReset(s.account, noon)
	_, _ = account.ResetPassword(s.account, generation, "hash", noon)
	_, _ = account.ChangePassword(s.account, "hash", session)
	_, _ = account.StartSession(s.account, session, noon, noon)
	_, _ = account.ChangeProfile(s.account, "Name", "en")
	_, _ = account.SelectOrganization(s.account, domain.OrganizationID(word("organization")))
	account.EndSession(s.account, session)
	identity := account.Identity{Issuer: word("issuer"), Subject: word("subject")}
	_, _ = account.RegisterIdentified(s.account, account.Registration{AccountID: member}, identity, account.ByProvider)
	account.Unlink(s.account, identity)

	reservation.Make(s.reservation, reservation.KindEmail, "key", word("holder"), noon)
	reservation.Confirm(s.reservation, noon, generation)
	reservation.Release(s.reservation)
	_, _ = apikey.Create(s.key, "key", "Name", apikey.Scopes(), nil, noon)
	_, _ = apikey.Revoke(s.key)
	_, _ = checkpoint.Sign(s.checkpoint, uint64(generation+1), word("root"), "note")
	_, _ = checkpoint.Cosign(s.checkpoint, uint64(generation+1), word("witness"), "line")
	_, _ = mailing.Claim(s.mail, "mail", "template", word("node"), noon, time.Hour)
	mailing.Send(s.mail, "mail", "template", "message")
	mailing.Abandon(s.mail, "mail", "template", mailing.CauseRejected)

	hook := domain.WebhookID(word("webhook"))
	_, _ = webhook.Register(s.webhooks, webhook.Registered{WebhookID: hook, URL: "https://example.com"})
	_, _ = webhook.Change(s.webhooks, hook, word("url"))
	_, _ = webhook.RotateSecret(s.webhooks, hook, time.Hour, noon)
	_, _ = webhook.Enable(s.webhooks, hook)
	_, _ = webhook.Disable(s.webhooks, hook, word("cause"), nil)
	_, _ = webhook.Retry(s.webhooks, hook, nil)
	webhook.Settle(s.webhooks, hook, 1, word("event"), word("cause"))
	s.webhooks.Of("a")
	s.webhooks.Deleted()
	_, _ = webhook.Replay(s.webhooks, hook, 1)
	_, _ = webhook.Delete(s.webhooks, hook)
	webhook.Fail(s.webhooks, hook, 1, webhook.Attempt{EventID: word("event")}, noon, nil)
	webhook.Reach(s.webhooks, hook, 1, 7)
	name := domain.BrokerName(word("broker"))
	broker.Pause(s.brokers, name, true)
	broker.Fail(s.brokers, name, 1, word("cause"), noon)
	broker.Reach(s.brokers, name, 1, 7)
}
