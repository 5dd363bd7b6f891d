package network

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"berth/shim"

	"golang.org/x/sys/unix"
)

// A port belongs to its container: nobody else can listen at it, on any address and
// over any family, and whoever does before is found and named.
func TestPortsAreReserved(t *testing.T) {
	f := newFixture(t)
	e := attach(t, f, "a", newSandbox(t), PortBinding{Proto: "tcp", ContainerPort: 80}, PortBinding{Proto: "udp", ContainerPort: 53})
	if len(e.Ports) != 4 || e.Ports[0].HostPort != e.Ports[1].HostPort || !e.Ports[1].HostIP.Is6() {
		t.Fatalf("published at %v", e.Ports)
	}
	taken := func() (still []string) {
		for _, addr := range []string{"0.0.0.0", "127.0.0.1", "[::]", "[::1]"} {
			if l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", addr, e.Ports[0].HostPort)); err == nil {
				l.Close()
			} else {
				still = append(still, "tcp "+addr)
			}
			if c, err := net.ListenPacket("udp", fmt.Sprintf("%s:%d", addr, e.Ports[2].HostPort)); err == nil {
				c.Close()
			} else {
				still = append(still, "udp "+addr)
			}
		}
		return still
	}
	if still := taken(); len(still) != 8 {
		t.Errorf("only %v are reserved", still)
	}
	held := f.shims["a"].held
	for _, name := range []string{fmt.Sprintf("tcp 0.0.0.0:%d", e.Ports[0].HostPort), fmt.Sprintf("tcp [::]:%d", e.Ports[0].HostPort)} {
		if got := held[name]; string(got.Addr) != string(e.IP.AsSlice()) || got.Port != 80 {
			t.Errorf("%s leads to %v:%d, not to %s", name, got.Addr, got.Port, e.IP)
		}
	}
	if err := f.Detach(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if still := taken(); len(still) != 0 {
		t.Errorf("after its end %v are not free", still)
	}
}

// What an engine has not handed over when it dies the next one reserves again, and
// what the shim holds without a record goes.
func TestResumeReservesPorts(t *testing.T) {
	f := newFixture(t)
	ns := newSandbox(t)
	e := attach(t, f, "a", ns, PortBinding{Proto: "tcp", ContainerPort: 80})
	s := f.shims["a"]
	lost := s.held[e.Ports[0].forward(&e).Name]
	lost.Addr = nil
	stray, err := bind(PortBinding{Proto: "tcp", HostIP: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	defer stray.Close()
	if err := s.Forward([]shim.Forward{lost, {Name: "tcp stray", Proto: unix.IPPROTO_TCP, Addr: e.IP.AsSlice(), Port: 1, Socket: true}}, stray); err != nil {
		t.Fatal(err)
	}
	f.reopen(t)
	if err := f.Resume("a", s, ns); err != nil {
		t.Fatal(err)
	}
	if len(s.held) != 2 || s.held[lost.Name].Port != 80 {
		t.Errorf("it holds %v", s.held)
	}
	if _, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", e.Ports[0].HostPort)); err == nil {
		t.Error("the port is not reserved")
	}
}

// Ports of a range and chosen ones are where somebody can listen, and the reason why
// there is none is told.
func TestChoiceOfPorts(t *testing.T) {
	f := newFixture(t)
	l, err := net.Listen("tcp6", "[::]:0") // of one family only
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first := uint16(l.Addr().(*net.TCPAddr).Port)
	e := attach(t, f, "a", newSandbox(t), PortBinding{Proto: "tcp", ContainerPort: 80, HostPort: first, HostPortEnd: first + 50})
	if got := e.Ports[0].HostPort; got <= first || got > first+50 || e.Ports[1].HostPort != got {
		t.Errorf("of %d-%d, where the first is taken, it got %v", first, first+50, e.Ports)
	}
	low, high, err := f.localPorts()
	if err != nil {
		t.Fatal(err)
	}
	f.nextPort = high
	e = attach(t, f, "b", newSandbox(t), PortBinding{Proto: "tcp", ContainerPort: 1}, PortBinding{Proto: "tcp", ContainerPort: 2})
	for _, b := range e.Ports {
		if int(b.HostPort) < low || int(b.HostPort) > high {
			t.Errorf("port %d was chosen from %d to %d", b.HostPort, low, high)
		}
	}
	for want, b := range map[string]PortBinding{
		"address already in use by " + ownName(t): {Proto: "tcp", ContainerPort: 80, HostPort: first},
		"cannot assign requested address":         {Proto: "tcp", ContainerPort: 80, HostPort: 80, HostIP: netip.MustParseAddr("192.0.2.77")},
		"unknown protocol":                        {Proto: "icmp", ContainerPort: 80},
	} {
		_, err := f.Attach(t.Context(), AttachSpec{ContainerID: "c", Name: "c", Ports: []PortBinding{b}}, newSandbox(t))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "driver failed programming external connectivity on endpoint c (") {
			t.Errorf("%+v: %v, want %s", b, err, want)
		}
	}
	if f.Endpoints("c") != nil {
		t.Error("a failed Attach left an endpoint")
	}
}
