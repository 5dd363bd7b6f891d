package network

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A client that has asked at a port since before it was published is heard: the kernel
// would go on to deliver its flow to the host.
func TestPublishingEndsStaleFlows(t *testing.T) {
	f := newFixture(t)
	attach(t, f, "first", newSandbox(t)) // so that there are rules, and flows are known by them
	ns := newSandbox(t)
	server := inside(t, ns, func() (net.PacketConn, error) { return net.ListenPacket("udp4", "0.0.0.0:53") })
	defer server.Close()
	free, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.LocalAddr().(*net.UDPAddr)
	client, err := net.DialUDP("udp4", nil, at)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("too early")); err != nil {
		t.Fatal(err)
	}
	free.Close()
	attach(t, f, "a", ns, PortBinding{Proto: "udp", ContainerPort: 53, HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: uint16(at.Port)})
	heard := make(chan string, 1)
	go func() {
		buf := make([]byte, 64)
		n, _, err := server.ReadFrom(buf)
		if err == nil {
			heard <- string(buf[:n])
		}
	}()
	// The shim's end of the port is a stub that never reads.
	for range 100 {
		if _, err := client.Write([]byte("now")); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-heard:
			if got != "now" {
				t.Errorf("the container heard %q", got)
			}
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Error("what a client sends that was there before the port does not arrive")
}

func TestStaleFlows(t *testing.T) {
	addr := netip.MustParseAddr
	stale := staleFlows{
		to:    addr("10.0.0.2"),
		ports: map[uint16]netip.Addr{53: addr("0.0.0.0"), 54: addr("192.0.2.1")},
		local: map[netip.Addr]bool{addr("192.0.2.1"): true, addr("192.0.2.2"): true},
	}
	for _, c := range []struct {
		what    string
		proto   uint8
		asked   string
		port    uint16
		answers string
		want    bool
	}{
		{"the host answered", unix.IPPROTO_UDP, "192.0.2.2", 53, "192.0.2.2", true},
		{"another container answered", unix.IPPROTO_UDP, "192.0.2.2", 53, "10.0.0.9", true},
		{"at the loopback", unix.IPPROTO_UDP, "127.0.0.1", 53, "127.0.0.1", true},
		{"at the address that is published", unix.IPPROTO_UDP, "192.0.2.1", 54, "192.0.2.1", true},
		{"at another address than is published", unix.IPPROTO_UDP, "192.0.2.2", 54, "192.0.2.2", false},
		{"it goes to the container already", unix.IPPROTO_UDP, "192.0.2.2", 53, "10.0.0.2", false},
		{"through the host to elsewhere", unix.IPPROTO_UDP, "198.51.100.1", 53, "198.51.100.1", false},
		{"another port", unix.IPPROTO_UDP, "192.0.2.2", 55, "192.0.2.2", false},
		{"tcp", unix.IPPROTO_TCP, "192.0.2.2", 53, "192.0.2.2", false},
	} {
		flow := &netlink.ConntrackFlow{
			Forward: netlink.IPTuple{Protocol: c.proto, DstIP: net.ParseIP(c.asked), DstPort: c.port},
			Reverse: netlink.IPTuple{Protocol: c.proto, SrcIP: net.ParseIP(c.answers)},
		}
		if got := stale.MatchConntrackFlow(flow); got != c.want {
			t.Errorf("%s: stale %v, want %v", c.what, got, c.want)
		}
	}
}
