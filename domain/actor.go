package domain

// ActorKind says what kind of party caused an event.
type ActorKind string

// The kinds of actors.
const (
	ActorAccount ActorKind = "account" // a signed-in person, ID is an AccountID
	ActorAPIKey  ActorKind = "api_key" // an operator's API key, ID is an APIKeyID
	ActorProcess ActorKind = "process" // one of Tenure's own processes, ID is its name
	ActorPublic  ActorKind = "public"  // nobody is signed in: sign-up, a link in a mail
)

// Actor is the party on whose decision an event was recorded.
type Actor struct {
	Kind ActorKind `json:"kind"`
	ID   string    `json:"id,omitempty"`
}

// ByAccount is the actor for a signed-in account.
func ByAccount(id AccountID) Actor { return Actor{Kind: ActorAccount, ID: string(id)} }

// ByAPIKey is the actor for a caller with an operator's API key.
func ByAPIKey(id APIKeyID) Actor { return Actor{Kind: ActorAPIKey, ID: string(id)} }

// ByProcess is the actor for a process manager.
func ByProcess(name string) Actor { return Actor{Kind: ActorProcess, ID: name} }

// Public is the actor of a caller who is not signed in.
func Public() Actor { return Actor{Kind: ActorPublic} }

// Account is the account behind the actor; ok is false where there is none.
func (a Actor) Account() (id AccountID, ok bool) {
	return AccountID(a.ID), a.Kind == ActorAccount
}
