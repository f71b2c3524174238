package httpapi

import (
	"context"
	"net/http"
	"time"

	"tenure/domain"
	"tenure/domain/apikey"
	"tenure/domain/broker"
	"tenure/eventstore"
	"tenure/relay"
)

// Broker is a message broker that the feed is published to, as the settings say,
// and how far that is.
type Broker struct {
	Name     domain.BrokerName
	Address  string // without user and password
	Type     string
	Personal bool
	Position eventstore.Position
}

// BrokerPath is the input of routes below a broker.
type BrokerPath struct {
	Broker string `path:"broker" doc:"The broker's name." example:"nats"`
}

type brokerDocument struct {
	Broker   domain.BrokerName `json:"broker" doc:"The name, which is in the address of --publish, or its scheme." example:"nats"`
	Address  string            `json:"address" doc:"Where it is published to, without user and password." example:"nats://broker.example.com:4222/tenure"`
	Type     string            `json:"type,omitempty" doc:"Only events whose type begins with this."`
	Personal bool              `json:"personal" doc:"Whether the personal data is in the events."`
	Paused   bool              `json:"paused"`
	Position string            `json:"position" doc:"Up to where the log was published."`
	Head     string            `json:"head" doc:"The end of the log."`
	Lag      uint64            `json:"lag" doc:"head - position: events in the SQLite log, bytes in EventStoreDB's."`
	Failing  *brokerFailure    `json:"failing,omitempty" doc:"Missing while it goes on. It is tried again and again; nothing is skipped."`
}

type brokerFailure struct {
	Cause string    `json:"cause" enum:"unreachable,refused,too_large,failed" doc:"refused: no permission, or nothing there that takes events. too_large: the broker does not take an event for its size. The server's log says more."`
	Since time.Time `json:"since"`
}

type brokerPatch struct {
	Paused bool   `json:"paused" doc:"true stops the publishing where it is; false goes on."`
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

type brokerReplay struct {
	Cursor string `json:"cursor" maxLength:"100" doc:"Everything after it is published: a cursor of the feed, empty for everything, head for what is yet to come."`
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"For the history; at most 500 characters."`
}

func (a *API) addBrokers() {
	operator := Operator(apikey.ScopeOperator)
	const path, one = "/v1/brokers", "/v1/brokers/{broker}"
	shown := brokerDocument{
		Broker: "nats", Address: "nats://broker.example.com:4222/tenure", Position: "1040", Head: "1042", Lag: 2, Failing: &brokerFailure{"unreachable", exampleTime()},
	}
	add(a, route{
		id: "list-brokers", method: http.MethodGet, path: path, tag: "Events", access: operator, status: http.StatusOK,
		summary: "Message brokers", description: "Those that the server was told to publish the feed to, and how that goes.", response: list[brokerDocument]{Items: []brokerDocument{shown}},
	}, a.listBrokers)
	add(a, route{
		id: "broker", method: http.MethodGet, path: one, tag: "Events", access: operator, status: http.StatusOK,
		words: []string{"broker"}, summary: "A message broker", description: "And how the publishing goes.", response: shown,
	}, a.showBroker)
	add(a, route{
		id: "change-broker", method: http.MethodPatch, path: one, tag: "Events", access: operator, status: http.StatusOK,
		words: []string{"broker"}, summary: "Pause a message broker", description: "Stops the publishing, or goes on with it where it was.",
		request: brokerPatch{Paused: true, Reason: "It is moved."}, response: exampleReceipt(broker.Paused{Broker: "nats"}),
	}, a.changeBroker)
	add(a, route{
		id: "replay-broker", method: http.MethodPost, path: one + "/replay", tag: "Events", access: operator, status: http.StatusOK,
		words: []string{"broker"}, summary: "Publish again", description: "Everything after a cursor, with the same ids. Also to leave out what is before it.", codes: []domain.Code{codeCursorAhead},
		request: brokerReplay{Cursor: exampleFeedCursor}, response: exampleReceipt(broker.Replayed{Broker: "nats", After: 1042}),
	}, a.replayBroker)
}

func (a *API) listBrokers(ctx context.Context, _ *call, _ *struct{}) (answer, error) {
	all, err := a.brokers(ctx)
	return answer{body: list[brokerDocument]{Items: all}}, err
}

func (a *API) showBroker(ctx context.Context, c *call, _ *BrokerPath) (answer, error) {
	all, err := a.brokers(ctx)
	if err != nil {
		return answer{}, err
	}
	for _, b := range all {
		if string(b.Broker) == c.param("broker") {
			return answer{body: b}, nil
		}
	}
	return answer{}, errNoBroker()
}

func errNoBroker() error {
	return domain.Refuse(domain.CodeNotFound, "No such broker", "Look the broker up in the list of brokers; the server's settings name them.")
}

// brokers are those that are configured.
func (a *API) brokers(ctx context.Context) ([]brokerDocument, error) {
	shown := []brokerDocument{}
	if a.config.Brokers == nil {
		return shown, nil
	}
	configured, err := a.config.Brokers(ctx)
	if err != nil {
		return nil, err
	}
	s, err := a.config.Commands.Brokers(ctx)
	if err != nil {
		return nil, err
	}
	head, err := a.config.Feed.Position(ctx, relay.FromHead)
	if err != nil {
		return nil, err
	}
	for _, b := range configured {
		known := s.Broker(b.Name)
		document := brokerDocument{
			Broker: b.Name, Address: b.Address, Type: b.Type, Personal: b.Personal, Paused: known.Paused, Position: digits(b.Position), Head: digits(head),
		}
		if head > b.Position {
			document.Lag = uint64(head - b.Position)
		}
		if known.Failing != nil {
			document.Failing = &brokerFailure{known.Failing.Cause, known.Failing.Since}
		}
		shown = append(shown, document)
	}
	return shown, nil
}

// broker is the one of a route.
func (a *API) broker(ctx context.Context, c *call) (domain.BrokerName, error) {
	if a.config.Brokers != nil {
		configured, err := a.config.Brokers(ctx)
		if err != nil {
			return "", err
		}
		for _, b := range configured {
			if string(b.Name) == c.param("broker") {
				return b.Name, nil
			}
		}
	}
	return "", errNoBroker()
}

func (a *API) changeBroker(ctx context.Context, c *call, in *struct {
	BrokerPath
	NewHeaders
	Body brokerPatch
}) (answer, error) {
	name, err := a.broker(ctx, c)
	if err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	done, err := do.PauseBroker(ctx, r, name, in.Body.Paused)
	return withoutETag(commanded(done, err, plainly))
}

func (a *API) replayBroker(ctx context.Context, c *call, in *struct {
	BrokerPath
	NewHeaders
	Body brokerReplay
}) (answer, error) {
	name, err := a.broker(ctx, c)
	if err != nil {
		return answer{}, err
	}
	after, err := a.config.Feed.Position(ctx, in.Body.Cursor)
	if err != nil {
		return answer{}, err
	}
	do, r, err := a.request(c, in.Body.Reason)
	if err != nil {
		return answer{}, err
	}
	done, err := do.ReplayBroker(ctx, r, name, after)
	return withoutETag(commanded(done, err, plainly))
}
