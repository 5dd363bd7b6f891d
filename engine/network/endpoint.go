package network

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"

	"github.com/containerd/errdefs"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// AttachSpec says which container joins which network, and how.
type AttachSpec struct {
	ContainerID string
	Name        string     // of the container
	Network     string     // name or ID; "" is Bridge
	IP, IP6     netip.Addr // invalid: the next free one
	MAC         net.HardwareAddr
	Interface   string            // inside the container; "": the first of eth0, eth1, … that is free
	LinkLocal   []netip.Addr      // further addresses, of its link alone
	Sysctls     []Sysctl          // of its interface
	Aliases     []string          // names that the user gave it in this network
	DNSNames    []string          // all its names in this network
	Links       map[string]string // names that it alone uses for others here, and the names they have
	GwPriority  int               // the network with the highest one gives the default route
	Ports       []PortBinding     // what the container publishes; chosen once, with its first network
	Holder      Holder            // keeps the ports; needed where there are any
}

// Endpoint is a container's membership of a network.
type Endpoint struct {
	ID          string // 64 hexadecimal digits
	ContainerID string
	Name        string // of the container
	NetworkID   string
	NetworkName string
	Interface   string // inside the sandbox, such as "eth0"
	IP          netip.Addr
	PrefixLen   int
	Gateway     netip.Addr // invalid in an internal network
	IP6         netip.Addr
	PrefixLen6  int
	Gateway6    netip.Addr
	MAC         string
	LinkLocal   []netip.Addr `json:",omitempty"`
	Aliases     []string
	DNSNames    []string
	Links       map[string]string `json:",omitempty"`
	GwPriority  int
	Ports       []PortBinding // with the host ports that were chosen; of a container's endpoints one has them

	Leaving bool `json:",omitempty"` // a disconnect has begun, and is completed by whoever finds it interrupted

	leaving bool // its ports are being taken back
}

// key is under which name the endpoint is recorded.
func (e *Endpoint) key() string { return e.ContainerID + "-" + e.NetworkID[:12] }

// Attach joins the container to a network: it makes an interface in the namespace
// that netns refers to, brings it and lo up, sets the default route and publishes
// the ports. On an error nothing is left of it. Errors are of the kinds
// ErrNotFound (no such network), ErrConflict (port taken), ErrPermissionDenied
// (address taken, or the container is attached already), ErrResourceExhausted and
// ErrInvalidArgument.
func (m *Manager) Attach(ctx context.Context, spec AttachSpec, netns *os.File) (_ Endpoint, err error) {
	e, n, bridge, err := m.reserve(spec)
	m.tellFirewalld()
	if err != nil {
		return Endpoint{}, err
	}
	defer m.handedOver(e)
	in, err := openSandbox(netns)
	if err != nil {
		return Endpoint{}, errors.Join(err, m.forget(e))
	}
	defer in.close()
	defer func() {
		if err != nil {
			err = errors.Join(err, m.leave(e, in))
		}
	}()
	if err := m.connect(e, n, bridge, in, spec.Sysctls); err != nil {
		return Endpoint{}, err
	}
	if err := m.keepInside(spec.ContainerID, netns); err != nil {
		return Endpoint{}, err
	}
	if err := hold(spec.Holder, e); err != nil {
		return Endpoint{}, err
	}
	if err := m.settle(spec.ContainerID, nil, in); err != nil {
		return Endpoint{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return *e, nil
}

// reserve takes address and ports and records the endpoint, so that whatever
// dies from here on is found and given back by Reconcile.
func (m *Manager) reserve(spec AttachSpec) (*Endpoint, *Network, int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(cmp.Or(spec.Network, Bridge))
	if err != nil {
		return nil, nil, 0, err
	}
	own := m.ends[spec.ContainerID]
	if slices.ContainsFunc(own, func(e *Endpoint) bool { return e.NetworkID == n.ID }) {
		return nil, nil, 0, fmt.Errorf("endpoint with name %s already exists in network %s: %w", spec.Name, n.Name, errdefs.ErrPermissionDenied)
	}
	if slices.ContainsFunc(own, func(e *Endpoint) bool { return e.Interface == spec.Interface }) {
		return nil, nil, 0, fmt.Errorf("container %s has an interface %s already: choose another name: %w", spec.Name, spec.Interface, errdefs.ErrPermissionDenied)
	}
	bridge, err := m.ensureReady(n)
	if err != nil {
		return nil, nil, 0, err
	}
	e := &Endpoint{
		ID: newID(), ContainerID: spec.ContainerID, Name: spec.Name, NetworkID: n.ID, NetworkName: n.Name, Interface: cmp.Or(spec.Interface, freeInterface(own)), LinkLocal: spec.LinkLocal,
		Aliases: spec.Aliases, DNSNames: spec.DNSNames, Links: spec.Links, GwPriority: spec.GwPriority,
	}
	if err := m.chooseAddresses(e, n, spec); err != nil {
		return nil, nil, 0, err
	}
	taken := slices.ContainsFunc(own, func(e *Endpoint) bool { return len(e.Ports) > 0 })
	if !taken && !n.Internal && !n.macvlan() {
		if e.Ports, err = m.choosePorts(n, e, spec.Ports); err != nil {
			return nil, nil, 0, err
		}
	}
	if err := m.endpoints.Put(e.key(), e); err != nil {
		closePorts(e.Ports)
		return nil, nil, 0, fmt.Errorf("record the endpoint of container %s: %w", e.ContainerID, err)
	}
	m.add(e)
	m.holders[e.ContainerID] = spec.Holder
	return e, n, bridge, nil
}

// handedOver closes the sockets of e's ports on this side: the Holder has them, or
// nobody is to.
func (m *Manager) handedOver(e *Endpoint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	closePorts(e.Ports)
}

// chooseAddresses gives e its addresses in n.
func (m *Manager) chooseAddresses(e *Endpoint, n *Network, spec AttachSpec) (err error) {
	used := m.addrs[n.ID]
	for _, one := range []struct {
		pool        *Pool
		want        netip.Addr
		ip, gateway *netip.Addr
		bits        *int
	}{
		{&n.V4, spec.IP, &e.IP, &e.Gateway, &e.PrefixLen},
		{&n.V6, spec.IP6, &e.IP6, &e.Gateway6, &e.PrefixLen6},
	} {
		if !one.pool.Valid() {
			if one.want.IsValid() {
				return fmt.Errorf("no configured subnet of network %s contains IP address %s: %w", n.Name, one.want, errdefs.ErrInvalidArgument)
			}
			continue
		}
		if one.want.IsValid() && one.pool.Chosen {
			return fmt.Errorf("user specified IP address is supported only when connecting to networks with user configured subnets: "+
				"create network %s with --subnet: %w", n.Name, errdefs.ErrInvalidArgument)
		}
		if *one.ip, err = one.pool.free(used, one.want); err != nil {
			return fmt.Errorf("choose an address in network %s: %w", n.Name, err)
		}
		*one.bits = one.pool.Subnet.Bits()
		if !n.Internal {
			*one.gateway = one.pool.Gateway
		}
	}
	mac := spec.MAC
	if mac == nil && e.IP.IsValid() {
		mac = macOf(e.IP)
	} else if mac == nil {
		mac = macOf(e.IP6)
	}
	e.MAC = mac.String()
	return nil
}

// freeInterface is the first of eth0, eth1, … that no endpoint has.
func freeInterface(own []*Endpoint) string {
	for i := 0; ; i++ {
		name := "eth" + strconv.Itoa(i)
		if !slices.ContainsFunc(own, func(e *Endpoint) bool { return e.Interface == name }) {
			return name
		}
	}
}

// ensureReady sets up n's bridge and the rules once per engine.
func (m *Manager) ensureReady(n *Network) (_ int, err error) {
	if i, ok := m.ready[n.ID]; ok {
		return i, nil
	}
	unlock, err := lockSubnets()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	// The default network moves if somebody has taken its subnet while no
	// container of ours was on it: nobody has been told of that one.
	if n.Default() && n.V4.Chosen && len(m.members(n.ID)) == 0 {
		subnet, err := m.freeSubnet(n, []netip.Prefix{n.V4.Subnet}, false)
		if err != nil {
			return 0, err
		}
		if subnet != n.V4.Subnet {
			m.log.Info("the subnet of a network has been taken by somebody else", "network", n.Name, "subnet", n.V4.Subnet, "new", subnet)
			n.V4.Subnet, n.V4.Gateway = subnet, subnet.Addr().Next()
			if err := m.networks.Put(n.ID, n); err != nil {
				return 0, fmt.Errorf("record network %s: %w", n.Name, err)
			}
		}
	}
	if err := m.bringUp(n); err != nil {
		return 0, err
	}
	return m.ready[n.ID], nil
}

// bringUp makes n's bridge and the rules of all networks. Firewalld is told by who has
// released m.mu (see tellFirewalld).
func (m *Manager) bringUp(n *Network) error {
	if n.macvlan() {
		i, err := ensureParent(n, m.tableName())
		if err == nil {
			m.ready[n.ID] = i
		}
		return err
	}
	i, err := ensureBridge(n, m.tableName())
	if err != nil {
		return err
	}
	if err := m.startWatch(); err != nil {
		return err
	}
	if err := m.fw.setup(m.nets, m.ends); err != nil {
		return err
	}
	if err := errors.Join(m.fw.passForeign(m.nets), m.startForwarding(n)); err != nil {
		return err
	}
	m.ready[n.ID] = i
	m.untold = append(m.untold, n.Device)
	return nil
}

// connect makes the veth pair, its peer already inside the sandbox, and
// configures the sandbox.
func (m *Manager) connect(e *Endpoint, n *Network, bridge int, in *sandbox, sysctls []Sysctl) error {
	mac, err := net.ParseMAC(e.MAC)
	if err != nil {
		return fmt.Errorf("parse hardware address %q: %w", e.MAC, err)
	}
	if n.macvlan() {
		if err := addMacvlan(e, n, bridge, in, mac); err != nil {
			return err
		}
		return configured(e, in, sysctls)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.MasterIndex = m.vethName(e), n.MTU, bridge
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerHardwareAddr = e.Interface, mac
	veth.PeerMTU, veth.PeerNamespace = uint32(n.MTU), netlink.NsFd(int(in.ns.Fd()))
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("create veth %s on bridge %s: %w", attrs.Name, n.Device, err)
	}
	// Else it gets an address that nobody uses, and looks for duplicates of it.
	if err := netlink.LinkSetIP6AddrGenMode(veth, nl.IN6_ADDR_GEN_MODE_NONE); err != nil && !errors.Is(err, unix.EAFNOSUPPORT) && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("keep IPv6 off veth %s: %w", attrs.Name, err)
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
	if n.Isolated {
		// Isolated ports of a bridge reach the bridge and not each other.
		if err := netlink.LinkSetIsolated(veth, true); err != nil {
			return fmt.Errorf("isolate veth %s: %w", attrs.Name, err)
		}
	}
	return configured(e, in, sysctls)
}

// configured sets up e's device, which is in its sandbox.
func configured(e *Endpoint, in *sandbox, sysctls []Sysctl) error {
	if err := in.configure(e, sysctls); err != nil {
		return fmt.Errorf("configure %s of container %s: %w", e.Interface, e.ContainerID, err)
	}
	return nil
}

func (m *Manager) vethPrefix() string { return "b" + m.hash[:4] }

// vethName is at most 15 bytes long, as the kernel wants. It follows from the
// endpoint and not from the container, whose last veth may still be going.
func (m *Manager) vethName(e *Endpoint) string { return m.vethPrefix() + e.ID[:10] }
