package broker

import (
	"strconv"
	"strings"

	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	goredis "github.com/redis/go-redis/v9"

	"tenure/relay"
)

// dialRedis publishes to one stream, whose key is the topic. The connections are
// made when they are needed.
func dialRedis(t Target) (message.Publisher, func(relay.Event) string, error) {
	database, _ := strconv.Atoi(t.Path) // digits, or nothing
	client := goredis.NewClient(&goredis.Options{
		Addr: t.Hosts[0], Username: t.user.Username(), Password: t.password(), DB: database, TLSConfig: t.tls, ClientName: "tenure",
		DialTimeout: connectLimit, ReadTimeout: answerLimit, WriteTimeout: answerLimit, PoolSize: lanes,
		MaxRetries: -1, DialerRetries: 1, // what has failed is for whoever publishes to send again
	})
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{
		Client: client, Marshaller: redisMarshaller{}, DefaultMaxlen: t.maxLength,
	}, silent)
	return publisher, func(relay.Event) string { return t.Topic }, err
}

// redisMarshaller writes the fields of an entry.
type redisMarshaller struct{}

// Marshal implements redisstream.Marshaller.
func (redisMarshaller) Marshal(_ string, m *message.Message) (map[string]any, error) {
	return map[string]any{
		"id": m.UUID, "type": m.Metadata[metaType], "organization": m.Metadata[metaOrganization], "content-type": contentType,
		"event": []byte(m.Payload),
	}, nil
}

// redisCause finds the word that an error of Redis begins with.
func redisCause(err error) string {
	for _, word := range []string{"NOAUTH", "WRONGPASS", "NOPERM", "WRONGTYPE", "OOM", "READONLY", "MISCONF", "MOVED", "DENIED"} {
		if strings.Contains(err.Error(), word+" ") {
			return CauseRefused
		}
	}
	return ""
}
