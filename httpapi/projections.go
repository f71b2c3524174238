package httpapi

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tenure/domain"
	"tenure/eventstore"
	"tenure/projections"
)

type projectionBody struct {
	Name     string     `json:"name"`
	State    string     `json:"state" enum:"live,catching_up,halted"`
	Position string     `json:"position" doc:"Up to where the log has been applied."`
	Head     string     `json:"head" doc:"The end of the log, when it was last looked at."`
	Lag      uint64     `json:"lag" doc:"head - position: events in the SQLite log, bytes in EventStoreDB's."`
	Error    string     `json:"error,omitempty" enum:"log,decode,fold,storage" doc:"While halted: which step fails. The server's log says more."`
	Views    []viewBody `json:"views" doc:"Each of them."`
}

type viewBody struct {
	Name       string       `json:"name" example:"members.v2"`
	Generation int          `json:"generation" doc:"How often it was rebuilt, cancelled rebuilds included."`
	Rebuild    *rebuildBody `json:"rebuild,omitempty" doc:"Missing while there is none."`
}

type rebuildBody struct {
	Phase     projections.Phase `json:"phase" enum:"building,paused,joining,switched,retiring,cancelling" doc:"building or paused: filled from the log beside the one that serves; joining: about to serve; switched: serves; retiring, cancelling: the other one is dropped."`
	Since     time.Time         `json:"since" doc:"When the phase began."`
	Position  string            `json:"position" doc:"Up to where it is filled."`
	Head      string            `json:"head" doc:"The end of the log."`
	Percent   float64           `json:"percent" doc:"Of the log." example:"42.5"`
	Remaining int               `json:"remaining_seconds,omitempty" doc:"Estimated, while building."`
}

// ViewPath is the input of routes below a view.
type ViewPath struct {
	View string `path:"view" maxLength:"100" doc:"The view's name, with or without its version." example:"members"`
}

func (a *API) addProjections(operator Access) {
	building := viewBody{Name: "members.v2", Generation: 1, Rebuild: &rebuildBody{
		Phase: projections.PhaseBuilding, Since: exampleTime(), Position: "443", Head: "1042", Percent: 42.5, Remaining: 12,
	}}
	add(a, route{
		id: "list-projections", method: http.MethodGet, path: "/v1/operator/projections", tag: "Operator", access: operator, status: http.StatusOK,
		summary: "How far the views are", description: "One that fails is halted: it stops where it is and tries again.",
		response: list[projectionBody]{Items: []projectionBody{{Name: "views", State: "live", Position: "1042", Head: "1042", Views: []viewBody{building}}}},
	}, a.listProjections)
	change := func(id, method, action, summary, description string, codes []domain.Code, do func(context.Context, string) error) {
		add(a, route{
			id: id, method: method, path: "/v1/operator/projections/{view}/rebuild" + action, tag: "Operator", access: operator, status: http.StatusAccepted,
			words: []string{"view"}, summary: summary, description: description, codes: append(codes, domain.CodeInvalid), response: building,
		}, func(ctx context.Context, c *call, in *ViewPath) (answer, error) {
			if err := do(ctx, in.View); err != nil {
				return answer{}, err
			}
			return a.view(ctx, in.View)
		})
	}
	progress, running, none := a.config.Progress, []domain.Code{codeRebuildRunning}, []domain.Code{codeRebuildNotThere}
	change("rebuild-view", http.MethodPost, "", "Rebuild a view",
		"Fills the view again from the log, beside the one that serves, and switches when it is complete. Commands and reads go on.", running, progress.StartRebuild)
	change("pause-rebuild", http.MethodPost, "/pause", "Pause a rebuild", "Keeps what is filled.", none, progress.PauseRebuild)
	change("resume-rebuild", http.MethodPost, "/resume", "Resume a rebuild", "Goes on where it was paused.", none, progress.ResumeRebuild)
	change("cancel-rebuild", http.MethodDelete, "", "Cancel a rebuild", "Drops what is filled. Once the new rows serve, only another rebuild replaces them.", none, progress.CancelRebuild)
}

func (a *API) listProjections(ctx context.Context, _ *call, _ *struct{}) (answer, error) {
	rebuilds, err := a.config.Progress.Rebuilds(ctx)
	if err != nil {
		return answer{}, err
	}
	s := a.config.Progress.State()
	state := "catching_up"
	switch {
	case s.Halted:
		state = "halted"
	case s.Live:
		state = "live"
	}
	body := projectionBody{
		Name: "views", State: state, Lag: s.Lag, Error: strings.ToLower(s.ErrorClass), Position: digits(s.Position), Head: digits(s.Head),
	}
	for _, r := range rebuilds {
		body.Views = append(body.Views, viewOf(r))
	}
	return answer{position: s.Position, body: list[projectionBody]{Items: []projectionBody{body}}}, nil
}

// view answers with the view whose rebuild was changed.
func (a *API) view(ctx context.Context, name string) (answer, error) {
	all, err := a.config.Progress.Rebuilds(ctx)
	if err != nil {
		return answer{}, err
	}
	i := slices.IndexFunc(all, func(r projections.Rebuild) bool { return r.View == name || strings.HasPrefix(r.View, name+".v") })
	if i < 0 {
		return answer{}, projections.ErrNoView
	}
	return answer{body: viewOf(all[i])}, nil
}

func viewOf(r projections.Rebuild) viewBody {
	body := viewBody{Name: r.View, Generation: r.Generation}
	if r.Phase == projections.PhaseNone {
		return body
	}
	body.Rebuild = &rebuildBody{
		Phase: r.Phase, Since: r.Since, Position: digits(r.Position), Head: digits(r.Head), Remaining: int(math.Ceil(r.Remaining.Seconds())),
	}
	if r.Head > 0 {
		body.Rebuild.Percent = math.Round(1000*min(1, float64(r.Position)/float64(r.Head))) / 10
	}
	return body
}

func digits(p eventstore.Position) string { return strconv.FormatUint(uint64(p), 10) }
