package network

import (
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// In the gateway mode Routed a published port is no port of the host: nothing is reserved
// and nothing translated. It is an element of a set, by which the firewall knows what to let pass.

// routed tells of a chosen binding that it has no port of the host.
func (b PortBinding) routed() bool { return b.HostPort == 0 }

// onHost are those of ports that are the host's.
func onHost(ports []PortBinding) []PortBinding {
	return slices.DeleteFunc(slices.Clone(ports), PortBinding.routed)
}

// open is the set of the ports that are reached at their containers' own addresses.
func (f *family) open(t *nftables.Table) *nftables.Set {
	return &nftables.Set{
		Table: t, Name: "open", Concatenation: true,
		KeyType: nftables.MustConcatSetType(f.addr, nftables.TypeInetProto, nftables.TypeInetService),
	}
}

// passOpen: oifname DEVICE ip daddr . meta l4proto . th dport @open accept
func (f *family) passOpen(n *Network, open *nftables.Set) rule {
	return append(device(expr.MetaKeyOIFNAME, expr.CmpOpEq, n.Device),
		&expr.Payload{DestRegister: reg32, Base: expr.PayloadBaseNetworkHeader, Offset: f.dst, Len: f.size},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: f.portReg()},
		destPort(f.portReg()+1),
		&expr.Lookup{SourceRegister: reg32, SetName: open.Name, SetID: open.ID},
		&expr.Verdict{Kind: expr.VerdictAccept})
}

// passICMP: oifname DEVICE meta l4proto icmp accept. Who is routed to is pinged, and told
// how large a packet may be.
func (f *family) passICMP(n *Network) rule {
	proto := byte(unix.IPPROTO_ICMP)
	if f.size == 16 {
		proto = unix.IPPROTO_ICMPV6
	}
	return append(device(expr.MetaKeyOIFNAME, expr.CmpOpEq, n.Device),
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: []byte{proto}},
		&expr.Verdict{Kind: expr.VerdictAccept})
}
