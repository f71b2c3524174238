package acceptance

import (
	"testing"

	"github.com/matryer/is"
)

// TestX7_ManyNodes kills the node that signs, again and again, while people work:
// another one goes on, and what all have signed is one log.
func TestX7_ManyNodes(t *testing.T) {
	onManyNodes(t, func(t *testing.T, b backend) {
		is := is.New(t)
		d := b.startNodes(t, 3, startMailServer(t, false))
		c := d.newCast(t)
		key := c.verifierKey(t)
		for range 3 {
			signs := d.holder(t, "ledger")
			d.kill(t, signs)
			ok(t, c.owner.patch(orgPath(c.org), map[string]any{"name": unique("Acme")}))
			e := c.owner.history(t, c.org)
			proved(t, c.owner.client, orgPath(c.org, "history", "proof")+"?position="+e[len(e)-1].Position, key)
			signs.run(t)
			is.Equal(signs.verifierKey(t), key)
		}
		is.True(len(c.checkpoints(t)) > 3)
		out, code := runProgram(t, nil, append([]string{"audit", "verify", "--key", key}, d.logFlags()...)...)
		t.Log(out)
		is.Equal(code, 0)
	})
}
