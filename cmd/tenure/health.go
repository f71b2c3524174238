package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// healthCommand asks a server how it is, for images without curl.
type healthCommand struct {
	URL     string        `help:"Where the server is, http or https. Default: http:// and the listen address." name:"url" env:"-"`
	CAFile  string        `help:"PEM file of the authorities to trust with https instead of the system's." name:"ca-file" type:"path" env:"-"`
	Listen  string        `help:"The server's listen address." default:"127.0.0.1:8080"`
	Live    bool          `help:"Ask whether it lives (/healthz), not whether it serves well (/readyz)." env:"-"`
	Timeout time.Duration `help:"How long the answer may take." default:"5s" env:"-"`
}

// Run prints what the server says. It fails unless that is 200.
func (c *healthCommand) Run(ctx context.Context) error {
	route := "readyz"
	if c.Live {
		route = "healthz"
	}
	server, err := c.server()
	if err != nil {
		return err
	}
	target, err := url.JoinPath(server, route)
	if err != nil {
		return bad("url", c.URL, "give an address such as http://127.0.0.1:8080")
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	trusted, err := c.trusted()
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}} // past any proxy of the environment
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		var problem struct{ Detail string }
		if json.Unmarshal(body, &problem) != nil {
			problem.Detail = ""
		}
		return fmt.Errorf("%s: %s", target, cmp.Or(problem.Detail, answer.Status))
	}
	fmt.Println(target + ": " + answer.Status)
	return nil
}

// trusted are the authorities of --ca-file, or nil for the system's.
func (c *healthCommand) trusted() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("--ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca-file %s holds no certificate in PEM form", c.CAFile)
	}
	return pool, nil
}

// server is where the server is. One that listens on every address answers on
// the loopback as well.
func (c *healthCommand) server() (string, error) {
	if c.URL != "" {
		return c.URL, nil
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", bad("listen", c.Listen, "give an address and a port, such as 127.0.0.1:8080")
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}
