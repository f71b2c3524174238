package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// ask has a server make the review. The key is an operator's, or the token of a
// session of somebody who may read the members and the history.
func (c *auditReview) ask(ctx context.Context) error {
	if c.Org == "" {
		return misuse("give --org, the id of an organization")
	}
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	query := url.Values{"format": {c.Format}}
	if c.AsOf != nil {
		query.Set("as_of", *c.AsOf)
	}
	server := operatorClient{URL: c.URL, Key: c.OperatorKey}
	body, err := server.fetch(ctx, "v1/organizations/"+url.PathEscape(c.Org)+"/history/review", query)
	if err != nil {
		return err
	}
	defer body.Close()
	fmt.Fprintf(os.Stderr, "Not verified: as the server at %s answers.\n", plain(c.URL))
	return c.write(body)
}

// write writes the review to where it is wanted.
func (c *auditReview) write(body io.Reader) error {
	if c.Output == "" {
		_, err := io.Copy(os.Stdout, body)
		return err
	}
	file, err := os.OpenFile(c.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("setting output: %w", err)
	}
	_, err = io.Copy(file, body)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(c.Output)) // half a review is none
	}
	return nil
}

// fetch reads what is no JSON. The error of a refusal is the server's own advice.
func (c *operatorClient) fetch(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	if c.Key == "" {
		return nil, bad("operator-key", "", "give an operator's key, or a session's token, in TENURE_OPERATOR_KEY")
	}
	target, err := url.JoinPath(c.URL, path)
	if err != nil {
		return nil, bad("url", c.URL, "give an address such as http://127.0.0.1:8080")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.Key)
	client := http.Client{Transport: &http.Transport{}} // past any proxy of the environment
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	var problem struct{ Title, Detail string }
	if json.NewDecoder(io.LimitReader(answer.Body, 64<<10)).Decode(&problem) != nil {
		problem.Title = answer.Status
	}
	return nil, errors.New(strings.TrimSuffix(problem.Title+": "+problem.Detail, ": "))
}
