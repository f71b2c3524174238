package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/google/uuid"

	"tenure/commands"
	"tenure/domain"
	"tenure/domain/apikey"
	"tenure/domain/checkpoint"
	"tenure/eventstore"
	"tenure/ledger"
	"tenure/projections"
	"tenure/relay"
)

type ledgerKeyBody struct {
	Origin    string   `json:"origin" doc:"The name of the log, the first line of its checkpoints." example:"tenure/0190d5a1-c3da-8f54-9507-91a2bd6e8f66"`
	Verifier  string   `json:"verifier_key" doc:"The public key: name, hash and Ed25519 key, as verifiers of signed notes take it. It never changes as long as the server's secret does not."`
	Witnesses []string `json:"witnesses" doc:"The names of the witnesses whose cosignatures are taken."`
}

type consistencyBody struct {
	From   uint64   `json:"from"`
	To     uint64   `json:"to"`
	Hashes []string `json:"hashes" doc:"The proof (RFC 6962, 2.1.2), each hash in base64."`
}

type inclusionBody struct {
	Index      uint64         `json:"index" doc:"The leaf's: how many events were before it."`
	Size       uint64         `json:"size" doc:"Of the tree that it is proved to be in: that of the checkpoint."`
	LeafHash   string         `json:"leaf_hash" doc:"In base64."`
	Hashes     []string       `json:"hashes" doc:"The proof (RFC 6962, 2.1.1), each hash in base64."`
	Checkpoint string         `json:"checkpoint" doc:"The signed note of the tree."`
	Event      *recordedEvent `json:"event,omitempty" doc:"What the leaf is the hash of; docs/ledger.md says how. Left out where it holds a secret's hash, or settings or the address of a webhook that you may not read."`
}

type recordedEvent struct {
	Position string              `json:"position"`
	Stream   string              `json:"stream"`
	Revision eventstore.Revision `json:"revision"`
	ID       string              `json:"id" format:"uuid"`
	Type     string              `json:"type"`
	Data     []byte              `json:"data" doc:"As the log holds it, in base64."`
	Metadata []byte              `json:"metadata" doc:"As the log holds it, in base64."`
}

type cosignaturesBody struct {
	Size         uint64   `json:"size" minimum:"1" doc:"Of the checkpoint that was cosigned, one of the newest 1,000."`
	Cosignatures []string `json:"cosignatures" minItems:"1" maxItems:"20" doc:"Lines of a signed note, as witnesses answer with them (C2SP tlog-cosignature)."`
}

// InclusionInput is what both proofs that an event is in the tree can be asked for.
type InclusionInput struct {
	ViewHeaders
	Position uint64 `query:"position" minimum:"1" doc:"The event's, from a history or a receipt." example:"1042"`
	Cursor   string `query:"cursor" maxLength:"100" doc:"Instead of position: the cursor attribute of an event of the feed." example:"AAAAAAAAAAEAAAAA"`
	Size     uint64 `query:"size" minimum:"1" doc:"Of the checkpoint; the newest if it is left out." example:"2000"`
}

const (
	exampleOrigin = "tenure/0190d5a1-c3da-8f54-9507-91a2bd6e8f66"
	exampleRoot   = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
	exampleNote   = exampleOrigin + "\n2000\n" + exampleRoot + "\n\n— " + exampleOrigin + " Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
	exampleLine   = "— witness.example ARKOMQAAAABkGFDLEZMHKSRaJRTCzPIBKwMMdYbmmAHsCAe6AkWCVNJhFVoqZRqGUMVaEU9gF9Zk2XxmI2Uc0cGh8m1ADg8D"
	noteType      = "text/plain; charset=utf-8"
)

func (a *API) addLedger() {
	inclusion := inclusionBody{
		Index: 1041, Size: 2000, LeafHash: exampleRoot, Hashes: []string{exampleRoot}, Checkpoint: exampleNote,
		Event: &recordedEvent{
			Position: "1042", Stream: "organization-" + string(exampleOrganization), Revision: 7, ID: exampleSession,
			Type: "organization.renamed.v1", Data: []byte("{}"), Metadata: []byte("{}"),
		},
	}
	missing := []domain.Code{domain.CodeInvalid, domain.CodeNotFound, codeCursorAhead}
	add(a, route{
		id: "ledger-key", method: http.MethodGet, path: "/v1/ledger/key", tag: "Ledger", access: Public(), status: http.StatusOK,
		summary: "The key that checkpoints are signed with", description: "Keep it: it is what exports are verified with.",
		response: ledgerKeyBody{Origin: exampleOrigin, Verifier: exampleOrigin + "+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", Witnesses: []string{"witness.example"}},
	}, a.ledgerKey)
	add(a, route{
		id: "ledger-checkpoint", method: http.MethodGet, path: "/v1/ledger/checkpoint", tag: "Ledger", access: Public(), status: http.StatusOK,
		summary: "A signed checkpoint", description: "The newest one, or that of a size, with the cosignatures of witnesses: a signed note (C2SP tlog-checkpoint).",
		codes: missing, response: exampleNote, contentType: noteType,
	}, a.ledgerCheckpoint)
	add(a, route{
		id: "list-checkpoints", method: http.MethodGet, path: "/v1/ledger/checkpoints", tag: "Ledger", access: Public(), status: http.StatusOK,
		summary: "All checkpoints", description: "The newest first.", codes: []domain.Code{domain.CodeInvalid},
		response: list[projections.Checkpoint]{Items: []projections.Checkpoint{{Size: 2000, Root: exampleRoot, SignedAt: exampleTime(), Note: exampleNote,
			Cosignatures: []projections.Cosignature{{Witness: "witness.example", Line: exampleLine, At: exampleTime()}}}}},
	}, a.listCheckpoints)
	add(a, route{
		id: "prove-consistency", method: http.MethodGet, path: "/v1/ledger/proof/consistency", tag: "Ledger", access: Public(), status: http.StatusOK,
		summary: "Proof that nothing before was changed", description: "Proves that the tree of the size to begins with that of the size from.",
		codes: []domain.Code{domain.CodeInvalid, codeAheadOfLog, codeViewBehind}, response: consistencyBody{From: 1000, To: 2000, Hashes: []string{exampleRoot}},
	}, a.proveConsistency)
	add(a, route{
		id: "prove-inclusion", method: http.MethodGet, path: "/v1/ledger/proof/inclusion", tag: "Ledger", access: Operator(apikey.ScopeOperator), status: http.StatusOK,
		summary: "Proof that an event is in the log", description: "Proves that the event at a position is in the tree of a checkpoint.",
		codes: append([]domain.Code{codeAheadOfLog}, missing...), response: inclusion,
	}, a.proveInclusion)
	add(a, route{
		id: "prove-history", method: http.MethodGet, path: "/v1/organizations/{org}/history/proof", tag: "Ledger", access: Member(domain.ReadHistory), status: http.StatusOK,
		summary: "Proof that an entry of the history is in the log", description: "Proves that an event of the organization's history is in the tree of a checkpoint.",
		codes: missing, response: inclusion,
	}, a.proveHistory)
	add(a, route{
		id: "add-cosignatures", method: http.MethodPost, path: "/v1/ledger/cosignatures", tag: "Ledger", access: Public(), status: http.StatusOK,
		summary: "Hand in cosignatures", description: "Takes the signatures of witnesses that the operator has named, and shows them with the checkpoint, of each witness the one with the latest time. Who hands them in does not matter.",
		codes:   []domain.Code{domain.CodeInvalid, domain.CodeNotFound, domain.CodeCheckpointOutdated},
		request: cosignaturesBody{Size: 2000, Cosignatures: []string{exampleLine}},
		response: exampleReceipt(
			checkpoint.Cosigned{Size: 2000, Witness: "witness.example", Line: exampleLine}),
	}, a.addCosignatures)
}

func (a *API) ledgerKey(context.Context, *call, *struct{}) (answer, error) {
	key := a.config.LedgerKey
	body := ledgerKeyBody{Origin: key.Origin(), Verifier: key.Verifier(), Witnesses: []string{}}
	for _, w := range a.config.Witnesses {
		body.Witnesses = append(body.Witnesses, w.Name())
	}
	return answer{body: body}, nil
}

func (a *API) ledgerCheckpoint(ctx context.Context, _ *call, in *struct {
	ViewHeaders
	Size uint64 `query:"size" minimum:"1" doc:"How many events it is about; the newest if it is left out." example:"2000"`
}) (answer, error) {
	c, err := a.checkpoint(ctx, in.Size)
	return answer{raw: []byte(c.Cosigned()), contentType: noteType}, err
}

func (a *API) listCheckpoints(ctx context.Context, _ *call, in *struct{ PageInput }) (answer, error) {
	return page(a.config.Reader.Checkpoints(ctx, projections.CheckpointsQuery{Cursor: in.Cursor, Limit: in.Limit}))
}

// checkpoint is that of a size, or the newest for zero. It fails with CodeNotFound.
func (a *API) checkpoint(ctx context.Context, size uint64) (c projections.Checkpoint, err error) {
	var body []byte
	if size > 0 {
		body, err = a.config.Reader.Checkpoint(ctx, size)
	} else if body, err = a.config.Reader.NewestCheckpoint(ctx); err == nil && body == nil {
		err = domain.Refuse(domain.CodeNotFound, "No checkpoint yet", "Try again in some seconds: none was signed so far.")
	}
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(body, &c)
}

func (a *API) proveConsistency(ctx context.Context, _ *call, in *struct {
	From uint64 `query:"from" required:"true" minimum:"1" doc:"The smaller size." example:"1000"`
	To   uint64 `query:"to" required:"true" minimum:"1" doc:"The larger size, at most that of the newest checkpoint." example:"2000"`
}) (answer, error) {
	if in.From > in.To {
		return answer{}, domain.Invalid("from", "Give a size that is not larger than to.")
	}
	signed, _, err := a.config.Commands.Checkpoints(ctx)
	if err == nil && in.To > signed.Newest {
		err = a.problem(codeAheadOfLog, "", fmt.Sprintf("The log is signed up to size %d by now: give no larger one, or ask again when it has grown.", signed.Newest))
	}
	if err != nil {
		return answer{}, err
	}
	hashes, err := a.config.Tree.Consistency(ctx, in.From, in.To)
	return answer{body: consistencyBody{From: in.From, To: in.To, Hashes: texts(hashes)}}, err
}

func (a *API) proveInclusion(ctx context.Context, c *call, in *InclusionInput) (answer, error) {
	position, err := a.eventAt(ctx, in)
	if err != nil {
		return answer{}, err
	}
	return a.inclusion(ctx, c, in, position, relay.All(true))
}

// eventAt is the position of the event that a proof is asked for.
func (a *API) eventAt(ctx context.Context, in *InclusionInput) (eventstore.Position, error) {
	if (in.Position == 0) == (in.Cursor == "") || in.Cursor == relay.FromHead {
		return 0, domain.Invalid("position", "Give the position of an event, or the cursor attribute of one of the feed.")
	}
	if in.Cursor != "" {
		return a.config.Feed.Position(ctx, in.Cursor)
	}
	return eventstore.Position(in.Position), nil
}

func (a *API) proveHistory(ctx context.Context, c *call, in *struct {
	OrgPath
	InclusionInput
}) (answer, error) {
	position, err := a.eventAt(ctx, &in.InclusionInput)
	if err != nil {
		return answer{}, err
	}
	shown, err := a.config.Reader.InTimeline(ctx, c.organization(), position)
	if err == nil && !shown {
		err = domain.Refuse(domain.CodeNotFound, "No such event", "Take a position from the organization's history.")
	}
	if err != nil {
		return answer{}, err
	}
	return a.inclusion(ctx, c, &in.InclusionInput, position, c.reads)
}

func (a *API) inclusion(ctx context.Context, c *call, in *InclusionInput, position eventstore.Position, reads func(domain.Permission) bool) (answer, error) {
	tree := a.config.Tree
	index, err := tree.Index(ctx, position)
	if errors.Is(err, ledger.ErrNotThere) {
		err = cmp.Or(a.beyond(ctx, position), err)
	}
	if err != nil {
		return answer{}, err
	}
	signed, err := a.checkpoint(ctx, in.Size)
	if err != nil {
		return answer{}, err
	}
	switch {
	case index >= signed.Size && in.Size > 0: // which it will never be in
		return answer{}, domain.Invalid("size", fmt.Sprintf("The event is in the trees of %d events and more: give the size of such a checkpoint, or leave it out for the newest.", index+1))
	case index >= signed.Size:
		return answer{}, ledger.ErrNotThere
	}
	leaf, _, err := tree.Leaf(ctx, index)
	if err != nil {
		return answer{}, err
	}
	hashes, err := tree.Inclusion(ctx, index, signed.Size)
	if err != nil {
		return answer{}, err
	}
	e, err := a.leafEvent(ctx, index, position, func(e *eventstore.Recorded) (bool, error) {
		if holdsAddress(e) && !c.hookView().addresses {
			return false, nil
		}
		return a.mayRead(e, reads)
	})
	return answer{body: inclusionBody{
		Index: index, Size: signed.Size, LeafHash: leaf.String(), Hashes: texts(hashes), Checkpoint: signed.Cosigned(), Event: e,
	}}, err
}

// beyond says that the log has not got to a position; nil where the tree alone has
// not, which passes.
func (a *API) beyond(ctx context.Context, p eventstore.Position) error {
	head, err := a.config.Commands.Store.Head(ctx)
	if err != nil || p <= head {
		return err
	}
	signed, _, err := a.config.Commands.Checkpoints(ctx)
	if err != nil {
		return err
	}
	return a.problem(codeAheadOfLog, "", fmt.Sprintf("The log ends at position %d by now, and is signed up to size %d: take the position of an event from a history or a receipt.", head, signed.Newest))
}

// leafEvent reads the event of a leaf; nil for one with a secret's hash, or values
// that are not for the caller. What position comes before one, the tree alone knows.
func (a *API) leafEvent(ctx context.Context, index uint64, at eventstore.Position, mayRead func(*eventstore.Recorded) (bool, error)) (_ *recordedEvent, err error) {
	after := eventstore.Position(0)
	if index > 0 {
		if _, after, err = a.config.Tree.Leaf(ctx, index-1); err != nil {
			return nil, err
		}
	}
	for after < at {
		page, err := a.config.Commands.Store.ReadAll(ctx, after, 16, eventstore.Filter{})
		if err != nil {
			return nil, err
		}
		for i := range page.Events {
			if e := &page.Events[i]; e.Position == at {
				if may, err := mayRead(e); !may {
					return nil, err
				}
				return shownRecorded(e), nil
			}
		}
		if page.Position <= after {
			break
		}
		after = page.Position
	}
	return nil, fmt.Errorf("httpapi: the log has no event at position %d, the tree has", at)
}

// mayRead decides on the values of an event. Only those that may be guarded are
// decoded: the others are shown also while the keys to them cannot be reached.
func (a *API) mayRead(e *eventstore.Recorded, reads func(domain.Permission) bool) (bool, error) {
	if form := events.Form(e.Type); form != nil && !form.Implements(reflect.TypeFor[domain.Guarded]()) {
		return true, nil
	}
	decoded, err := a.config.Commands.Codec.Decode(*e)
	guarded, ok := decoded.Event.(domain.Guarded)
	return err == nil && (!ok || reads(guarded.Guard())), err
}

func shownRecorded(e *eventstore.Recorded) *recordedEvent {
	for _, field := range events.PersonalFields(e.Type) {
		if field.Secret {
			return nil
		}
	}
	return &recordedEvent{
		Position: digits(e.Position), Stream: e.Stream, Revision: e.Revision, ID: uuid.UUID(e.ID).String(), Type: e.Type, Data: e.Data, Metadata: e.Metadata,
	}
}

// clocksDiffer is how far the clock of a witness may be ahead.
const clocksDiffer = 5 * time.Minute

func (a *API) addCosignatures(ctx context.Context, c *call, in *struct {
	NewHeaders
	Body cosignaturesBody
}) (answer, error) {
	signed, _, err := a.config.Commands.Checkpoints(ctx)
	if err != nil {
		return answer{}, err
	}
	known, ok := signed.Checkpoint(in.Body.Size)
	if !ok {
		_, err := checkpoint.Cosign(signed, in.Body.Size, "", "")
		return answer{}, err
	}
	signatures := make([]commands.Cosignature, len(in.Body.Cosignatures))
	for i, line := range in.Body.Cosignatures {
		cosignature, err := ledger.Cosign(known.Note, line, a.config.Witnesses)
		if err != nil {
			return answer{}, domain.Invalid(fmt.Sprintf("cosignatures[%d]", i), "Send a line that a witness of GET /v1/ledger/key has signed this checkpoint with.")
		}
		if cosignature.At.After(a.config.Commands.Now().Add(clocksDiffer)) { // no later one could ever take its place
			return answer{}, domain.Invalid(fmt.Sprintf("cosignatures[%d]", i), "Send it again when the server's clock has got there: its time has not come yet.")
		}
		signatures[i] = commands.Cosignature{Witness: cosignature.Witness, Line: cosignature.Line}
	}
	do, r, err := a.request(c, "")
	if err != nil {
		return answer{}, err
	}
	receipt, err := do.CosignCheckpoint(ctx, r, in.Body.Size, signatures)
	ans, err := commanded(receipt, err, plainly)
	ans.etag = ""
	return ans, err
}

func texts(hashes []ledger.Hash) []string {
	all := make([]string, len(hashes))
	for i, h := range hashes {
		all[i] = h.String()
	}
	return all
}
