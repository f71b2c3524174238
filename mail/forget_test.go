package mail_test

import (
	"context"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/mail"
)

// TestForget deletes the mails to and about somebody, and no others.
func TestForget(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	o, err := mail.OpenOutbox(t.TempDir(), 0)
	is.NoErr(err)
	send := func(id, to, name, text string) {
		is.NoErr(o.Send(ctx, mail.Rendered{
			ID: id, Date: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), From: "Tenure <no-reply@tenure.example>", To: to, ToName: name,
			Subject: "Hello", Text: text, HTML: "<p>" + text + "</p>", Language: "en", MessageID: id + "@tenure.example",
		}))
	}
	send("0192d2a1-7f5e-7c3a-9a41-000000000001", "Zoë@Example.com", "Zoë Ångström", "Welcome.")
	send("0192d2a1-7f5e-7c3a-9a41-000000000002", "ada@example.com", "Ada", "Zoë Ångström has invited you.")
	send("0192d2a1-7f5e-7c3a-9a41-000000000003", "ada@example.com", "Ada", "Grace has invited you.")
	is.NoErr(o.Forget(ctx, nil))
	is.NoErr(o.Forget(ctx, []string{"", "zoë@example.COM", "ZOË ÅNGSTRÖM"}))
	left, err := o.List(ctx, 0, "")
	is.NoErr(err)
	is.Equal(len(left), 1)
	is.Equal(left[0].ID, "0192d2a1-7f5e-7c3a-9a41-000000000003")
}
