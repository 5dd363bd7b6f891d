package engine

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	api "github.com/moby/moby/api/types/network"
)

// ChangePorts publishes further ports of a container and takes others back, at once if
// it runs and for its next starts, and returns what is published then. A binding of
// remove stands for every one that agrees with what it says: without a host port or an
// address, for all of that port of the container. The error is of kind NotFound if there
// is none, and nothing has changed with any error.
func (cs *Containers) ChangePorts(ctx context.Context, ref string, add, remove api.PortMap) (api.PortMap, error) {
	c, err := cs.get(ref)
	if err != nil {
		return nil, err
	}
	c.op.Lock()
	defer c.op.Unlock()
	before := c.snapshot()
	if mode := before.HostConfig.NetworkMode; mode.IsHost() || mode.IsContainer() || mode.IsNone() {
		return nil, kind(errdefs.ErrInvalidArgument, "container %s has no network of its own to publish ports from (network mode %s)", before.Name, mode)
	}
	hc := *before.HostConfig
	shown := portMap(before, cs.e.network.Endpoints(c.id))
	if hc.PortBindings, err = withoutPorts(hc, shown, remove); err != nil {
		return nil, err
	}
	hc.PublishAllPorts = hc.PublishAllPorts && len(remove) == 0 // what it published is spelled out
	for port, binds := range add {
		if len(binds) == 0 {
			binds = []api.PortBinding{{}}
		}
		for _, b := range binds {
			if slices.Contains(hc.PortBindings[port], b) && b.HostPort != "" {
				return nil, kind(errdefs.ErrConflict, "container %s publishes port %s there already", before.Name, port)
			}
			hc.PortBindings[port] = append(slices.Clone(hc.PortBindings[port]), b)
		}
	}
	config := *before.Config
	config.ExposedPorts = maps.Clone(config.ExposedPorts)
	for port := range add {
		if config.ExposedPorts == nil {
			config.ExposedPorts = api.PortSet{}
		}
		config.ExposedPorts[port] = struct{}{}
	}
	after := c.change(func(r *record) { r.HostConfig, r.Config = &hc, &config })
	back := func() record {
		return c.change(func(r *record) { r.HostConfig, r.Config = before.HostConfig, before.Config })
	}
	// The record goes first: it can be put back, while a port that was let go can be another's at once.
	if err := cs.save(after); err != nil {
		back()
		return nil, err
	}
	if err := cs.settlePorts(c, after); err != nil {
		return nil, errors.Join(err, cs.save(back()))
	}
	cs.emit(after, events.ActionUpdate)
	return portMap(after, cs.e.network.Endpoints(c.id)), nil
}

// settlePorts makes what is published of a running container follow from its record.
func (cs *Containers) settlePorts(c *ctr, rec record) error {
	want, err := portBindings(rec)
	if err != nil {
		return err
	}
	if _, _, err := c.running(); err != nil {
		return nil //nolint:nilerr // it publishes them with its next start
	}
	return cs.e.network.SetPorts(c.id, want)
}

// withoutPorts are the bindings of a container but for what agrees with remove. shown is
// what is published now: where a host port was left to the engine it says which.
func withoutPorts(hc container.HostConfig, shown, remove api.PortMap) (api.PortMap, error) {
	out := maps.Clone(hc.PortBindings)
	if out == nil {
		out = api.PortMap{}
	}
	if hc.PublishAllPorts && len(remove) > 0 {
		for port, binds := range shown {
			if _, there := out[port]; !there && len(binds) > 0 {
				out[port] = []api.PortBinding{{}}
			}
		}
	}
	for port, wanted := range remove {
		if len(wanted) == 0 {
			wanted = []api.PortBinding{{}}
		}
		for _, w := range wanted {
			// What was chosen is of a binding that left it to the engine, unless another one names it.
			chosen := slices.ContainsFunc(shown[port], func(s api.PortBinding) bool { return s.HostPort == w.HostPort }) &&
				!slices.ContainsFunc(out[port], func(b api.PortBinding) bool { return b.HostPort == w.HostPort })
			left := slices.DeleteFunc(slices.Clone(out[port]), func(b api.PortBinding) bool { return agrees(b, w, chosen) })
			if len(left) == len(out[port]) {
				return nil, kind(errdefs.ErrNotFound, "port %s is not published%s", port, where(w))
			}
			if out[port] = left; len(left) == 0 {
				delete(out, port)
			}
		}
	}
	return out, nil
}

// agrees tells whether binding b is meant by w, whose host port the engine has chosen or not.
func agrees(b, w api.PortBinding, chosen bool) bool {
	if w.HostIP.IsValid() && w.HostIP != b.HostIP && (b.HostIP.IsValid() || w.HostIP != netip.IPv4Unspecified()) {
		return false
	}
	_, err := strconv.Atoi(b.HostPort)
	return w.HostPort == "" || w.HostPort == b.HostPort || chosen && err != nil
}

// where is w in words.
func where(w api.PortBinding) string {
	switch {
	case w.HostIP.IsValid():
		return " at " + w.HostIP.String() + ":" + w.HostPort
	case w.HostPort != "":
		return " at host port " + w.HostPort
	}
	return ""
}
