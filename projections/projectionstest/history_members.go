package projectionstest

import (
	"time"

	"pgregory.net/rapid"

	"tenure/domain/organization"
)

func (h *history) suspend() {
	if o, id, ok := h.member(); ok && !o.suspended[id] {
		o.suspended[id] = true
		h.inOrg(o, organization.MemberSuspended{OrganizationID: o.id, AccountID: id})
	}
}

func (h *history) reactivate() {
	if o, id, ok := h.member(); ok && o.suspended[id] {
		delete(o.suspended, id)
		h.inOrg(o, organization.MemberReactivated{OrganizationID: o.id, AccountID: id})
	}
}

// ask is by somebody who never was a member.
func (h *history) ask() {
	o, ok := h.organization()
	if !ok {
		return
	}
	if p, ok := h.among(o, func(p person) bool { return !o.known[p.id] && !o.requests[p.id] }); ok {
		o.requests[p.id] = true
		e := organization.JoinRequested{OrganizationID: o.id, AccountID: p.id, Email: p.email, DisplayName: p.name}
		if rapid.Bool().Draw(h.t, "digest") {
			e.DigestAt = h.now.Add(24 * time.Hour)
		}
		h.inOrg(o, e)
	}
}

func (h *history) request() (o *org, p person, ok bool) {
	if o, ok = h.organization(); ok {
		p, ok = h.among(o, func(p person) bool { return o.requests[p.id] })
	}
	return o, p, ok
}

func (h *history) closeRequest() {
	if o, p, ok := h.request(); ok {
		delete(o.requests, p.id)
		outcome := rapid.SampledFrom([]string{"rejected", "withdrawn"}).Draw(h.t, "outcome")
		h.inOrg(o, organization.JoinRequestClosed{OrganizationID: o.id, AccountID: p.id, Outcome: outcome})
	}
}

func (h *history) approve() {
	if o, p, ok := h.request(); ok {
		h.join(o, p, organization.MemberJoined{Roles: h.roles(), Via: "request"})
	}
}

// add is of somebody who is no member, and may have been one.
func (h *history) add() {
	o, ok := h.organization()
	if !ok {
		return
	}
	if p, ok := h.among(o, func(p person) bool { _, is := o.members[p.id]; return !is }); ok {
		h.join(o, p, organization.MemberJoined{Roles: h.roles(), Via: "addition"})
	}
}

// delete ends one organization of several, after which only its invitations end.
func (h *history) delete() {
	if o, ok := h.organization(); ok && len(h.orgs) > 1 {
		if x := o.transfer; x != nil {
			o.transfer = nil
			h.inOrg(o, organization.OwnershipTransferEnded{OrganizationID: o.id, TransferID: x.TransferID, From: x.From, To: x.To, Outcome: "voided"})
		}
		o.deleted = true
		h.inOrg(o, organization.Deleted{OrganizationID: o.id, Name: o.name})
	}
}
