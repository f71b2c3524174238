package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"tenure/domain"
)

// observe is around every request: it gives it an id and the headers that all
// answers have, catches panics, turns errors into problems, and leaves a line
// in the log.
func (a *API) observe(f *fiber.Ctx) error {
	began := time.Now()
	c := &call{fiber: f, id: requestID(f)}
	f.SetUserContext(context.WithValue(context.Background(), callKey{}, c))
	a.secure(f, c.id)
	if a.allowOrigin(f) {
		return nil // a preflight
	}
	head := f.Method() == http.MethodHead
	if head {
		f.Method(http.MethodGet) // fasthttp leaves the body out
	}
	if err := a.next(c); err != nil {
		a.refuse(c, err)
	}
	a.record(c, time.Since(began), head)
	return nil
}

// next goes on, and turns a panic into an error.
func (a *API) next(c *call) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return c.fiber.Next()
}

// failed answers what fasthttp refuses before observe is called.
func (a *API) failed(f *fiber.Ctx, err error) error {
	c := &call{fiber: f, id: requestID(f)}
	a.secure(f, c.id)
	a.refuse(c, err)
	a.record(c, 0, false)
	return nil
}

// secure sets the headers that all answers have.
func (a *API) secure(f *fiber.Ctx, id string) {
	h := &f.Response().Header
	h.Set("X-Request-Id", id)
	h.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	h.Set(fiber.HeaderCacheControl, "no-store")
	h.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	h.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set(fiber.HeaderXFrameOptions, "DENY")
	h.Set(fiber.HeaderPermissionsPolicy, "camera=(), geolocation=(), microphone=()")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	if strings.HasPrefix(a.config.PublicURL, "https:") {
		h.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
	}
}

// allowOrigin sets the headers for a browser on another origin, if that is
// allowed, and answers preflights.
func (a *API) allowOrigin(f *fiber.Ctx) (preflight bool) {
	if len(a.config.AllowedOrigins) == 0 {
		return false
	}
	f.Vary(fiber.HeaderOrigin)
	origin := f.Get(fiber.HeaderOrigin)
	if origin == "" || !slices.Contains(a.config.AllowedOrigins, origin) {
		return false
	}
	f.Set(fiber.HeaderAccessControlAllowOrigin, origin)
	f.Set(fiber.HeaderAccessControlExposeHeaders, "ETag, Location, Retry-After, Tenure-Position, X-Request-Id")
	if f.Method() != http.MethodOptions || f.Get(fiber.HeaderAccessControlRequestMethod) == "" {
		return false
	}
	f.Set(fiber.HeaderAccessControlAllowMethods, "GET, POST, PUT, PATCH, DELETE")
	f.Set(fiber.HeaderAccessControlAllowHeaders, "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Tenure-Min-Position, X-Request-Id, traceparent, tracestate")
	f.Set(fiber.HeaderAccessControlMaxAge, "600")
	f.Status(http.StatusNoContent)
	return true
}

// record counts the request and writes its line in the log: the route, not the
// path, and nothing that was sent.
func (a *API) record(c *call, took time.Duration, head bool) {
	status := c.fiber.Response().StatusCode()
	path, seen := "unknown", a.metrics.unknown
	if c.route != nil {
		path, seen = c.route.path, c.route.seen
	}
	seen.observe(status, took)
	ctx := context.Background()
	if !a.config.Logger.Enabled(ctx, slog.LevelInfo) {
		return
	}
	method := c.fiber.Method()
	if head {
		method = http.MethodHead
	}
	attrs := []slog.Attr{
		slog.String("method", method), slog.String("route", path), slog.Int("status", status),
		slog.Int64("us", took.Microseconds()), slog.String("request_id", c.id),
		slog.String("actor_kind", string(c.actor().Kind)), slog.String("actor_id", c.actor().ID),
	}
	if c.code != "" {
		attrs = append(attrs, slog.String("code", string(c.code)))
	}
	a.config.Logger.LogAttrs(ctx, slog.LevelInfo, "request", attrs...)
}

// logFailure writes down an error that is no refusal.
func (a *API) logFailure(c *call, err error) {
	a.logReason(c, slog.LevelError, "request failed", err)
}

func (a *API) logReason(c *call, level slog.Level, message string, err error) {
	path := "unknown"
	if c.route != nil {
		path = c.route.path
	}
	a.config.Logger.LogAttrs(context.Background(), level, message,
		slog.String("route", path), slog.String("request_id", c.id), slog.String("error", err.Error()))
}

// transform turns the errors that Huma makes into problems.
func (a *API) transform(h huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := a.explainHuma(e)
	if c := callOf(h.Context()); c != nil {
		c.code = p.Code
		if p.Code == codeInternal {
			a.logFailure(c, errors.New(e.Detail))
		}
	}
	return p, nil
}

// refuseUnknownMethods answers methods that Fiber does not know, which it would
// answer in plain text.
func (a *API) refuseUnknownMethods() {
	serve := a.app.Server().Handler
	known := a.app.Config().RequestMethods
	a.app.Server().Handler = func(ctx *fasthttp.RequestCtx) {
		if slices.Contains(known, string(ctx.Method())) {
			serve(ctx)
			return
		}
		f := a.app.AcquireCtx(ctx)
		defer a.app.ReleaseCtx(f)
		c := &call{fiber: f, id: requestID(f)}
		a.secure(f, c.id)
		f.Set(fiber.HeaderAllow, "GET, HEAD, POST, PUT, PATCH, DELETE")
		a.refuse(c, domain.Refuse(codeMethodNotAllowed, "", "Use one of the methods in the header Allow."))
		a.record(c, 0, false)
	}
}
