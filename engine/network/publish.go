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
	missing, extra := difference(want, e.Ports)
	added, removed := before, before
	removed.Ports = extra
	var err error
	added.Ports, err = m.choosePorts(m.nets[e.NetworkName], e, missing)
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
// names an address of the host is looked for first: the rest takes what is left.
func difference(want, have []PortBinding) (missing, extra []PortBinding) {
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
		is := func(h PortBinding) bool {
			return h.Proto == w.Proto && h.ContainerPort == w.ContainerPort && (!w.HostIP.IsValid() || h.HostIP == w.HostIP.Unmap()) &&
				(w.HostPort == 0 || h.routed() || h.HostPort >= w.HostPort && h.HostPort <= max(w.HostPort, w.HostPortEnd))
		}
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
	}
	return missing, extra
}
