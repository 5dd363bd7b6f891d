package network

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// flushFlows makes the kernel forget what goes to e's datagram ports and does not reach
// e: a flow keeps the translation that it had with its first packet as long as it goes
// on, so that a client which has been asking since before the port was published would
// never be heard.
func flushFlows(e *Endpoint) error {
	for _, f := range families {
		stale := staleFlows{to: f.ip(e), ports: map[uint16]netip.Addr{}}
		for _, b := range onHost(e.Ports) {
			if b.Proto == "udp" && stale.to.IsValid() && b.HostIP.Is4() == stale.to.Is4() {
				stale.ports[b.HostPort] = b.HostIP
			}
		}
		if len(stale.ports) == 0 {
			continue
		}
		family := netlink.FAMILY_V4
		if stale.to.Is6() {
			family = netlink.FAMILY_V6
		}
		addrs, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, family) })
		if err != nil {
			return fmt.Errorf("list the host's addresses: %w", err)
		}
		stale.local = map[netip.Addr]bool{}
		for _, a := range addrs {
			if ip, ok := netip.AddrFromSlice(a.IP); ok {
				stale.local[ip.Unmap()] = true
			}
		}
		if _, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, netlink.InetFamily(family), stale); err != nil {
			return fmt.Errorf("forget the flows to the ports of container %s: %w", e.ContainerID, err)
		}
	}
	return nil
}

// staleFlows are flows to ports of the host that go elsewhere than to one address. It
// implements netlink.CustomConntrackFilter.
type staleFlows struct {
	to    netip.Addr
	ports map[uint16]netip.Addr // and at which address of the host
	local map[netip.Addr]bool
}

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (s staleFlows) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	at, ours := s.ports[flow.Forward.DstPort]
	if !ours || flow.Forward.Protocol != unix.IPPROTO_UDP {
		return false
	}
	asked, _ := netip.AddrFromSlice(flow.Forward.DstIP)
	answers, _ := netip.AddrFromSlice(flow.Reverse.SrcIP)
	asked, answers = asked.Unmap(), answers.Unmap()
	return answers != s.to && (asked == at || at.IsUnspecified() && (s.local[asked] || asked.IsLoopback()))
}
