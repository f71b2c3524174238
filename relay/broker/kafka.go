package broker

import (
	"errors"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"

	"tenure/relay"
)

// mechanisms are those of SASL, by how they are written in a target.
var mechanisms = map[string]sarama.SASLMechanism{
	"plain": sarama.SASLTypePlaintext, "scram-sha-256": sarama.SASLTypeSCRAMSHA256, "scram-sha-512": sarama.SASLTypeSCRAMSHA512,
}

// maxKafkaRequest is more than any event has; the broker says what it takes.
const maxKafkaRequest = 16 << 20

// dialKafka publishes to one topic, with the organization as the key: the events
// of one are in one partition. The producer is idempotent, so that what it sends
// again by itself is there once.
func dialKafka(t Target) (message.Publisher, func(relay.Event) string, error) {
	c := sarama.NewConfig()
	c.ClientID = "tenure"
	c.Version = sarama.V2_1_0_0 // what every broker of today understands
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1 // which it asks for
	c.Producer.Return.Successes = true
	c.Producer.MaxMessageBytes = maxKafkaRequest
	c.Producer.Timeout = answerLimit
	c.Net.DialTimeout, c.Net.ReadTimeout, c.Net.WriteTimeout = connectLimit, 2*answerLimit, answerLimit
	c.Net.TLS.Enable, c.Net.TLS.Config = t.tls != nil, t.tls
	if t.mechanism != "" {
		c.Net.SASL.Enable, c.Net.SASL.Handshake = true, true
		c.Net.SASL.Mechanism, c.Net.SASL.User, c.Net.SASL.Password = mechanisms[t.mechanism], t.user.Username(), t.password()
		if hash, ok := scramHashes[c.Net.SASL.Mechanism]; ok {
			c.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: hash} }
		}
	}
	publisher, err := kafka.NewPublisher(kafka.PublisherConfig{Brokers: t.Hosts, Marshaler: kafkaMarshaler{}, OverwriteSaramaConfig: c}, silent)
	return publisher, func(relay.Event) string { return t.Topic }, err
}

// kafkaMarshaler writes records with the headers of CloudEvents.
type kafkaMarshaler struct{}

// Marshal implements kafka.Marshaler.
func (kafkaMarshaler) Marshal(topic string, m *message.Message) (*sarama.ProducerMessage, error) {
	header := func(name, value string) sarama.RecordHeader {
		return sarama.RecordHeader{Key: []byte(name), Value: []byte(value)}
	}
	return &sarama.ProducerMessage{
		Topic: topic, Key: sarama.StringEncoder(m.Metadata[metaOrganization]), Value: sarama.ByteEncoder(m.Payload),
		Headers: []sarama.RecordHeader{
			header("content-type", contentType), header("ce_id", m.UUID), header("ce_type", m.Metadata[metaType]), header("ce_organization", m.Metadata[metaOrganization]),
		},
	}, nil
}

func kafkaCause(err error) string {
	for _, refused := range []error{
		sarama.ErrSASLAuthenticationFailed, sarama.ErrTopicAuthorizationFailed, sarama.ErrClusterAuthorizationFailed, sarama.ErrUnknownTopicOrPartition,
		sarama.ErrInvalidTopic, sarama.ErrPolicyViolation, sarama.ErrUnsupportedSASLMechanism,
	} {
		if errors.Is(err, refused) {
			return CauseRefused
		}
	}
	switch {
	case errors.Is(err, sarama.ErrMessageSizeTooLarge), errors.Is(err, sarama.ErrMessageTooLarge):
		return CauseTooLarge
	case errors.Is(err, sarama.ErrOutOfBrokers), errors.Is(err, sarama.ErrBrokerNotAvailable), errors.Is(err, sarama.ErrClosedClient),
		errors.Is(err, sarama.ErrLeaderNotAvailable), errors.Is(err, sarama.ErrNotEnoughReplicas), errors.Is(err, sarama.ErrRequestTimedOut):
		return CauseUnreachable
	}
	return ""
}
