package commands_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/commands/password"
	"tenure/commands/token"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
	"tenure/eventstore/sqlite"
	"tenure/policies"
)

// world is a log with one or several nodes on it, and a clock.
type world struct {
	t          testing.TB
	ctx        context.Context
	store      eventstore.Store
	keys       *token.Keys
	codec      *codec.Codec
	mu         sync.Mutex
	clock      time.Time
	step       func(string)
	onboarding string   // the policy that nodes onboard by
	founding   []string // the policies that nodes offer
}

func newWorld(t testing.TB) *world {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "log.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	keys, err := token.NewKeys([]byte(strings.Repeat("k", token.MinKeyBytes)))
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, ctx: context.Background(), store: store, keys: keys, codec: codec.New(), clock: time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)}
}

// node is another set of commands on the same log, with a cache of its own.
func (w *world) node() *commands.Commands { return w.nodeWith(policies.Builtin()) }

// nodeWith is node, with other policies.
func (w *world) nodeWith(catalogue commands.Policies) *commands.Commands {
	w.t.Helper()
	passwords, err := password.New(64, 1, 4)
	if err != nil {
		w.t.Fatal(err)
	}
	return commands.New(commands.Dependencies{
		Store: w.store, Codec: w.codec, Policies: catalogue, Keys: w.keys, Passwords: passwords,
		Now: w.now, SessionLifetime: time.Hour, CachedEvents: 100_000, Step: w.step, Onboarding: w.onboarding, Founding: w.founding,
	})
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

const secret = "correct horse battery"

// account signs up and verifies an address.
func (w *world) account(c *commands.Commands, email domain.Email) commands.SignedIn {
	w.t.Helper()
	_, err := c.SignUp(w.ctx, commands.Request{Actor: domain.Public()}, commands.Registrant{Email: email, DisplayName: "Name of " + string(email), Password: secret, Language: "en"})
	if err != nil {
		w.t.Fatal(err)
	}
	signedIn, err := c.VerifyEmail(w.ctx, commands.Request{Actor: domain.Public()}, w.verification(email, 1), secret)
	if err != nil {
		w.t.Fatal(err)
	}
	return signedIn
}

// verification is the link of a mail that proves an address.
func (w *world) verification(email domain.Email, generation int) string {
	w.t.Helper()
	recorded, err := w.store.ReadStream(w.ctx, "reservation-email-"+w.keys.Name("email", email.Key()), 0, 1)
	if err != nil {
		w.t.Fatal(err)
	}
	_, id, _ := strings.Cut(string(recorded[0].Data), `"holder":"account:`)
	text, err := w.keys.Make(token.Token{Kind: token.Verification, Subject: id[:36], Generation: generation})
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

func (w *world) invitationLink(id domain.InvitationID, generation int) string {
	w.t.Helper()
	text, err := w.keys.Make(token.Token{Kind: token.Invitation, Subject: string(id), Generation: generation})
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// organization is one with its owner.
func (w *world) organization(c *commands.Commands, name string) (domain.OrganizationID, commands.Request) {
	w.t.Helper()
	owner := w.account(c, domain.Email("owner@"+name+".example"))
	by := commands.Request{Actor: domain.ByAccount(owner.AccountID)}
	id, _, err := c.ActivateOrganization(w.ctx, by, "ownership", domain.OrganizationName(name), "owner")
	if err != nil {
		w.t.Fatal(err)
	}
	return id, by
}

func (w *world) invite(c *commands.Commands, by commands.Request, org domain.OrganizationID, name string, role domain.Role) (domain.InvitationID, commands.Receipt, error) {
	return c.InviteMember(w.ctx, by, org, organization.Invitee{
		Email: domain.Email(name + "@example.com"), Username: domain.Username(name), Roles: []domain.Role{role}, Language: "en",
	})
}

// member is one who was invited and has accepted.
func (w *world) member(c *commands.Commands, by commands.Request, org domain.OrganizationID, name string, role domain.Role) domain.AccountID {
	w.t.Helper()
	id, _, err := w.invite(c, by, org, name, role)
	if err != nil {
		w.t.Fatal(err)
	}
	accepted, err := c.AcceptInvitation(w.ctx, commands.Request{Actor: domain.Public()}, w.invitationLink(id, 1), &commands.Joining{DisplayName: name, Password: secret, Language: "en"})
	if err != nil {
		w.t.Fatal(err)
	}
	return accepted.AccountID
}

func refusedWith(err error, code domain.Code) bool {
	return errors.Is(err, &domain.Error{Code: code})
}

func TestCommandsOfTwoNodesToOneOrganizationAreAllDecidedOnTheWholeLog(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	nodes := []*commands.Commands{w.node(), w.node()}
	org, by := w.organization(nodes[0], "acme")
	const names, rivals = 40, 4
	results := make(chan error, names*rivals)
	var all sync.WaitGroup
	for i := range names * rivals {
		all.Go(func() {
			_, _, err := w.invite(nodes[i%2], by, org, fmt.Sprintf("user%d", i%names), "USER")
			results <- err
		})
	}
	all.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
			continue
		}
		is.True(refusedWith(err, domain.CodeEmailTaken)) // the only reason to lose
	}
	is.Equal(won, names) // one invitation for each name
}

func TestARetryGetsTheFirstAnswerOnAnyNode(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	first := w.node()
	org, by := w.organization(first, "acme")
	by.IdempotencyKey, by.Fingerprint = "key-1", "request-1"
	id, receipt, err := w.invite(first, by, org, "ada", "ADMIN")
	is.NoErr(err)
	for _, c := range []*commands.Commands{first, w.node()} {
		again, retried, err := w.invite(c, by, org, "ada", "ADMIN")
		is.NoErr(err)
		is.Equal(again, id)
		is.Equal(retried.Events, receipt.Events)
		is.Equal(retried.Revision, receipt.Revision)
	}
	by.Fingerprint = "request-2"
	_, _, err = w.invite(first, by, org, "bob", "ADMIN")
	is.True(refusedWith(err, domain.CodeIdempotencyMismatch)) // another request under the same key
}

func TestTwoRetriesAtTheSameTimeHappenOnce(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.organization(c, "acme")
	by.IdempotencyKey, by.Fingerprint = "key-1", "request-1"
	ids := make([]domain.InvitationID, 16)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			id, _, err := w.invite(c, by, org, "ada", "USER")
			if err != nil {
				t.Error(err)
			}
			ids[i] = id
		})
	}
	all.Wait()
	for _, id := range ids {
		is.Equal(id, ids[0])
	}
	head, err := w.store.ReadStream(w.ctx, "organization-"+string(org), 0, 100)
	is.NoErr(err)
	is.Equal(len(head), 2) // activated, invitation opened
}

func TestADryRunWritesNothing(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.organization(c, "acme")
	before, err := w.store.Head(w.ctx)
	is.NoErr(err)
	id, receipt, err := w.invite(c.DryRun(), by, org, "ada", "USER")
	is.NoErr(err)
	is.True(receipt.DryRun)
	is.Equal(types(receipt), []string{"organization.invitation_opened.v1", "invitation.issued.v1"})
	_, err = c.DryRun().RevokeInvitation(w.ctx, by, org, id)
	is.True(refusedWith(err, domain.CodeNotFound)) // there is no such invitation
	_, _, err = w.invite(c.DryRun(), by, org, "ada", "OWNER")
	is.True(refusedWith(err, domain.CodeRoleNotGranted))
	after, err := w.store.Head(w.ctx)
	is.NoErr(err)
	is.Equal(after, before)
}

func TestAConditionalCommandIsRefusedOnAnotherRevision(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.organization(c, "acme")
	_, receipt, err := w.invite(c, by, org, "ada", "USER")
	is.NoErr(err)
	conditional, seen := by, receipt.Revision
	conditional.IfRevision = &seen
	_, receipt, err = w.invite(c, conditional, org, "bob", "USER")
	is.NoErr(err)
	_, _, err = w.invite(c, conditional, org, "cid", "USER")
	is.True(refusedWith(err, domain.CodeRevisionMismatch))
	is.Equal(receipt.Revision, eventstore.Revision(2))
}

func TestOfAnAcceptanceAndARevocationExactlyOneHappens(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c, other := w.node(), w.node()
	org, by := w.organization(c, "acme")
	for i := range 30 {
		name := fmt.Sprintf("user%d", i)
		id, _, err := w.invite(c, by, org, name, "USER")
		is.NoErr(err)
		var accepted, revoked error
		var both sync.WaitGroup
		both.Go(func() {
			_, accepted = c.AcceptInvitation(w.ctx, commands.Request{Actor: domain.Public()}, w.invitationLink(id, 1), &commands.Joining{DisplayName: name, Password: secret, Language: "en"})
		})
		both.Go(func() { _, revoked = other.RevokeInvitation(w.ctx, by, org, id) })
		both.Wait()
		is.True((accepted == nil) != (revoked == nil)) // one wins
		if accepted == nil {
			is.True(refusedWith(revoked, domain.CodeInvitationAccepted))
		} else {
			is.True(refusedWith(accepted, domain.CodeInvitationRevoked) || refusedWith(accepted, domain.CodeNotFound))
		}
	}
}

func TestOneNameGoesToOneOrganization(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	nodes := []*commands.Commands{w.node(), w.node()}
	founder := w.account(nodes[0], "ada@example.com")
	by := commands.Request{Actor: domain.ByAccount(founder.AccountID)}
	spellings := []domain.OrganizationName{"Acme Corp", "ACME CORP", "acme  corp", "AcmeCorp"}
	won := make(chan domain.OrganizationID, 32)
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			id, _, err := nodes[i%2].ActivateOrganization(w.ctx, by, "ownership", spellings[i%4], "ada")
			if err == nil {
				won <- id
			} else if !refusedWith(err, domain.CodeNameTaken) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	is.Equal(len(won), 1)
}

func TestANameIsGivenBackWhenItsOrganizationTakesAnother(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.organization(c, "acme")
	_, err := c.RenameOrganization(w.ctx, by, org, "Initech")
	is.NoErr(err)
	_, err = c.RenameOrganization(w.ctx, by, org, "INITECH") // the same name, spelled otherwise
	is.NoErr(err)
	_, _, err = c.ActivateOrganization(w.ctx, by, "ownership", "initech", "owner")
	is.True(refusedWith(err, domain.CodeNameTaken))
	_, _, err = c.ActivateOrganization(w.ctx, by, "ownership", "Acme", "owner")
	is.NoErr(err) // the first name is free again
	_, err = c.RenameOrganization(w.ctx, by, org, "acme")
	is.True(refusedWith(err, domain.CodeNameTaken))
}

// A command that stops between two writes is what a killed process leaves
// behind; panicking in the step stops it there.
func TestAReservationWhoseHolderNeverCameToBeIsGivenBack(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	w.step = func(name string) {
		if name == commands.StepNameReserved {
			panic("killed")
		}
	}
	killed := w.node()
	founder := w.account(killed, "ada@example.com")
	by := commands.Request{Actor: domain.ByAccount(founder.AccountID)}
	func() {
		defer func() { _ = recover() }()
		killed.ActivateOrganization(w.ctx, by, "ownership", "Acme", "ada")
	}()
	w.step = nil
	c := w.node()
	_, _, err := c.ActivateOrganization(w.ctx, by, "ownership", "acme", "ada")
	is.True(refusedWith(err, domain.CodeNameTaken)) // the other request may still be under way
	w.pass(commands.ReservationLifetime)
	_, _, err = c.ActivateOrganization(w.ctx, by, "ownership", "acme", "ada")
	is.NoErr(err)
}

func TestARetryGoesOnWhereTheProcessWasKilled(t *testing.T) {
	for _, at := range []string{commands.StepInvitationOpened, commands.StepInvitationIssued} {
		t.Run(at, func(t *testing.T) {
			is := is.New(t)
			w := newWorld(t)
			w.step = func(name string) {
				if name == at {
					panic("killed")
				}
			}
			killed := w.node()
			w.step = nil
			c := w.node()
			org, by := w.organization(c, "acme")
			by.IdempotencyKey, by.Fingerprint = "key", "request"
			func() {
				defer func() { _ = recover() }()
				w.invite(killed, by, org, "ada", "USER")
			}()
			id, _, err := w.invite(c, by, org, "ada", "USER")
			is.NoErr(err)
			_, err = c.AcceptInvitation(w.ctx, commands.Request{Actor: domain.Public()}, w.invitationLink(id, 1), &commands.Joining{DisplayName: "Ada", Password: secret, Language: "en"})
			is.NoErr(err)
		})
	}
}

func TestOneKeyMakesDifferentThingsInDifferentPlaces(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.organization(c, "acme")
	other, _, err := c.ActivateOrganization(w.ctx, by, "ownership", "Initech", "owner")
	is.NoErr(err)
	by.IdempotencyKey, by.Fingerprint = "key", "request"
	first, _, err := w.invite(c, by, org, "ada", "USER")
	is.NoErr(err)
	by.Fingerprint = "request to the other"
	second, _, err := w.invite(c, by, other, "ada", "USER")
	is.NoErr(err)
	is.True(first != second)
	for _, id := range []domain.InvitationID{first, second} {
		_, err := c.LookUpInvitation(w.ctx, w.invitationLink(id, 1))
		is.NoErr(err)
	}
}

func TestAKeyIsNeverForgotten(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.organization(c, "acme")
	member := w.member(c, by, org, "ada", "USER")
	by.IdempotencyKey, by.Fingerprint = "key", "request"
	first, _, err := c.RequestTransfer(w.ctx, by, org, member)
	is.NoErr(err)
	_, err = c.CancelTransfer(w.ctx, commands.Request{Actor: by.Actor}, org)
	is.NoErr(err)
	w.pass(48 * time.Hour)
	again, _, err := w.node().RequestTransfer(w.ctx, by, org, member)
	is.NoErr(err)
	is.Equal(again, first) // the first answer, not a second request under the same id
	link, err := w.keys.Make(token.Token{Kind: token.Transfer, Subject: string(org), Detail: string(first)})
	is.NoErr(err)
	_, _, err = c.ConfirmTransfer(w.ctx, commands.Request{Actor: domain.Public()}, link)
	is.True(refusedWith(err, domain.CodeTransferNotPending))
}

func TestAnAcceptanceIsDryRunAndRetriedAsItIsDone(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.organization(c, "acme")
	w.account(c, "bob@example.com")
	id, _, err := w.invite(c, by, org, "bob", "USER")
	is.NoErr(err)
	joining := &commands.Joining{Password: secret, Language: "en"}
	for _, c := range []*commands.Commands{c.DryRun(), c} {
		_, err := c.AcceptInvitation(w.ctx, commands.Request{Actor: domain.Public()}, w.invitationLink(id, 1), joining)
		is.True(refusedWith(err, domain.CodeNotSignedIn)) // Bob has an account
	}
	id, _, err = w.invite(c, by, org, "cid", "USER")
	is.NoErr(err)
	would, err := c.DryRun().AcceptInvitation(w.ctx, commands.Request{Actor: domain.Public()}, w.invitationLink(id, 1), joining)
	is.NoErr(err)
	is.Equal(would.Session.Token, "")
	keyed := commands.Request{Actor: domain.Public(), IdempotencyKey: "key", Fingerprint: "request"}
	first, err := c.AcceptInvitation(w.ctx, keyed, w.invitationLink(id, 1), joining)
	is.NoErr(err)
	is.Equal(types(first.Receipt), types(would.Receipt))
	again, err := c.AcceptInvitation(w.ctx, keyed, w.invitationLink(id, 1), joining)
	is.NoErr(err)
	is.Equal(again, first)
}

// TestAReceiptIsTheSameWhoeverFinishedTheCommand kills a command between its two
// streams, lets a process finish it, and sends it again.
func TestAReceiptIsTheSameWhoeverFinishedTheCommand(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	org, by := w.organization(w.node(), "acme")
	would, err := func() (commands.Receipt, error) {
		_, receipt, err := w.invite(w.node().DryRun(), by, org, "ada", "USER")
		return receipt, err
	}()
	is.NoErr(err)

	by.IdempotencyKey, by.Fingerprint = "key", "request"
	killed := w.node()
	killed.Step = func(name string) {
		if name == commands.StepInvitationOpened {
			panic("killed")
		}
	}
	func() {
		defer func() { is.True(recover() != nil) }()
		w.invite(killed, by, org, "ada", "USER")
	}()
	recorded, err := w.store.ReadStream(w.ctx, "organization-"+string(org), 1, 1)
	is.NoErr(err)
	opened, err := codec.New().Decode(recorded[0])
	is.NoErr(err)
	_, err = w.node().IssueInvitation(w.ctx, commands.Request{
		Actor: domain.ByProcess("issuing"), Continues: opened.Metadata.CommandID,
	}, opened.Event.(organization.InvitationOpened))
	is.NoErr(err)

	_, receipt, err := w.invite(w.node(), by, org, "ada", "USER")
	is.NoErr(err)
	is.Equal(types(receipt), types(would))
	invitation, err := w.store.ReadStream(w.ctx, "invitation-"+string(opened.Event.(organization.InvitationOpened).InvitationID), 0, 10)
	is.NoErr(err)
	is.Equal(len(invitation), 1) // issued once
}

func TestACommandThatChangedNothingChangesNothingLater(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	org, by := w.organization(c, "acme")
	keyed := by
	keyed.IdempotencyKey, keyed.Fingerprint = "key", "request"
	first, err := c.RenameOrganization(w.ctx, keyed, org, "acme")
	is.NoErr(err)
	is.Equal(len(first.Events), 0)
	_, err = c.RenameOrganization(w.ctx, by, org, "Elsewhere")
	is.NoErr(err)
	for _, node := range []*commands.Commands{c, w.node()} {
		again, err := node.RenameOrganization(w.ctx, keyed, org, "acme")
		is.NoErr(err)
		is.Equal(again, first)
	}
	all, err := w.store.ReadStream(w.ctx, "organization-"+string(org), 0, 10)
	is.NoErr(err)
	is.Equal(len(all), 3) // activated, changed nothing, renamed
}

func types(r commands.Receipt) []string {
	var all []string
	for _, e := range r.Events {
		all = append(all, e.EventType())
	}
	return all
}

// Two nodes decide the same command at the same time, with clocks that differ.
// One of them writes; the other one answers with what was written.
func TestACommandThatComesToTwoNodesAtOnceIsOne(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	nodes := []*commands.Commands{w.node(), w.node()}
	org, by := w.organization(nodes[0], "Acme")
	for i := range 50 {
		keyed := by
		keyed.IdempotencyKey = fmt.Sprint("key ", i)
		receipts := make([]commands.Receipt, len(nodes))
		var wg sync.WaitGroup
		for n, node := range nodes {
			wg.Go(func() {
				w.pass(time.Millisecond)
				var err error
				_, receipts[n], err = w.invite(node, keyed, org, fmt.Sprint("guest", i), "USER")
				is.NoErr(err)
			})
		}
		wg.Wait()
		is.Equal(receipts[0].Events, receipts[1].Events)
	}
}

func TestALogIsOpenedWithItsOwnSecretOnly(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c := w.node()
	is.NoErr(c.CheckSecret(w.ctx)) // a new log
	is.NoErr(c.FirstAPIKey(w.ctx, func(string) {}))
	is.NoErr(c.CheckSecret(w.ctx))
	other, err := token.NewKeys([]byte(strings.Repeat("x", token.MinKeyBytes)))
	is.NoErr(err)
	w.keys = other
	is.Equal(w.node().CheckSecret(w.ctx), commands.ErrOtherSecret)
}

func TestASessionEndsAtOnceOnEveryNode(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	c, other := w.node(), w.node()
	signedIn := w.account(c, "ada@example.com")
	for _, node := range []*commands.Commands{c, other} {
		caller, err := node.Authenticate(w.ctx, signedIn.Token)
		is.NoErr(err)
		is.Equal(caller.Account.ID, signedIn.AccountID)
	}
	_, err := c.SignOut(w.ctx, commands.Request{Actor: domain.ByAccount(signedIn.AccountID)}, signedIn.AccountID, signedIn.SessionID)
	is.NoErr(err)
	for _, node := range []*commands.Commands{c, other} {
		_, err := node.Authenticate(w.ctx, signedIn.Token)
		is.True(refusedWith(err, domain.CodeNotSignedIn))
	}
}
