package processes_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/mail"
	"tenure/policies"
	"tenure/projections"
)

// club is an organization that people ask by hand to join, and whose three
// administrators get a digest of the requests on Mondays at 09:00 in Paris.
type club struct {
	*stack
	org    domain.OrganizationID
	by     commands.Request
	admins []domain.AccountID
	nodes  []func() // that run; each stops one
}

// inParis are instants of a year, by the clock in Paris.
func inParis(t *testing.T, text string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Paris")
	is.New(t).NoErr(err)
	at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	is.New(t).NoErr(err)
	return at.UTC()
}

// newClub is founded at a time, at which the clock stops; one node runs.
func newClub(t *testing.T, at time.Time) *club {
	t.Helper()
	is := is.New(t)
	builtin := policies.Builtin()
	capabilities, _ := builtin.Latest("capabilities")
	document := strings.NewReplacer("  by_domain: true\n", "", "      - organization.update\n", "      - organization.update\n      - organization.delete\n").
		Replace(string(builtin.Document(capabilities)))
	catalogue, err := policies.Load(fstest.MapFS{"capabilities.yaml": {Data: []byte(document)}})
	is.NoErr(err)
	c := &club{stack: newStackUnder(t, catalogue)}
	c.stopClock(at)
	c.start(1)
	founder := c.person("admin0")
	c.by = commands.Request{Actor: domain.ByAccount(founder)}
	c.org, _, err = c.commands.ActivateOrganization(c.ctx, c.by, "capabilities", "Acme", "")
	is.NoErr(err)
	c.admins = []domain.AccountID{founder}
	for n := range 2 {
		name := fmt.Sprint("admin", n+1)
		_, _, err := c.commands.InviteMember(c.ctx, c.by, c.org, organization.Invitee{
			Email: domain.Email(name + "@example.com"), Roles: []domain.Role{"ADMINISTRATE_ORGANIZATION"}, Language: "en",
		})
		is.NoErr(err)
		accepted, err := c.commands.AcceptInvitation(c.ctx, public(), c.tokenIn(name+"@example.com", 1), &commands.Joining{DisplayName: name, Password: secret, Language: "en"})
		is.NoErr(err)
		c.admins = append(c.admins, accepted.AccountID)
	}
	return c
}

// start runs this many nodes.
func (c *club) start(nodes int) {
	c.t.Helper()
	for range nodes {
		c.nodes = append(c.nodes, c.runNode(fmt.Sprint("node ", len(c.nodes)), c.newCommands()))
	}
}

// stop stops all nodes.
func (c *club) stop() {
	for _, stop := range c.nodes {
		stop()
	}
}

// person has an account; a node has to run.
func (c *club) person(name string) domain.AccountID {
	c.t.Helper()
	c.signUp(name)
	in, err := c.commands.VerifyEmail(c.ctx, public(), c.tokenIn(name+"@example.com", 1), secret)
	is.New(c.t).NoErr(err)
	return in.AccountID
}

func (c *club) ask(id domain.AccountID) {
	c.t.Helper()
	_, err := c.commands.RequestToJoin(c.ctx, commands.Request{Actor: domain.ByAccount(id)}, c.org)
	is.New(c.t).NoErr(err)
}

func (c *club) decideAll(approve bool) {
	c.t.Helper()
	_, err := c.commands.DecideAllRequests(c.ctx, c.by, c.org, commands.RequestDecision{Approve: approve})
	is.New(c.t).NoErr(err)
}

// digests are those that are in the log.
func (c *club) digests() []organization.RequestsSummarized {
	c.t.Helper()
	var all []organization.RequestsSummarized
	for _, found := range c.find("organization.requests_summarized.") {
		var e organization.RequestsSummarized
		is.New(c.t).NoErr(json.Unmarshal(found.Data, &e))
		all = append(all, e)
	}
	return all
}

// told are the digests that an administrator has got.
func (c *club) told(n int) []mail.Rendered {
	return slices.DeleteFunc(c.sent.to(fmt.Sprint("admin", n, "@example.com")), func(r mail.Rendered) bool { return !strings.Contains(r.Text, "waiting to be let into") })
}

// eachGot waits until this many digests are in the log and all of their mails
// are done, and looks whether each administrator has got as many.
func (c *club) eachGot(digests int) {
	c.t.Helper()
	is := is.New(c.t)
	c.eventually(fmt.Sprint(digests, " digests"), func() bool { return len(c.digests()) >= digests })
	c.eventually("their mails are done", func() bool { return c.done() == digests*len(c.admins) })
	is.Equal(len(c.digests()), digests)
	for n := range c.admins {
		is.Equal(len(c.told(n)), digests)
	}
}

// done counts the mails of digests that are sent or abandoned.
func (c *club) done() int {
	n := 0
	for _, e := range append(c.find("mail.sent."), c.find("mail.abandoned.")...) {
		if strings.Contains(string(e.Data), `"requests_digest"`) {
			n++
		}
	}
	return n
}

// tooEarly checks that it is not time for a digest.
func (c *club) tooEarly() {
	c.t.Helper()
	before := len(c.digests())
	receipt, err := c.commands.SummarizeRequests(c.ctx, public(), c.org)
	is.New(c.t).NoErr(err)
	is.New(c.t).Equal(len(receipt.Events), 0)
	is.New(c.t).Equal(len(c.digests()), before)
}

func TestTheDigestComesOnMondayAtNineWhenTheClocksAreChanged(t *testing.T) {
	t.Parallel()
	for _, year := range []struct{ name, asked, first, second string }{
		{"set forward on 28 March", "2027-03-26 15:00", "2027-03-29 09:00", "2027-04-05 09:00"},
		{"set back on 31 October", "2027-10-29 15:00", "2027-11-01 09:00", "2027-11-08 09:00"},
		{"over the change", "2027-10-25 09:00", "2027-11-01 09:00", "2027-11-08 09:00"},
	} {
		t.Run(year.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			c := newClub(t, inParis(t, year.asked))
			c.ask(c.person("ann"))
			for n, due := range []time.Time{inParis(t, year.first), inParis(t, year.second)} {
				c.stopClock(due.Add(-time.Second))
				c.tooEarly()
				c.stopClock(due)
				c.eachGot(n + 1)
				is.True(c.digests()[n].Due.Equal(due))
			}
			is.True(strings.Contains(c.told(0)[0].Text, "- ann (ann@example.com), since "))
			is.True(strings.Contains(c.told(0)[0].Text, "https://members.example/join-requests#organization="+string(c.org)))
			is.True(c.told(0)[1].MessageID != c.told(0)[0].MessageID && c.told(0)[1].MessageID != c.told(1)[1].MessageID)
		})
	}
}

func TestThreeNodesSendEachDigestOnce(t *testing.T) {
	t.Parallel()
	c := newClub(t, inParis(t, "2027-03-05 12:00"))
	c.ask(c.person("ann"))
	c.start(2) // and the one that runs
	monday := inParis(t, "2027-03-08 09:00")
	for week := range 3 {
		c.stopClock(monday.AddDate(0, 0, 7*week))
		c.eachGot(week + 1)
	}
	// Nothing is open: nothing comes, and the next request is told of again.
	c.decideAll(false)
	c.stopClock(inParis(t, "2027-03-29 09:00"))
	c.eventually("the digest that is for nobody", func() bool { return len(c.digests()) == 4 })
	is.New(t).Equal(c.digests()[3], organization.RequestsSummarized{OrganizationID: c.org, Due: inParis(t, "2027-03-29 09:00")})
	c.stopClock(inParis(t, "2027-05-03 09:00"))
	c.tooEarly()
	c.ask(c.person("bob"))
	c.stopClock(inParis(t, "2027-05-10 09:00"))
	c.eventually("the digest of the new request", func() bool { return len(c.digests()) == 5 && c.done() == 4*len(c.admins) })
	for n := range c.admins {
		is.New(t).Equal(len(c.told(n)), 4)
	}
}

func TestAfterDowntimeOneDigestComesAtOnce(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]struct{ at, next string }{
		"of a week":      {"2027-04-07 17:30", "2027-04-12 09:00"},
		"of three weeks": {"2027-04-19 08:59", "2027-04-19 09:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			c := newClub(t, inParis(t, "2027-03-26 12:00"))
			c.ask(c.person("ann"))
			c.stop()
			c.stopClock(inParis(t, back.at))
			c.start(1)
			c.eachGot(1)
			is.True(c.digests()[0].Due.Equal(inParis(t, "2027-03-29 09:00")))
			is.True(c.digests()[0].NextAt.Equal(inParis(t, back.next)))
			c.stopClock(inParis(t, back.next).Add(-time.Second))
			c.tooEarly()
			c.stopClock(inParis(t, back.next))
			c.eachGot(2)
		})
	}
}

// A node that is killed leaves behind the event, or the event and some claims.
func TestAnotherNodeSendsTheDigestOfOneThatWasKilled(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := newClub(t, inParis(t, "2027-03-26 12:00"))
	c.ask(c.person("ann"))
	c.stop()
	c.stopClock(inParis(t, "2027-03-29 09:00"))
	_, err := c.commands.SummarizeRequests(c.ctx, public(), c.org)
	is.NoErr(err)
	event := uuid.UUID(c.find("organization.requests_summarized.")[0].ID).String()
	claimed := domain.MailID(event + "." + string(c.admins[1]))
	is.NoErr(c.commands.ClaimMail(c.ctx, public(), claimed, projections.TemplateRequestsDigest, "dead node", 2*time.Minute))
	c.start(3)
	c.eventually("the others are told", func() bool { return c.done() == 2 })
	is.Equal(len(c.told(1)), 0)
	c.stopClock(inParis(t, "2027-03-29 09:02"))
	c.eachGot(1)
}

func TestADigestThatIsNoNewsIsNotSent(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]struct {
		happens func(*club) error
		told    int // of the administrators
	}{
		"all requests are decided": {func(c *club) error { c.decideAll(true); return nil }, 0},
		"the organization is deleted": {func(c *club) error {
			_, err := c.commands.DeleteOrganization(c.ctx, c.by, c.org)
			return err
		}, 0},
		"one administrator decides no more, and one is removed": {func(c *club) error {
			if _, err := c.commands.ChangeRoles(c.ctx, c.by, c.org, c.admins[1], nil); err != nil {
				return err
			}
			_, err := c.commands.RemoveMember(c.ctx, c.by, c.org, c.admins[2])
			return err
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			c := newClub(t, inParis(t, "2027-03-26 12:00"))
			c.ask(c.person("ann"))
			c.stop()
			c.stopClock(inParis(t, "2027-03-29 09:00"))
			_, err := c.commands.SummarizeRequests(c.ctx, public(), c.org)
			is.NoErr(err)
			is.NoErr(meanwhile.happens(c))
			c.start(1)
			c.eventually("the mails are done", func() bool { return c.done() == len(c.admins) })
			told := len(c.told(0)) + len(c.told(1)) + len(c.told(2))
			is.Equal(told, meanwhile.told)
			is.Equal(len(c.find("mail.abandoned.")), len(c.admins)-meanwhile.told)
			is.Equal(len(c.told(0)), meanwhile.told)
		})
	}
}

func TestADeletedOrganizationHasNoDigest(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := newClub(t, inParis(t, "2027-03-26 12:00"))
	c.ask(c.person("ann"))
	scheduled := func() bool {
		_, ok, err := projections.NewReader(c.views, 1<<20).NextDue(c.ctx, projections.DigestDue)
		is.NoErr(err)
		return ok
	}
	c.eventually("the digest is scheduled", scheduled)
	_, err := c.commands.DeleteOrganization(c.ctx, c.by, c.org)
	is.NoErr(err)
	c.eventually("it is not any more", func() bool { return !scheduled() })
	c.stopClock(inParis(t, "2027-03-29 09:00"))
	c.tooEarly()
}
