package oidc_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"tenure/oidc"
)

const document = `
providers:
  - name: google
    preset: google
    client_id: one
    client_secret: hush
    tenants: [Example.com]
  - name: microsoft
    preset: microsoft
    client_id: two
    client_secret_file: secret
  - name: acme
    label: Acme's own
    issuer: https://login.acme.example/realm
    client_id: three
    client_secret: hush
    scopes: [openid, email]
    trusted_domains: [acme.example]
`

func TestProvidersAreReadFromAFile(t *testing.T) {
	is := is.New(t)
	folder := t.TempDir()
	is.NoErr(os.WriteFile(filepath.Join(folder, "oidc.yaml"), []byte(document), 0o600))
	is.NoErr(os.WriteFile(filepath.Join(folder, "secret"), []byte("from the file\n"), 0o600))
	got, err := oidc.Load(filepath.Join(folder, "oidc.yaml"))
	is.NoErr(err)
	is.Equal(len(got), 3)
	is.Equal(got[0].Issuer, "https://accounts.google.com")
	is.Equal(got[0].Label, "Google")
	is.Equal(got[0].Scopes, []string{"openid", "email", "profile"})
	is.Equal(got[0].Tenants, []string{"example.com"})
	is.Equal(got[1].Issuer, "https://login.microsoftonline.com/common/v2.0")
	is.Equal(string(got[1].ClientSecret), "from the file")
	is.Equal(got[2].Label, "Acme's own")
	is.Equal(got[2].Scopes, []string{"openid", "email"})

	shown, err := json.Marshal(got)
	is.NoErr(err)
	for _, text := range []string{string(shown), fmt.Sprintf("%v %+v %#v %s", got, got, got, got[0].ClientSecret)} {
		is.True(!strings.Contains(text, "hush"))
		is.True(!strings.Contains(text, "from the file"))
	}

	is.NoErr(os.Remove(filepath.Join(folder, "secret")))
	_, err = oidc.Load(filepath.Join(folder, "oidc.yaml"))
	is.True(errors.Is(err, os.ErrNotExist))
	is.NoErr(os.WriteFile(filepath.Join(folder, "secret"), []byte(" \n"), 0o600))
	_, err = oidc.Load(filepath.Join(folder, "oidc.yaml"))
	is.True(err != nil)
}

func TestEveryProblemOfADocumentIsNamedWithItsPlace(t *testing.T) {
	const head = "providers:\n  - name: acme\n    client_id: x\n    client_secret: hush\n"
	for name, c := range map[string]struct{ text, want string }{
		"nothing":           {"", `Give a list of 1 to 50 "providers".`},
		"no list":           {"providers: []\n", `Give a list of 1 to 50 "providers".`},
		"syntax":            {"providers: [\n", "line 1, column 12: Correct this:"},
		"unknown setting":   {head + "    issuer: https://a.example\n    isuer: x\n", `line 6, column 5: Correct this: unknown field "isuer".`},
		"setting twice":     {head + "    issuer: https://a.example\n    name: acme\n", "line 6, column 5: Correct this:"},
		"wrong type":        {head + "    issuer: https://a.example\n    scopes: 7\n", "line 6, column 13: Correct this:"},
		"no issuer":         {head, `line 2, column 5: providers[0]: Add "issuer": the provider's address, as its discovery document names it.`},
		"no TLS":            {head + "    issuer: http://a.example\n", "line 5, column 13: providers[0].issuer: Give an https address"},
		"a query":           {head + "    issuer: https://a.example?x\n", "line 5, column 13: providers[0].issuer: Give an https address"},
		"a template":        {head + "    issuer: https://a.example/{tenantid}\n", "line 5, column 13: providers[0].issuer: Give an https address"},
		"any":               {"providers:\n  - name: any\n    issuer: https://a.example\n    client_id: x\n    client_secret: hush\n", "line 2, column 11: providers[0].name: Give a name"},
		"unknown preset":    {head + "    preset: gogle\n    issuer: https://a.example\n", "line 5, column 13: providers[0].preset: Give google or microsoft"},
		"name twice":        {head + "    issuer: https://a.example\n" + strings.TrimPrefix(head, "providers:\n") + "    issuer: https://b.example\n", "line 6, column 11: providers[1].name: Choose another name"},
		"two secrets":       {head + "    client_secret_file: x\n    preset: google\n", "line 2, column 5: providers[0]: Give either client_secret or client_secret_file."},
		"no openid":         {head + "    preset: google\n    scopes: [email]\n", "line 6, column 13: providers[0].scopes: Add openid"},
		"a tenant id":       {head + "    preset: microsoft\n    tenants: [contoso.com]\n", "line 6, column 15: providers[0].tenants[0]: Give a tenant id"},
		"a domain":          {head + "    preset: google\n    tenants: [https://example.com]\n", "line 6, column 15: providers[0].tenants[0]: Give the domain of a Google Workspace"},
		"tenants of others": {head + "    issuer: https://a.example\n    tenants: [example.com]\n", "line 6, column 14: providers[0].tenants: Leave this out"},
		"trusting anybody":  {head + "    preset: microsoft\n    trusted_domains: [example.com]\n", "line 6, column 22: providers[0].trusted_domains: Add \"tenants\""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := oidc.Parse([]byte(c.text))
			var problems *oidc.Error
			is.True(errors.As(err, &problems))
			is.True(!strings.Contains(err.Error(), "hush"))
			for _, line := range strings.Split(err.Error(), "\n") {
				if strings.HasPrefix(line, c.want) {
					return
				}
			}
			t.Fatalf("want %s\ngot %s", c.want, err)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(document))
	f.Fuzz(func(t *testing.T, text []byte) {
		configs, err := oidc.Parse(text)
		var problems *oidc.Error
		if err != nil && (!errors.As(err, &problems) || len(problems.Problems) == 0 || configs != nil) {
			t.Fatalf("%v, %v", configs, err)
		}
	})
}
