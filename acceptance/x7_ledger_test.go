package acceptance

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// tree is a checkpoint as a client reads it, with the libraries that others use.
type tree struct {
	size uint64
	root []byte
	text string // the whole note
}

type inclusionDoc struct {
	Index      uint64   `json:"index"`
	Size       uint64   `json:"size"`
	LeafHash   []byte   `json:"leaf_hash"`
	Hashes     [][]byte `json:"hashes"`
	Checkpoint string   `json:"checkpoint"`
	Event      struct {
		Stream   string `json:"stream"`
		Revision uint64 `json:"revision"`
		ID       string `json:"id"`
		Type     string `json:"type"`
		Data     []byte `json:"data"`
		Metadata []byte `json:"metadata"`
	} `json:"event"`
}

type checkpointDoc struct {
	Size         uint64 `json:"size"`
	Note         string `json:"note"`
	Cosignatures []struct{ Witness, Line string }
}

// verifierKey is the key as the server says it.
func (s *server) verifierKey(t *testing.T) string {
	t.Helper()
	return decoded[struct {
		Key string `json:"verifier_key"`
	}](t, s.anonymous().get("/v1/ledger/key")).Key
}

// open checks the signature of a note.
func openNote(t *testing.T, text, key string) tree {
	t.Helper()
	is := is.New(t)
	verifier, err := note.NewVerifier(key)
	is.NoErr(err)
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	is.NoErr(err)
	lines := strings.Split(opened.Text, "\n")
	is.Equal(lines[0], verifier.Name())
	size, err := strconv.ParseUint(lines[1], 10, 64)
	is.NoErr(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	is.NoErr(err)
	return tree{size, root, text}
}

// newest is the newest checkpoint.
func (s *server) newestCheckpoint(t *testing.T) tree {
	t.Helper()
	r := ok(t, s.anonymous().get("/v1/ledger/checkpoint"))
	is.New(t).True(strings.HasPrefix(r.header.Get("Content-Type"), "text/plain"))
	return openNote(t, string(r.body), s.verifierKey(t))
}

// hashed is the leaf of an event by the words of docs/ledger.md.
func (d inclusionDoc) hashed(t *testing.T) []byte {
	t.Helper()
	id, err := hex.DecodeString(strings.ReplaceAll(d.Event.ID, "-", ""))
	is.New(t).NoErr(err)
	leaf := append(binary.BigEndian.AppendUint64([]byte("tenure leaf v1\n"), d.Event.Revision), id...)
	for _, field := range [][]byte{[]byte(d.Event.Stream), []byte(d.Event.Type), d.Event.Data, d.Event.Metadata} {
		leaf = append(binary.BigEndian.AppendUint32(leaf, uint32(len(field))), field...)
	}
	sum := sha256.Sum256(append([]byte{0}, leaf...))
	return sum[:]
}

// proved asks for the proof of an event until there is a checkpoint of it, and
// checks it.
func proved(t *testing.T, c client, path string, key string) inclusionDoc {
	t.Helper()
	is := is.New(t)
	var r response
	eventually(t, "a checkpoint has it", func() bool {
		r = c.get(path, anyPosition)
		return r.done() || r.code() != "view_behind" && r.code() != "not_found"
	})
	d := decoded[inclusionDoc](t, ok(t, r))
	signed := openNote(t, d.Checkpoint, key)
	is.Equal(d.Size, signed.size)
	is.Equal(d.hashed(t), d.LeafHash)
	is.NoErr(proof.VerifyInclusion(rfc6962.DefaultHasher, d.Index, signed.size, d.LeafHash, d.Hashes, signed.root))
	return d
}

// checkpoints are all of them, the oldest first, which are consistent.
func (s *server) checkpoints(t *testing.T) []tree {
	t.Helper()
	is := is.New(t)
	key := s.verifierKey(t)
	var trees []tree
	for _, doc := range reversed(all[checkpointDoc](t, s.anonymous(), "/v1/ledger/checkpoints?limit=200")) {
		trees = append(trees, openNote(t, doc.Note, key))
		is.Equal(trees[len(trees)-1].size, doc.Size)
	}
	for i := 1; i < len(trees); i++ {
		before, after := trees[i-1], trees[i]
		is.True(before.size < after.size) // so there are no two of one size
		d := decoded[struct {
			Hashes [][]byte `json:"hashes"`
		}](t, s.anonymous().get(fmt.Sprintf("/v1/ledger/proof/consistency?from=%d&to=%d", before.size, after.size)))
		is.NoErr(proof.VerifyConsistency(rfc6962.DefaultHasher, before.size, after.size, d.Hashes, before.root, after.root))
	}
	return trees
}

func TestX7_Verifiable(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		c := b.start(t).newCast(t)
		key := c.verifierKey(t)
		proofOf := func(e entryDoc) string { return orgPath(c.org, "history", "proof") + "?position=" + e.Position }

		t.Run("every event of a history is in the log that was signed", func(t *testing.T) {
			is := is.New(t)
			last := uint64(0)
			for i, e := range c.owner.history(t, c.org) {
				d := proved(t, c.owner.client, proofOf(e), key)
				is.Equal(d.Event.Type, e.Type)
				is.Equal(d.Event.Revision, uint64(e.Revision))
				is.True(i == 0 || d.Index > last)
				last = d.Index
				is.Equal(proved(t, c.operator(), "/v1/ledger/proof/inclusion?position="+e.Position, key).Index, d.Index)
			}
			before := c.newestCheckpoint(t)
			ok(t, c.owner.patch(orgPath(c.org), map[string]any{"name": unique("Acme")}))
			e := c.owner.history(t, c.org)
			proved(t, c.owner.client, proofOf(e[len(e)-1]), key)
			older := ok(t, c.anonymous().get(fmt.Sprintf("/v1/ledger/checkpoint?size=%d", before.size)))
			is.Equal(string(older.body), before.text)
			events, _ := c.follower(t, "events.read").feed(t, "&organization="+c.org) // by what a receiver of events has
			byCursor := proved(t, c.owner.client, orgPath(c.org, "history", "proof")+"?cursor="+events[0].Cursor, key)
			is.Equal(byCursor.Index, proved(t, c.owner.client, proofOf(e[0]), key).Index)
			refused(t, c.owner.get(orgPath(c.org, "history", "proof")), 422, "invalid")
			refused(t, c.owner.get(proofOf(e[0])+"&cursor="+events[0].Cursor), 422, "invalid")

			old := decoded[inclusionDoc](t, c.owner.get(proofOf(e[0])+fmt.Sprintf("&size=%d", before.size)))
			is.NoErr(proof.VerifyInclusion(rfc6962.DefaultHasher, old.Index, before.size, old.LeafHash, old.Hashes, before.root))
			refused(t, c.owner.get(proofOf(e[len(e)-1])+fmt.Sprintf("&size=%d", before.size)), 422, "invalid") // and never will be
		})

		t.Run("for those who may read it", func(t *testing.T) {
			e := c.owner.history(t, c.org)[0]
			refused(t, c.signUp(t, "Stranger").get(proofOf(e)), 404, "not_found")
			refused(t, c.owner.get("/v1/ledger/proof/inclusion?position="+e.Position), 403, "permission_denied")
			refused(t, c.anonymous().get("/v1/ledger/proof/inclusion?position="+e.Position), 401, "not_signed_in")
			refused(t, c.owner.get(orgPath(c.org, "history", "proof")+"?position=1"), 404, "not_found") // the first operator's key
			refused(t, c.owner.get(orgPath(c.org, "history", "proof")), 422, "invalid")
			refused(t, c.operator().get("/v1/ledger/proof/inclusion?position="+e.Position+"&size=1000000"), 404, "not_found")
			least := c.newestCheckpoint(t).size
			signedUpTo := func(p problem) {
				t.Helper()
				is := is.New(t)
				_, said, found := strings.Cut(p.Detail, "signed up to size ")
				is.True(found)
				var size uint64
				_, err := fmt.Sscan(said, &size)
				is.NoErr(err)
				is.True(least <= size && size <= c.newestCheckpoint(t).size)
			}
			signedUpTo(refused(t, c.operator().get("/v1/ledger/proof/inclusion?position=100000000000"), 400, "ahead_of_log"))
			refused(t, c.anonymous().get("/v1/ledger/proof/consistency?from=9&to=3"), 422, "invalid")
			signedUpTo(refused(t, c.anonymous().get("/v1/ledger/proof/consistency?from=1&to=1000000"), 400, "ahead_of_log"))
			refused(t, c.anonymous().get("/v1/ledger/checkpoint?size=1000000"), 404, "not_found")
			refused(t, c.anonymous().get("/v1/ledger/checkpoint?size=0"), 422, "invalid")
			refused(t, c.operator().get("/v1/ledger/proof/inclusion?position="+e.Position+"&size=0"), 422, "invalid")
		})

		t.Run("what was signed stays, after a restart and with a tree that is made again", func(t *testing.T) {
			is := is.New(t)
			before := c.checkpoints(t)
			c.restart(t)
			ok(t, c.owner.patch(orgPath(c.org), map[string]any{"name": unique("Acme")}))
			c.rebuild(t)
			ok(t, c.owner.patch(orgPath(c.org), map[string]any{"name": unique("Acme")}))
			e := c.owner.history(t, c.org)
			proved(t, c.owner.client, proofOf(e[len(e)-1]), key)
			after := c.checkpoints(t)
			is.True(len(after) > len(before))
			is.Equal(after[:len(before)], before)
			is.Equal(c.verifierKey(t), key)
		})

		t.Run("an export is verified without the server", func(t *testing.T) {
			c.exportAndVerify(t, key)
		})

		t.Run("killed between any two steps", func(t *testing.T) {
			for _, step := range []string{"ledger: tree grown", "ledger: checkpoint made", "ledger: checkpoint signed"} {
				c.diesAt(t, step, func() { c.owner.patch(orgPath(c.org), map[string]any{"name": unique("Acme")}) })
				e := c.owner.history(t, c.org)
				proved(t, c.owner.client, proofOf(e[len(e)-1]), key)
			}
			c.checkpoints(t)
		})
	})
}

// witness is one that signs as C2SP's tlog-cosignature says.
type witness struct {
	name string
	key  ed25519.PrivateKey
}

func newWitness(name string) witness {
	seed := sha256.Sum256([]byte(name))
	return witness{name, ed25519.NewKeyFromSeed(seed[:])}
}

func (w witness) id() []byte {
	sum := sha256.Sum256(append([]byte(w.name+"\n\x04"), w.key.Public().(ed25519.PublicKey)...))
	return sum[:4]
}

func (w witness) verifier() string {
	return fmt.Sprintf("%s+%x+%s", w.name, w.id(), base64.StdEncoding.EncodeToString(append([]byte{4}, w.key.Public().(ed25519.PublicKey)...)))
}

func (w witness) cosign(text string) string { return w.cosignAt(text, time.Now()) }

func (w witness) cosignAt(text string, when time.Time) string {
	body, _, _ := strings.Cut(text, "\n\n")
	at := uint64(when.Unix())
	signature := ed25519.Sign(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", at, body))
	return "— " + w.name + " " + base64.StdEncoding.EncodeToString(append(binary.BigEndian.AppendUint64(w.id(), at), signature...))
}

func TestX7_Witnesses(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, b backend) {
		is := is.New(t)
		known, other := newWitness("witness.example"), newWitness("other.example")
		s := b.start(t, withFlags("--ledger-witness", known.verifier()))
		eventually(t, "something is signed", func() bool { return s.anonymous().get("/v1/ledger/checkpoint").done() })
		signed := s.newestCheckpoint(t)
		body := func(w witness, size uint64) map[string]any {
			return map[string]any{"size": size, "cosignatures": []string{w.cosign(signed.text)}}
		}
		const path = "/v1/ledger/cosignatures"
		refused(t, s.anonymous().post(path, body(other, signed.size)), 422, "invalid")
		refused(t, s.anonymous().post(path, body(known, signed.size+1_000_000)), 404, "not_found")
		handed := body(known, signed.size)
		is.Equal(len(decoded[receipt](t, s.anonymous().post(path, handed, dryRun)).Events), 1)
		taken := ok(t, s.anonymous().post(path, handed))
		is.Equal(len(decoded[receipt](t, taken).Events), 1)
		is.Equal(len(decoded[receipt](t, s.anonymous().post(path, handed)).Events), 0) // once
		at := func(when time.Time) map[string]any {
			return map[string]any{"size": signed.size, "cosignatures": []string{known.cosignAt(signed.text, when)}}
		}
		refused(t, s.anonymous().post(path, at(time.Now().AddDate(1, 0, 0))), 422, "invalid")                  // no later one could take its place
		is.Equal(len(decoded[receipt](t, s.anonymous().post(path, at(time.Now().Add(-time.Hour)))).Events), 0) // an older one
		handed = at(time.Now().Add(time.Minute))                                                               // a newer one takes the place
		taken = ok(t, s.anonymous().post(path, handed))
		is.Equal(len(decoded[receipt](t, taken).Events), 1)
		s.restart(t)
		shown := ok(t, s.anonymous().get(fmt.Sprintf("/v1/ledger/checkpoint?size=%d", signed.size), atPosition(taken.position())))
		line := handed["cosignatures"].([]string)[0]
		is.Equal(string(shown.body), signed.text+line+"\n")
		openNote(t, string(shown.body), s.verifierKey(t)) // is still the log's
		docs := all[checkpointDoc](t, s.anonymous(), "/v1/ledger/checkpoints")
		i := slices.IndexFunc(docs, func(d checkpointDoc) bool { return d.Size == signed.size })
		is.Equal(docs[i].Cosignatures[0].Line, line)
		is.Equal(docs[i].Cosignatures[0].Witness, "witness.example")

		// An auditor asks for the cosignature of what there is now.
		file, audit := filepath.Join(t.TempDir(), "log.ndjson"), []string{"audit", "verify", "--key", s.verifierKey(t)}
		s.unchangedFor(t, 700*time.Millisecond)
		signed = s.newestCheckpoint(t)
		ok(t, s.anonymous().post(path, body(known, signed.size)))
		_, code := runProgram(t, nil, append([]string{"audit", "export", "--to", file, "--secret-file", s.stores.secret}, s.logFlags()...)...)
		is.Equal(code, 0)
		for _, what := range [][]string{{file}, s.logFlags()} {
			for _, c := range []struct {
				flags []string
				code  int
				says  string
			}{
				{[]string{"--witness", known.verifier()}, 0, "cosigned by: witness.example"},
				{[]string{"--witness", known.verifier(), "--witness", other.verifier()}, 1, "not that of other.example"},
				{[]string{"--witness", known.verifier(), "--witness", other.verifier(), "--quorum", "1"}, 0, "cosigned by: witness.example"},
				{[]string{"--witness", known.verifier(), "--witness", known.verifier(), "--quorum", "2"}, 80, "the key is there twice"},
				{[]string{"--witness", known.verifier(), "--quorum", "2"}, 80, "there are 1 keys"},
				{[]string{"--witness", "witness.example"}, 80, "name+hash+key"},
			} {
				out, code := runProgram(t, nil, slices.Concat(audit, what, c.flags)...)
				if code != c.code || !strings.Contains(out, c.says) {
					t.Errorf("%v: %d, %s", c.flags, code, out)
				}
			}
		}
	})
}

// TestX7_Tampering changes an event in the file of a server, and starts it with
// and without the tree of before: both times it notices, says so, and signs
// nothing any more.
func TestX7_Tampering(t *testing.T) {
	onTheFolder(t, func(t *testing.T, b backend) {
		for _, forget := range []bool{false, true} {
			t.Run(fmt.Sprintf("views lost: %v", forget), func(t *testing.T) {
				is := is.New(t)
				s := b.start(t, expecting("not_ready"))
				s.signUp(t, "Ada")
				s.unchangedFor(t, 700*time.Millisecond)
				signed := s.newestCheckpoint(t)
				key := s.verifierKey(t)
				s.stop(t)
				conn, err := sqlite.OpenConn(filepath.Join(s.data, "log.db"), sqlite.OpenReadWrite)
				is.NoErr(err)
				is.NoErr(sqlitex.ExecuteTransient(conn, `UPDATE events SET metadata = replace(metadata, '"at":"2', '"at":"1') WHERE position = 1`, nil))
				is.NoErr(conn.Close())

				out, code := runProgram(t, nil, "audit", "verify", "--data", s.data, "--key", key)
				is.Equal(code, 1)
				is.True(strings.Contains(out, "leaf 0, position 1"))
				out, code = runProgram(t, nil, "audit", "export", "--data", s.data, "--secret-file", s.stores.secret, "--to", filepath.Join(t.TempDir(), "log.ndjson"))
				is.Equal(code, 1)
				is.True(strings.Contains(out, "THE END IS NOT SIGNED: the log does not fit the checkpoint."))
				is.True(!strings.Contains(out, "Give --secret-file")) // which was there
				if forget {
					s.stores.forgetViews(t)
				}
				is.NoErr(s.launch())
				eventually(t, "it is noticed", func() bool {
					r := s.anonymous().get("/readyz")
					return r.code() == "not_ready" && strings.Contains(r.problem().Detail, "not what was signed")
				})
				metrics := string(ok(t, s.operator().get("/metrics")).body)
				is.Equal(metric(metrics, "tenure_ledger_mismatch"), "1")
				is.Equal(metric(metrics, "tenure_ledger_halted"), "1")
				is.True(s.stderr.contains("THE LOG IS NOT WHAT WAS SIGNED"))
				s.signUp(t, "Bob") // it serves, and signs nothing
				is.Equal(s.newestCheckpoint(t).text, signed.text)
			})
		}
	})
}
