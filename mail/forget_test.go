package mail_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/mail"
)

// TestForget deletes the mails to and about somebody, and no others.
func TestForget(t *testing.T) {
	is := is.New(t)
	ctx, dir := context.Background(), t.TempDir()
	o, err := mail.OpenOutbox(dir, 0)
	is.NoErr(err)
	send := func(number int, about ...string) {
		id := fmt.Sprintf("0192d2a1-7f5e-7c3a-9a41-%012d", number)
		is.NoErr(o.Send(ctx, mail.Rendered{
			ID: id, Date: time.Date(2030, 1, 2, 3, 4, number, 0, time.UTC), From: "Tenure <no-reply@tenure.example>", To: "ada@example.com",
			Subject: "Hello", Text: "Welcome.", HTML: "<p>Welcome.</p>", Language: "en", MessageID: id + "@tenure.example", About: about,
		}))
	}
	var many []string
	for i := range 22 { // as a digest has them: more than a line of a header
		many = append(many, fmt.Sprintf("0192d2a1-7f5e-7c3a-9a42-%012d", i))
	}
	send(1, "zoe")
	send(2, "ada", "zoe")
	send(3, "ada", "grace")
	send(4, append(slices.Clone(many), "ada")...)
	send(5)
	is.NoErr(os.WriteFile(filepath.Join(dir, "20300102T030406.000000000Z-0192d2a1-7f5e-7c3a-9a41-000000000006.eml"), []byte("no mail"), 0o600))

	left := func(gone ...string) (ids []string) {
		is.NoErr(o.Forget(ctx, func(_ context.Context, asked []string) ([]bool, error) {
			answers := make([]bool, len(asked))
			for i, id := range asked {
				answers[i] = slices.Contains(gone, id)
			}
			return answers, nil
		}))
		entries, err := o.List(ctx, 0, "")
		is.NoErr(err)
		for _, e := range entries {
			ids = append(ids, e.ID[len(e.ID)-1:])
		}
		return ids
	}
	is.Equal(left("somebody else"), []string{"4", "3", "2", "1"}) // what says of nobody that it is about them is gone
	is.Equal(left("zoe"), []string{"4", "3"})
	is.Equal(left(many[21]), []string{"3"})

	away := errors.New("the keys are away")
	is.True(errors.Is(o.Forget(ctx, func(context.Context, []string) ([]bool, error) { return nil, away }), away))
	is.Equal(left(), []string{"3"})
}
