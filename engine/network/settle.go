package network

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// gateway is the endpoint whose network gives the default route of a family: the
// one with the highest priority, and among equals the first by name.
func gateway(ends []*Endpoint, six bool) *Endpoint {
	var best *Endpoint
	for _, e := range ends {
		if six && !e.Gateway6.IsValid() || !six && !e.Gateway.IsValid() {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(e.GwPriority, best.GwPriority), cmp.Compare(best.NetworkName, e.NetworkName)) > 0 {
			best = e
		}
	}
	return best
}

// settle makes the routes and the published ports of a container follow from its
// endpoints but leaving, which is nil or about to go.
func (m *Manager) settle(containerID string, leaving *Endpoint, in *sandbox) error {
	m.mu.Lock()
	ends := slices.DeleteFunc(slices.Clone(m.ends[containerID]), func(e *Endpoint) bool { return e == leaving })
	four, six := gateway(ends, false), gateway(ends, true)
	from, to, err := m.movePorts(containerID, m.publisher(ends))
	routes := [2]struct {
		via netip.Addr
		dev string
	}{}
	h := m.holders[containerID]
	hasSix := slices.ContainsFunc(ends, func(e *Endpoint) bool { return e.IP6.IsValid() })
	if four != nil {
		routes[0].via, routes[0].dev = four.Gateway, four.Interface
	}
	if six != nil {
		routes[1].via, routes[1].dev = six.Gateway6, six.Interface
	}
	m.mu.Unlock()
	if err != nil {
		return fmt.Errorf("record the endpoints of container %s: %w", containerID, err)
	}
	if err := m.fw.unpublish(&from); err != nil {
		return err
	}
	switch {
	case len(from.Ports) > 0 && len(to.Ports) > 0:
		err = hold(h, &to)
	case len(from.Ports) > 0:
		err = release(h, &from, from.Ports)
	}
	if err != nil {
		return err
	}
	if err := m.fw.publish(&to); err != nil {
		return err
	}
	if len(ends) == 0 {
		return nil
	}
	for i, r := range routes {
		if i == 1 && !hasSix {
			break
		}
		if err := in.defaultRoute(r.via, r.dev, i == 1); err != nil {
			return fmt.Errorf("configure the routes of container %s: %w", containerID, err)
		}
	}
	return nil
}

// publisher is the endpoint that has the published ports of a container: the one with
// the default route, if its network has a bridge. m.mu is held.
func (m *Manager) publisher(ends []*Endpoint) *Endpoint {
	e := cmp.Or(gateway(ends, false), gateway(ends, true))
	if e != nil && m.nets[e.NetworkName] != nil && m.nets[e.NetworkName].macvlan() {
		return nil
	}
	return e
}

// movePorts records target as the endpoint that has the container's published
// ports, and returns copies of who had them until now, if it is another one, and
// who has them. Where nothing leads out (target is nil) nobody has them, and they
// are chosen anew in the next network that does. m.mu is held.
func (m *Manager) movePorts(containerID string, target *Endpoint) (from, to Endpoint, err error) {
	i := slices.IndexFunc(m.ends[containerID], func(e *Endpoint) bool { return len(e.Ports) > 0 })
	if i < 0 {
		return from, to, nil
	}
	holder := m.ends[containerID][i]
	if holder != target {
		from = *holder
		holder.Ports = nil
		// The new one first: that two have them is found by Open, that nobody has is not.
		if target != nil {
			target.Ports = slices.Clone(from.Ports)
			err = m.endpoints.Put(target.key(), target)
		}
		err = errors.Join(err, m.endpoints.Put(holder.key(), holder))
	}
	if target != nil {
		to = *target
	}
	return from, to, err
}

// onePortHolder ends a move of published ports that was interrupted. m.mu is held,
// or m not known to anybody yet.
func (m *Manager) onePortHolder(ends []*Endpoint) error {
	holders := slices.DeleteFunc(slices.Clone(ends), func(e *Endpoint) bool { return len(e.Ports) == 0 })
	if len(holders) < 2 {
		return nil
	}
	keep := cmp.Or(gateway(holders, false), gateway(holders, true), holders[0])
	var errs []error
	for _, e := range holders {
		if e != keep {
			e.Ports = nil
			errs = append(errs, m.endpoints.Put(e.key(), e))
		}
	}
	return errors.Join(errs...)
}

// leave takes an endpoint away whose container goes on: what it published moves
// first, so that a crash anywhere leaves the ports with one that is there. That it has
// begun is on record: Resume completes it.
func (m *Manager) leave(e *Endpoint, in *sandbox) error {
	m.mu.Lock()
	e.Leaving = true
	err := m.endpoints.Put(e.key(), e)
	m.mu.Unlock()
	if err != nil { // it leaves all the same
		err = fmt.Errorf("record the endpoint of container %s: %w", e.ContainerID, err)
	}
	return errors.Join(err, m.settle(e.ContainerID, e, in), m.removeDevice(e, in), m.forget(e))
}
