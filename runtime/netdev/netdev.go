// Package netdev moves network devices of the host into a container's network
// namespace (linux.netDevices of the runtime specification): with their name or a
// new one, their permanent addresses of global scope, and up.
//
// It speaks rtnetlink by itself, in the three messages that it needs, as the early
// roles of the binary must not import a netlink library.
package netdev

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Check refuses devices whose names no kernel has, or that would collide.
func Check(devices map[string]specs.LinuxNetDevice) error {
	taken := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		inside := newName(name, devices[name])
		for _, n := range []string{name, inside} {
			if !valid(n) {
				return fmt.Errorf("linux.netDevices: %q is no name of a network device: %w", n, errdefs.ErrInvalidArgument)
			}
		}
		if other, ok := taken[inside]; ok {
			return fmt.Errorf("linux.netDevices: %s and %s would both be called %s: %w", other, name, inside, errdefs.ErrInvalidArgument)
		}
		taken[inside] = name
	}
	return nil
}

// valid is the kernel's dev_valid_name.
func valid(name string) bool {
	return name != "" && len(name) < unix.IFNAMSIZ && name != "." && name != ".." && !strings.ContainsAny(name, "/: \t\n\v\f\r\x00%")
}

func newName(name string, d specs.LinuxNetDevice) string {
	if d.Name != "" {
		return d.Name
	}
	return name
}

// Move moves the devices into the network namespace of the calling thread, which
// must be locked (package nsenter) and be in another one than the process.
func Move(devices map[string]specs.LinuxNetDevice) error {
	if len(devices) == 0 {
		return nil
	}
	target, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("linux.netDevices: %w", err)
	}
	defer target.Close()
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		inside := newName(name, devices[name])
		var addresses []address
		done := make(chan error, 1)
		go func() { // on another thread, which is in the runtime's namespace
			var err error
			addresses, err = send(name, inside, int(target.Fd()))
			done <- err
		}()
		if err := <-done; err != nil {
			return fmt.Errorf("linux.netDevices: move %s into the container as %s: %w", name, inside, err)
		}
		if err := settle(inside, addresses); err != nil {
			return fmt.Errorf("linux.netDevices: %s: %w", inside, err)
		}
	}
	return nil
}

// send moves a device from the calling thread's network namespace to that of the
// descriptor and returns the addresses that it loses by that.
func send(name, inside string, target int) ([]address, error) {
	index, err := indexOf(name)
	if err != nil {
		return nil, err
	}
	addresses, err := addressesOf(index)
	if err != nil {
		return nil, fmt.Errorf("read its addresses: %w", err)
	}
	m := newMessage(unix.RTM_NEWLINK, 0, linkHeader(index, 0))
	m.attribute(unix.IFLA_NET_NS_FD, numberBytes(uint32(target)))
	m.attribute(unix.IFLA_IFNAME, append([]byte(inside), 0))
	return addresses, m.do()
}

// settle gives a device that has arrived its addresses and brings it up.
func settle(name string, addresses []address) error {
	index, err := indexOf(name)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if err := a.add(index); err != nil {
			return fmt.Errorf("give it its address %s: %w", a, err)
		}
	}
	if err := newMessage(unix.RTM_NEWLINK, 0, linkHeader(index, unix.IFF_UP)).do(); err != nil {
		return fmt.Errorf("bring it up: %w", err)
	}
	return nil
}

func indexOf(name string) (int32, error) {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(s)
	req, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFINDEX, req); err != nil {
		return 0, fmt.Errorf("find it: %w", err)
	}
	return int32(req.Uint32()), nil
}
