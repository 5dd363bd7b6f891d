package network

import (
	"errors"
	"fmt"
	"slices"
)

// SetPorts makes the published ports of a container that runs those of want: what is
// missing is chosen and published, what is too much is taken back, and what is there
// stays as it is, with every connection through it. Where nothing leads out of the
// container, nothing is published. On an error all is as before.
func (m *Manager) SetPorts(containerID string, want []PortBinding) error {
	m.mu.Lock()
	ends := m.ends[containerID]
	e := m.publisher(ends)
	if i := slices.IndexFunc(ends, func(e *Endpoint) bool { return len(e.Ports) > 0 }); i >= 0 {
		e = ends[i]
	}
	if e == nil {
		m.mu.Unlock()
		return nil
	}
	h, before := m.holders[containerID], *e
	n := m.nets[e.NetworkName]
	missing, extra := difference(want, e.Ports, n)
	added, removed := before, before
	removed.Ports = extra
	var err error
	added.Ports, err = m.choosePorts(n, e, missing)
	m.mu.Unlock()
	if err != nil || len(added.Ports)+len(extra) == 0 {
		return err
	}
	err = hold(h, &added)
	closePorts(added.Ports)
	if err == nil {
		err = m.recordPorts(e, slices.Concat(slices.DeleteFunc(slices.Clone(before.Ports), func(b PortBinding) bool { return slices.Contains(extra, b) }), added.Ports))
	}
	if err == nil {
		err = m.fw.publish(&added)
	}
	if err != nil {
		return errors.Join(err, m.fw.unpublish(&added), m.recordPorts(e, before.Ports), release(h, &added, added.Ports))
	}
	return errors.Join(m.fw.unpublish(&removed), release(h, &removed, extra))
}

// recordPorts says which ports e has.
func (m *Manager) recordPorts(e *Endpoint, ports []PortBinding) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Ports = ports
	if err := m.endpoints.Put(e.key(), e); err != nil {
		return fmt.Errorf("record the endpoint of container %s: %w", e.ContainerID, err)
	}
	return nil
}

// difference tells what of want is not among have, and what of have nobody wants. What
// names an address of the host is looked for first: the rest takes what is left. Ports that have
// come from another network are of no use if n, unlike that one, is routed, or that one was.
func difference(want, have []PortBinding, n *Network) (missing, extra []PortBinding) {
	fits := func(h PortBinding) bool { return h.routed() == (n.mode(h.HostIP.Is6()) == Routed) }
	extra = slices.Clone(have)
	want = slices.Clone(want)
	slices.SortStableFunc(want, func(a, b PortBinding) int {
		if a.HostIP.IsValid() == b.HostIP.IsValid() {
			return 0
		} else if a.HostIP.IsValid() {
			return -1
		}
		return 1
	})
	for _, w := range want {
		of := func(h PortBinding) bool {
			return h.Proto == w.Proto && h.ContainerPort == w.ContainerPort && (!w.HostIP.IsValid() || h.HostIP == w.HostIP.Unmap()) &&
				(w.HostPort == 0 || h.routed() || h.HostPort >= w.HostPort && h.HostPort <= max(w.HostPort, w.HostPortEnd))
		}
		is := func(h PortBinding) bool { return of(h) && fits(h) }
		// Without an address it is at all of them, or where the network says.
		i := slices.IndexFunc(extra, func(h PortBinding) bool { return is(h) && (w.HostIP.IsValid() || h.HostIP.IsUnspecified()) })
		if i < 0 {
			i = slices.IndexFunc(extra, is)
		}
		if i < 0 {
			missing = append(missing, w)
			continue
		}
		port := extra[i].HostPort // of both families
		extra = slices.DeleteFunc(extra, func(h PortBinding) bool { return is(h) && (h.HostPort == port || h.routed()) })
		for _, h := range extra { // the other family is not as it was: it gets the same port
			if of(h) && !fits(h) {
				again := w
				if again.HostIP = h.HostIP; port != 0 {
					again.HostPort, again.HostPortEnd = port, 0
				}
				missing = append(missing, again)
			}
		}
	}
	return missing, extra
}
