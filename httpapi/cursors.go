package httpapi

import "tenure/domain"

// Cursors of pages say where a page has ended: in the order of names, at a name.
// They stand in addresses, which proxies and clients write into logs that no
// erasure reaches. So clients see them sealed, at every list and for its own route
// only, and what is behind here sees them as the views make them.

// cursorIn is the cursor of a request for a page; nil of other requests.
func cursorIn(in any) *string {
	if in, ok := in.(interface{ cursor() *string }); ok {
		return in.cursor()
	}
	return nil
}

func (p *PageInput) cursor() *string { return &p.Cursor }

func (in *DeliveriesInput) cursor() *string { return &in.Cursor }

func (a *API) openCursor(c *call, in any) (err error) {
	cursor := cursorIn(in)
	if cursor == nil || *cursor == "" {
		return nil
	}
	if *cursor, err = a.config.Commands.Keys.OpenCursor(c.route.id, *cursor); err != nil {
		return errCursor()
	}
	return nil
}

// sealNext seals the cursor of an answer that is a page.
func (a *API) sealNext(c *call, ans *answer) {
	seal := func(cursor string) string { return a.config.Commands.Keys.SealCursor(c.route.id, cursor) }
	if ans.page != nil {
		p := *ans.page
		if next := p.NextCursor(); next != "" {
			p = p.WithCursor(seal(next))
		}
		ans.raw = p.JSON()
	}
	if body, ok := ans.body.(interface{ sealed(func(string) string) any }); ok {
		ans.body = body.sealed(seal)
	}
}

func (l list[T]) sealed(seal func(string) string) any {
	if l.NextCursor != "" {
		l.NextCursor = seal(l.NextCursor)
	}
	return l
}

func errCursor() error {
	return domain.Invalid("cursor", "Use the next_cursor of the page before, with the same query, or leave it out.")
}
