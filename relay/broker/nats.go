package broker

import (
	"context"
	"errors"
	"strings"

	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tenure/relay"
)

// dialNATS publishes to JetStream, each event to a subject of its own:
// <topic>.<organization>.<type>. The stream that takes them is whichever has the
// subjects; where none has, one is made.
func dialNATS(t Target) (message.Publisher, func(relay.Event) string, error) {
	options := []nats.Option{nats.Name("tenure"), nats.Timeout(connectLimit), nats.NoReconnect(), nats.ErrorHandler(unsaid)}
	if t.user != nil {
		user, password := t.user.Username(), t.password()
		if _, both := t.user.Password(); both {
			options = append(options, nats.UserInfo(user, password))
		} else {
			options = append(options, nats.Token(user))
		}
	}
	if t.credentials != "" {
		options = append(options, nats.UserCredentials(t.credentials))
	}
	if t.tls != nil {
		options = append(options, nats.Secure(t.tls))
	}
	conn, err := nats.Connect("nats://"+strings.Join(t.Hosts, ",nats://"), options...)
	if err != nil {
		return nil, nil, err
	}
	if err := makeStream(conn, t.Topic); err != nil {
		conn.Close()
		return nil, nil, err
	}
	config := wmnats.PublisherPublishConfig{
		Marshaler:         natsMarshaler{},
		SubjectCalculator: wmnats.DefaultSubjectCalculator,
		JetStream:         wmnats.JetStreamConfig{ConnectOptions: []nats.JSOpt{nats.MaxWait(answerLimit)}},
	}
	publisher, err := wmnats.NewPublisherWithNatsConn(conn, config, silent)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return publisher, func(e relay.Event) string { return t.Topic + "." + string(e.Organization) + "." + e.Type }, nil
}

// unsaid keeps the client from printing what fails as well.
func unsaid(*nats.Conn, *nats.Subscription, error) {}

// makeStream makes the stream, unless there is one for the subjects. It has no
// limits: what has been published is not dropped before somebody decides so.
func makeStream(conn *nats.Conn, topic string) error {
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
	defer cancel()
	subjects := topic + ".>"
	if _, err = js.StreamNameBySubject(ctx, subjects); !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{
		Name: strings.ReplaceAll(topic, ".", "_"), Subjects: []string{subjects}, Description: "Events of Tenure",
	})
	return err
}

// natsMarshaler writes messages with the headers of CloudEvents, and the event's
// id as JetStream knows repeats by.
type natsMarshaler struct{}

// Marshal implements wmnats.Marshaler.
func (natsMarshaler) Marshal(subject string, m *message.Message) (*nats.Msg, error) {
	written := nats.NewMsg(subject)
	written.Data = m.Payload
	written.Header = nats.Header{
		nats.MsgIdHdr: {m.UUID}, "content-type": {contentType},
		"ce-id": {m.UUID}, "ce-type": {m.Metadata[metaType]}, "ce-organization": {m.Metadata[metaOrganization]},
	}
	return written, nil
}

// tooLargeForStream is JetStream's number for a message that is larger than a
// stream takes.
const tooLargeForStream = 10054

func natsCause(err error) string {
	var refused *nats.APIError
	var refusedToo *jetstream.APIError
	switch {
	case errors.Is(err, nats.ErrMaxPayload), errors.As(err, &refused) && refused.ErrorCode == tooLargeForStream:
		return CauseTooLarge
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrPermissionViolation), errors.Is(err, nats.ErrAuthExpired),
		errors.Is(err, nats.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled),
		errors.As(err, &refused), errors.As(err, &refusedToo):
		return CauseRefused
	case errors.Is(err, nats.ErrNoServers), errors.Is(err, nats.ErrTimeout), errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrDisconnected):
		return CauseUnreachable
	}
	return ""
}
