package broker

import (
	"cmp"
	"context"
	"errors"
	"net"
	"regexp"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"

	"tenure/relay"
)

// dialAMQP publishes to an exchange, whose name is the topic, with the type of
// the event as the routing key. Where there is no such exchange it is made, and a
// queue of the same name that all events go to, so that nothing is lost before
// the first consumer; an exchange that is there is used as it is.
//
// The publisher is our own: the one that Watermill has takes a message that no
// queue has taken for delivered, since brokers confirm it, and does not say why a
// broker refuses one.
func dialAMQP(t Target) (message.Publisher, func(relay.Event) string, error) {
	host, port, err := net.SplitHostPort(t.Hosts[0])
	if err != nil {
		return nil, nil, err
	}
	number, _ := strconv.Atoi(port) // Parse has looked at it
	uri := amqp.URI{Scheme: t.Scheme, Host: host, Port: number, Username: t.user.Username(), Password: t.password(), Vhost: cmp.Or(t.Path, "/")}
	if t.user == nil {
		uri.Username, uri.Password = "guest", "guest" // as addresses of AMQP have it
	}
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName("tenure")
	conn, err := amqp.DialConfig(uri.String(), amqp.Config{
		Heartbeat: answerLimit, Dial: amqp.DefaultDial(connectLimit), TLSClientConfig: t.tls, Properties: properties,
	})
	if err != nil {
		return nil, nil, err
	}
	p := &amqpPublisher{conn: conn, exchange: t.Topic, free: make(chan *amqpChannel, lanes)}
	if err := p.declare(); err != nil {
		return nil, nil, errors.Join(err, p.Close())
	}
	for range lanes {
		p.free <- nil
	}
	return p, func(e relay.Event) string { return e.Type }, nil
}

// amqpPublisher is a publisher of Watermill's.
type amqpPublisher struct {
	conn     *amqp.Connection
	exchange string
	free     chan *amqpChannel // nil is one that is opened when it is needed
}

// declare makes what takes the events, where the exchange is missing. The queue
// comes first, then the exchange, then the binding. Killed in between, or with a
// broker that is killed and forgets the last of it, the next connection does the
// rest: a queue with the exchange's name is ours. Where there is none, an exchange
// that is there is bound as its owner wants.
func (p *amqpPublisher) declare() error {
	missing, err := p.lacks(func(c *amqp.Channel) error {
		return c.ExchangeDeclarePassive(p.exchange, amqp.ExchangeTopic, true, false, false, false, nil)
	})
	if err != nil {
		return err
	}
	if !missing {
		foreign, err := p.lacks(func(c *amqp.Channel) error {
			_, err := c.QueueDeclarePassive(p.exchange, true, false, false, false, nil)
			return err
		})
		if foreign || err != nil {
			return err
		}
	}
	c, err := p.conn.Channel()
	if err != nil {
		return err
	}
	if missing {
		if _, err := c.QueueDeclare(p.exchange, true, false, false, false, nil); err != nil {
			return err
		}
		if err := c.ExchangeDeclare(p.exchange, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
			return err
		}
	}
	return errors.Join(c.QueueBind(p.exchange, "#", p.exchange, false, nil), c.Close())
}

// lacks asks for something that may not be there. A channel of its own is closed
// by the broker when it is not.
func (p *amqpPublisher) lacks(ask func(*amqp.Channel) error) (bool, error) {
	c, err := p.conn.Channel()
	if err != nil {
		return false, err
	}
	var said *amqp.Error
	switch err := ask(c); {
	case errors.As(err, &said) && said.Code == amqp.NotFound:
		return true, nil
	case err != nil:
		return false, err
	}
	return false, c.Close()
}

// open opens a channel.
func (p *amqpPublisher) open() (*amqpChannel, error) {
	c, err := p.conn.Channel()
	if err != nil {
		return nil, err
	}
	if err := c.Confirm(false); err != nil {
		return nil, err
	}
	return &amqpChannel{Channel: c, returned: c.NotifyReturn(make(chan amqp.Return, 1)), closed: c.NotifyClose(make(chan *amqp.Error, 1))}, nil
}

// Publish implements message.Publisher. It returns when the broker has confirmed
// each message.
func (p *amqpPublisher) Publish(routingKey string, messages ...*message.Message) error {
	c := <-p.free
	defer func() { p.free <- c }()
	for _, m := range messages {
		if c == nil {
			opened, err := p.open()
			if err != nil {
				return err
			}
			c = opened
		}
		if err := c.publish(p.exchange, routingKey, m); err != nil {
			c = nil // what has failed is not used again
			return err
		}
	}
	return nil
}

// Close implements message.Publisher.
func (p *amqpPublisher) Close() error { return p.conn.Close() }

// amqpChannel has one message under way at a time.
type amqpChannel struct {
	*amqp.Channel
	returned chan amqp.Return
	closed   chan *amqp.Error
}

func (c *amqpChannel) publish(exchange, routingKey string, m *message.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*answerLimit)
	defer cancel()
	confirmation, err := c.PublishWithDeferredConfirmWithContext(ctx, exchange, routingKey, true, false, amqp.Publishing{
		MessageId: m.UUID, ContentType: contentType, DeliveryMode: amqp.Persistent, AppId: "tenure", Type: m.Metadata[metaType], Body: m.Payload,
		Headers: amqp.Table{
			"cloudEvents:id": m.UUID, "cloudEvents:type": m.Metadata[metaType], "cloudEvents:organization": m.Metadata[metaOrganization],
		},
	})
	if err != nil {
		return c.reason(err)
	}
	taken, err := confirmation.WaitContext(ctx)
	if err != nil || !taken {
		return c.reason(cmp.Or(err, errors.New("the broker has not confirmed the message")))
	}
	select {
	case <-c.returned: // it comes before the confirmation
		return errNoQueue
	default:
		return nil
	}
}

var errNoQueue = &amqp.Error{Code: amqp.NoRoute, Reason: "no queue takes the message: bind one to the exchange", Server: true}

// reason is what the broker has said when it closed the channel, or what failed.
func (c *amqpChannel) reason(failed error) error {
	select {
	case why := <-c.closed:
		if why != nil { // nil when we have closed it
			return why
		}
	default:
	}
	return failed
}

func amqpCause(err error) string {
	var said *amqp.Error
	if !errors.As(err, &said) {
		return ""
	}
	switch {
	case said.Code == amqp.ContentTooLarge, said.Code == amqp.PreconditionFailed && tooLargeForAMQP.MatchString(said.Reason):
		return CauseTooLarge
	case said.Code == amqp.ConnectionForced, said.Code == amqp.ChannelError, said.Code == amqp.InternalError, said.Code == amqp.FrameError:
		return CauseUnreachable // it goes away, or has
	}
	return CauseRefused
}

// tooLargeForAMQP is how RabbitMQ says that a message is larger than
// max_message_size.
var tooLargeForAMQP = regexp.MustCompile(`(?i)message size .*larger`)
