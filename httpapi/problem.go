package httpapi

import (
	"net/http"

	"tenure/domain"
)

// The codes of problems that no domain rule is behind.
const (
	codeMalformed           domain.Code = "malformed"              // the request cannot be read
	codeMethodNotAllowed    domain.Code = "method_not_allowed"     // see the header Allow
	codeRequestTimeout      domain.Code = "request_timeout"        // the request did not arrive in time
	codeBodyTooLarge        domain.Code = "body_too_large"         //
	codeMediaType           domain.Code = "unsupported_media_type" //
	codeHeadersTooLarge     domain.Code = "headers_too_large"      //
	codeViewBehind          domain.Code = "view_behind"            // X4: the view has not got to Tenure-Min-Position
	codeLogUnavailable      domain.Code = "log_unavailable"        // try again later, with the same Idempotency-Key
	codeViewsUnavailable    domain.Code = "views_unavailable"      // try again later; commands may work
	codeRebuildRunning      domain.Code = "rebuild_running"        // pause, resume or cancel it
	codeRebuildNotThere     domain.Code = "rebuild_not_running"    // start one
	codeBusy                domain.Code = "busy"                   // try again later
	codeProviderUnavailable domain.Code = "provider_unavailable"   // the identity provider does not answer
	codeProviderRefused     domain.Code = "provider_refused"       // the identity provider has not signed the person in
	codeIdentityInvalid     domain.Code = "identity_invalid"       // what the identity provider says does not hold
	codeTenantNotAllowed    domain.Code = "tenant_not_allowed"     // the provider's tenant may not sign in here
	codeLoginInvalid        domain.Code = "login_invalid"          // not the answer to a sign-in that this browser has begun
	codeAheadOfLog          domain.Code = "ahead_of_log"           // X5, X7: the moment has not come yet, the log is not as long
	codeNotFounded          domain.Code = "not_founded"            // X5: the organization was founded later
	codeHistoryBusy         domain.Code = "history_busy"           // X5: try again later
	codeReportTooLarge      domain.Code = "report_too_large"       // X5: ask for less
	codeCursorAhead         domain.Code = "cursor_ahead"           // the log was restored from an older copy: begin again
	codeTooManyStreams      domain.Code = "too_many_streams"       // close one
	codeNotReady            domain.Code = "not_ready"              // of /readyz
	codeInternal            domain.Code = "internal"               // see the server's log
)

// Problem is an answer that says why a request was not served (RFC 9457).
type Problem struct {
	Type   string         `json:"type" doc:"urn:tenure:problem: and the code." example:"urn:tenure:problem:email_taken"`
	Title  string         `json:"title" doc:"A few words." example:"Invite conflict"`
	Status int            `json:"status" doc:"The HTTP status." example:"409"`
	Detail string         `json:"detail" doc:"What to do, in a sentence." example:"The email is already used by a member or an open invitation. Use another one."`
	Code   domain.Code    `json:"code" doc:"The stable name of the problem: match on this." example:"email_taken"`
	Errors []ProblemField `json:"errors,omitempty" doc:"The fields at fault, all at once where that is possible."`

	retryAfter int // seconds, of problems that pass
}

// ProblemField says what is wrong with one field of a request.
type ProblemField struct {
	Field   string `json:"field" doc:"The field of the body, or the name of a parameter." example:"email"`
	Message string `json:"message" doc:"What to do." example:"Give an e-mail address such as ada@example.com."`
	Line    int    `json:"line,omitempty" doc:"Of a document, from 1."`
	Column  int    `json:"column,omitempty" doc:"Of a document, from 1."`
}

// Error implements error.
func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }

// meaning is how a code is answered.
type meaning struct {
	status int
	title  string // where a refusal has none of its own
}

// meanings is the one table of codes and their statuses.
func meanings() map[domain.Code]meaning {
	return map[domain.Code]meaning{
		codeMalformed:                  {http.StatusBadRequest, "Malformed request"},
		codeAheadOfLog:                 {http.StatusBadRequest, "Not there yet"},
		codeNotFounded:                 {http.StatusNotFound, "Not founded yet"},
		codeReportTooLarge:             {http.StatusUnprocessableEntity, "Too much at once"},
		codeHistoryBusy:                {http.StatusServiceUnavailable, "Busy"},
		codeLoginInvalid:               {http.StatusBadRequest, "Sign-in interrupted"},
		domain.CodeNotSignedIn:         {http.StatusUnauthorized, "Sign in first"},
		domain.CodeCredentialsWrong:    {http.StatusUnauthorized, "Wrong e-mail address or password"},
		domain.CodePermissionDenied:    {http.StatusForbidden, "Permission denied"},
		domain.CodeRoleNotGranted:      {http.StatusForbidden, "You cannot give this role"},
		domain.CodeMemberProtected:     {http.StatusForbidden, "You cannot manage this member"},
		domain.CodeWrongAccount:        {http.StatusForbidden, "Invitation for another address"},
		domain.CodeWrongProvider:       {http.StatusForbidden, "Wrong provider"},
		domain.CodeWrongTenant:         {http.StatusForbidden, "Wrong organization at the provider"},
		domain.CodeProviderRequired:    {http.StatusForbidden, "Sign in with the provider"},
		codeProviderRefused:            {http.StatusForbidden, "Not signed in"},
		codeIdentityInvalid:            {http.StatusForbidden, "Sign-in not accepted"},
		codeTenantNotAllowed:           {http.StatusForbidden, "Organization not admitted"},
		domain.CodeEmailUnverified:     {http.StatusForbidden, "E-mail address not verified"},
		domain.CodeNotFound:            {http.StatusNotFound, "Not found"},
		domain.CodeLinkInvalid:         {http.StatusNotFound, "Link invalid"},
		codeMethodNotAllowed:           {http.StatusMethodNotAllowed, "Method not allowed"},
		codeRequestTimeout:             {http.StatusRequestTimeout, "Request timed out"},
		domain.CodeNameTaken:           {http.StatusConflict, "Name taken"},
		domain.CodeEmailTaken:          {http.StatusConflict, "E-mail address taken"},
		domain.CodeUsernameTaken:       {http.StatusConflict, "Username taken"},
		domain.CodeSeatsFull:           {http.StatusConflict, "No seat left"},
		domain.CodeSeatsTooFew:         {http.StatusConflict, "Too few seats"},
		domain.CodeDomainTaken:         {http.StatusConflict, "E-mail domain taken"},
		domain.CodeDomainPublic:        {http.StatusConflict, "Public mail domain"},
		domain.CodeNotOffered:          {http.StatusConflict, "Not offered here"},
		domain.CodeOwnRolesFixed:       {http.StatusConflict, "You cannot change your own roles"},
		domain.CodeMemberRemoved:       {http.StatusConflict, "Member removed"},
		domain.CodeOwnerProtected:      {http.StatusConflict, "The owner is protected"},
		domain.CodeErasureBlocked:      {http.StatusConflict, "Organizations need this person"},
		domain.CodeLastAdmin:           {http.StatusConflict, "Last administrator"},
		domain.CodeSelfRemoval:         {http.StatusConflict, "You cannot remove yourself"},
		domain.CodeInvitationAccepted:  {http.StatusConflict, "Invitation accepted"},
		domain.CodeInvitationRevoked:   {http.StatusConflict, "Invitation revoked"},
		domain.CodeInvitationDeclined:  {http.StatusConflict, "Invitation declined"},
		domain.CodeTransferNotOffered:  {http.StatusConflict, "Only the owner transfers the ownership"},
		domain.CodeTransferPending:     {http.StatusConflict, "A transfer is pending"},
		domain.CodeTransferNotPending:  {http.StatusConflict, "No transfer is pending"},
		domain.CodeTransferNotEligible: {http.StatusConflict, "This member cannot become the owner"},
		domain.CodeTransferExpired:     {http.StatusConflict, "Transfer expired"},
		domain.CodeIdentityConflict:    {http.StatusConflict, "Account linked already"},
		domain.CodeMemberSuspended:     {http.StatusForbidden, "Membership suspended"},
		domain.CodeMemberActive:        {http.StatusConflict, "A member already"},
		domain.CodeRoleExclusive:       {http.StatusConflict, "Role held elsewhere"},
		domain.CodeRequestPending:      {http.StatusConflict, "Asked already"},
		domain.CodeRequestNotThere:     {http.StatusConflict, "No such request"},
		domain.CodeSpaceNameTaken:      {http.StatusConflict, "Name taken"},
		domain.CodeTooManySpaces:       {http.StatusUnprocessableEntity, "Too many spaces"},
		domain.CodeTooMuchWork:         {http.StatusConflict, "Too much work"},
		domain.CodePolicyImpossible:    {http.StatusConflict, "The policy does not fit"},
		domain.CodePolicyVersion:       {http.StatusConflict, "Not the next version"},
		domain.CodePolicyBuiltIn:       {http.StatusConflict, "The name of a built-in policy"},
		domain.CodeRoleUnmapped:        {http.StatusUnprocessableEntity, "Roles without a successor"},
		domain.CodeAccountExists:       {http.StatusUnprocessableEntity, "The person has an account"},
		domain.CodePasswordNeeded:      {http.StatusUnprocessableEntity, "Password missing"},
		domain.CodeMemberElsewhere:     {http.StatusConflict, "A member elsewhere too"},
		domain.CodeCheckpointOutdated:  {http.StatusConflict, "Checkpoint outdated"},
		domain.CodeAlreadyVerified:     {http.StatusConflict, "Address verified"},
		codeRebuildRunning:             {http.StatusConflict, "The view is being rebuilt"},
		codeRebuildNotThere:            {http.StatusConflict, "The view is not being rebuilt"},
		codeCursorAhead:                {http.StatusConflict, "Cursor ahead of the log"},
		domain.CodeInvitationExpired:   {http.StatusGone, "Invitation expired"},
		domain.CodeLinkExpired:         {http.StatusGone, "Link expired"},
		domain.CodeOrganizationClosed:  {http.StatusGone, "Organization deleted"},
		domain.CodeRevisionMismatch:    {http.StatusPreconditionFailed, "Changed meanwhile"},
		codeBodyTooLarge:               {http.StatusRequestEntityTooLarge, "Body too large"},
		codeMediaType:                  {http.StatusUnsupportedMediaType, "Not JSON"},
		domain.CodeInvalid:             {http.StatusUnprocessableEntity, "Invalid value"},
		domain.CodeIdempotencyMismatch: {http.StatusUnprocessableEntity, "Idempotency-Key used before"},
		domain.CodeUsernameNeeded:      {http.StatusUnprocessableEntity, "Username missing"},
		domain.CodeProviderNotOffered:  {http.StatusUnprocessableEntity, "Provider not available"},
		domain.CodeRoleUnknown:         {http.StatusUnprocessableEntity, "Unknown role"},
		domain.CodeRoleCount:           {http.StatusUnprocessableEntity, "Wrong number of roles"},
		domain.CodeTooManyAttempts:     {http.StatusTooManyRequests, "Too many attempts"},
		codeTooManyStreams:             {http.StatusTooManyRequests, "Too many streams"},
		codeHeadersTooLarge:            {http.StatusRequestHeaderFieldsTooLarge, "Headers too large"},
		codeInternal:                   {http.StatusInternalServerError, "Internal error"},
		codeViewBehind:                 {http.StatusServiceUnavailable, "View behind"},
		codeLogUnavailable:             {http.StatusServiceUnavailable, "Log unavailable"},
		codeViewsUnavailable:           {http.StatusServiceUnavailable, "Views unavailable"},
		codeProviderUnavailable:        {http.StatusServiceUnavailable, "Provider unavailable"},
		codeBusy:                       {http.StatusServiceUnavailable, "Busy"},
		codeNotReady:                   {http.StatusServiceUnavailable, "Not ready"},
	}
}

// problem makes a Problem of a code that is in the table.
func (a *API) problem(code domain.Code, title, detail string, fields ...ProblemField) *Problem {
	m := a.meanings[code]
	if title == "" {
		title = m.title
	}
	return &Problem{
		Type: "urn:tenure:problem:" + string(code), Title: title, Status: m.status, Detail: detail, Code: code, Errors: fields,
	}
}

// malformed refuses a request that cannot be read; field may be empty.
func (a *API) malformed(field, message string) *Problem {
	p := a.problem(codeMalformed, "", message)
	if field != "" {
		p.Errors = []ProblemField{{Field: field, Message: message}}
	}
	return p
}
