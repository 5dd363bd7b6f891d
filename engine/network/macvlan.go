package network

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A macvlan network has no bridge: each endpoint is a device of its own on one of the
// host's, its parent, and so a machine on the parent's link, seen by its own hardware
// address. Nothing of it passes the host's firewall, so there is nothing to publish; and
// the host itself is the one machine that it does not reach.

// Macvlan is the driver of such networks.
const Macvlan = "macvlan"

// The options of Docker's macvlan driver.
const (
	optParent = "parent"
	optMode   = "macvlan_mode"
)

var macvlanModes = map[string]netlink.MacvlanMode{
	"": netlink.MACVLAN_MODE_BRIDGE, "bridge": netlink.MACVLAN_MODE_BRIDGE, "private": netlink.MACVLAN_MODE_PRIVATE,
	"vepa": netlink.MACVLAN_MODE_VEPA, "passthru": netlink.MACVLAN_MODE_PASSTHRU,
}

// macvlan tells whether n is a macvlan network.
func (n *Network) macvlan() bool { return n.Driver == Macvlan }

// applyMacvlanOptions sets what n.Options say. Without a parent the network gets one
// that leads nowhere, and is internal.
func (n *Network) applyMacvlanOptions() error {
	n.Device = "dm-" + n.ID[:12]
	if parent := n.Options[optParent]; parent != "" {
		if len(parent) > maxDevice || strings.ContainsAny(parent, "/ \t\n") {
			return fmt.Errorf("create network %s: %q is no name of a device: %w", n.Name, parent, errdefs.ErrInvalidArgument)
		}
		n.Device = parent
	} else {
		n.Internal = true
	}
	for key, value := range n.Options {
		switch key {
		case optParent, optEnable4, optEnable6:
		case optMode:
			if _, ok := macvlanModes[value]; !ok {
				return fmt.Errorf("create network %s: requested macvlan mode %q is not valid, 'bridge' mode is the macvlan driver default: %w", n.Name, value, errdefs.ErrInvalidArgument)
			}
		case optMTU:
			mtu, err := strconv.Atoi(value)
			if err != nil || mtu < 68 || mtu > 65535 {
				return fmt.Errorf("create network %s with option %s=%s: an MTU is 68 to 65535 bytes: %w", n.Name, key, value, errdefs.ErrInvalidArgument)
			}
			n.MTU = mtu
		default:
			if strings.HasPrefix(key, "com.docker.network.") {
				return fmt.Errorf("create network %s with option %s=%s: the driver macvlan does not have it: %w", n.Name, key, value, errdefs.ErrInvalidArgument)
			}
		}
	}
	return nil
}

// parentExists tells whether there is the device that n is to be on.
func parentExists(n *Network) (bool, error) {
	link, err := netlink.LinkByName(n.Device)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return false, nil
	}
	if err == nil && link.Attrs().Flags&net.FlagLoopback != 0 {
		return false, fmt.Errorf("loopback interface is not a valid macvlan parent link: %w", errdefs.ErrInvalidArgument)
	}
	if err != nil {
		return false, fmt.Errorf("look for device %s: %w", n.Device, err)
	}
	return true, nil
}

// ensureParent makes the device that n is on exist and returns its index: a sub-interface
// of a VLAN ("eth0.10") that n.Options name, or one that leads nowhere. The alias of one
// that it makes is owner, as a bridge's.
func ensureParent(n *Network, owner string) (int, error) {
	link, err := netlink.LinkByName(n.Device)
	if err == nil {
		return link.Attrs().Index, nil
	}
	if !errors.As(err, new(netlink.LinkNotFoundError)) {
		return 0, fmt.Errorf("look for device %s: %w", n.Device, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = n.Device
	if n.Options[optParent] == "" {
		err = netlink.LinkAdd(&netlink.Dummy{LinkAttrs: attrs})
		if errors.Is(err, unix.EOPNOTSUPP) { // a kernel without it: a cable that is in nothing is as good
			pair := netlink.NewVeth(attrs)
			pair.PeerName = "dp-" + n.ID[:12]
			if err = netlink.LinkAdd(pair); err == nil {
				var peer netlink.Link
				if peer, err = netlink.LinkByName(pair.PeerName); err == nil {
					err = netlink.LinkSetUp(peer)
				}
			}
		}
	} else {
		err = addVLAN(n, attrs)
	}
	if err != nil {
		return 0, fmt.Errorf("make the parent %s of network %s: %w", n.Device, n.Name, err)
	}
	if link, err = netlink.LinkByName(n.Device); err == nil {
		err = errors.Join(mark(link, owner), netlink.LinkSetUp(link))
	}
	if err != nil {
		return 0, fmt.Errorf("set the parent %s of network %s up: %w", n.Device, n.Name, err)
	}
	return link.Attrs().Index, nil
}

// addVLAN makes the sub-interface that n's parent names.
func addVLAN(n *Network, attrs netlink.LinkAttrs) error {
	i := strings.LastIndexByte(n.Device, '.')
	id, err := strconv.Atoi(n.Device[i+1:])
	if i <= 0 || err != nil || id < 1 || id > 4094 {
		return fmt.Errorf("there is no such device, and it does not name a VLAN (eth0.10): %w", errdefs.ErrInvalidArgument)
	}
	under, err := netlink.LinkByName(n.Device[:i])
	if err != nil {
		return fmt.Errorf("find device %s: %w: %w", n.Device[:i], err, errdefs.ErrInvalidArgument)
	}
	attrs.ParentIndex = under.Attrs().Index
	err = netlink.LinkAdd(&netlink.Vlan{LinkAttrs: attrs, VlanId: id, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q})
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("this kernel has no VLANs (modprobe 8021q): %w", errdefs.ErrNotImplemented)
	}
	return err
}

// addMacvlan makes e's device on the parent, inside the sandbox.
func addMacvlan(e *Endpoint, n *Network, parent int, in *sandbox, mac net.HardwareAddr) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex, attrs.Namespace = e.Interface, parent, netlink.NsFd(int(in.ns.Fd()))
	mode := macvlanModes[n.Options[optMode]]
	if mode != netlink.MACVLAN_MODE_PASSTHRU { // that one has the parent's address
		attrs.HardwareAddr = mac
	}
	if n.Options[optMTU] != "" {
		attrs.MTU = n.MTU
	} else {
		attrs.MTU = 0 // the parent's
	}
	if err := netlink.LinkAdd(&netlink.Macvlan{LinkAttrs: attrs, Mode: mode}); err != nil {
		return fmt.Errorf("create macvlan %s on %s: %w", e.Interface, n.Device, err)
	}
	return nil
}

// keepInside keeps the namespace of a container in a macvlan network until it ends.
func (m *Manager) keepInside(containerID string, netns *os.File) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	wanted := slices.ContainsFunc(m.ends[containerID], func(e *Endpoint) bool { n := m.nets[e.NetworkName]; return n != nil && n.macvlan() })
	if !wanted || m.inside[containerID] != nil {
		return nil
	}
	fd, err := unix.FcntlInt(netns.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("keep the network namespace of container %s: %w", containerID, err)
	}
	m.inside[containerID] = os.NewFile(uintptr(fd), netns.Name())
	return nil
}

// endInside takes the macvlan devices of a container away that has ended. As long as its
// namespace lingers (see silence) they would answer for their addresses, and no bridge
// is there that could keep them from it.
func (m *Manager) endInside(containerID string) error {
	m.mu.Lock()
	netns := m.inside[containerID]
	delete(m.inside, containerID)
	m.mu.Unlock()
	if netns == nil {
		return nil
	}
	defer netns.Close()
	in, err := openSandbox(netns)
	if err != nil {
		return err
	}
	defer in.close()
	links, err := dump(in.h.LinkList)
	for _, l := range links {
		if l.Type() == "macvlan" {
			err = errors.Join(err, in.h.LinkDel(l))
		}
	}
	if err != nil {
		return fmt.Errorf("remove the devices of container %s: %w", containerID, err)
	}
	return nil
}

// removeDevice takes e's device away.
func (m *Manager) removeDevice(e *Endpoint, in *sandbox) error {
	m.mu.Lock()
	n := m.nets[e.NetworkName]
	m.mu.Unlock()
	if n == nil || !n.macvlan() {
		return removeLink(m.vethName(e))
	}
	link, err := in.h.LinkByName(e.Interface)
	if err == nil && link.Type() == "macvlan" {
		err = in.h.LinkDel(link)
	}
	if err != nil && !errors.As(err, new(netlink.LinkNotFoundError)) {
		return fmt.Errorf("remove %s of container %s: %w", e.Interface, e.ContainerID, err)
	}
	return nil
}

// bridges are the networks that have one.
func bridges(nets map[string]*Network) map[string]*Network {
	out := map[string]*Network{}
	for name, n := range nets {
		if !n.macvlan() {
			out[name] = n
		}
	}
	return out
}
