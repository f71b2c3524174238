package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/organization"
	"tenure/projections"
)

type transferBody struct {
	To     string `json:"to" maxLength:"36" doc:"The account of the member who becomes the owner."`
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type transferRequested struct {
	TransferID domain.TransferID `json:"transfer_id" format:"uuid"`
	Receipt
}

type transferConfirmed struct {
	OrganizationID domain.OrganizationID `json:"organization_id" format:"uuid"`
	Receipt
}

func (a *API) addTransfers() {
	const path = "/v1/organizations/{org}/ownership-transfer"
	expires := exampleTime().AddDate(0, 0, 1)
	add(a, route{
		id: "get-ownership-transfer", method: http.MethodGet, path: path, tag: "Ownership", access: Member(domain.ReadOrganization), status: http.StatusOK, etag: true,
		summary: "The pending transfer", description: "Fails with not_found when none is pending.",
		response: projections.PendingTransfer{TransferID: exampleTransfer, From: exampleAda, To: exampleGrace, RequestedAt: exampleTime(), ExpiresAt: expires},
	}, a.getTransfer)
	add(a, route{
		id: "request-ownership-transfer", method: http.MethodPost, path: path, tag: "Ownership", access: Member(domain.TransferOwnership), status: http.StatusCreated, created: true, etag: true,
		summary: "Request a transfer", description: "Sends a mail to the owner, whose link confirms the transfer. Until then nothing changes.",
		codes:   []domain.Code{domain.CodeTransferNotOffered, domain.CodeTransferNotEligible, domain.CodeTransferPending},
		request: transferBody{To: exampleGrace},
		response: transferRequested{exampleTransfer, exampleReceipt(organization.OwnershipTransferRequested{
			OrganizationID: exampleOrganization, TransferID: exampleTransfer, From: exampleAda, To: exampleGrace, ExpiresAt: expires,
		})},
	}, a.requestTransfer)
	add(a, route{
		id: "cancel-ownership-transfer", method: http.MethodDelete, path: path, tag: "Ownership", access: Member(domain.TransferOwnership), status: http.StatusOK, etag: true,
		summary: "Cancel the pending transfer", description: "Kills the link in the mail.",
		codes:   []domain.Code{domain.CodeTransferNotPending},
		request: reasonBody{"Changed my mind."},
		response: exampleReceipt(organization.OwnershipTransferEnded{
			OrganizationID: exampleOrganization, TransferID: exampleTransfer, From: exampleAda, To: exampleGrace, Outcome: "cancelled",
		}),
	}, a.cancelTransfer)
	add(a, route{
		id: "confirm-ownership-transfer", method: http.MethodPost, path: "/v1/ownership-transfers/confirm", tag: "Ownership", access: Link(), status: http.StatusOK, etag: true,
		summary: "Confirm a transfer by the link", description: "The two members change their roles, in one event.",
		codes: []domain.Code{
			domain.CodeLinkInvalid, domain.CodeTransferNotPending, domain.CodeTransferExpired, domain.CodeTransferNotEligible, domain.CodeRoleExclusive, domain.CodeTooManyAttempts,
		},
		request: tokenBody{Token: "tnr_own_BAGQ1aF8PntKnS8ea4pMDREBkNWhssh-Q4T2gJGsXX5VAAAAAAECAwQFBgcICQoLDA0ODxA"},
		response: transferConfirmed{exampleOrganization, exampleReceipt(organization.OwnershipTransferred{
			OrganizationID: exampleOrganization, TransferID: exampleTransfer,
			From: exampleAda, FromBefore: []domain.Role{"OWNER"}, FromAfter: []domain.Role{"ADMIN"},
			To: exampleGrace, ToBefore: []domain.Role{"USER"}, ToAfter: []domain.Role{"OWNER"},
		})},
	}, a.confirmTransfer)
}

func (a *API) getTransfer(ctx context.Context, c *call, _ *struct {
	OrgPath
	ViewHeaders
}) (answer, error) {
	tag, err := a.currentETag(ctx, c.membership.Expected)
	if err != nil {
		return answer{}, err
	}
	document, err := a.config.Reader.Organization(ctx, c.organization())
	if err != nil {
		return answer{}, err
	}
	var organization struct {
		OwnershipTransfer json.RawMessage `json:"ownership_transfer"`
	}
	if err := json.Unmarshal(document, &organization); err != nil {
		return answer{}, err
	}
	if organization.OwnershipTransfer == nil {
		return answer{}, domain.Refuse(domain.CodeNotFound, "No transfer is pending", "The owner can request one.")
	}
	return answer{raw: organization.OwnershipTransfer, etag: tag}, nil
}

func (a *API) requestTransfer(ctx context.Context, c *call, in *struct {
	OrgPath
	CommandHeaders
	Body transferBody
}) (answer, error) {
	var k checks
	to := domain.AccountID(k.id("to", in.Body.To))
	if err := k.err(); err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	id, done, err := do.RequestTransfer(ctx, r, c.organization(), to)
	ans, err := commanded(done, err, func(r Receipt) any { return transferRequested{id, r} })
	ans.location = c.fiber.Path()
	return ans, err
}

func (a *API) cancelTransfer(ctx context.Context, c *call, in *struct {
	OrgPath
	CommandHeaders
	Body *reasonBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.reason())
	if err != nil {
		return answer{}, err
	}
	done, err := do.CancelTransfer(ctx, r, c.organization())
	return commanded(done, err, plainly)
}

func (a *API) confirmTransfer(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body tokenBody
}) (answer, error) {
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	var id domain.OrganizationID
	done, err := charged(ctx, a, a.linkBudgets(c), func() (receipt commands.Receipt, err error) {
		id, receipt, err = do.ConfirmTransfer(ctx, r, in.Body.Token)
		return receipt, err
	})
	return commanded(done, err, func(r Receipt) any { return transferConfirmed{id, r} })
}
