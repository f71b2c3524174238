package broker

import (
	"cmp"

	"tenure/relay"
)

// Publication is what the AsyncAPI document says of the target.
func (t Target) Publication() relay.Publication {
	p := relay.Publication{Name: t.Name, Protocol: t.Scheme, Hosts: t.Hosts, Path: t.Path, Address: t.Topic, Type: t.Type, Personal: t.Personal}
	switch t.Scheme {
	case "nats":
		p.Address = t.Topic + ".{organization}.{type}"
		p.Parameters = map[string]string{"organization": "The organization's id.", "type": "The event's type, which has dots in it."}
	case "amqp", "amqps":
		p.Address = "{type}"
		p.Parameters = map[string]string{"type": "The event's type, as the routing key."}
		p.Bindings = map[string]any{"amqp": map[string]any{
			"is": "routingKey", "exchange": map[string]any{"name": t.Topic, "type": "topic", "vhost": cmp.Or(t.Path, "/")}, "bindingVersion": "0.3.0",
		}}
	case "kafka":
		if t.tls != nil {
			p.Protocol = "kafka-secure"
		}
		p.Bindings = map[string]any{"kafka": map[string]any{"topic": t.Topic, "bindingVersion": "0.5.0"}}
	}
	return p
}
