package projectionstest

import (
	"fmt"

	"pgregory.net/rapid"

	"tenure/domain"
	"tenure/domain/invitation"
	"tenure/domain/organization"
)

func (h *history) createSpace() {
	o, ok := h.organization()
	if !ok {
		return
	}
	space := domain.SpaceID(id("space", len(h.events)))
	o.spaces = append(o.spaces, space)
	name := rapid.SampledFrom([]string{"North", "north by-west", "Süd", "A"}).Draw(h.t, "space")
	h.inOrg(o, organization.SpaceCreated{OrganizationID: o.id, SpaceID: space, Name: name})
	if rapid.Bool().Draw(h.t, "renamed") {
		h.inOrg(o, organization.SpaceRenamed{OrganizationID: o.id, SpaceID: space, Before: name, After: name + " Two"})
	}
}

func (h *history) deleteSpace() {
	o, ok := h.organization()
	if !ok {
		return
	}
	if space, ok := pick(h, "space", o.spaces); ok { // perhaps one that is deleted already
		h.inOrg(o, organization.SpaceDeleted{OrganizationID: o.id, SpaceID: space})
	}
}

func (h *history) someSpaces(o *org) []domain.SpaceID {
	if len(o.spaces) == 0 {
		return []domain.SpaceID{}
	}
	return rapid.SliceOfNDistinct(rapid.SampledFrom(o.spaces), 0, len(o.spaces), rapid.ID[domain.SpaceID]).Draw(h.t, "spaces")
}

func (h *history) assignSpaces() {
	if o, member, ok := h.member(); ok {
		h.inOrg(o, organization.SpacesAssigned{OrganizationID: o.id, AccountID: member, After: h.someSpaces(o)})
	}
}

func (h *history) assignInviteeSpaces() {
	if o, i, ok := h.invitation(invitation.StatusPending); ok && !o.deleted {
		i.spaces = h.someSpaces(o)
		h.inOrg(o, organization.InvitationSpacesChanged{OrganizationID: o.id, InvitationID: i.id, After: i.spaces})
	}
}

// work assigns some, or releases what was.
func (h *history) work() {
	o, member, ok := h.member()
	if !ok {
		return
	}
	if w, there := pick(h, "work", o.work); there && rapid.Bool().Draw(h.t, "released") {
		h.inOrg(o, organization.WorkReleased{OrganizationID: o.id, AccountID: w.AccountID, Kind: w.Kind, WorkID: w.WorkID, Cause: "finished"})
		return
	}
	w := organization.WorkAssigned{OrganizationID: o.id, AccountID: member, Kind: "contact", WorkID: fmt.Sprint(rapid.IntRange(1, 3).Draw(h.t, "id"))}
	o.work = append(o.work, w)
	h.inOrg(o, w)
}
