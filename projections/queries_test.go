package projections_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"tenure/domain"
	"tenure/projections"
)

func TestInvalidValuesAreRefusedWithTheirField(t *testing.T) {
	f := newFixture(t)
	f.append(activated())
	r := f.reader()
	ctx := t.Context()
	members := func(q projections.MembersQuery) error {
		q.Organization = org
		_, err := r.Members(ctx, q)
		return err
	}
	invitations := func(q projections.InvitationsQuery) error {
		q.Organization = org
		_, err := r.Invitations(ctx, q)
		return err
	}
	timeline := func(q projections.TimelineQuery) error {
		q.Organization = org
		_, err := r.Timeline(ctx, q)
		return err
	}
	directory := func(q projections.DirectoryQuery) error { _, err := r.Directory(ctx, q); return err }
	memberships := func(q projections.MembershipsQuery) error { _, err := r.Memberships(ctx, q); return err }
	_, due := r.Due(ctx, projections.MailDue, time.Now(), 0)

	for field, errs := range map[string][]error{
		"status": {members(projections.MembersQuery{Status: "gone"}), invitations(projections.InvitationsQuery{Status: "active"})},
		"sort": {
			members(projections.MembersQuery{Sort: "email"}), members(projections.MembersQuery{Sort: "--joined_at"}), members(projections.MembersQuery{Sort: "-"}),
			members(projections.MembersQuery{Q: "a", Sort: "joined_at"}),
			invitations(projections.InvitationsQuery{Sort: "x"}), invitations(projections.InvitationsQuery{Q: "a", Sort: "email"}),
			directory(projections.DirectoryQuery{Sort: "x"}), directory(projections.DirectoryQuery{Q: "a", Sort: "name"}),
		},
		"limit": {
			members(projections.MembersQuery{Limit: -1}), members(projections.MembersQuery{Limit: 201}), invitations(projections.InvitationsQuery{Limit: 201}),
			timeline(projections.TimelineQuery{Limit: 201}), directory(projections.DirectoryQuery{Limit: -1}), memberships(projections.MembershipsQuery{Limit: 201}), due,
		},
		"q": {
			members(projections.MembersQuery{Q: strings.Repeat("x", 201)}), members(projections.MembersQuery{Q: "a b c d e f g h i"}),
			members(projections.MembersQuery{Q: "\xff"}), members(projections.MembersQuery{Q: "a\x00b"}), directory(projections.DirectoryQuery{Q: "\xff"}),
		},
		"role":    {members(projections.MembersQuery{Role: "a\x00b"}), invitations(projections.InvitationsQuery{Role: strings.Repeat("x", 500)})},
		"order":   {timeline(projections.TimelineQuery{Order: "up"})},
		"type":    {timeline(projections.TimelineQuery{Type: "a\x00"})},
		"account": {timeline(projections.TimelineQuery{Account: "a\x00"})},
		"cursor": {
			members(projections.MembersQuery{Cursor: "x"}), invitations(projections.InvitationsQuery{Cursor: "!"}), timeline(projections.TimelineQuery{Cursor: "AQ"}),
			directory(projections.DirectoryQuery{Cursor: strings.Repeat("A", 5000)}), memberships(projections.MembershipsQuery{Cursor: "="}),
		},
	} {
		for i, err := range errs {
			refusal, ok := errors.AsType[*domain.Error](err)
			if !ok || refusal.Code != domain.CodeInvalid || refusal.Field != field {
				t.Errorf("%s %d: %v", field, i, err)
			}
		}
	}
}

func TestACursorWorksWithItsOwnQueryOnly(t *testing.T) {
	is := is.New(t)
	r, cursor := readerWithCursor(t)
	own := projections.MembersQuery{Organization: org, Limit: 1, Cursor: cursor}
	page, err := r.Members(t.Context(), own)
	is.NoErr(err)
	is.Equal(page.Len(), 1)
	own.Limit = 7 // not a part of the question
	_, err = r.Members(t.Context(), own)
	is.NoErr(err)
	for _, q := range []projections.MembersQuery{
		{Organization: "other"}, {Organization: org, Status: "removed"}, {Organization: org, Role: "USER"}, {Organization: org, Sort: "-display_name"},
		{Organization: org, Sort: "joined_at"}, {Organization: org, Q: "a"},
	} {
		q.Cursor = cursor
		_, err := r.Members(t.Context(), q)
		is.True(errors.Is(err, &domain.Error{Code: domain.CodeInvalid}))
	}
	_, err = r.Invitations(t.Context(), projections.InvitationsQuery{Organization: org, Cursor: cursor})
	is.True(errors.Is(err, &domain.Error{Code: domain.CodeInvalid}))
}

func FuzzCursor(f *testing.F) {
	r, cursor := readerWithCursor(f)
	f.Add(cursor)
	f.Add(cursor + "\n")
	f.Add(cursor[:len(cursor)-1])
	f.Add("AQ")
	raw, _ := base64.RawURLEncoding.DecodeString(cursor)
	for i := range raw {
		changed := append([]byte(nil), raw...)
		changed[i] ^= 0x80
		f.Add(base64.RawURLEncoding.EncodeToString(changed))
	}
	f.Fuzz(func(t *testing.T, text string) {
		is := is.New(t)
		page, err := r.Members(t.Context(), projections.MembersQuery{Organization: org, Limit: 1, Cursor: text})
		if refusal, ok := errors.AsType[*domain.Error](err); ok {
			is.Equal(refusal.Field, "cursor")
			return
		}
		is.NoErr(err)
		is.True(page.Len() <= 1)
		if text != "" {
			// What is accepted is in the only form that there is.
			raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
			is.NoErr(err)
			is.Equal(base64.RawURLEncoding.EncodeToString(raw), text)
		}
	})
}

func readerWithCursor(t testing.TB) (*projections.Reader, string) {
	f := newFixture(t)
	f.append(activated(), joined(1, "Ada"), joined(2, "Bob"))
	r := f.reader()
	page, err := r.Members(t.Context(), projections.MembersQuery{Organization: org, Limit: 1})
	f.is.NoErr(err)
	f.is.True(page.NextCursor() != "")
	return r, page.NextCursor()
}

// A search whose first word finds everybody looks at so many members a page,
// and goes on with the next.
func TestASearchThatFindsLittleHasShortPages(t *testing.T) {
	f := newFixture(t)
	f.append(activated())
	const members = 2500
	for n := 1; n <= members; {
		var batch []domain.Event
		for ; n <= members && len(batch) < 500; n++ {
			name := "Ann"
			if n == members-1 {
				name = "Zoë"
			}
			batch = append(batch, joined(n, name))
		}
		f.append(batch...)
	}
	r := f.reader()
	q := projections.MembersQuery{Organization: org, Q: "example.com zo", Limit: 10}
	found, pages := 0, 0
	for done := false; !done; done = q.Cursor == "" {
		page, err := r.Members(t.Context(), q)
		f.is.NoErr(err)
		found += page.Len()
		pages++
		q.Cursor = page.NextCursor()
	}
	f.is.Equal(found, 1)
	f.is.True(pages >= 3 && pages <= 4) // about 1,000 members are looked at for each
}

// A page from the middle of a long timeline is full at once.
func TestTimelineGoesStraightToATime(t *testing.T) {
	f := newFixture(t)
	began := f.now
	f.append(activated())
	const events = 4000 // a second apart
	for n := 1; n < events; {
		var batch []domain.Event
		for ; n < events && len(batch) < 500; n++ {
			batch = append(batch, renamed(0, fmt.Sprint("Name ", n)))
		}
		f.append(batch...)
	}
	r := f.reader()
	middle := began.Add(2000 * time.Second)
	for _, account := range []domain.AccountID{"", account(0)} {
		page, err := r.Timeline(t.Context(), projections.TimelineQuery{Organization: org, Account: account, Until: middle, Limit: 3})
		f.is.NoErr(err)
		f.is.Equal(page.Len(), 3)
		f.is.True(strings.Contains(string(page.JSON()), `"after":"Name 1998"`)) // the event at middle itself is left out
		page, err = r.Timeline(t.Context(), projections.TimelineQuery{Organization: org, Account: account, Since: middle, Order: "asc", Limit: 3})
		f.is.NoErr(err)
		f.is.Equal(page.Len(), 3)
		f.is.True(strings.Contains(string(page.JSON()), `"after":"Name 1999"`))
		page, err = r.Timeline(t.Context(), projections.TimelineQuery{Organization: org, Account: account, Since: middle, Until: middle.Add(2 * time.Second)})
		f.is.NoErr(err)
		f.is.Equal(page.Len(), 2)
		f.is.Equal(page.NextCursor(), "")
	}
}
