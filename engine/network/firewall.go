package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// firewall is the engine's nftables, one table for each address family. setup
// replaces both whole in one transaction; publish and unpublish change elements
// of their two maps.
//
//	anywhere: proto . port          → address . port
//	at:       address . proto . port → address . port
//	open:     address . proto . port, a set (see Routed)
//	proxied:  address . proto . port, a set (see family.proxied)
type firewall struct {
	table  string
	router map[*family]bool // whether the host forwards because of us
	there  map[*family]bool // whether there is a table; transactions guards it, and rules
	rules  map[*family]int  // how many the table has
	own    senders
}

const ifNameLen = 16

// Register numbers of nf_tables.h: NFT_REG_1 overlays NFT_REG32_00 to _03.
const (
	reg1  = 1
	reg32 = 8 // NFT_REG32_00, the first of a concatenation
)

// family is what differs between IPv4 and IPv6.
type family struct {
	table    nftables.TableFamily
	nat      uint32
	addr     nftables.SetDatatype
	size     uint32 // bytes of an address
	src, dst uint32 // where they are in a packet's header
	pool     func(*Network) *Pool
	ip       func(*Endpoint) netip.Addr
	loopback netip.Prefix // whose addresses reach a container although nothing there can answer to them
}

var families = []*family{
	{
		table: nftables.TableFamilyIPv4, nat: unix.NFPROTO_IPV4, addr: nftables.TypeIPAddr, size: 4, src: 12, dst: 16,
		pool: func(n *Network) *Pool { return &n.V4 }, ip: func(e *Endpoint) netip.Addr { return e.IP },
		loopback: netip.MustParsePrefix("127.0.0.0/8"),
	},
	{
		table: nftables.TableFamilyIPv6, nat: unix.NFPROTO_IPV6, addr: nftables.TypeIP6Addr, size: 16, src: 8, dst: 24,
		pool: func(n *Network) *Pool { return &n.V6 }, ip: func(e *Endpoint) netip.Addr { return e.IP6 },
		loopback: netip.MustParsePrefix("::1/128"),
	},
}

// portReg is the register behind an address at the beginning of a concatenation.
func (f *family) portReg() uint32 { return reg32 + f.size/4 }

func (fw *firewall) tableOf(f *family) *nftables.Table {
	return &nftables.Table{Name: fw.table, Family: f.table}
}

func (f *family) anywhere(t *nftables.Table) *nftables.Set {
	return &nftables.Set{
		Table: t, Name: "anywhere", IsMap: true, Concatenation: true,
		KeyType:  nftables.MustConcatSetType(nftables.TypeInetProto, nftables.TypeInetService),
		DataType: nftables.MustConcatSetType(f.addr, nftables.TypeInetService),
	}
}

func (f *family) at(t *nftables.Table) *nftables.Set {
	return &nftables.Set{
		Table: t, Name: "at", IsMap: true, Concatenation: true,
		KeyType:  nftables.MustConcatSetType(f.addr, nftables.TypeInetProto, nftables.TypeInetService),
		DataType: nftables.MustConcatSetType(f.addr, nftables.TypeInetService),
	}
}

// setup replaces the tables by those for nets with the ports of ends. There is
// one for IPv6 only if a network has it.
func (fw *firewall) setup(nets map[string]*Network, ends map[string][]*Endpoint) error {
	return fw.transaction("install", func(c *nftables.Conn) error {
		for _, f := range families {
			var with []*Network
			for _, n := range bridges(nets) {
				if f.pool(n).Valid() {
					with = append(with, n)
				}
			}
			t := fw.tableOf(f)
			c.AddTable(t) // so that the deletion finds one
			c.DelTable(t)
			if fw.there[f] = len(with) > 0; !fw.there[f] {
				continue
			}
			fw.rules[f] = 0
			add := func(ch *nftables.Chain, r rule) {
				fw.rules[f]++
				c.AddRule(&nftables.Rule{Table: t, Chain: ch, Exprs: r})
			}
			if err := f.describe(c, t, with, add); err != nil {
				return err
			}
			if fw.router[f] {
				dropRouted(c, t, with, add)
			}
			for _, of := range ends {
				for _, e := range of {
					if e.leaving {
						continue
					}
					if err := f.elements(t, e, c.SetAddElements); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

// describe writes a table for nets.
func (f *family) describe(c *nftables.Conn, t *nftables.Table, nets []*Network, rule func(*nftables.Chain, rule)) error {
	c.AddTable(t)
	anywhere, at, open, proxied := f.anywhere(t), f.at(t), f.open(t), f.proxied(t)
	if err := errors.Join(c.AddSet(anywhere, nil), c.AddSet(at, nil), c.AddSet(open, nil), c.AddSet(proxied, nil)); err != nil {
		return fmt.Errorf("describe the port maps: %w", err)
	}
	pre := c.AddChain(chain(t, "prerouting", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, *nftables.ChainPriorityNATDest))
	out := c.AddChain(chain(t, "output", nftables.ChainTypeNAT, nftables.ChainHookOutput, *nftables.ChainPriorityNATDest))
	post := c.AddChain(chain(t, "postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource-1))
	guard := c.AddChain(chain(t, "guard", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, *nftables.ChainPriorityRaw))
	forward := c.AddChain(chain(t, "forward", nftables.ChainTypeFilter, nftables.ChainHookForward, *nftables.ChainPriorityFilter))
	input := c.AddChain(chain(t, "input", nftables.ChainTypeFilter, nftables.ChainHookInput, *nftables.ChainPriorityFilter))
	if f.size == 16 { // IPv6 has no route_localnet: the sockets that reserve the ports take what is for ::1
		rule(out, append(match(f.dst, f.loopback), &expr.Verdict{Kind: expr.VerdictAccept}))
	}
	for _, ch := range []*nftables.Chain{pre, out} {
		rule(ch, f.dnatAt(at))
		rule(ch, f.dnatAnywhere(anywhere))
	}
	// What most packets are asked comes first, so that their way is as short with many
	// networks as with one.
	rule(guard, f.passUnlessLoopback())
	for _, n := range nets {
		if n.Internal {
			rule(forward, dropLeaving(n))
			rule(forward, dropEntering(n))
			for _, r := range f.dropProxied(n, proxied) {
				rule(input, r)
			}
		}
	}
	rule(forward, passEstablished())
	for _, n := range nets {
		if !n.Internal && !n.NoMasquerade && n.mode(f.size == 16) != Routed {
			rule(post, f.masqueradeLeaving(n))
		}
		if f.size == 4 {
			rule(post, f.masqueradeInto(n, f.loopback))
		}
		rule(post, f.masqueradeHairpin(n))
		rule(post, f.keepSource(n))
		rule(guard, f.dropLoopback(n))
		if !n.Internal {
			f.describeForward(n, nets, open, func(r []expr.Any) { rule(forward, r) })
		}
	}
	return nil
}

// describeForward writes which new connections reach n, one of nets, and where those of n do not.
func (f *family) describeForward(n *Network, nets []*Network, open *nftables.Set, forward func(rule)) {
	mode := n.mode(f.size == 16)
	if mode == Routed {
		forward(f.passOpen(n, open))
		forward(f.passICMP(n))
	}
	if mode != Unprotected {
		forward(dropUnpublished(n))
	} else {
		for _, other := range nets {
			if other != n {
				forward(dropNeighbours(n, other))
			}
		}
	}
	for _, s := range strangers {
		forward(dropToStrangers(n, s))
	}
}

// publish makes e's ports reach it. That they do already is no error.
func (fw *firewall) publish(e *Endpoint) error {
	err := fw.change(e, "publish", func(c *nftables.Conn) func(*nftables.Set, []nftables.SetElement) error { return c.SetAddElements })
	if err != nil {
		return err
	}
	return flushFlows(e)
}

// unpublish removes e's elements; that the table is gone is no error.
func (fw *firewall) unpublish(e *Endpoint) error {
	err := fw.change(e, "unpublish", func(c *nftables.Conn) func(*nftables.Set, []nftables.SetElement) error { return c.SetDeleteElements })
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

func (fw *firewall) change(e *Endpoint, what string, op func(*nftables.Conn) func(*nftables.Set, []nftables.SetElement) error) error {
	if len(e.Ports) == 0 {
		return nil
	}
	return fw.transaction(what+" the ports of container "+e.ContainerID+" in", func(c *nftables.Conn) error {
		for _, f := range families {
			if !fw.there[f] && !f.ip(e).IsValid() {
				continue // nobody of the family has to be kept from its ports
			}
			if err := f.elements(fw.tableOf(f), e, op(c)); err != nil {
				return err
			}
		}
		return nil
	})
}

// elements applies op to the map elements of e's ports.
func (f *family) elements(t *nftables.Table, e *Endpoint, op func(*nftables.Set, []nftables.SetElement) error) error {
	ip := f.ip(e)
	for _, p := range e.Ports {
		if f.proxy(e, p) {
			key := slices.Concat(p.HostIP.AsSlice(), word(byte(protocols[p.Proto].proto)), port(p.HostPort))
			if err := op(f.proxied(t), []nftables.SetElement{{Key: key}}); err != nil {
				return fmt.Errorf("describe port %d/%s of container %s: %w", p.HostPort, p.Proto, e.ContainerID, err)
			}
			continue
		}
		if !ip.IsValid() || p.HostIP.Is4() != ip.Is4() {
			continue
		}
		if p.routed() {
			key := slices.Concat(ip.AsSlice(), word(byte(protocols[p.Proto].proto)), port(p.ContainerPort))
			if err := op(f.open(t), []nftables.SetElement{{Key: key}}); err != nil {
				return fmt.Errorf("describe port %d/%s of container %s: %w", p.ContainerPort, p.Proto, e.ContainerID, err)
			}
			continue
		}
		set := f.anywhere(t)
		key := slices.Concat(word(byte(protocols[p.Proto].proto)), port(p.HostPort))
		if !p.HostIP.IsUnspecified() {
			set = f.at(t)
			key = slices.Concat(p.HostIP.AsSlice(), key)
		}
		val := slices.Concat(ip.AsSlice(), port(p.ContainerPort))
		if err := op(set, []nftables.SetElement{{Key: key, Val: val}}); err != nil {
			return fmt.Errorf("describe port %d/%s of container %s: %w", p.HostPort, p.Proto, e.ContainerID, err)
		}
	}
	return nil
}

// remove deletes the tables; that there are none is no error.
func (fw *firewall) remove() error {
	return fw.transaction("remove", func(c *nftables.Conn) error {
		for _, f := range families {
			c.AddTable(fw.tableOf(f)) // so that the deletion finds one
			c.DelTable(fw.tableOf(f))
		}
		return nil
	})
}

// transactions go one at a time, whoever's they are: nftables.Conn.AddSet numbers the sets
// of a batch by a variable of its package.
var transactions sync.Mutex

// transaction applies what fn says to the kernel, all of it or nothing.
func (fw *firewall) transaction(what string, fn func(*nftables.Conn) error) error {
	transactions.Lock()
	defer transactions.Unlock()
	c, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(fw.own.note))
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	defer c.CloseLasting() // it has no news
	if err := fn(c); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("%s nftables table %s: %w", what, fw.table, err)
	}
	return nil
}

func chain(t *nftables.Table, name string, typ nftables.ChainType, hook *nftables.ChainHook, prio nftables.ChainPriority) *nftables.Chain {
	return &nftables.Chain{Table: t, Name: name, Type: typ, Hooknum: hook, Priority: &prio}
}

// word and port pad a concatenation's parts to the 32 bits of a register.
func word(b byte) []byte { return []byte{b, 0, 0, 0} }

func port(p uint16) []byte { return append(binaryutil.BigEndian.PutUint16(p), 0, 0) }
