package domain

// Guarded is an event with values that take a permission of their own. Who may
// read the history and has not that one learns what has changed, when and by whose
// decision, and no values. Whatever shows events to somebody outside shows them as
// ShownTo has them; who reads the log itself, or an export, sees it all.
type Guarded interface {
	Event
	// Guard is the permission that it takes to read the values.
	Guard() Permission
	// Withheld is the event without the values, which says that they are missing.
	Withheld() Event
}

// ShownTo is an event as somebody with the permissions sees it.
func ShownTo(e Event, may func(Permission) bool) Event {
	if g, ok := e.(Guarded); ok && !may(g.Guard()) {
		return g.Withheld()
	}
	return e
}
