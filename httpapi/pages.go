package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"

	"tenure/httpapi/pages"
)

// asset is a file that does not change while the process lives.
type asset struct {
	body        []byte
	contentType string
	policy      string
}

// addPages serves what a browser is shown: the pages that links in mails lead
// to, the OpenAPI document and its interactive page. All of it is embedded.
func (a *API) addPages() error {
	a.addAsset("openapi", "/openapi.json", func() (asset, error) {
		document, err := json.Marshal(a.huma.OpenAPI())
		if err != nil {
			return asset{}, fmt.Errorf("httpapi: OpenAPI document: %w", err)
		}
		return asset{document, "application/openapi+json", ""}, nil
	})
	a.addDocs()
	for _, name := range pages.Names() {
		if err := a.addFile("page-"+name, "/"+name, name+".html"); err != nil {
			return err
		}
	}
	for _, file := range []string{"page.js", "page.css"} {
		if err := a.addFile(file, "/pages/"+file, file); err != nil {
			return err
		}
	}
	return nil
}

func (a *API) addFile(id, at, file string) error {
	body, err := fs.ReadFile(pages.Files(), file)
	if err != nil {
		return fmt.Errorf("httpapi: %w", err)
	}
	policy := ""
	if path.Ext(file) == ".html" {
		policy = pages.ContentSecurityPolicy
	}
	a.addAsset(id, at, func() (asset, error) { return asset{body, contentTypeOf(file), policy}, nil })
	return nil
}

// addAsset serves a file that is made when it is first asked for: a start does not
// wait for documents that few ever read.
func (a *API) addAsset(id, at string, made func() (asset, error)) {
	made = sync.OnceValues(made)
	add(a, route{id: id, method: http.MethodGet, path: at, access: Public(), status: http.StatusOK, hidden: true},
		func(context.Context, *call, *struct{}) (answer, error) {
			file, err := made()
			return answer{raw: file.body, contentType: file.contentType, policy: file.policy, cache: "no-cache"}, err
		})
}

// addDocs serves Swagger UI. Its page is made once, so that the scripts in it
// can be named by their hashes.
func (a *API) addDocs() {
	ui := v5emb.NewHandlerWithConfig(swgui.Config{Title: "Tenure", SwaggerJSON: "/openapi.json", BasePath: "/docs/"})
	a.addAsset("docs", "/docs", func() (asset, error) {
		index, err := fetch(ui, "/docs/")
		policy := "default-src 'none'; script-src 'self'" + scriptHashes(index) + "; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
			"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
		return asset{index, fiber.MIMETextHTMLCharsetUTF8, policy}, err
	})
	for _, file := range []string{"swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "favicon-16x16.png", "favicon-32x32.png"} {
		a.addAsset("docs-"+file, "/docs/"+file, func() (asset, error) {
			body, err := fetch(ui, "/docs/"+file)
			return asset{body, contentTypeOf(file), ""}, err
		})
	}
}

// fetch asks a net/http handler for a file, once.
func fetch(h http.Handler, at string) ([]byte, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, at, nil))
	if w.Code != http.StatusOK {
		return nil, fmt.Errorf("httpapi: the interactive page lacks %s", at)
	}
	return bytes.Clone(w.Body.Bytes()), nil
}

func scriptHashes(document []byte) string {
	var hashes strings.Builder
	for _, script := range regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllSubmatch(document, -1) {
		sum := sha256.Sum256(script[1])
		hashes.WriteString(" 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'")
	}
	return hashes.String()
}

func contentTypeOf(file string) string {
	switch path.Ext(file) {
	case ".html":
		return fiber.MIMETextHTMLCharsetUTF8
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".png":
		return "image/png"
	}
	return fiber.MIMEOctetStream
}
