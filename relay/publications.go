package relay

import (
	"fmt"
	"strings"
)

// Publication is a broker that the feed is published to, as the AsyncAPI document
// has it. It holds no user and no password.
type Publication struct {
	Name       string
	Protocol   string
	Hosts      []string // with their ports
	Path       string   // before the topic: a database, a virtual host
	Address    string   // of the channel
	Parameters map[string]string
	Bindings   map[string]any // of the channel
	Type       string         // only types that begin so
	Personal   bool           // the events keep their personal data
}

// describe adds the servers, the channel and the operation of a broker. Where it
// is, is the network of the server: the document for everybody leaves it open.
func (p Publication) describe(document object, types []string, hosts bool) {
	servers, channels, operations := document["servers"].(object), document["channels"].(object), document["operations"].(object)
	name := "broker-" + p.Name // names of ours are others
	var where []any
	for i, host := range p.Hosts {
		at := name
		if i > 0 {
			at = fmt.Sprintf("%s_%d", name, i+1) // no broker is called so
		}
		server := object{"host": host, "protocol": p.Protocol, "title": "The broker " + p.Name}
		if p.Path != "" {
			server["pathname"] = "/" + p.Path
		}
		if !hosts {
			server["host"] = "{host}"
			server["variables"] = object{"host": object{"description": "Ask who runs the server; keys with the scope events.read find it at v1/events/asyncapi.json."}}
			delete(server, "pathname")
		}
		servers[at] = server
		where = append(where, object{"$ref": "#/servers/" + at})
		if !hosts {
			break
		}
	}
	inChannel, sent := object{}, []any{}
	for _, t := range types {
		if strings.HasPrefix(t, p.Type) {
			inChannel[t] = object{"$ref": "#/components/messages/" + t}
			sent = append(sent, object{"$ref": "#/channels/" + name + "/messages/" + t})
		}
	}
	says := "At least once, each organization's in their order; drop what comes again by its id. Without personal data."
	if p.Personal {
		says = strings.Replace(says, "Without", "With", 1)
	}
	channel := object{"address": p.Address, "title": "Events at the broker " + p.Name, "description": says, "servers": where, "messages": inChannel}
	if len(p.Parameters) > 0 {
		parameters := object{}
		for parameter, means := range p.Parameters {
			parameters[parameter] = object{"description": means}
		}
		channel["parameters"] = parameters
	}
	if len(p.Bindings) > 0 {
		channel["bindings"] = p.Bindings
		if !hosts {
			channel["bindings"] = without(p.Bindings, "vhost")
		}
	}
	channels[name] = channel
	operations["publish-"+p.Name] = object{
		"action": "send", "channel": object{"$ref": "#/channels/" + name}, "messages": sent, "summary": "Publishes every event to the broker.",
	}
}

// without is a copy of an object and all in it, less what has a name.
func without(o object, name string) object {
	kept := object{}
	for key, value := range o {
		if inner, ok := value.(object); ok {
			value = without(inner, name)
		}
		if key != name {
			kept[key] = value
		}
	}
	return kept
}
