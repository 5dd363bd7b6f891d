package network

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/vishvananda/netlink"
)

// names says who is called how in one network: lower-case name → endpoints.
type names map[string][]*Endpoint

// addrs says who has an address of one network: address → name of the container.
type addrs map[netip.Addr]string

// add makes e known. m.mu is held, as for drop.
func (m *Manager) add(e *Endpoint) {
	m.ends[e.ContainerID] = append(m.ends[e.ContainerID], e)
	slices.SortFunc(m.ends[e.ContainerID], func(a, b *Endpoint) int {
		return cmp.Or(cmp.Compare(len(a.Interface), len(b.Interface)), cmp.Compare(a.Interface, b.Interface))
	})
	if m.addrs[e.NetworkID] == nil {
		m.addrs[e.NetworkID] = addrs{}
	}
	for _, a := range []netip.Addr{e.IP, e.IP6} {
		if a.IsValid() {
			m.addrs[e.NetworkID][a] = e.Name
		}
	}
	known := m.names[e.NetworkID]
	if known == nil {
		known = names{}
		m.names[e.NetworkID] = known
	}
	for _, name := range e.DNSNames {
		if name = strings.ToLower(name); !slices.Contains(known[name], e) {
			known[name] = append(known[name], e)
		}
	}
}

// drop makes e unknown; its addresses and ports may be used again.
func (m *Manager) drop(e *Endpoint) {
	is := func(o *Endpoint) bool { return o == e }
	m.ends[e.ContainerID] = slices.DeleteFunc(m.ends[e.ContainerID], is)
	if len(m.ends[e.ContainerID]) == 0 {
		delete(m.ends, e.ContainerID)
		delete(m.holders, e.ContainerID)
	}
	used := m.addrs[e.NetworkID]
	delete(used, e.IP)
	delete(used, e.IP6)
	if len(used) == 0 {
		delete(m.addrs, e.NetworkID)
	}
	known := m.names[e.NetworkID]
	for _, name := range e.DNSNames {
		name = strings.ToLower(name)
		if known[name] = slices.DeleteFunc(known[name], is); len(known[name]) == 0 {
			delete(known, name)
		}
	}
	if len(known) == 0 {
		delete(m.names, e.NetworkID)
	}
}

// Rename gives the container's endpoint in a network other names.
func (m *Manager) Rename(containerID, networkID, name string, dnsNames []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.ends[containerID] {
		if e.NetworkID == networkID {
			holder := m.holders[containerID]
			m.drop(e)
			e.Name, e.DNSNames = name, dnsNames
			m.add(e)
			m.holders[containerID] = holder
			if err := m.endpoints.Put(e.key(), e); err != nil {
				return fmt.Errorf("record the endpoint of container %s: %w", e.ContainerID, err)
			}
			return nil
		}
	}
	return nil
}

// Endpoints returns a copy of the endpoints of a container, in the order of
// their interfaces; nil if it is in no network.
func (m *Manager) Endpoints(containerID string) []Endpoint {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Endpoint
	for _, e := range m.ends[containerID] {
		out = append(out, *e)
	}
	return out
}

// forget gives an endpoint's address, ports and names back.
func (m *Manager) forget(e *Endpoint) error {
	m.mu.Lock()
	e.leaving = true // who writes the whole table from now on leaves it out
	was := *e
	m.mu.Unlock()
	if err := m.fw.unpublish(&was); err != nil {
		return fmt.Errorf("detach container %s from network %s: %w", was.ContainerID, was.NetworkName, err)
	}
	if err := m.endpoints.Delete(was.key()); err != nil {
		return fmt.Errorf("forget the endpoint of container %s: %w", was.ContainerID, err)
	}
	m.mu.Lock()
	m.drop(e) // last: only now may the address be used again
	m.mu.Unlock()
	return nil
}

// Detach gives back the addresses and the ports of a container that has ended. It
// is idempotent. The veths go with the sandbox: deleting them here as well would
// wait some 15 ms for an RCU grace period that the kernel's own clean-up pays
// in the background.
func (m *Manager) Detach(_ context.Context, containerID string) error {
	m.stopResolver(containerID)
	m.mu.Lock()
	ends := slices.Clone(m.ends[containerID])
	m.mu.Unlock()
	errs := []error{m.endInside(containerID)}
	for _, e := range ends {
		errs = append(errs, m.silence(e), m.forget(e))
	}
	return errors.Join(errs...)
}

// Disconnect takes a running container, whose namespace netns refers to, out of
// one network; its published ports move to the network that its default route
// then uses. The error is of kind ErrNotFound if there is no such network or the
// container is not in it.
func (m *Manager) Disconnect(_ context.Context, containerID, ref string, netns *os.File) (Endpoint, error) {
	m.mu.Lock()
	n, err := m.find(ref)
	var e *Endpoint
	if err == nil {
		i := slices.IndexFunc(m.ends[containerID], func(e *Endpoint) bool { return e.NetworkID == n.ID })
		if i < 0 {
			err = fmt.Errorf("container %s is not connected to the network %s: %w", containerID, n.Name, errdefs.ErrNotFound)
		} else {
			e = m.ends[containerID][i]
		}
	}
	var was Endpoint
	if err == nil {
		was = *e
	}
	m.mu.Unlock()
	if err != nil {
		return Endpoint{}, err
	}
	in, err := openSandbox(netns)
	if err != nil {
		return Endpoint{}, err
	}
	defer in.close()
	return was, m.leave(e, in)
}

// Reconcile detaches every endpoint whose container is not in live, removes
// veths of this engine that belong to nobody, and restores bridges and rules
// for those that are. The engine calls it once after it has adopted its shims.
func (m *Manager) Reconcile(ctx context.Context, live []string) error {
	m.mu.Lock()
	var gone []string
	wanted := map[string]bool{}
	for id, ends := range m.ends {
		if !slices.Contains(live, id) {
			gone = append(gone, id)
			continue
		}
		for _, e := range ends {
			wanted[m.vethName(e)] = true
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
	defer m.tellFirewalld()
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error // of one network, that must not keep the others from theirs
	for _, n := range m.nets {
		if len(m.members(n.ID)) > 0 {
			_, err := m.ensureReady(n)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
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
