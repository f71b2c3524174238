package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
)

// viewsCommand looks after the views of a running deployment, through the API of
// any of its nodes.
type viewsCommand struct {
	List    viewsList    `cmd:"" help:"List the views, and how far they are."`
	Rebuild viewsRebuild `cmd:"" help:"Fill a view again from the log while the old one serves, and switch when it is complete."`
	Pause   viewsPause   `cmd:"" help:"Pause a rebuild; what is filled is kept."`
	Resume  viewsResume  `cmd:"" help:"Go on with a paused rebuild."`
	Cancel  viewsCancel  `cmd:"" help:"Cancel a rebuild; what is filled is dropped."`
}

// operatorClient calls the API with an operator's key.
type operatorClient struct {
	URL string `help:"Where the server is. Default: http://127.0.0.1:8080." name:"url" default:"http://127.0.0.1:8080" env:"-"`
	Key string `help:"An operator's key. Prefer the environment variable: others may see the command line." env:"TENURE_OPERATOR_KEY" secret:"true"`
}

type viewStatus struct {
	Name       string `json:"name"`
	Generation int    `json:"generation"`
	Rebuild    *struct {
		Phase     string  `json:"phase"`
		Position  string  `json:"position"`
		Percent   float64 `json:"percent"`
		Remaining int     `json:"remaining_seconds"`
	} `json:"rebuild"`
}

// call sends a request; the answer is decoded into out. The error of a refusal is
// the server's own advice.
func (c *operatorClient) call(ctx context.Context, method, path string, out any) error {
	return c.send(ctx, method, path, "", nil, out)
}

// send is call with a body.
func (c *operatorClient) send(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	if c.Key == "" {
		return bad("operator-key", "", "give an operator's key in TENURE_OPERATOR_KEY")
	}
	path, query, _ := strings.Cut(path, "?")
	target, err := url.JoinPath(c.URL, path)
	if err != nil {
		return bad("url", c.URL, "give an address such as http://127.0.0.1:8080")
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.URL.RawQuery = query
	if body != nil {
		request.Header.Set("Content-Type", contentType)
	}
	request.Header.Set("Authorization", "Bearer "+c.Key)
	client := http.Client{Transport: &http.Transport{}} // past any proxy of the environment
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode >= 300 {
		refusal := &refusedByServer{}
		if json.Unmarshal(text, refusal) != nil {
			refusal.Title = answer.Status
		}
		return refusal
	}
	return json.NewDecoder(bytes.NewReader(text)).Decode(out)
}

// refusedByServer is the problem that the server has answered with.
type refusedByServer struct {
	Title  string
	Detail string
	Errors []struct {
		Field, Message string
		Line, Column   int
	}
}

func (r *refusedByServer) Error() string {
	return strings.TrimSuffix(r.Title+": "+r.Detail, ": ")
}

// projections are the state of the views as a whole, and each of them.
type projectionsStatus struct {
	State    string       `json:"state"`
	Position string       `json:"position"`
	Head     string       `json:"head"`
	Lag      uint64       `json:"lag"`
	Error    string       `json:"error"`
	Views    []viewStatus `json:"views"`
}

func (c *operatorClient) projections(ctx context.Context) (projectionsStatus, error) {
	var page struct{ Items []projectionsStatus }
	if err := c.call(ctx, http.MethodGet, "/v1/operator/projections", &page); err != nil {
		return projectionsStatus{}, err
	}
	if len(page.Items) != 1 {
		return projectionsStatus{}, errors.New("the server answers as no version that is known")
	}
	return page.Items[0], nil
}

func (c *operatorClient) view(ctx context.Context, name string) (viewStatus, error) {
	all, err := c.projections(ctx)
	for _, v := range all.Views {
		if v.Name == name || strings.HasPrefix(v.Name, name+".v") {
			return v, nil
		}
	}
	return viewStatus{}, cmp.Or(err, fmt.Errorf("there is no view %s", name))
}

type viewsList struct{ operatorClient }

// Run prints a table.
func (c *viewsList) Run(ctx context.Context) error {
	all, err := c.projections(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%s, at position %s of %s", strings.ReplaceAll(all.State, "_", " "), all.Position, all.Head)
	if all.Error != "" {
		fmt.Printf(", failing: %s", all.Error)
	}
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VIEW\tGENERATION\tREBUILD\tFILLED\tREMAINING")
	for _, v := range all.Views {
		phase, filled, remaining := "-", "-", "-"
		if r := v.Rebuild; r != nil {
			phase, filled = r.Phase, fmt.Sprintf("%.1f %%", r.Percent)
			if r.Remaining > 0 {
				remaining = (time.Duration(r.Remaining) * time.Second).String()
			}
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", v.Name, v.Generation, phase, filled, remaining)
	}
	return w.Flush()
}

// viewsChange is the part of the commands that change a rebuild.
type viewsChange struct {
	operatorClient
	View string `arg:"" help:"The view's name, with or without its version."`
}

func (c *viewsChange) change(ctx context.Context, method, action string) (viewStatus, error) {
	var v viewStatus
	err := c.call(ctx, method, "/v1/operator/projections/"+url.PathEscape(c.View)+"/rebuild"+action, &v)
	return v, err
}

func (c *viewsChange) report(v viewStatus, err error) error {
	if err == nil && v.Rebuild != nil {
		fmt.Printf("%s: %s, %.1f %%\n", v.Name, v.Rebuild.Phase, v.Rebuild.Percent)
	}
	return err
}

type viewsPause struct{ viewsChange }

// Run pauses a rebuild.
func (c *viewsPause) Run(ctx context.Context) error {
	return c.report(c.change(ctx, http.MethodPost, "/pause"))
}

type viewsResume struct{ viewsChange }

// Run resumes a rebuild.
func (c *viewsResume) Run(ctx context.Context) error {
	return c.report(c.change(ctx, http.MethodPost, "/resume"))
}

type viewsCancel struct{ viewsChange }

// Run cancels a rebuild.
func (c *viewsCancel) Run(ctx context.Context) error {
	return c.report(c.change(ctx, http.MethodDelete, ""))
}

type viewsRebuild struct {
	viewsChange
	Detach bool `help:"Start it, and do not wait until it is done."`
}

// Run starts a rebuild and shows how far it is until the new rows serve. The
// rebuild goes on in the server when this command is ended.
func (c *viewsRebuild) Run(ctx context.Context) error {
	started, err := c.change(ctx, http.MethodPost, "")
	if err != nil || c.Detach {
		return c.report(started, err)
	}
	before := started.Generation
	bar := newProgress("rebuilding "+started.Name, 1000)
	for {
		v, err := c.view(ctx, c.View)
		if err != nil {
			return err
		}
		switch {
		case v.Generation != before:
			bar.finish()
			fmt.Printf("%s: the new rows serve\n", v.Name)
			return nil
		case v.Rebuild == nil || v.Rebuild.Phase == "cancelling":
			return fmt.Errorf("the rebuild of %s was cancelled", v.Name)
		}
		note := v.Rebuild.Phase
		if v.Rebuild.Remaining > 0 {
			note = "about " + (time.Duration(v.Rebuild.Remaining) * time.Second).String() + " left"
		}
		bar.show(int(10*v.Rebuild.Percent), note)
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("no longer watching: the rebuild goes on; see tenure views list")
		}
	}
}

// progress is a bar on a terminal, and nothing elsewhere.
type progress struct {
	bar  *progressbar.ProgressBar
	what string
}

func newProgress(what string, all int) progress {
	info, err := os.Stderr.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return progress{}
	}
	return progress{what: what, bar: progressbar.NewOptions(all,
		progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what), progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(),
	)}
}

func (p progress) show(done int, note string) {
	if p.bar == nil {
		return
	}
	p.bar.Describe(p.what + " (" + note + ")")
	_ = p.bar.Set(done)
}

func (p progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
