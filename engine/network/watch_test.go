package network

import (
	"testing"

	"github.com/google/nftables"
)

// When more has changed than the watch could be told, the table is compared before it is called
// somebody else's work.
func TestIntact(t *testing.T) {
	f := newFixture(t)
	create(t, f, CreateSpec{Name: "in", IPv4: true, IPv6: true, Internal: true})
	f.stopWatch() // else it repairs what is broken here
	attach(t, f, "a", newSandbox(t), PortBinding{Proto: "tcp", ContainerPort: 80}, PortBinding{Proto: "udp", ContainerPort: 53})
	f.stopWatch()
	if !f.intact() {
		t.Error("what we have written is taken for somebody else's")
	}
	for what, breaks := range map[string]func(c *nftables.Conn, t4, t6 *nftables.Table){
		"a port is taken out": func(c *nftables.Conn, t4, _ *nftables.Table) { c.FlushSet(families[0].anywhere(t4)) },
		"rules are taken out": func(c *nftables.Conn, t4, _ *nftables.Table) {
			c.FlushChain(&nftables.Chain{Table: t4, Name: "forward"})
		},
		"the IPv6 table is gone":   func(c *nftables.Conn, _, t6 *nftables.Table) { c.DelTable(t6) },
		"everything is taken away": func(c *nftables.Conn, t4, t6 *nftables.Table) { c.DelTable(t4); c.DelTable(t6) },
	} {
		c, err := nftables.New()
		if err != nil {
			t.Fatal(err)
		}
		breaks(c, f.fw.tableOf(families[0]), f.fw.tableOf(families[1]))
		if err := c.Flush(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if f.intact() {
			t.Errorf("%s: taken for intact", what)
		}
		if err := f.fw.setup(f.nets, f.ends); err != nil {
			t.Fatal(err)
		}
		if !f.intact() {
			t.Errorf("%s: set up again, and not intact", what)
		}
	}
}
