package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"golang.org/x/sys/unix"
)

// firewall is the engine's nftables table. setup replaces it whole in one
// transaction; publish and unpublish change elements of its two maps.
//
//	anywhere: proto . port          → address . port
//	at:       address . proto . port → address . port
type firewall struct {
	table string
	mu    sync.Mutex
}

const ifNameLen = 16

// Register numbers of nf_tables.h: NFT_REG_1 overlays NFT_REG32_00 to _03.
const (
	reg1   = 1
	reg32  = 8 // NFT_REG32_00, the first of a concatenation
	portRg = reg32 + 1
)

func (f *firewall) tableOf() *nftables.Table {
	return &nftables.Table{Name: f.table, Family: nftables.TableFamilyIPv4}
}

func (f *firewall) anywhere(t *nftables.Table) *nftables.Set {
	return &nftables.Set{
		Table: t, Name: "anywhere", IsMap: true, Concatenation: true,
		KeyType:  nftables.MustConcatSetType(nftables.TypeInetProto, nftables.TypeInetService),
		DataType: nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService),
	}
}

func (f *firewall) at(t *nftables.Table) *nftables.Set {
	return &nftables.Set{
		Table: t, Name: "at", IsMap: true, Concatenation: true,
		KeyType:  nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetProto, nftables.TypeInetService),
		DataType: nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService),
	}
}

// setup replaces the table by one for nets with the ports of ends.
func (f *firewall) setup(nets map[string]*Network, ends map[string]*Endpoint) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	t := f.tableOf()
	c.AddTable(t) // so that the deletion finds one
	c.DelTable(t)
	c.AddTable(t)
	anywhere, at := f.anywhere(t), f.at(t)
	if err := errors.Join(c.AddSet(anywhere, nil), c.AddSet(at, nil)); err != nil {
		return fmt.Errorf("describe the port maps: %w", err)
	}
	pre := c.AddChain(chain(t, "prerouting", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, *nftables.ChainPriorityNATDest))
	out := c.AddChain(chain(t, "output", nftables.ChainTypeNAT, nftables.ChainHookOutput, *nftables.ChainPriorityNATDest))
	post := c.AddChain(chain(t, "postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource-1))
	guard := c.AddChain(chain(t, "guard", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, *nftables.ChainPriorityRaw))
	forward := c.AddChain(chain(t, "forward", nftables.ChainTypeFilter, nftables.ChainHookForward, *nftables.ChainPriorityFilter))
	for _, ch := range []*nftables.Chain{pre, out} {
		c.AddRule(&nftables.Rule{Table: t, Chain: ch, Exprs: dnatAt(at)})
		c.AddRule(&nftables.Rule{Table: t, Chain: ch, Exprs: dnatAnywhere(anywhere)})
	}
	for _, n := range nets {
		c.AddRule(&nftables.Rule{Table: t, Chain: post, Exprs: masqueradeLeaving(n)})
		c.AddRule(&nftables.Rule{Table: t, Chain: post, Exprs: masqueradeInto(n, netip.MustParsePrefix("127.0.0.0/8"))})
		c.AddRule(&nftables.Rule{Table: t, Chain: post, Exprs: masqueradeHairpin(n)})
		c.AddRule(&nftables.Rule{Table: t, Chain: post, Exprs: keepSource(n)})
		c.AddRule(&nftables.Rule{Table: t, Chain: guard, Exprs: dropLoopback(n)})
		c.AddRule(&nftables.Rule{Table: t, Chain: forward, Exprs: dropUnpublished(n)})
	}
	for _, e := range ends {
		if err := f.elements(c, e, c.SetAddElements); err != nil {
			return err
		}
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("install nftables table %s: %w", f.table, err)
	}
	return nil
}

func (f *firewall) publish(e *Endpoint) error {
	return f.change(e, "publish", func(c *nftables.Conn) error { return f.elements(c, e, c.SetAddElements) })
}

// unpublish removes e's elements; that the table is gone is no error.
func (f *firewall) unpublish(e *Endpoint) error {
	err := f.change(e, "unpublish", func(c *nftables.Conn) error { return f.elements(c, e, c.SetDeleteElements) })
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

func (f *firewall) change(e *Endpoint, what string, fn func(*nftables.Conn) error) error {
	if len(e.Ports) == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	if err := fn(c); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("%s the ports of container %s in nftables table %s: %w", what, e.ContainerID, f.table, err)
	}
	return nil
}

// elements applies op to the map elements of e's ports.
func (f *firewall) elements(c *nftables.Conn, e *Endpoint, op func(*nftables.Set, []nftables.SetElement) error) error {
	t := f.tableOf()
	for _, p := range e.Ports {
		set := f.anywhere(t)
		key := slices.Concat(word(byte(protocols[p.Proto].proto)), port(p.HostPort))
		if !p.HostIP.IsUnspecified() {
			set = f.at(t)
			key = slices.Concat(p.HostIP.AsSlice(), key)
		}
		val := slices.Concat(e.IP.AsSlice(), port(p.ContainerPort))
		if err := op(set, []nftables.SetElement{{Key: key, Val: val}}); err != nil {
			return fmt.Errorf("describe port %d/%s of container %s: %w", p.HostPort, p.Proto, e.ContainerID, err)
		}
	}
	return nil
}

// remove deletes the table; that there is none is no error.
func (f *firewall) remove() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	c.DelTable(f.tableOf())
	if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove nftables table %s: %w", f.table, err)
	}
	return nil
}

func chain(t *nftables.Table, name string, typ nftables.ChainType, hook *nftables.ChainHook, prio nftables.ChainPriority) *nftables.Chain {
	return &nftables.Chain{Table: t, Name: name, Type: typ, Hooknum: hook, Priority: &prio}
}

// word and port pad a concatenation's parts to the 32 bits of a register.
func word(b byte) []byte { return []byte{b, 0, 0, 0} }

func port(p uint16) []byte { return append(binaryutil.BigEndian.PutUint16(p), 0, 0) }
