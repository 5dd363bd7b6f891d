package network

import (
	"testing"

	"github.com/google/nftables"
)

// dockerd leaves its masquerade rules behind when its bridge goes, and the
// subnet looks free.
func TestForeignMasqueradeSparesNeighbours(t *testing.T) {
	f := newFixture(t)
	a, b := newSandbox(t), newSandbox(t)
	ea, eb := attach(t, f, "a", a), attach(t, f, "b", b)
	foreign := &firewall{table: f.tableName() + "-foreign"}
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	table := c.AddTable(foreign.tableOf(families[0]))
	post := c.AddChain(chain(table, "postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource))
	c.AddRule(&nftables.Rule{Table: table, Chain: post, Exprs: families[0].masqueradeLeaving(&Network{V4: f.nets[Bridge].V4, Device: "gone0"})})
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := foreign.remove(); err != nil {
			t.Error(err)
		}
	}()
	serve(t, b, "b")
	got := inside(t, a, func() (string, error) { return read(eb.IP.String() + ":80") })
	if want := "b from " + ea.IP.String(); got != want {
		t.Errorf("a reads %q from b, want %q", got, want)
	}
}
