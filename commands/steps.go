package commands

// The steps between the writes of commands that span streams. A test kills the
// process at each of them.
const (
	StepEmailReserved       = "sign-up: e-mail reserved"
	StepAccountRegistered   = "sign-up: account registered"
	StepNameReserved        = "activate: name reserved"
	StepActivated           = "activate: organization activated"
	StepNewNameReserved     = "rename: new name reserved"
	StepRenamed             = "rename: organization renamed"
	StepNewNameConfirmed    = "rename: new name confirmed"
	StepInvitationOpened    = "invite: names taken"
	StepInvitationIssued    = "invite: link issued"
	StepAccepterRegistered  = "accept: account registered"
	StepSeatClaimed         = "accept: seat kept"
	StepInvitationAccepted  = "accept: link used"
	StepMemberAdmitted      = "accept: member admitted"
	StepInvitationRevoked   = "revoke: link revoked"
	StepInvitationDeclined  = "decline: link used"
	StepInvitationExpired   = "expire: link expired"
	StepMemberRemoved       = "remove: member removed"
	StepTransferConfirmed   = "transfer: confirmed"
	StepProfileChanged      = "profile: account changed"
	StepVerified            = "verify: address verified"
	StepReservationReleased = "reservation: released"
)
