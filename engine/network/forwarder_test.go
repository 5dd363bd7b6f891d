package network

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// teller starts a name server that tells everybody address, on port 53 of at in the namespace ns
// (nil: on a port of this one's), until the test ends; and counts what it is asked.
func teller(t *testing.T, ns *os.File, at netip.Addr, address string) (netip.AddrPort, *atomic.Int64) {
	t.Helper()
	var udp *net.UDPConn
	var tcp *net.TCPListener
	open := func(port int) (err error) {
		if tcp, err = net.ListenTCP("tcp", &net.TCPAddr{IP: at.AsSlice(), Port: port}); err != nil {
			return err
		}
		udp, err = net.ListenUDP("udp", &net.UDPAddr{IP: at.AsSlice(), Port: tcp.Addr().(*net.TCPAddr).Port})
		return err
	}
	var err error
	if ns == nil {
		err = open(0)
	} else {
		err = enter(ns, func() error { return open(53) })
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { udp.Close(); tcp.Close() })
	asked := new(atomic.Int64)
	reply := func(query []byte) []byte {
		asked.Add(1)
		var m dnsmessage.Message
		if err := m.Unpack(query); err != nil {
			t.Error(err)
			return nil
		}
		m.Response = true
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET},
			Body:   &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()},
		}}
		b, err := m.Pack()
		if err != nil {
			t.Error(err)
		}
		return b
	}
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := udp.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			udp.WriteToUDPAddrPort(reply(buf[:n]), from)
		}
	}()
	go func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			var size [2]byte
			if _, err := io.ReadFull(c, size[:]); err == nil {
				query := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(c, query); err == nil {
					b := reply(query)
					c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
				}
			}
			c.Close()
		}
	}()
	return udp.LocalAddr().(*net.UDPAddr).AddrPort(), asked
}

// A name server is asked from the container's own network, so that one can be asked that only
// this network reaches, and none that it does not; and one of the host's loopback from the host's,
// while the container has a way out.
func TestWhoIsAskedFromWhere(t *testing.T) {
	f := newFixture(t)
	create(t, f, CreateSpec{Name: "in", Internal: true})
	create(t, f, CreateSpec{Name: "out"})
	a, b := newSandbox(t), newSandbox(t)
	join(t, f, AttachSpec{ContainerID: "a", Network: "in", DNSNames: []string{"a"}}, a)
	server := join(t, f, AttachSpec{ContainerID: "b", Network: "in", DNSNames: []string{"b"}}, b)
	neighbour, _ := teller(t, b, server.IP, "192.0.2.1")
	host, hostAsked := teller(t, nil, netip.MustParseAddr("127.0.0.1"), "192.0.2.2")
	answers := func(want []string, forwarders ...Forwarder) {
		t.Helper()
		sockets, err := f.Resolve("a", forwarders, a, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer closeAll(sockets)
		defer f.stopResolver("a")
		for _, network := range []string{"udp", "tcp"} {
			var got []string
			err := enter(a, func() error {
				c, err := net.Dial(network, netip.AddrPortFrom(Resolver, 53).String())
				if err != nil {
					return err
				}
				r := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
				addrs, err := r.LookupNetIP(context.Background(), "ip4", "example.com.")
				for _, one := range addrs {
					got = append(got, one.String())
				}
				return err
			})
			if !slices.Equal(got, want) {
				t.Errorf("asked over %s: %v, %v, want %v", network, got, err, want)
			}
		}
	}
	inside := Forwarder{Addr: neighbour}
	answers([]string{"192.0.2.1"}, inside)
	// The host's server is nobody's whom nothing leads out of, and neither is itself.
	answers([]string{"192.0.2.1"}, Forwarder{Addr: host, Host: true}, Forwarder{Addr: netip.AddrPortFrom(Resolver, 53)}, inside)
	answers(nil, Forwarder{Addr: host}) // not on the container's own loopback
	if n := hostAsked.Load(); n != 0 {
		t.Errorf("the host's name server was asked %d times for a container without a way out", n)
	}
	join(t, f, AttachSpec{ContainerID: "a", Network: "out"}, a)
	answers([]string{"192.0.2.2"}, Forwarder{Addr: host, Host: true}, inside)
	// The next engine has the sockets and nothing else to find the namespace by.
	sockets, err := f.Resolve("a", nil, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(sockets)
	f.stopResolver("a")
	if _, err := f.Resolve("a", []Forwarder{inside}, nil, sockets); err != nil {
		t.Fatal(err)
	}
	if got := lookup(t, a, "udp", "example.com."); !slices.Equal(got, []string{"192.0.2.1"}) {
		t.Errorf("asked by the next engine: %v", got)
	}
}
