package network

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
)

// Containers reach out because the host forwards. A host that did not before is no
// router, and does not become one for its neighbours: if it was an engine that turned
// forwarding on, its table drops what is neither from nor to a bridge. Bridges of others
// (dockerd's, a hypervisor's) are left to their owners, who find forwarding on and take
// no such measure themselves.

// Keys of nft's meta expression for the kind of a device (linux/netfilter/nf_tables.h).
const (
	metaIIFKind expr.MetaKey = 26
	metaOIFKind expr.MetaKey = 27
)

// forwardings are the settings that turn forwarding on, by family.
func (f *family) forwardings() []string {
	if f.size == 4 {
		return []string{"net/ipv4/ip_forward"}
	}
	return []string{"net/ipv6/conf/default/forwarding", "net/ipv6/conf/all/forwarding"}
}

// turnedOn is a file that is there while it is this engine that has the host forward.
func (m *Manager) turnedOn(f *family) string {
	return filepath.Join(m.state, fmt.Sprintf("forwarding%d", f.size))
}

// startForwarding turns forwarding on for the families of n where it is off.
func (m *Manager) startForwarding(n *Network) error {
	for _, f := range families {
		if !f.pool(n).Valid() {
			continue
		}
		settings := f.forwardings()
		last := settings[len(settings)-1]
		was, err := os.ReadFile(filepath.Join("/proc/sys", last))
		if err != nil {
			return fmt.Errorf("read sysctl %s: %w", last, err)
		}
		if string(bytes.TrimSpace(was)) != "0" {
			continue
		}
		// The mark and the rule first: at no instant is the host an open router.
		if err := os.WriteFile(m.turnedOn(f), nil, 0o600); err != nil {
			return fmt.Errorf("note that forwarding is turned on: %w", err)
		}
		m.fw.router[f] = true
		if err := m.fw.setup(m.nets, m.ends); err != nil {
			return err
		}
		if f.size == 16 {
			if err := keepBelieving(); err != nil {
				return err
			}
		}
		for _, s := range settings {
			if err := setSysctl(s, "1"); err != nil {
				return err
			}
		}
	}
	return nil
}

// stopForwarding turns off what startForwarding turned on, unless somebody else has a
// bridge by now, and relies on it.
func (m *Manager) stopForwarding() error {
	for _, f := range families {
		if !m.fw.router[f] {
			continue
		}
		links, err := dump(netlink.LinkList)
		if err != nil {
			return fmt.Errorf("list network devices: %w", err)
		}
		shared := false
		for _, l := range links {
			shared = shared || l.Type() == "bridge"
		}
		if !shared {
			for _, s := range f.forwardings() {
				if err := setSysctl(s, "0"); err != nil {
					return err
				}
			}
		}
		m.fw.router[f] = false
		if err := os.Remove(m.turnedOn(f)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("note that forwarding is turned off: %w", err)
		}
	}
	return nil
}

// keepBelieving has devices that take their routes from router advertisements go on
// with it: a host that forwards does not, unless it is told so by a 2
// (Documentation/networking/ip-sysctl.rst, accept_ra), and would lose its way out.
func keepBelieving() error {
	files, err := filepath.Glob("/proc/sys/net/ipv6/conf/*/accept_ra")
	if err != nil {
		return fmt.Errorf("list the devices of IPv6: %w", err)
	}
	for _, file := range files {
		if b, err := os.ReadFile(file); err != nil || string(bytes.TrimSpace(b)) != "1" {
			continue
		}
		switch filepath.Base(filepath.Dir(file)) {
		case "all", "default", "lo":
			continue
		}
		if err := os.WriteFile(file, []byte("2"), 0o644); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("keep the host's IPv6 routes: %w", err)
		}
	}
	return nil
}

// dropRouted is the chain that keeps the host from routing for others:
//
//	iifname DEVICE accept, oifname DEVICE accept   for each bridge
//	iifkind "bridge" accept, oifkind "bridge" accept
//	drop
func dropRouted(c *nftables.Conn, t *nftables.Table, nets []*Network, rule func(*nftables.Chain, rule)) {
	ch := c.AddChain(chain(t, "router", nftables.ChainTypeFilter, nftables.ChainHookForward, *nftables.ChainPriorityFilter))
	add := func(r []expr.Any, verdict expr.VerdictKind) { rule(ch, append(r, &expr.Verdict{Kind: verdict})) }
	for _, n := range nets {
		add(device(expr.MetaKeyIIFNAME, expr.CmpOpEq, n.Device), expr.VerdictAccept)
		add(device(expr.MetaKeyOIFNAME, expr.CmpOpEq, n.Device), expr.VerdictAccept)
	}
	for _, key := range []expr.MetaKey{metaIIFKind, metaOIFKind} {
		add(device(key, expr.CmpOpEq, "bridge"), expr.VerdictAccept)
	}
	add(nil, expr.VerdictDrop)
}
