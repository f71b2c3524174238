package httpapi

import (
	"fmt"
	"maps"
	"strings"

	"tenure/commands"
	"tenure/domain"
	"tenure/history"
	"tenure/httpapi/strictjson"
)

// entities are the parts of a question.
var entities = [...]string{"subject", "action", "resource", "context"}

// question is one evaluation of a request, as AuthZEN words it.
type question struct {
	commands.AccessQuestion
	explain bool
	past    *history.Moment // when; nil: the present

	// Of a question that cannot be asked: unknown is the reason of a denial, and
	// refused what is wrong with one of several.
	unknown commands.AccessReason
	refused *strictjson.Error
}

const (
	subjectTypeUnknown  commands.AccessReason = "subject_type_unknown"
	resourceTypeUnknown commands.AccessReason = "resource_type_unknown"

	hostPrefix     = "app:"           // of the types of the host product's own resources
	explainOption  = "tenure_explain" // in the context of a request
	asOfOption     = "as_of"          // the same
	maxEvaluations = 100              // in one request
)

// readQuestions reads the body of an evaluations request: no questions where the
// body is a single one. A question that cannot be read is refused by itself; it
// fails with a *strictjson.Error for what all of them share.
func readQuestions(body map[string]any) ([]question, semantic, error) {
	stop, err := readSemantic(body)
	if err != nil {
		return nil, "", err
	}
	list, ok := body["evaluations"].([]any)
	switch {
	case !ok && body["evaluations"] != nil:
		return nil, "", wrong("evaluations", "Give a list.")
	case len(list) > maxEvaluations:
		return nil, "", wrong("evaluations", fmt.Sprintf("Ask at most %d questions at once.", maxEvaluations))
	case len(list) == 0:
		return nil, stop, nil
	}
	for _, name := range entities {
		if _, given := body[name]; !given {
			continue
		}
		if err := checkEntity(body, name); err != nil {
			return nil, "", err
		}
	}
	asked := make([]question, len(list))
	for i, item := range list {
		at := fmt.Sprintf("evaluations[%d]", i)
		own, ok := item.(map[string]any)
		if !ok {
			asked[i].refused = wrong(at, "Give an object.")
			continue
		}
		q, refused := read(own, body)
		if refused != nil {
			q = question{refused: wrong(at+"."+refused.Field, refused.Message)}
		}
		asked[i] = q
	}
	return asked, stop, nil
}

// readQuestion reads a question; what it lacks is taken from defaults. It fails
// with a *strictjson.Error.
func readQuestion(own, defaults map[string]any) (question, error) {
	q, refused := read(own, defaults)
	if refused != nil {
		return question{}, refused
	}
	return q, nil
}

func read(own, defaults map[string]any) (q question, refused *strictjson.Error) {
	merged := own
	if defaults != nil {
		merged = make(map[string]any, len(entities))
		maps.Copy(merged, defaults)
		maps.Copy(merged, own)
	}
	for _, name := range entities {
		if err := checkEntity(merged, name); err != nil {
			return question{}, err
		}
	}
	context, _ := merged["context"].(map[string]any)
	q.explain = context[explainOption] == true
	if q.past, refused = readMoment(context[asOfOption]); refused != nil {
		return question{}, refused
	}
	q.Permission = domain.Permission(member(merged, "action", "name"))
	q.about(member(merged, "subject", "type"), member(merged, "subject", "id"))
	return q, q.within(merged)
}

// readMoment reads when a question is about: nothing: the present.
func readMoment(given any) (*history.Moment, *strictjson.Error) {
	if given == nil {
		return nil, nil
	}
	text, _ := given.(string)
	moment, err := history.ParseMoment("context."+asOfOption, text)
	if err != nil {
		return nil, wrong("context."+asOfOption, "Give a text: an instant such as 2031-03-03T12:00:00Z, or a position as Tenure-Position has it.")
	}
	return &moment, nil
}

// about reads the subject. What is no account's id or address is nobody's.
func (q *question) about(kind, id string) {
	switch kind {
	case "user":
		q.Account = domain.AccountID(id)
	case "email":
		q.Email, _ = domain.ParseEmail("subject.id", id)
	default:
		q.unknown = subjectTypeUnknown
	}
}

// within reads the resource.
func (q *question) within(merged map[string]any) *strictjson.Error {
	kind, org := member(merged, "resource", "type"), member(merged, "resource", "id")
	switch {
	case kind == "organization":
	case kind == "space", strings.HasPrefix(kind, hostPrefix) && kind != hostPrefix:
		if kind == "space" {
			space := domain.SpaceID(org) // what is no id is no space's
			q.Space = &space
		}
		properties, _ := merged["resource"].(map[string]any)["properties"].(map[string]any)
		text, ok := properties["organization_id"].(string)
		if !ok {
			return wrong("resource.properties.organization_id", "Give the id of the organization that the resource belongs to.")
		}
		org = text
	default:
		q.unknown = resourceTypeUnknown
	}
	if isID(org) { // anything else is no organization's
		q.Organization = domain.OrganizationID(org)
	}
	return nil
}

func readSemantic(body map[string]any) (semantic, *strictjson.Error) {
	options, ok := body["options"].(map[string]any)
	if !ok && body["options"] != nil {
		return "", wrong("options", "Give an object.")
	}
	switch text, _ := options["evaluations_semantic"].(string); semantic(text) {
	case executeAll, denyOnFirstDeny, permitOnFirstPermit:
		return semantic(text), nil
	}
	if options["evaluations_semantic"] == nil {
		return executeAll, nil
	}
	return "", wrong("options.evaluations_semantic", "Use execute_all, deny_on_first_deny or permit_on_first_permit.")
}

// checkEntity checks that one of the four parts of a question has what it needs.
func checkEntity(of map[string]any, name string) *strictjson.Error {
	object, ok := of[name].(map[string]any)
	switch {
	case !ok && name == "context" && of[name] == nil:
		return nil
	case !ok:
		return wrong(name, "Give an object.")
	}
	var needed []string
	switch name {
	case "subject", "resource":
		needed = []string{"type", "id"}
	case "action":
		needed = []string{"name"}
	}
	for _, field := range needed {
		if _, ok := object[field].(string); !ok {
			return wrong(name+"."+field, "Give a text.")
		}
	}
	if properties, ok := object["properties"].(map[string]any); name != "context" && !ok && properties == nil && object["properties"] != nil {
		return wrong(name+".properties", "Give an object.")
	}
	return nil
}

// member is a text that checkEntity has found.
func member(of map[string]any, entity, field string) string {
	text, _ := of[entity].(map[string]any)[field].(string)
	return text
}

func wrong(field, message string) *strictjson.Error {
	return &strictjson.Error{Field: field, Message: message}
}
