// Package pages holds the pages that the links in mails lead to. Each does the
// one next step with the API: it is static, needs no framework, and takes the
// token from the link's fragment, which browsers do not send.
package pages

import (
	"embed"
	"io/fs"
)

// ContentSecurityPolicy is the header to send with a page.
const ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

//go:embed files
var files embed.FS

// Names are the pages: each is the file <name>.html and the path /<name>.
func Names() []string {
	return []string{"verify", "sign-in", "reset-password", "accept-invitation", "confirm-transfer", "join-requests"}
}

// Files are the pages, page.js and page.css. A page refers to pages/page.js and
// pages/page.css, relative to its own path.
func Files() fs.FS {
	sub, err := fs.Sub(files, "files")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}
