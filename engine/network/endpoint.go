package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// PortBinding publishes one port of a container on the host.
type PortBinding struct {
	Proto         string     // "tcp", "udp" or "sctp"
	ContainerPort uint16     // 1–65535
	HostIP        netip.Addr // invalid or unspecified: every IPv4 address of the host
	HostPort      uint16     // 0: a free one is chosen
}

// AttachSpec says which container joins which network, and how.
type AttachSpec struct {
	ContainerID string
	Network     string     // name or ID; "" is Bridge
	IP          netip.Addr // invalid: the next free one
	MAC         net.HardwareAddr
	Aliases     []string
	Ports       []PortBinding
}

// Endpoint is a container's membership of a network.
type Endpoint struct {
	ID          string // 64 hexadecimal digits
	ContainerID string
	NetworkID   string
	NetworkName string
	IP          netip.Addr
	PrefixLen   int
	Gateway     netip.Addr
	MAC         string
	Aliases     []string
	Ports       []PortBinding // with the host ports that were chosen
}

// Attach joins the container to a network: it makes eth0 in the namespace that
// netns refers to, brings lo and eth0 up, and publishes the ports. On an error
// nothing is left of it. Errors are of the kinds errdefs.ErrNotFound (no such
// network), ErrConflict (address or port taken), ErrAlreadyExists (the
// container is attached), ErrResourceExhausted and ErrInvalidArgument.
func (m *Manager) Attach(ctx context.Context, spec AttachSpec, netns *os.File) (_ Endpoint, err error) {
	e, n, bridge, err := m.reserve(spec)
	if err != nil {
		return Endpoint{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeLink(m.vethName(e)), m.Detach(context.WithoutCancel(ctx), spec.ContainerID))
		}
	}()
	if err := m.connect(e, n, bridge, int(netns.Fd())); err != nil {
		return Endpoint{}, err
	}
	if err := m.fw.publish(e); err != nil {
		return Endpoint{}, err
	}
	return *e, nil
}

// reserve takes address and ports and records the endpoint, so that whatever
// dies from here on is found and given back by Reconcile.
func (m *Manager) reserve(spec AttachSpec) (*Endpoint, *Network, int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if spec.Network == "" {
		spec.Network = Bridge
	}
	n, err := m.find(spec.Network)
	if err != nil {
		return nil, nil, 0, err
	}
	if _, ok := m.ends[spec.ContainerID]; ok {
		return nil, nil, 0, fmt.Errorf("attach container %s to network %s: it is attached already: %w", spec.ContainerID, n.Name, errdefs.ErrAlreadyExists)
	}
	bridge, err := m.ensureReady(n)
	if err != nil {
		return nil, nil, 0, err
	}
	used := map[netip.Addr]string{}
	for id, e := range m.ends {
		if e.NetworkID == n.ID {
			used[e.IP] = id
		}
	}
	ip, err := freeAddr(n, used, spec.IP)
	if err != nil {
		return nil, nil, 0, err
	}
	mac := spec.MAC
	if mac == nil {
		mac = macOf(ip)
	}
	ports, err := m.choosePorts(spec.Ports)
	if err != nil {
		return nil, nil, 0, err
	}
	e := &Endpoint{
		ID: newID(), ContainerID: spec.ContainerID, NetworkID: n.ID, NetworkName: n.Name,
		IP: ip, PrefixLen: n.Subnet.Bits(), Gateway: n.Gateway, MAC: mac.String(),
		Aliases: spec.Aliases, Ports: ports,
	}
	if err := m.endpoints.Put(e.ContainerID, e); err != nil {
		return nil, nil, 0, fmt.Errorf("record the endpoint of container %s: %w", e.ContainerID, err)
	}
	m.ends[e.ContainerID] = e
	return e, n, bridge, nil
}

// ensureReady sets up n's bridge and the rules once per engine.
func (m *Manager) ensureReady(n *Network) (int, error) {
	if i, ok := m.ready[n.ID]; ok {
		return i, nil
	}
	i, err := m.claim(n)
	if err != nil {
		return 0, err
	}
	m.ready[n.ID] = i
	if err := m.fw.setup(m.nets, m.ends); err != nil {
		delete(m.ready, n.ID)
		return 0, err
	}
	return i, nil
}

// claim makes n's bridge, on another subnet if somebody has taken n's while no
// container of ours was on it. From the choice until the bridge has its address
// and so shows that the subnet is taken, other engines wait.
func (m *Manager) claim(n *Network) (_ int, err error) {
	lock, err := os.Open("/run")
	if err != nil {
		return 0, fmt.Errorf("lock the choice of a subnet: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return 0, fmt.Errorf("lock the choice of a subnet by /run: %w", err)
	}
	if !m.occupied(n) {
		subnet, err := freeSubnet(n.Device, []netip.Prefix{n.Subnet})
		if err != nil {
			return 0, err
		}
		if subnet != n.Subnet {
			m.log.Info("the subnet of a network has been taken by somebody else", "network", n.Name, "subnet", n.Subnet, "new", subnet)
			n.Subnet, n.Gateway = subnet, subnet.Addr().Next()
			if err := m.networks.Put(n.ID, n); err != nil {
				return 0, fmt.Errorf("record network %s: %w", n.Name, err)
			}
		}
	}
	return ensureBridge(n)
}

func (m *Manager) occupied(n *Network) bool {
	for _, e := range m.ends {
		if e.NetworkID == n.ID {
			return true
		}
	}
	return false
}

// connect makes the veth pair, its peer already inside the sandbox, and
// configures the sandbox.
func (m *Manager) connect(e *Endpoint, n *Network, bridge, sandbox int) error {
	mac, err := net.ParseMAC(e.MAC)
	if err != nil {
		return fmt.Errorf("parse hardware address %q: %w", e.MAC, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.MasterIndex = m.vethName(e), n.MTU, bridge
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerHardwareAddr = "eth0", mac
	veth.PeerMTU, veth.PeerNamespace = uint32(n.MTU), netlink.NsFd(sandbox)
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("create veth %s on bridge %s: %w", attrs.Name, n.Device, err)
	}
	if err := netlink.LinkSetUp(veth); err != nil {
		return fmt.Errorf("set veth %s up: %w", attrs.Name, err)
	}
	// Where br_netfilter is loaded, dnat happens inside the bridge, and a
	// container that reaches itself through its published port leaves by the
	// bridge port it came in.
	if err := netlink.LinkSetHairpin(veth, true); err != nil {
		return fmt.Errorf("set hairpin mode of veth %s: %w", attrs.Name, err)
	}
	if err := configure(e, sandbox); err != nil {
		return fmt.Errorf("configure the network of container %s: %w", e.ContainerID, err)
	}
	return nil
}

// configure brings lo and eth0 up inside the sandbox, with e's address and the
// default route.
func configure(e *Endpoint, sandbox int) error {
	h, err := netlink.NewHandleAt(netns.NsHandle(sandbox), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer h.Close()
	if err := loopbackUp(h); err != nil {
		return err
	}
	eth, err := h.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("find eth0: %w", err)
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: e.IP.AsSlice(), Mask: net.CIDRMask(e.PrefixLen, 32)}}
	if err := h.AddrAdd(eth, addr); err != nil {
		return fmt.Errorf("add address %s: %w", addr, err)
	}
	if err := h.LinkSetUp(eth); err != nil {
		return fmt.Errorf("set eth0 up: %w", err)
	}
	if err := h.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Gw: e.Gateway.AsSlice()}); err != nil {
		return fmt.Errorf("add default route by %s: %w", e.Gateway, err)
	}
	return nil
}

// Loopback brings lo up in the namespace that sandbox refers to; it is all
// that a container of network "none" gets.
func Loopback(sandbox *os.File) error {
	h, err := netlink.NewHandleAt(netns.NsHandle(int(sandbox.Fd())), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink in the container's network namespace: %w", err)
	}
	defer h.Close()
	return loopbackUp(h)
}

func loopbackUp(h *netlink.Handle) error {
	// lo has index 1 in every namespace (net/core/dev.c, LOOPBACK_IFINDEX).
	lo := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "lo", Index: 1}}
	if err := h.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return nil
}

// Detach gives back the address and the ports of a container that has ended. It
// is idempotent. The veth goes with the sandbox: deleting it here as well would
// wait some 15 ms for an RCU grace period that the kernel's own clean-up pays
// in the background.
func (m *Manager) Detach(ctx context.Context, containerID string) error {
	m.mu.Lock()
	e := m.ends[containerID]
	m.mu.Unlock()
	if e == nil {
		return nil
	}
	if err := m.fw.unpublish(e); err != nil {
		return fmt.Errorf("detach container %s from network %s: %w", containerID, e.NetworkName, err)
	}
	if err := m.endpoints.Delete(containerID); err != nil {
		return fmt.Errorf("forget the endpoint of container %s: %w", containerID, err)
	}
	m.mu.Lock()
	delete(m.ends, containerID) // last: only now may the address be used again
	m.mu.Unlock()
	return nil
}

// Endpoint returns the endpoint of a container, if it has one.
func (m *Manager) Endpoint(containerID string) (Endpoint, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.ends[containerID]; e != nil {
		return *e, true
	}
	return Endpoint{}, false
}

// Reconcile detaches every endpoint whose container is not in live, removes
// veths of this engine that belong to nobody, and restores bridges and rules
// for those that are. The engine calls it once after it has adopted its shims.
func (m *Manager) Reconcile(ctx context.Context, live []string) error {
	m.mu.Lock()
	var gone []string
	wanted := map[string]bool{}
	for id, e := range m.ends {
		if slices.Contains(live, id) {
			wanted[m.vethName(e)] = true
		} else {
			gone = append(gone, id)
		}
	}
	m.mu.Unlock()
	var errs []error
	for _, id := range gone {
		errs = append(errs, m.Detach(ctx, id))
	}
	errs = append(errs, m.removeStrayVeths(wanted), m.restore())
	return errors.Join(errs...)
}

// restore sets up the bridges and rules of the endpoints that remain.
func (m *Manager) restore() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.ends {
		if n := m.nets[e.NetworkName]; n != nil {
			if _, err := m.ensureReady(n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Manager) removeStrayVeths(wanted map[string]bool) error {
	links, err := dump(netlink.LinkList)
	if err != nil {
		return fmt.Errorf("list network devices: %w", err)
	}
	var errs []error
	for _, l := range links {
		name := l.Attrs().Name
		if strings.HasPrefix(name, m.vethPrefix()) && l.Type() == "veth" && !wanted[name] {
			m.log.Info("remove a veth that belongs to no container", "device", name)
			errs = append(errs, removeLink(name))
		}
	}
	return errors.Join(errs...)
}

func (m *Manager) vethPrefix() string { return "b" + m.hash[:4] }

// vethName is at most 15 bytes long, as the kernel wants. It follows from the
// endpoint and not from the container, whose last veth may still be going.
func (m *Manager) vethName(e *Endpoint) string { return m.vethPrefix() + e.ID[:10] }
