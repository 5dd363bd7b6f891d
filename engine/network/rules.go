package network

import (
	"net"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// rule is a rule in the kernel's terms; the comment above each function is what
// nft(8) makes of it for IPv4.
type rule = []expr.Any

// dnatAnywhere: fib daddr type local dnat ip to meta l4proto . th dport map @anywhere
func (f *family) dnatAnywhere(m *nftables.Set) rule {
	return rule{
		&expr.Fib{Register: reg1, FlagDADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: []byte{unix.RTN_LOCAL, 0, 0, 0}},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg32},
		destPort(reg32 + 1),
		&expr.Lookup{SourceRegister: reg32, DestRegister: reg32, IsDestRegSet: true, SetName: m.Name, SetID: m.ID},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: f.nat, RegAddrMin: reg32, RegProtoMin: f.portReg(), Specified: true},
	}
}

// dnatAt: dnat ip to ip daddr . meta l4proto . th dport map @at
func (f *family) dnatAt(m *nftables.Set) rule {
	return rule{
		&expr.Payload{DestRegister: reg32, Base: expr.PayloadBaseNetworkHeader, Offset: f.dst, Len: f.size},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: f.portReg()},
		destPort(f.portReg() + 1),
		&expr.Lookup{SourceRegister: reg32, DestRegister: reg32, IsDestRegSet: true, SetName: m.Name, SetID: m.ID},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: f.nat, RegAddrMin: reg32, RegProtoMin: f.portReg(), Specified: true},
	}
}

// destPort loads the destination port, which TCP, UDP and SCTP have alike.
func destPort(register uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
}

// masqueradeLeaving: ip saddr SUBNET oifname != DEVICE masquerade
func (f *family) masqueradeLeaving(n *Network) rule {
	return append(append(match(f.src, f.pool(n).Subnet), device(expr.MetaKeyOIFNAME, expr.CmpOpNeq, n.Device)...), &expr.Masq{})
}

// masqueradeInto: ip saddr FROM oifname DEVICE masquerade, since nothing in a
// container can answer to a loopback address of the host.
func (f *family) masqueradeInto(n *Network, from netip.Prefix) rule {
	return append(append(match(f.src, from), device(expr.MetaKeyOIFNAME, expr.CmpOpEq, n.Device)...), &expr.Masq{})
}

// masqueradeHairpin: a container that reaches itself or its neighbour through
// a published port must see the answer come back through the host.
// ip saddr SUBNET oifname DEVICE ct status dnat masquerade
func (f *family) masqueradeHairpin(n *Network) rule {
	e := append(match(f.src, f.pool(n).Subnet), device(expr.MetaKeyOIFNAME, expr.CmpOpEq, n.Device)...)
	return append(append(e, conntrack(expr.CtKeySTATUS, expr.CmpOpNeq, dnatStatus)...), &expr.Masq{})
}

// keepSource: who talks to a neighbour is seen by its own address, even where a
// rule of somebody else would masquerade the subnet, such as dockerd's that stays
// when its bridge is gone. The first chain that translates an address decides
// (net/netfilter/nf_nat_core.c, nf_nat_inet_fn), so it is translated to itself.
// ip saddr SUBNET oifname DEVICE snat to ip saddr
func (f *family) keepSource(n *Network) rule {
	e := append(match(f.src, f.pool(n).Subnet), device(expr.MetaKeyOIFNAME, expr.CmpOpEq, n.Device)...)
	return append(e,
		&expr.Payload{DestRegister: reg1, Base: expr.PayloadBaseNetworkHeader, Offset: f.src, Len: f.size},
		&expr.NAT{Type: expr.NATTypeSourceNAT, Family: f.nat, RegAddrMin: reg1})
}

// dnatStatus is IPS_DST_NAT of nf_conntrack_common.h.
const dnatStatus = 1 << 5

// passEstablished: ct state established,related accept. Chains of others still see it.
func passEstablished() rule {
	e := conntrack(expr.CtKeySTATE, expr.CmpOpNeq, byte(expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED))
	return append(e, &expr.Verdict{Kind: expr.VerdictAccept})
}

// dropUnpublished: who is beyond another device reaches a container by the
// ports it publishes only.
// iifname != DEVICE oifname DEVICE ct status != dnat drop
func dropUnpublished(n *Network) rule {
	e := append(device(expr.MetaKeyIIFNAME, expr.CmpOpNeq, n.Device), device(expr.MetaKeyOIFNAME, expr.CmpOpEq, n.Device)...)
	e = append(e, conntrack(expr.CtKeySTATUS, expr.CmpOpEq, dnatStatus)...)
	return append(e, &expr.Verdict{Kind: expr.VerdictDrop})
}

// dropLeaving: nothing of an internal network goes elsewhere.
// iifname DEVICE oifname != DEVICE drop
func dropLeaving(n *Network) rule {
	e := append(device(expr.MetaKeyIIFNAME, expr.CmpOpEq, n.Device), device(expr.MetaKeyOIFNAME, expr.CmpOpNeq, n.Device)...)
	return append(e, &expr.Verdict{Kind: expr.VerdictDrop})
}

// dropEntering: and nothing comes in from elsewhere.
// iifname != DEVICE oifname DEVICE drop
func dropEntering(n *Network) rule {
	e := append(device(expr.MetaKeyIIFNAME, expr.CmpOpNeq, n.Device), device(expr.MetaKeyOIFNAME, expr.CmpOpEq, n.Device)...)
	return append(e, &expr.Verdict{Kind: expr.VerdictDrop})
}

// conntrack compares the bits of a packet's connection with none.
func conntrack(key expr.CtKey, op expr.CmpOp, bits byte) rule {
	return rule{
		&expr.Ct{Key: key, Register: reg1},
		&expr.Bitwise{SourceRegister: reg1, DestRegister: reg1, Len: 4, Mask: []byte{bits, 0, 0, 0}, Xor: make([]byte, 4)},
		&expr.Cmp{Op: op, Register: reg1, Data: make([]byte, 4)},
	}
}

// passUnlessLoopback: ip daddr != 127.0.0.0/8 accept
func (f *family) passUnlessLoopback() rule {
	e := match(f.dst, f.loopback)
	e[len(e)-1].(*expr.Cmp).Op = expr.CmpOpNeq
	return append(e, &expr.Verdict{Kind: expr.VerdictAccept})
}

// dropLoopback: iifname DEVICE ip daddr 127.0.0.0/8 drop
func (f *family) dropLoopback(n *Network) rule {
	e := append(device(expr.MetaKeyIIFNAME, expr.CmpOpEq, n.Device), match(f.dst, f.loopback)...)
	return append(e, &expr.Verdict{Kind: expr.VerdictDrop})
}

func match(offset uint32, p netip.Prefix) rule {
	bits := p.Addr().BitLen()
	size := uint32(bits / 8)
	return rule{
		&expr.Payload{DestRegister: reg1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size},
		&expr.Bitwise{SourceRegister: reg1, DestRegister: reg1, Len: size, Mask: net.CIDRMask(p.Bits(), bits), Xor: make([]byte, size)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: p.Addr().AsSlice()},
	}
}

func device(key expr.MetaKey, op expr.CmpOp, name string) rule {
	padded := make([]byte, ifNameLen)
	copy(padded, name)
	return rule{
		&expr.Meta{Key: key, Register: reg1},
		&expr.Cmp{Op: op, Register: reg1, Data: padded},
	}
}
