package container

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestNetDevices runs itself in a network namespace that stands for the host's.
func TestNetDevices(t *testing.T) {
	f := newFixture(t)
	if os.Getenv("BERTH_TEST_NETNS") == "" {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestNetDevices$")
		cmd.Env = append(os.Environ(), "BERTH_TEST_NETNS=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("in a network namespace of its own: %v\n%s", err, out)
		}
		return
	}
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "here"}, PeerName: "there"}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatal(err)
	}
	address, err := netlink.ParseAddr("192.0.2.1/24")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.AddrAdd(link, address); err != nil {
		t.Fatal(err)
	}
	f.opts.Spec.Linux.NetDevices = map[string]specs.LinuxNetDevice{"here": {Name: "eth0"}, "there": {}}
	f.want("ip -o -4 addr show eth0 | grep -o 'inet [^ ]*'; ip -o link show eth0 | grep -o ',UP'; ip -o link show there | grep -o ',UP'",
		"inet 192.0.2.1/24\n,UP\n,UP")

	// Into the network namespace of a user namespace, too.
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "here"}, PeerName: "there"}); err != nil {
		t.Fatal(err)
	}
	f = newFixture(t)
	f.userNS()
	f.opts.Spec.Linux.NetDevices = map[string]specs.LinuxNetDevice{"here": {Name: "eth0"}}
	f.want("ip -o link show eth0 | grep -o 'BROADCAST'", "BROADCAST")

	f = newFixture(t, "true")
	f.opts.Spec.Linux.NetDevices = map[string]specs.LinuxNetDevice{"gone": {}}
	if _, err := Create(context.Background(), f.opts); err == nil || !strings.Contains(err.Error(), "linux.netDevices: move gone into the container") {
		t.Errorf("a device that is not there: %v", err)
	}
	f = newFixture(t, "true")
	f.opts.Spec.Linux.NetDevices = map[string]specs.LinuxNetDevice{"lo": {}}
	f.opts.Spec.Linux.Namespaces = append(f.opts.Spec.Linux.Namespaces[:1], f.opts.Spec.Linux.Namespaces[2:]...)
	if _, err := Create(context.Background(), f.opts); err == nil || !strings.Contains(err.Error(), "without a private NET namespace") {
		t.Errorf("no namespace to move it to: %v", err)
	}
}
