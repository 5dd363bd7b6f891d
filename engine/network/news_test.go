package network

import (
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

// Of what the kernel tells, only what may concern our rules counts: with hundreds of
// containers beside it, an engine would else list everybody's rules hundreds of times.
func TestNewsThatMatter(t *testing.T) {
	if !ownHost(t) {
		return
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.NFNLGRP_NFTABLES - 1)}); err != nil {
		t.Fatal(err)
	}
	heard := news{table: "berth-1", comment: "berth-1: traffic of containers"}
	told := func() (out news) {
		t.Helper()
		buf := make([]byte, 64<<10)
		for {
			n, _, err := unix.Recvfrom(fd, buf, 0)
			if err != nil {
				t.Fatal(err)
			}
			for range heard.transactions(buf[:n]) {
				out = heard
				out.table, out.comment = "", ""
				return out
			}
		}
	}
	table := func(name string) *nftables.Table {
		return &nftables.Table{Name: name, Family: nftables.TableFamilyIPv4}
	}
	foreign := chain(table("filter"), "FORWARD", nftables.ChainTypeFilter, nftables.ChainHookForward, *nftables.ChainPriorityFilter)
	ports := families[0].anywhere(table("berth-2"))
	accept := func(comment string) *nftables.Rule {
		return &nftables.Rule{Table: foreign.Table, Chain: foreign, Exprs: rule{&expr.Verdict{Kind: expr.VerdictAccept}}, UserData: userdata.AppendString(nil, userdata.TypeComment, comment)}
	}
	remove := func(c *nftables.Conn, i int) error {
		rules, err := c.GetRules(foreign.Table, foreign)
		if err != nil {
			return err
		}
		return c.DelRule(rules[i])
	}
	for _, one := range []struct {
		what string
		do   func(c *nftables.Conn) error
		want news
	}{
		{"another engine comes", func(c *nftables.Conn) error { c.AddTable(ports.Table); return c.AddSet(ports, nil) }, news{}},
		{"it publishes a port", func(c *nftables.Conn) error {
			return c.SetAddElements(ports, []nftables.SetElement{{Key: append(word(6), port(80)...), Val: append([]byte{10, 0, 0, 2}, port(80)...)}})
		}, news{}},
		{"a chain comes that packets pass", func(c *nftables.Conn) error { c.AddTable(foreign.Table); c.AddChain(foreign); return nil }, news{passage: true}},
		{"one comes that rules jump to", func(c *nftables.Conn) error {
			c.AddChain(&nftables.Chain{Table: foreign.Table, Name: "DOCKER"})
			return nil
		}, news{}},
		{"rules are added", func(c *nftables.Conn) error {
			c.AddRule(accept("mine"))
			c.AddRule(accept("berth-1: traffic of containers"))
			return nil
		}, news{}},
		{"one of somebody goes", func(c *nftables.Conn) error { return remove(c, 0) }, news{}},
		{"one of ours goes", func(c *nftables.Conn) error { return remove(c, 0) }, news{passage: true}},
		{"our table comes", func(c *nftables.Conn) error { c.AddTable(table("berth-1")); return nil }, news{ours: true}},
		{"something in it", func(c *nftables.Conn) error {
			c.AddChain(&nftables.Chain{Table: table("berth-1"), Name: "new"})
			return nil
		}, news{ours: true}},
		{"firewalld begins anew", func(c *nftables.Conn) error { c.AddTable(table("firewalld")); return nil }, news{zoned: true}},
		{"everything is flushed", func(c *nftables.Conn) error { c.FlushRuleset(); return nil }, news{ours: true, zoned: true}},
	} {
		c, err := nftables.New()
		if err != nil {
			t.Fatal(err)
		}
		if err = one.do(c); err == nil {
			err = c.Flush()
		}
		if err != nil {
			t.Fatalf("%s: %v", one.what, err)
		}
		if got := told(); got != one.want {
			t.Errorf("%s: %+v, want %+v", one.what, got, one.want)
		}
	}
}
