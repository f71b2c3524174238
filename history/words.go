package history

// telling is how an event is told. The names of fields in braces stand for what
// these say.
type telling struct {
	text   string
	what   string   // of the fields before and after
	gone   []string // fields with what was, and is no more
	made   []string // fields with what is new
	status Became
}

// words tells every event of a timeline. One that is not here is told by its type.
var words = map[string]telling{
	"organization.activated.v1":                    {text: "The organization “{name}” was founded by {account_id}", made: []string{"roles", "policy", "policy_version"}},
	"organization.auto_activation_changed.v1":      {text: "Whether those who ask are let in at once was changed", what: "at once"},
	"organization.deleted.v1":                      {text: "The organization “{name}” was deleted", gone: []string{"name"}},
	"organization.email_domain_changed.v1":         {text: "The e-mail domain to ask to join by was changed", what: "domain"},
	"organization.invitation_closed.v1":            {text: "The invitation of {invitation_id} was closed: {outcome}", status: Became{"invitation", "open", "closed"}},
	"organization.invitation_opened.v1":            {text: "{invitation_id} was invited by {invited_by}, link {generation}", made: []string{"roles", "expires_at"}},
	"organization.invitation_spaces_changed.v1":    {text: "The spaces that {invitation_id} will enter were changed", what: "spaces"},
	"organization.join_request_closed.v1":          {text: "The request of {account_id} to join was closed: {outcome}", status: Became{"request", "open", "closed"}},
	"organization.join_requested.v1":               {text: "{account_id} has asked to join", status: Became{"request", "", "open"}},
	"organization.invitation_erased.v1":            {text: "{invitation_id}, who was invited, was erased as a person"},
	"organization.member_erased.v1":                {text: "{account_id} was erased as a person"},
	"organization.personal_space_renamed.v1":       {text: "The personal space of {account_id} has another name", what: "name"},
	"organization.member_joined.v1":                {text: "{account_id} became a member", made: []string{"roles", "spaces", "via"}},
	"organization.member_reactivated.v1":           {text: "{account_id} was let in again", status: Became{"status", "suspended", "active"}},
	"organization.member_removed.v1":               {text: "{account_id} is no member any more", gone: []string{"roles", "spaces"}},
	"organization.member_renamed.v1":               {text: "{account_id} has another name", what: "name"},
	"organization.member_suspended.v1":             {text: "{account_id} was suspended", status: Became{"status", "active", "suspended"}},
	"organization.ownership_transfer_ended.v1":     {text: "The transfer of the ownership from {from} to {to} came to nothing: {outcome}", status: Became{"transfer", "open", "ended"}},
	"organization.ownership_transfer_requested.v1": {text: "The ownership is to go from {from} to {to}", status: Became{"transfer", "", "open"}, made: []string{"expires_at"}},
	"organization.ownership_transferred.v1":        {text: "The ownership went from {from} to {to}"},
	"organization.password_reset.v1":               {text: "A temporary password was made for {account_id}"},
	"organization.policy_changed.v1":               {text: "Another policy is in force", what: "policy", made: []string{"roles", "no_role"}},
	"organization.renamed.v1":                      {text: "The organization has another name", what: "name"},
	"organization.requests_summarized.v1":          {text: "{requests} open requests were summed up in a mail to {recipients}"},
	"organization.roles_changed.v1":                {text: "{account_id} has other roles", what: "roles"},
	"organization.seat_claimed.v1":                 {text: "A seat is kept for {invitation_id}, who is accepting"},
	"organization.seats_changed.v1":                {text: "The number of seats was changed", what: "seats"},
	"organization.settings_changed.v1":             {text: "Settings of {section} were changed"},
	"organization.space_created.v1":                {text: "The space “{name}” was made", made: []string{"name"}},
	"organization.space_deleted.v1":                {text: "The space “{name}” was deleted", gone: []string{"name"}},
	"organization.space_renamed.v1":                {text: "A space has another name", what: "name"},
	"organization.spaces_assigned.v1":              {text: "{account_id} may enter other spaces", what: "spaces"},
	"organization.values_erased.v1":                {text: "Values of settings, of now or before, were erased with a person"},
	"organization.work_assigned.v1":                {text: "{account_id} was given the {kind} {work_id}", made: []string{"work_id"}},
	"organization.work_released.v1":                {text: "{account_id} has no longer the {kind} {work_id}: {cause}", gone: []string{"work_id"}},

	"invitation.accepted.v1": {text: "{account_id} accepted the invitation of {invitation_id}", status: Became{"link", "open", "used"}},
	"invitation.declined.v1": {text: "{invitation_id} declined", status: Became{"link", "open", "declined"}},
	"invitation.expired.v1":  {text: "Link {generation} of {invitation_id} has expired", status: Became{"link", "open", "expired"}},
	"invitation.issued.v1":   {text: "A link was made for {invitation_id}, invited by {invited_by}", made: []string{"roles", "expires_at"}},
	"invitation.resent.v1":   {text: "A fresh link was made for {invitation_id}, by {invited_by}: number {generation}", made: []string{"expires_at"}},
	"invitation.revoked.v1":  {text: "The link of {invitation_id} was withdrawn: {cause}", status: Became{"link", "open", "withdrawn"}},
}
