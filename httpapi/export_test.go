package httpapi

import "github.com/valyala/fasthttp"

// Statuses is the table of codes and their statuses.
func Statuses() map[string]int {
	statuses := make(map[string]int)
	for code, m := range meanings() {
		statuses[string(code)] = m.status
	}
	return statuses
}

// Handler serves without a connection.
func (a *API) Handler() fasthttp.RequestHandler { return a.app.Handler() }
