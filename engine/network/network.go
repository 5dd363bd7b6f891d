package network

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/containerd/errdefs"
)

// Bridge is the name of the default network, as in Docker's API.
const Bridge = "bridge"

// Pool is the part of an address family that a network gives out.
type Pool struct {
	Subnet  netip.Prefix          // masked; invalid: the network has no addresses of the family
	Gateway netip.Addr            // the bridge's own address
	Range   netip.Prefix          // addresses are given out from it; invalid: from all of Subnet
	Aux     map[string]netip.Addr // somebody else's addresses in Subnet, by name
	Chosen  bool                  // by the engine and not by the user
}

// Valid tells whether the network has addresses of the family at all.
func (p Pool) Valid() bool { return p.Subnet.IsValid() }

// Network is one bridge, or for macvlan one device that endpoints are on, with its subnets.
type Network struct {
	ID      string // 64 hexadecimal digits
	Name    string // unique, "bridge" for the default one
	Driver  string // Macvlan; empty: a bridge
	Device  string // name of the bridge, or of the parent
	V4, V6  Pool
	MTU     int // bytes
	Created time.Time

	Internal     bool        // no way in or out but for the host
	Attachable   bool        // kept for the API; every network here is
	Borrowed     bool        // the bridge was there before and stays when the network goes
	Isolated     bool        // its containers do not reach each other (ICC off)
	Gateway4     GatewayMode // what the host is to it in each family
	Gateway6     GatewayMode
	NoMasquerade bool              // containers are seen outside by their own addresses
	HostBinding  netip.Addr        // where ports are published unless said otherwise; invalid: everywhere
	Labels       map[string]string // the user's
	Options      map[string]string // as the user gave them
	IPAMOptions  map[string]string `json:",omitempty"` // the same, for who gives out addresses; nothing is done with them
}

// Default tells whether n is the network that every engine has.
func (n *Network) Default() bool { return n.Name == Bridge }

// CreateSpec says what a new network is to be like.
type CreateSpec struct {
	Name                 string
	Driver               string // "bridge", "" for that, or Macvlan
	IPv4, IPv6           bool
	V4, V6               Pool // what is left out is chosen
	Internal, Attachable bool
	Labels, Options      map[string]string
	IPAMOptions          map[string]string
}

// validName tells what may be a name: whatever is seen, as in docker.
func validName(name string) bool {
	return strings.TrimSpace(name) != "" && len(name) <= maxName && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}

// maxName bounds a name, in bytes.
const maxName = 1024

// Create makes a network and its bridge. The error is of the kinds ErrConflict
// (the name is taken), ErrPermissionDenied (a subnet overlaps that of another
// network), ErrInvalidArgument and ErrResourceExhausted.
func (m *Manager) Create(_ context.Context, spec CreateSpec) (_ Network, err error) {
	n, err := spec.network()
	if err != nil {
		return Network{}, err
	}
	defer m.tellFirewalld()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.unique(n); err != nil {
		return Network{}, err
	}
	exists := func() (bool, error) { return bridgeExists(n.Device) }
	if n.macvlan() {
		exists = func() (bool, error) { return parentExists(n) }
	}
	if n.Borrowed, err = exists(); err != nil {
		return Network{}, fmt.Errorf("create network %s: %w", n.Name, err)
	}
	unlock, err := lockSubnets()
	if err != nil {
		return Network{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	for _, family := range []struct {
		want bool
		pool *Pool
		six  bool
	}{{spec.IPv4, &n.V4, false}, {spec.IPv6, &n.V6, true}} {
		if !family.want {
			*family.pool = Pool{}
		} else if err := m.fillPool(n, family.pool, family.six); err != nil {
			return Network{}, fmt.Errorf("create network %s: %w", n.Name, err)
		}
	}
	// The record first: a device without one would stay for ever.
	if err := m.networks.Put(n.ID, n); err != nil {
		return Network{}, fmt.Errorf("record network %s: %w", n.Name, err)
	}
	m.nets[n.Name] = n
	if err := m.bringUp(n); err != nil {
		delete(m.nets, n.Name)
		return Network{}, errors.Join(fmt.Errorf("create network %s: %w", n.Name, err), removeBridge(n), m.networks.Delete(n.ID))
	}
	return *n, nil
}

// network is what spec asks for, as far as it says it.
func (spec CreateSpec) network() (*Network, error) {
	if !validName(spec.Name) {
		return nil, fmt.Errorf("invalid network name %.80q: use up to %d bytes that can be printed, and not only spaces: %w", spec.Name, maxName, errdefs.ErrInvalidArgument)
	}
	n := &Network{
		ID: newID(), Name: spec.Name, MTU: defaultMTU, Created: time.Now().UTC(), V4: spec.V4, V6: spec.V6,
		Internal: spec.Internal, Attachable: spec.Attachable, Labels: spec.Labels, Options: spec.Options, IPAMOptions: spec.IPAMOptions,
	}
	apply := n.applyOptions
	if spec.Driver == Macvlan {
		n.Driver, apply = Macvlan, n.applyMacvlanOptions
	} else {
		n.Device = "br-" + n.ID[:12]
	}
	if err := apply(); err != nil {
		return nil, err
	}
	if !spec.IPv4 && !spec.IPv6 {
		return nil, fmt.Errorf("create network %s: it has neither IPv4 nor IPv6: %w", n.Name, errdefs.ErrInvalidArgument)
	}
	return n, nil
}

// unique tells that no network has the name or the device of n, which is to come. m.mu is held.
func (m *Manager) unique(n *Network) error {
	if m.nets[n.Name] != nil {
		return fmt.Errorf("network with name %s already exists: %w", n.Name, errdefs.ErrAlreadyExists)
	}
	for _, other := range m.nets {
		switch {
		case other.Device != n.Device:
		case n.macvlan():
			return fmt.Errorf("network %s is already using parent interface %s: %w", other.Name, n.Device, errdefs.ErrPermissionDenied)
		default:
			return fmt.Errorf("create network %s: network %s has the bridge %s already: %w", n.Name, other.Name, n.Device, errdefs.ErrPermissionDenied)
		}
	}
	return nil
}

// Delete removes a network without endpoints. The error is of the kinds
// ErrNotFound and ErrPermissionDenied.
func (m *Manager) Delete(_ context.Context, ref string) (Network, error) {
	n, err := m.delete(ref)
	if err == nil && !n.macvlan() && !n.Borrowed {
		if err := distrust(n.Device); err != nil {
			m.log.Warn("a bridge that is gone", "network", n.Name, "error", err)
		}
	}
	return n, err
}

// delete is Delete without what firewalld knows.
func (m *Manager) delete(ref string) (Network, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(ref)
	if err != nil {
		return Network{}, err
	}
	if n.Default() {
		return *n, fmt.Errorf("%s is a pre-defined network and cannot be removed: %w", n.Name, errdefs.ErrPermissionDenied)
	}
	if members := m.members(n.ID); len(members) > 0 {
		var who []string
		for _, e := range members {
			who = append(who, fmt.Sprintf("%s (%.12s)", e.Name, e.ContainerID))
		}
		return *n, fmt.Errorf("error while removing network: network %s id %s has active endpoints: %s; disconnect or stop them first: %w",
			n.Name, n.ID, strings.Join(who, ", "), errdefs.ErrPermissionDenied)
	}
	if err := removeBridge(n); err != nil {
		return *n, err
	}
	delete(m.ready, n.ID)
	if err := m.networks.Delete(n.ID); err != nil {
		return *n, fmt.Errorf("forget network %s: %w", n.Name, err)
	}
	delete(m.nets, n.Name)
	return *n, errors.Join(m.fw.setup(m.nets, m.ends), m.fw.passForeign(m.nets))
}

// List returns the networks sorted by name.
func (m *Manager) List() []Network {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Network
	for _, n := range m.nets {
		all = append(all, *n)
	}
	slices.SortFunc(all, func(a, b Network) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Inspect returns the network called ref, or whose ID starts with it, and its
// endpoints by container ID. The error is of kind errdefs.ErrNotFound.
func (m *Manager) Inspect(ref string) (Network, map[string]Endpoint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(ref)
	if err != nil {
		return Network{}, nil, err
	}
	members := map[string]Endpoint{}
	for _, e := range m.members(n.ID) {
		members[e.ContainerID] = *e
	}
	return *n, members, nil
}

// Find returns a copy of a network, by name, ID or the beginning of an ID.
func (m *Manager) Find(ref string) (Network, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(ref)
	if err != nil {
		return Network{}, err
	}
	return *n, nil
}

// members are the endpoints of a network by container ID.
func (m *Manager) members(networkID string) []*Endpoint {
	var out []*Endpoint
	for _, id := range slices.Sorted(maps.Keys(m.ends)) {
		for _, e := range m.ends[id] {
			if e.NetworkID == networkID {
				out = append(out, e)
			}
		}
	}
	return out
}

// find takes an ID, a name or the unique beginning of an ID, in this order: that a
// network is called like another one's ID hides neither.
func (m *Manager) find(ref string) (*Network, error) {
	named := m.nets[ref]
	var found *Network
	for _, n := range m.nets {
		if n.ID == ref {
			return n, nil
		}
		if named == nil && ref != "" && strings.HasPrefix(n.ID, ref) {
			if found != nil {
				return nil, fmt.Errorf("network %s is ambiguous: more than one ID starts with it: %w", ref, errdefs.ErrInvalidArgument)
			}
			found = n
		}
	}
	if named != nil {
		return named, nil
	}
	if found == nil {
		return nil, fmt.Errorf("network %s not found: %w", ref, errdefs.ErrNotFound)
	}
	return found, nil
}
