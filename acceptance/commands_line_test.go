package acceptance

import (
	"encoding/pem"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// A server behind a proxy that speaks TLS is asked by its own name.
func TestOperations_AskingForHealthBehindTLS(t *testing.T) {
	onTheFolder(t, func(t *testing.T, b backend) {
		is := is.New(t)
		s := b.start(t)
		target, err := url.Parse(*s.url.Load())
		is.NoErr(err)
		proxy := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(target))
		defer proxy.Close()
		ca, rubbish := filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "rubbish.pem")
		is.NoErr(os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: proxy.Certificate().Raw}), 0o600))
		is.NoErr(os.WriteFile(rubbish, []byte("rubbish"), 0o600))

		out, code := runProgram(t, nil, "health", "--url", proxy.URL, "--ca-file", ca)
		is.Equal(out, proxy.URL+"/readyz: 200 OK\n")
		is.Equal(code, 0)
		for _, wrong := range []struct {
			args []string
			says string
		}{
			{[]string{"--url", proxy.URL}, "certificate"},
			{[]string{"--url", proxy.URL, "--ca-file", rubbish}, rubbish},
			{[]string{"--url", proxy.URL, "--ca-file", ca + ".not"}, "ca-file"},
		} {
			out, code := runProgram(t, nil, append([]string{"health"}, wrong.args...)...)
			is.Equal(code, 1)
			is.True(strings.Contains(out, wrong.says))
		}
	})
}

// The log of an event store is not in the folder: the command says so, and what
// to do, without the password in the address.
func TestOperations_BackupOfAnEventStoreIsRefused(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	folder := t.TempDir()
	to := filepath.Join(folder, "backup.db")
	const address = "esdb://admin:changeit@events.example.com:2113?tls=true"
	for _, given := range []struct{ env, args []string }{
		{[]string{"TENURE_LOG=" + address}, nil},
		{nil, []string{"--log", address}},
	} {
		out, code := runProgram(t, given.env, append([]string{"backup", "--data", folder, "--to", to}, given.args...)...)
		is.Equal(code, 1)
		for _, says := range []string{"setting log", "events.example.com", "KurrentDB", "docs/operators.md"} {
			is.True(strings.Contains(out, says))
		}
		is.True(!strings.Contains(out, "changeit"))
	}
	_, err := os.Stat(to)
	is.True(os.IsNotExist(err))
}
