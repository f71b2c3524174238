package httpapi

import (
	"bytes"
	"context"
	"net/http"

	"github.com/prometheus/common/expfmt"

	"tenure/domain"
	"tenure/domain/apikey"
)

type healthBody struct {
	Status string `json:"status" enum:"ok,ready"`
}

func (a *API) addHealth() {
	add(a, route{
		id: "health", method: http.MethodGet, path: "/healthz", tag: "Operator", access: Public(), status: http.StatusOK, always: true,
		summary: "Is the process alive?", description: "Answers as long as requests are answered at all.",
		response: healthBody{"ok"},
	}, func(context.Context, *call, *struct{}) (answer, error) { return answer{body: healthBody{"ok"}}, nil })
	add(a, route{
		id: "ready", method: http.MethodGet, path: "/readyz", tag: "Operator", access: Public(), status: http.StatusOK, always: true,
		summary: "Should the node get requests?", description: "Fails with not_ready, which says why, when a consumer of the log has halted or the node is about to stop.",
		codes:    []domain.Code{codeNotReady},
		response: healthBody{"ready"},
	}, a.ready)
	access := Operator(apikey.ScopeOperator)
	if a.config.MetricsOpen {
		access = Public()
	}
	add(a, route{
		id: "metrics", method: http.MethodGet, path: "/metrics", tag: "Operator", access: access, status: http.StatusOK, always: true,
		summary: "Metrics", description: "In the text format of Prometheus.",
		response: "# TYPE tenure_http_request_duration_seconds histogram\n", contentType: metricsType,
	}, a.gather)
}

func (a *API) ready(ctx context.Context, _ *call, _ *struct{}) (answer, error) {
	if a.draining.Load() {
		return answer{}, a.problem(codeNotReady, "", "The node is about to stop.")
	}
	if err := a.config.Ready(ctx); err != nil {
		return answer{}, a.problem(codeNotReady, "", err.Error())
	}
	return answer{body: healthBody{"ready"}}, nil
}

const metricsType = "text/plain; version=0.0.4; charset=utf-8"

func (a *API) gather(context.Context, *call, *struct{}) (answer, error) {
	families, err := a.config.Metrics.Gather()
	if err != nil {
		return answer{}, err
	}
	var text bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			return answer{}, err
		}
	}
	return answer{raw: text.Bytes(), contentType: metricsType}, nil
}
