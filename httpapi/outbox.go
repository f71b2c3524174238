package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"tenure/domain/apikey"
	"tenure/mail"
)

type outboxInput struct {
	Accept string `header:"Accept"`
	To     string `query:"to" maxLength:"254"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200"`
}

// addOutbox shows the mails of an installation without an SMTP server: to a
// browser as pages, to others as JSON.
func (a *API) addOutbox() {
	if a.config.Outbox == nil {
		return
	}
	operator := Operator(apikey.ScopeOperator)
	add(a, route{id: "outbox", method: http.MethodGet, path: "/outbox", access: operator, status: http.StatusOK, hidden: true}, a.showOutbox)
	add(a, route{id: "outbox-style", method: http.MethodGet, path: "/outbox/style.css", access: Public(), status: http.StatusOK, hidden: true},
		func(context.Context, *call, *struct{}) (answer, error) {
			css, err := a.config.Outbox.Stylesheet()
			return answer{raw: css, contentType: "text/css; charset=utf-8"}, err
		})
	add(a, route{id: "outbox-mail", method: http.MethodGet, path: "/outbox/{id}", access: operator, status: http.StatusOK, hidden: true}, a.showMail)
}

func (a *API) showOutbox(ctx context.Context, _ *call, in *outboxInput) (answer, error) {
	if wantsPage(in.Accept) {
		return outboxPage(a.config.Outbox.ListPage(ctx, in.Limit, in.To))
	}
	entries, err := a.config.Outbox.List(ctx, in.Limit, in.To)
	return answer{body: list[mail.Entry]{Items: entries}}, err
}

func (a *API) showMail(ctx context.Context, c *call, in *struct {
	Accept string `header:"Accept"`
}) (answer, error) {
	if wantsPage(in.Accept) {
		return outboxPage(a.config.Outbox.MailPage(ctx, c.param("id")))
	}
	m, err := a.config.Outbox.Read(ctx, c.param("id"))
	return answer{body: m}, err
}

func outboxPage(p mail.Page, err error) (answer, error) {
	return answer{raw: p.HTML, contentType: fiber.MIMETextHTMLCharsetUTF8, policy: p.ContentSecurityPolicy}, err
}

// wantsPage reports whether the client is a browser that navigates.
func wantsPage(accept string) bool { return strings.Contains(accept, fiber.MIMETextHTML) }
