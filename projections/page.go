package projections

import (
	"encoding/json"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"tenure/eventstore"
)

// Page is a page of a list, as the API answers with it.
type Page struct {
	body []byte
	next string
	len  int
}

// JSON is the whole answer: {"items":[…],"next_cursor":"…"}, without
// next_cursor on the last page. It is shared: do not change it.
func (p Page) JSON() []byte { return p.body }

// NextCursor goes on after this page; empty on the last one.
func (p Page) NextCursor() string { return p.next }

// Len is the number of items.
func (p Page) Len() int { return p.len }

// Items are the documents on the page.
func (p Page) Items() ([]json.RawMessage, error) {
	var page struct{ Items []json.RawMessage }
	err := json.Unmarshal(p.body, &page)
	return page.Items, err
}

func newPage(items [][]byte, next string) Page {
	const begin, end, cursor = `{"items":[`, `]}`, `,"next_cursor":""`
	size := len(begin) + len(end) + len(cursor) + len(next) + len(items)
	for _, item := range items {
		size += len(item)
	}
	body := append(make([]byte, 0, size), begin...)
	for i, item := range items {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, item...)
	}
	body = append(body, ']')
	if next != "" {
		body = append(body, `,"next_cursor":"`...)
		body = append(body, next...) // base64url: nothing to escape
		body = append(body, '"')
	}
	body = append(body, '}')
	return Page{body: body, next: next, len: len(items)}
}

// pageCache holds pages as long as their partition does not change. A page is
// kept with a position that its partition had when the page was read, or before,
// so it is never older than that; the partition's next change makes it useless.
type pageCache struct {
	mu    sync.Mutex
	pages *simplelru.LRU[pageKey, cachedPage]
	bytes int // of all pages
	limit int
}

type pageKey struct {
	view, partition string
	query           any // a comparable struct
}

type cachedPage struct {
	Page
	position eventstore.Position
}

// pageOverhead is what a page costs besides its body, roughly.
const pageOverhead = 512

func newPageCache(limit int) *pageCache {
	c := &pageCache{limit: limit}
	pages, err := simplelru.NewLRU(max(1, limit/pageOverhead), func(_ pageKey, p cachedPage) { c.bytes -= p.cost() })
	if err != nil {
		panic(err) // the size is positive
	}
	c.pages = pages
	return c
}

func (c *pageCache) get(key pageKey) (cachedPage, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pages.Get(key)
}

func (c *pageCache) put(key pageKey, p Page, at eventstore.Position) {
	page := cachedPage{Page: p, position: at}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pages.Remove(key)
	if page.cost() > c.limit/4 {
		return
	}
	c.pages.Add(key, page)
	for c.bytes += page.cost(); c.bytes > c.limit; {
		c.pages.RemoveOldest()
	}
}

func (p cachedPage) cost() int { return len(p.body) + len(p.next) + pageOverhead }

// WithCursor is the page with another cursor than its own, for one who wraps
// them. A last page stays one.
func (p Page) WithCursor(next string) Page {
	if p.next == "" {
		return p
	}
	body := append(make([]byte, 0, len(p.body)+len(next)), p.body[:len(p.body)-len(p.next)-len(`"}`)]...)
	p.body, p.next = append(append(body, next...), `"}`...), next
	return p
}
