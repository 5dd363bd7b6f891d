package listeners

import (
	"net"
	"net/netip"
	"os"
	"testing"
)

func TestAListenerIsFoundWithItsProgram(t *testing.T) {
	for proto, listen := range map[string]func() (net.Addr, func() error, error){
		"tcp": func() (net.Addr, func() error, error) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, nil, err
			}
			return l.Addr(), l.Close, nil
		},
		"udp": func() (net.Addr, func() error, error) {
			l, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				return nil, nil, err
			}
			return l.LocalAddr(), l.Close, nil
		},
	} {
		addr, end, err := listen()
		if err != nil {
			t.Fatal(err)
		}
		defer end()
		want := netip.MustParseAddrPort(addr.String())
		all, err := All("/proc")
		found := false
		for _, l := range all {
			if l.Proto == proto && l.Addr == want.Addr() && l.Port == want.Port() {
				found = l.PID == os.Getpid() && l.Name != "" && l.By() != "another program"
			}
		}
		if err != nil || !found {
			t.Errorf("%s %s is not among %+v, %v", proto, want, all, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"0100007F:1F90":                         "127.0.0.1:8080",
		"00000000000000000000000001000000:0035": "[::1]:53",
		"0000000000000000FFFF00000100007F:0050": "127.0.0.1:80",
	} {
		if addr, port, ok := address(in); !ok || netip.AddrPortFrom(addr, port).String() != want {
			t.Errorf("%s is %s port %d", in, addr, port)
		}
	}
	if addr, port, ok := address("00000000000000000000000000000000:0050"); !ok || addr.IsValid() || port != 80 {
		t.Errorf("all addresses are %s port %d", addr, port)
	}
	for _, in := range []string{"", "0100:1", "x:1", "0100007F:zz"} {
		if _, _, ok := address(in); ok {
			t.Errorf("%q is an address", in)
		}
	}
}

func TestWithoutATable(t *testing.T) {
	if all, err := All(t.TempDir()); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}
