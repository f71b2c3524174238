package commands_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/matryer/is"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/policies"
)

// More work than one step releases is released after the organization is gone,
// once, whoever is killed in between.
func TestAllWorkOfADeletedOrganizationIsReleased(t *testing.T) {
	is := is.New(t)
	document, err := os.ReadFile("../policies/moderated.yaml")
	is.NoErr(err)
	deletable := strings.Replace(string(document), "      - organization.read\n", "      - organization.read\n      - organization.delete\n", 1)
	catalogue, err := policies.Load(fstest.MapFS{"moderated.yaml": {Data: []byte(deletable)}})
	is.NoErr(err)
	w := newWorld(t)
	c := w.nodeWith(catalogue)
	org, by := w.moderated(c, "School", "")
	host := commands.Request{Actor: domain.Actor{Kind: domain.ActorAPIKey, ID: "host"}}
	const pieces = 2*organization.MaxWork + 1
	for i := range 3 {
		member, _, err := c.AddMember(w.ctx, by, org, commands.Addition{Email: domain.Email("pupil" + strconv.Itoa(i) + "@example.com"), Password: "chalk and slate", Roles: []domain.Role{"participant"}})
		is.NoErr(err)
		for j := i; j < pieces; j += 3 {
			_, err := c.AssignWork(w.ctx, host, org, member, organization.WorkItem{Kind: "run", ID: strconv.Itoa(j)})
			is.NoErr(err)
		}
	}
	_, err = c.DeleteOrganization(w.ctx, by, org)
	is.NoErr(err)
	_, concluded, err := c.DeletionConcluded(w.ctx, org)
	is.NoErr(err)
	is.True(!concluded)

	process := commands.Request{Actor: domain.ByProcess("offboarding"), Causation: "0190d5a1-c3da-7f54-9507-91a2bd6e8f63"}
	for range 2 {
		is.NoErr(w.nodeWith(catalogue).ReleaseWorkOfDeleted(w.ctx, process, org))
		released := make(map[string]bool)
		events, err := w.store.ReadStream(w.ctx, "organization-"+string(org), 0, 2000)
		is.NoErr(err)
		for _, e := range events {
			if decoded, err := w.codec.Decode(e); err != nil {
				t.Fatal(err)
			} else if e, ok := decoded.Event.(organization.WorkReleased); ok {
				is.True(!released[e.WorkID])
				released[e.WorkID] = true
			}
		}
		is.Equal(len(released), pieces)
		last, concluded, err := c.DeletionConcluded(w.ctx, org)
		is.NoErr(err)
		is.True(concluded)
		is.Equal(last, events[len(events)-1].Revision)
	}
}
