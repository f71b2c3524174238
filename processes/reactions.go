package processes

import (
	"context"
	"strings"
	"time"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/account"
	"tenure/domain/erasure"
	"tenure/domain/invitation"
	"tenure/domain/organization"
	"tenure/eventstore"
	"tenure/eventstore/codec"
)

// Memberships finds the organizations of an account, no older than a position.
type Memberships interface {
	OrganizationsOf(ctx context.Context, account domain.AccountID, atLeast eventstore.Position) ([]domain.OrganizationID, error)
}

// reaction is one process manager: the events that it waits for, and what it
// does about each.
type reaction struct {
	name  string
	types []string
	// grace leaves the request that caused the event the time to finish by
	// itself: the process is for those that were killed.
	grace time.Duration
	react func(context.Context, commands.Request, codec.Envelope) error
}

const requestGrace = 2 * time.Second

// reactions is the table of all of them.
func reactions(c *commands.Commands, memberships Memberships, copies commands.Copies) []reaction {
	return []reaction{
		{
			// Who is erased leaves no trace; who comes back by a command that was under
			// way, or at a node that did not know yet, is erased again (X8).
			name: "erasure", types: []string{
				"account.erased.", "erasure.requested.", "organization.activated.", "organization.member_joined.", "organization.join_requested.",
			},
			react: func(ctx context.Context, r commands.Request, e codec.Envelope) error {
				switch x := e.Event.(type) {
				case account.Erased:
					return c.FinishErasure(ctx, r, x.AccountID, e.Position, copies)
				case erasure.Requested:
					return c.FinishInviteeErasure(ctx, r, x, e.Position, copies)
				case organization.Activated:
					return c.EraseAgain(ctx, r, x.AccountID, x.OrganizationID, "", copies)
				case organization.MemberJoined:
					return c.EraseAgain(ctx, r, x.AccountID, x.OrganizationID, x.InvitationID, copies)
				case organization.JoinRequested:
					return c.EraseAgain(ctx, r, x.AccountID, x.OrganizationID, "", copies)
				}
				return nil
			},
		},
		{
			// An invitation that the organization has opened gets its link.
			name: "issuing", types: []string{"organization.invitation_opened."}, grace: requestGrace,
			react: func(ctx context.Context, r commands.Request, e codec.Envelope) error {
				opened := e.Event.(organization.InvitationOpened)
				_, err := c.IssueInvitation(ctx, r, opened)
				return err
			},
		},
		{
			// An accepted invitation gets its member; any other end gives the names back.
			name: "admission", types: []string{"invitation.accepted.", "invitation.declined.", "invitation.revoked.", "invitation.expired."}, grace: requestGrace,
			react: func(ctx context.Context, r commands.Request, e codec.Envelope) error {
				_, err := c.SettleInvitation(ctx, r, ended(e.Event))
				return err
			},
		},
		{
			// The open invitations of a member who left, or is suspended, are revoked
			// (X14), also when it is the next policy that says so (X10). So are all
			// when the organization is deleted, and work that is left is released (D9).
			name: "offboarding", types: []string{"organization.member_removed.", "organization.member_suspended.", "organization.policy_changed.", "organization.deleted."},
			react: func(ctx context.Context, r commands.Request, e codec.Envelope) error {
				switch e := e.Event.(type) {
				case organization.MemberRemoved:
					return c.RevokeInvitationsOf(ctx, r, e.OrganizationID, e.AccountID)
				case organization.MemberSuspended:
					return c.RevokeInvitationsOf(ctx, r, e.OrganizationID, e.AccountID)
				case organization.PolicyChanged:
					return c.RevokeInvitationsOfFormer(ctx, r, e.OrganizationID)
				case organization.Deleted:
					if err := c.ReleaseWorkOfDeleted(ctx, r, e.OrganizationID); err != nil {
						return err
					}
					return c.RevokeInvitationsOfDeleted(ctx, r, e.OrganizationID)
				}
				return nil
			},
		},
		{
			// Names, identities and e-mail domains that are used no more are given
			// back. A new organization holds its founder's e-mail domain.
			name: "reservations", types: []string{
				"organization.activated.", "organization.renamed.", "organization.email_domain_changed.", "organization.deleted.", "account.identity_unlinked.",
			}, grace: requestGrace,
			react: func(ctx context.Context, r commands.Request, e codec.Envelope) error {
				switch e := e.Event.(type) {
				case organization.Activated:
					return c.FinishActivation(ctx, r, e)
				case organization.Renamed:
					return c.FinishRenaming(ctx, r, e)
				case organization.EmailDomainChanged:
					return c.FinishEmailDomain(ctx, r, e)
				case organization.Deleted:
					return c.FinishDeletion(ctx, r, e)
				case account.IdentityUnlinked:
					return c.FinishUnlinking(ctx, r, account.Identity{Provider: e.Provider, Issuer: e.Issuer, Subject: e.Subject})
				}
				return nil
			},
		},
		{
			// Who has lost an exclusive role may hold one elsewhere (M9).
			name: "exclusive-roles", types: []string{
				"organization.roles_changed.", "organization.member_removed.", "organization.ownership_transferred.", "organization.policy_changed.", "organization.deleted.",
			}, grace: requestGrace,
			react: func(ctx context.Context, r commands.Request, e codec.Envelope) error {
				return c.FinishLosingRoles(ctx, r, domain.OrganizationID(strings.TrimPrefix(e.Stream, "organization-")), e.Event)
			},
		},
		{
			// A member's display name is that of the account.
			name: "profiles", types: []string{"account.profile_changed.", "organization.member_joined.", "organization.activated."},
			react: func(ctx context.Context, r commands.Request, e codec.Envelope) error {
				return carryName(ctx, c, memberships, r, e)
			},
		},
		{
			// Who has signed in has what the server onboards people to.
			name: "onboarding", types: []string{"account.session_started."}, grace: onboardingGrace(c),
			react: func(ctx context.Context, r commands.Request, e codec.Envelope) error {
				started := e.Event.(account.SessionStarted)
				_, err := c.Onboard(ctx, r, started.AccountID, started.SessionID)
				return err
			},
		},
	}
}

// onboardingGrace is none where there is nothing to wait for.
func onboardingGrace(c *commands.Commands) time.Duration {
	if c.Onboarding == "" {
		return 0
	}
	return requestGrace
}

func ended(e domain.Event) domain.InvitationID {
	switch e := e.(type) {
	case invitation.Accepted:
		return e.InvitationID
	case invitation.Declined:
		return e.InvitationID
	case invitation.Revoked:
		return e.InvitationID
	case invitation.Expired:
		return e.InvitationID
	}
	return ""
}

// carryName carries a changed name to the organizations that the account is a
// member of, and looks at it again when one is joined: the name may have changed
// between the decision to join and the event.
func carryName(ctx context.Context, c *commands.Commands, memberships Memberships, r commands.Request, e codec.Envelope) error {
	switch event := e.Event.(type) {
	case organization.MemberJoined:
		_, err := c.RenameMember(ctx, r, event.OrganizationID, event.AccountID)
		return err
	case organization.Activated:
		_, err := c.RenameMember(ctx, r, event.OrganizationID, event.AccountID)
		return err
	case account.ProfileChanged:
		organizations, err := memberships.OrganizationsOf(ctx, event.AccountID, e.Position)
		if err != nil {
			return err
		}
		for _, id := range organizations {
			if _, err := c.RenameMember(ctx, r, id, event.AccountID); err != nil {
				return err
			}
		}
	}
	return nil
}
