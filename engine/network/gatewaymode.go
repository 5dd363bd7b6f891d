package network

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables/expr"
)

// GatewayMode says what the host is to a bridge network in one address family.
type GatewayMode string

const (
	// Protected is docker's "nat" and what a network has unless it says otherwise: who is
	// outside reaches the published ports, by addresses of the host.
	Protected GatewayMode = ""
	// Unprotected lets who has a route to the subnet reach every port, too.
	Unprotected GatewayMode = "nat-unprotected"
	// Routed has no translation of addresses at all: who has a route to the subnet reaches the
	// published ports at the container's own address, and the container is seen by it.
	Routed GatewayMode = "routed"
	// Apart gives the bridge no address: not even the host is a neighbour. It is for internal networks.
	Apart GatewayMode = "isolated"
	// Elsewhere gives the bridge no address either; the gateway's belongs to some other
	// machine on the bridge (com.docker.network.bridge.inhibit_ipv4).
	Elsewhere GatewayMode = "inhibited"
)

const (
	optMode4    = "com.docker.network.bridge.gateway_mode_ipv4"
	optMode6    = "com.docker.network.bridge.gateway_mode_ipv6"
	optInhibit4 = "com.docker.network.bridge.inhibit_ipv4"
)

// gatewayMode reads the option of this name.
func (n *Network) gatewayMode(value string) (GatewayMode, error) {
	switch value {
	case "", "nat":
		return Protected, nil
	case string(Unprotected), string(Routed):
		return GatewayMode(value), nil
	case string(Apart):
		if !n.Internal {
			return Protected, fmt.Errorf("gateway mode 'isolated' can only be used for an internal network")
		}
		return Apart, nil
	}
	return Protected, fmt.Errorf("unknown gateway mode %s", value)
}

// mode is that of one family.
func (n *Network) mode(six bool) GatewayMode {
	if six {
		return n.Gateway6
	}
	return n.Gateway4
}

// selfSufficient tells that nothing leads out of n, and so no address is set aside for a gateway.
func (n *Network) selfSufficient(six bool) bool {
	mode := n.mode(six)
	return n.Internal && (mode == Apart || mode == Elsewhere || n.macvlan())
}

// ownAddress is the bridge's own address in the family of p, invalid if it has none.
func (n *Network) ownAddress(p Pool) netip.Addr {
	if mode := n.mode(p.Subnet.Addr().Is6()); mode == Apart || mode == Elsewhere {
		return netip.Addr{}
	}
	return p.Gateway
}

// dropNeighbours: containers of an unprotected network are reached from everywhere but
// from the bridge of another one, whose own they would become.
// iifname OTHER oifname DEVICE ct status != dnat drop
func dropNeighbours(n, other *Network) rule {
	e := append(device(expr.MetaKeyIIFNAME, expr.CmpOpEq, other.Device), device(expr.MetaKeyOIFNAME, expr.CmpOpEq, n.Device)...)
	e = append(e, conntrack(expr.CtKeySTATUS, expr.CmpOpEq, dnatStatus)...)
	return append(e, &expr.Verdict{Kind: expr.VerdictDrop})
}
