package network

import (
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// A port whose container has no address of the family is not translated: the socket of the
// container's shim takes what arrives, and the shim passes it on. To the firewall that is
// traffic with the host, and not between networks. So what must not leave an internal network
// is kept from such sockets at the host's own door.

// proxied is the set of these ports; an unspecified address is every one of the host.
func (f *family) proxied(t *nftables.Table) *nftables.Set {
	return &nftables.Set{
		Table: t, Name: "proxied", Concatenation: true,
		KeyType: nftables.MustConcatSetType(f.addr, nftables.TypeInetProto, nftables.TypeInetService),
	}
}

// proxy tells whether b, a binding of e, is one of them in this family.
func (f *family) proxy(e *Endpoint, b PortBinding) bool {
	return !f.ip(e).IsValid() && b.HostIP.Is4() == (f.size == 4) && !b.routed()
}

// dropProxied are two rules, for ports at one address and at all of them:
//
//	iifname DEVICE ip daddr . meta l4proto . th dport @proxied drop
//	iifname DEVICE 0.0.0.0 . meta l4proto . th dport @proxied drop
func (f *family) dropProxied(n *Network, set *nftables.Set) []rule {
	var out []rule
	for _, addr := range []expr.Any{
		&expr.Payload{DestRegister: reg32, Base: expr.PayloadBaseNetworkHeader, Offset: f.dst, Len: f.size},
		&expr.Immediate{Register: reg32, Data: make([]byte, f.size)},
	} {
		out = append(out, slices.Concat(device(expr.MetaKeyIIFNAME, expr.CmpOpEq, n.Device), rule{
			addr,
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: f.portReg()},
			destPort(f.portReg() + 1),
			&expr.Lookup{SourceRegister: reg32, SetName: set.Name, SetID: set.ID},
			&expr.Verdict{Kind: expr.VerdictDrop},
		}))
	}
	return out
}
