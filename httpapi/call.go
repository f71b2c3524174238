package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"tenure/commands"
	"tenure/domain"
	"tenure/eventstore"
	"tenure/projections"
)

// call is one request on its way.
type call struct {
	fiber *fiber.Ctx
	id    string // X-Request-Id
	route *route // nil until one was found
	code  domain.Code
	back  string // where a page that shows a problem leads to; empty: to none

	caller     commands.Caller // the zero Caller for nobody
	membership commands.Membership
	newest     eventstore.Expected // where the organization's stream was found
	body       map[string]any      // nil for none
	conditions conditions
	past       *past // that a read shows; nil for the present
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// conditions are what the headers of a command ask for.
type conditions struct {
	idempotencyKey string
	ifRevision     *eventstore.Revision
	dryRun         bool
}

// actor is on whose decision the request acts.
func (c *call) actor() domain.Actor {
	if c.caller.Actor == (domain.Actor{}) {
		return domain.Public()
	}
	return c.caller.Actor
}

// organization and the like are ids in the path; enter has checked their form.
func (c *call) organization() domain.OrganizationID {
	if c.route.access.All {
		return domain.OrganizationID(c.fiber.Query("organization"))
	}
	return domain.OrganizationID(c.param("org"))
}

func (c *call) member() domain.AccountID        { return domain.AccountID(c.param("user")) }
func (c *call) invitation() domain.InvitationID { return domain.InvitationID(c.param("invitation")) }

func (c *call) space() domain.SpaceID { return domain.SpaceID(c.param("space")) }

func (c *call) param(name string) string { return c.fiber.Params(name) }

// asks reports whether something stands in the query, if only its name: a script
// whose variable is empty asks for a moment of the past as well, for none.
func (c *call) asks(name string) bool { return c.fiber.Context().QueryArgs().Has(name) }

// challenge asks a client that is not signed in to do so. Chromium reads one
// challenge from a header, so each has its own.
func (c *call) challenge() {
	header := &c.fiber.Response().Header
	header.Add(fiber.HeaderWWWAuthenticate, `Bearer realm="tenure"`)
	if c.route != nil && c.route.basic() {
		header.Add(fiber.HeaderWWWAuthenticate, `Basic realm="tenure", charset="UTF-8"`)
	}
}

// reads reports whether the caller of a read may see values that it takes the
// permission to read (domain.Guarded). A key that may read organizations reads all
// that is theirs.
func (c *call) reads(permission domain.Permission) bool {
	if c.caller.Actor.Kind == domain.ActorAPIKey {
		return true
	}
	return allowed(c.membership, permission)
}

func allowed(m commands.Membership, permission domain.Permission) bool {
	return m.Policy != nil && m.Policy.Allows(m.Roles, permission)
}

// request makes the commands.Request, and answers with the commands to give it
// to, which are those of a dry run if the client asked for one. It fails with
// CodeInvalid.
func (a *API) request(c *call, reason string) (*commands.Commands, commands.Request, error) {
	do := a.config.Commands
	reason, err := domain.ParseReason("reason", reason)
	if err != nil {
		return nil, commands.Request{}, err
	}
	if c.conditions.dryRun {
		do = do.DryRun()
	}
	r := commands.Request{
		Actor: c.actor(), Reason: reason, Correlation: c.id,
		IdempotencyKey: c.conditions.idempotencyKey, IfRevision: c.conditions.ifRevision,
	}
	if r.IdempotencyKey == "" {
		return do, r, nil
	}
	canonical, err := json.Marshal(c.body) // sorts the names
	if err != nil {
		return nil, commands.Request{}, err
	}
	r.Fingerprint = a.config.Commands.Keys.Request("fingerprint", c.fiber.Method(), c.fiber.Path(), string(canonical), strconv.FormatBool(c.conditions.dryRun))
	if r.Actor.Kind == domain.ActorPublic {
		// Two strangers may choose the same key: it is theirs only together
		// with what they send.
		r.IdempotencyKey += " " + r.Fingerprint
	}
	return do, r, nil
}

// readConditions reads the headers of a command.
func (a *API) readConditions(in CommandHeaders) (conditions, error) {
	c := conditions{idempotencyKey: in.IdempotencyKey, dryRun: in.DryRun}
	if len(in.IdempotencyKey) > 255 || strings.ContainsFunc(in.IdempotencyKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return c, a.malformed("Idempotency-Key", "Send 1 to 255 visible ASCII characters.")
	}
	if in.IfMatch == "" || in.IfMatch == "*" { // a command on what does not exist fails by itself
		return c, nil
	}
	inner, ok := strings.CutPrefix(in.IfMatch, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	if !ok || !closed || strings.ContainsAny(inner, "\" ,") {
		return c, a.malformed("If-Match", `Send one strong ETag such as "7", with its quotation marks, or *.`)
	}
	n, err := strconv.ParseUint(inner, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != inner {
		return c, a.problem(domain.CodeRevisionMismatch, "", "Read it again, and send the ETag of what you read in If-Match.")
	}
	revision := eventstore.Revision(n)
	c.ifRevision = &revision
	return c, nil
}

// requestID is the client's id for the request if it is one that may stand in a
// log, or a new one.
func requestID(c *fiber.Ctx) string {
	id := c.Get("X-Request-Id")
	if id == "" || len(id) > 128 || strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.:/+=@", r)
	}) {
		return uuid.Must(uuid.NewV7()).String()
	}
	return id
}

// answer is what a route answers with.
type answer struct {
	status      int               // 0 for the route's own
	body        any               // marshaled as JSON; nil for none
	raw         []byte            // instead of body; shared, never changed
	page        *projections.Page // instead of both; see sealNext
	contentType string            // of raw; empty for JSON
	position    eventstore.Position
	etag        string
	more        bool // shows what the revision of the ETag does not tell, and may have changed without it
	location    string
	policy      string // Content-Security-Policy; empty for none at all
	cache       string // Cache-Control; empty for no-store
	sent        bool   // there is nothing left to send
}

func (a *API) send(c *call, r *route, ans answer) {
	if ans.sent {
		return
	}
	status := ans.status
	if status == 0 {
		status = r.status
	}
	if status == http.StatusCreated && c.conditions.dryRun {
		status, ans.location = http.StatusOK, ""
	}
	setHeaders(c.fiber, ans)
	body, contentType := ans.raw, ans.contentType
	if body == nil && ans.body != nil {
		var err error
		if body, err = encode(ans.body); err != nil {
			a.refuse(c, err)
			return
		}
	}
	if contentType == "" {
		contentType = fiber.MIMEApplicationJSON
	}
	if ans.etag != "" && !ans.more && status == http.StatusOK && r.method == http.MethodGet && matches(c.fiber.Get(fiber.HeaderIfNoneMatch), ans.etag) {
		status, body = http.StatusNotModified, nil
	}
	if body == nil {
		c.fiber.Status(status)
		return
	}
	writeBody(c.fiber, status, contentType, body)
}

func setHeaders(c *fiber.Ctx, ans answer) {
	if ans.position > 0 {
		c.Set("Tenure-Position", strconv.FormatUint(uint64(ans.position), 10))
	}
	if ans.etag != "" {
		c.Set(fiber.HeaderETag, ans.etag)
	}
	if ans.location != "" {
		c.Set(fiber.HeaderLocation, ans.location)
	}
	if ans.policy != "" {
		c.Set(fiber.HeaderContentSecurityPolicy, ans.policy)
	}
	if ans.cache != "" {
		c.Set(fiber.HeaderCacheControl, ans.cache)
	}
	if ans.cache == pastCache {
		varyByCaller(c)
	}
}

// writeBody hands the body over as it is, without a copy.
func writeBody(c *fiber.Ctx, status int, contentType string, body []byte) {
	c.Status(status)
	c.Response().Header.SetContentType(contentType)
	c.Response().SetBodyRaw(body)
}

// encode is JSON that leaves <, > and & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// etag is the ETag of a stream's revision.
func etag(r eventstore.Revision) string { return `"` + strconv.FormatUint(uint64(r), 10) + `"` }

// matches reports whether an If-None-Match names the tag.
func matches(ifNoneMatch, tag string) bool {
	for candidate := range strings.SplitSeq(ifNoneMatch, ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == tag || candidate == "*" {
			return true
		}
	}
	return false
}
