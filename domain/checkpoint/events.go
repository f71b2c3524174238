package checkpoint

// The events of the ledger's stream. They are about the log and not part of
// what is signed: a checkpoint that were a leaf would ask for the next one.
type (
	// Signed records a checkpoint: the log's first Size leaves have this root.
	Signed struct {
		Size uint64 `json:"size"`
		Root string `json:"root"` // base64
		Note string `json:"note"` // the signed note, whole
	}

	// Cosigned records that a witness has signed the checkpoint of that size as
	// well.
	Cosigned struct {
		Size    uint64 `json:"size"`
		Witness string `json:"witness"` // the name of its key
		Line    string `json:"line"`    // the signature, as it stands in a note, without the end of the line
	}
)

// EventType implements domain.Event.
func (Signed) EventType() string { return "ledger.checkpoint_signed.v1" }

// EventType implements domain.Event.
func (Cosigned) EventType() string { return "ledger.checkpoint_cosigned.v1" }
