package netdev

import (
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		want    string
		devices map[string]specs.LinuxNetDevice
	}{
		{"", nil},
		{"", map[string]specs.LinuxNetDevice{"a": {}, "b": {Name: "c"}}},
		{`"" is no name`, map[string]specs.LinuxNetDevice{"": {}}},
		{`"a/b" is no name`, map[string]specs.LinuxNetDevice{"a": {Name: "a/b"}}},
		{`"0123456789abcdef" is no name`, map[string]specs.LinuxNetDevice{"0123456789abcdef": {}}},
		{"a and b would both be called b", map[string]specs.LinuxNetDevice{"a": {Name: "b"}, "b": {}}},
	} {
		err := Check(c.devices)
		if c.want == "" && err != nil || c.want != "" && (!errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// inNamespace runs f on a thread in a new network namespace.
func inNamespace(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends here
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return done
}

// TestSendAndSettle moves one end of a veth from one new namespace to another.
func TestSendAndSettle(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	var ns *os.File
	var lost []address
	var kept string
	var link netlink.Link
	opened, sent := make(chan bool), make(chan bool)
	arrived := inNamespace(func() (err error) {
		ns, err = os.Open("/proc/thread-self/ns/net")
		close(opened)
		<-sent
		if err == nil {
			err = settle("eth7", lost)
		}
		if err == nil {
			link, err = netlink.LinkByName("eth7")
		}
		if err != nil {
			return err
		}
		addresses, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		for _, a := range addresses {
			if a.Scope == unix.RT_SCOPE_UNIVERSE {
				kept += a.IPNet.String() + " "
			}
		}
		return err
	})
	<-opened
	defer ns.Close()
	err := <-inNamespace(func() error {
		defer close(sent)
		link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "a", MTU: 1300}, PeerName: "b"}
		err := netlink.LinkAdd(link)
		for _, text := range []string{"192.0.2.7/24", "2001:db8::7/64"} {
			a, perr := netlink.ParseAddr(text)
			err = errors.Join(err, perr, netlink.AddrAdd(link, a))
		}
		if err != nil {
			return err
		}
		if _, err := send("b", "lo", int(ns.Fd())); !errors.Is(err, unix.EEXIST) {
			t.Errorf("to a name that is taken: %v", err)
		}
		if _, err := send("c", "c", int(ns.Fd())); !errors.Is(err, unix.ENODEV) {
			t.Errorf("a device that is not there: %v", err)
		}
		lost, err = send("a", "eth7", int(ns.Fd()))
		return err
	})
	if err := errors.Join(err, <-arrived); err != nil {
		t.Fatal(err)
	}
	if a := link.Attrs(); a.Flags&net.FlagUp == 0 || a.MTU != 1300 || kept != "192.0.2.7/24 2001:db8::7/64 " {
		t.Errorf("arrived: %+v, addresses %q", a, kept)
	}
	if len(lost) != 2 || lost[0].String() != "192.0.2.7/24" || lost[1].String() != "2001:db8:0:0:0:0:0:7/64" {
		t.Errorf("addresses %v", lost)
	}
}
