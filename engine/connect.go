package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"

	"berth/engine/network"
	"berth/shim"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/events"
	api "github.com/moby/moby/api/types/network"
)

// keptDNS is under which name a shim keeps the sockets of its container's name server.
const keptDNS = "dns"

// connect gives the parked container its networks, name server and hosts file.
func (cs *Containers) connect(ctx context.Context, rec record, client *shim.Client) error {
	mode := rec.HostConfig.NetworkMode
	switch {
	case mode.IsContainer():
		return nil
	case mode.IsHost():
		return cs.writeHosts(rec, nil)
	}
	none := mode.IsNone() || rec.Config.NetworkDisabled
	if none {
		rt, err := cs.e.settings().runtime(rec.HostConfig.Runtime)
		if err != nil {
			return err
		}
		if rt.Built() { // it brings lo up, which is all there is to do
			return cs.writeHosts(rec, nil)
		}
	}
	// The descriptor names the namespace even if the container dies meanwhile.
	netns, err := client.NetNS()
	if err != nil {
		return err
	}
	defer netns.Close()
	if none {
		if err := network.Loopback(netns); err != nil {
			return err
		}
		return cs.writeHosts(rec, nil)
	}
	for _, name := range networkNames(rec) {
		if err := cs.attach(ctx, rec, name, netns, client); err != nil {
			return err
		}
	}
	if namesNeighbours(rec) {
		if err := cs.startResolver(rec, client, netns); err != nil {
			return err
		}
	}
	return cs.writeHosts(rec, cs.e.network.Endpoints(rec.ID))
}

// attach joins the container, whose namespace netns is, to one network.
func (cs *Containers) attach(ctx context.Context, rec record, name string, netns *os.File, client *shim.Client) error {
	as, err := attachSpec(rec, name)
	if err != nil {
		return err
	}
	as.Holder = client
	ep, err := cs.e.network.Attach(ctx, as, netns)
	if err != nil {
		return err
	}
	cs.emitNetwork(events.ActionConnect, rec.ID, ep)
	return nil
}

func (cs *Containers) emitNetwork(action events.Action, id string, ep network.Endpoint) {
	driver := "bridge"
	if n, err := cs.e.network.Find(ep.NetworkID); err == nil {
		driver = driverOf(n)
	}
	cs.e.Events.Publish(events.NetworkEventType, action, ep.NetworkID, map[string]string{
		"container": id, "name": ep.NetworkName, "type": driver,
	})
}

// startResolver starts the name server of a container. Its shim keeps the sockets,
// so that no question is lost between two engines.
func (cs *Containers) startResolver(rec record, client *shim.Client, netns *os.File) error {
	forwarders, err := forwarders(rec)
	if err != nil {
		return err
	}
	sockets, err := cs.e.network.Resolve(rec.ID, forwarders, netns, nil)
	if err != nil {
		return err
	}
	err = client.Keep(keptDNS, sockets...)
	for _, f := range sockets {
		err = errors.Join(err, f.Close())
	}
	return err
}

// networkName is the name of the network ref, or ref if there is none.
func (cs *Containers) networkName(ref string) string {
	if predefined(ref) {
		return ref
	}
	if n, _, err := cs.e.network.Inspect(ref); err == nil {
		return n.Name
	}
	if n, err := cs.e.Networks.Inspect(context.Background(), ref); err == nil { // host and none have IDs, too
		return n.Name
	}
	return ref
}

// useNetwork tells whether a container is, or would be if it ran, in a network.
func (cs *Containers) useNetwork(name string) bool {
	for _, c := range cs.all() {
		if rec := c.snapshot(); rec.Networking != nil && rec.Networking.EndpointsConfig[name] != nil {
			return true
		}
	}
	return false
}

// Connect joins a container to one more network, at once if it runs. Errors are of
// the kinds NotFound, PermissionDenied (it is in it already, the address is
// taken), InvalidArgument and ResourceExhausted.
func (cs *Containers) Connect(ctx context.Context, ref, container string, es *api.EndpointSettings) error {
	c, name, err := cs.member(ref, container)
	if err != nil {
		return err
	}
	c.op.Lock()
	defer c.op.Unlock()
	if es == nil {
		es = &api.EndpointSettings{}
	}
	if err := checkEndpoint(name, es); err != nil {
		return err
	}
	before := c.snapshot()
	if before.Networking != nil && before.Networking.EndpointsConfig[name] != nil {
		if !before.State.Running {
			return nil // as with docker, and what the first connect asked for stays
		}
		return fmt.Errorf("endpoint with name %s already exists in network %s: %w", before.Name, name, errdefs.ErrPermissionDenied)
	}
	after := c.change(func(r *record) { r.Networking = withNetwork(r.Networking, name, es.Copy()) })
	if err := cs.connectRunning(ctx, c, after, name); err != nil {
		c.change(func(r *record) { r.Networking = before.Networking })
		return err
	}
	return cs.save(after)
}

// connectRunning joins a container that runs to the network; one that does not
// joins it with its next start.
func (cs *Containers) connectRunning(ctx context.Context, c *ctr, rec record, name string) error {
	r, _, err := c.running()
	if err != nil {
		return nil //nolint:nilerr // it does not run
	}
	netns, err := r.NetNS()
	if err != nil {
		return err
	}
	defer netns.Close()
	if err := cs.attach(ctx, rec, name, netns, r.Client); err != nil {
		return err
	}
	if err = cs.startResolverIfNeeded(cs.effective(rec), r.Client, netns); err == nil {
		err = cs.writeHosts(rec, cs.e.network.Endpoints(rec.ID))
	}
	if err == nil { // the new network may have other ones than that which had the default route
		err = cs.settlePorts(c, rec)
	}
	if err != nil {
		_, derr := cs.e.network.Disconnect(ctx, rec.ID, name, netns)
		return errors.Join(err, derr)
	}
	return nil
}

// startResolverIfNeeded starts the name server of a container that has come into
// its first user-defined network, and tells it so.
func (cs *Containers) startResolverIfNeeded(rec record, client *shim.Client, netns *os.File) error {
	if !namesNeighbours(rec) {
		return nil
	}
	err := cs.startResolver(rec, client, netns)
	if errdefs.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return cs.writeResolvConf(rec)
}

// Disconnect takes a container out of a network, at once if it runs. As with docker
// the error has no kind if it is not in it.
func (cs *Containers) Disconnect(ctx context.Context, ref, container string) error {
	c, name, err := cs.member(ref, container)
	if err != nil {
		return err
	}
	c.op.Lock()
	defer c.op.Unlock()
	rec := c.snapshot()
	if rec.Networking == nil || rec.Networking.EndpointsConfig[name] == nil {
		if rec.State.Running {
			return fmt.Errorf("container %s is not connected to network %s", rec.ID, name)
		}
		return fmt.Errorf("container %s is not connected to the network %s", rec.ID, name)
	}
	if r, _, err := c.running(); err == nil {
		netns, err := r.NetNS()
		if err != nil {
			return err
		}
		defer netns.Close()
		ep, err := cs.e.network.Disconnect(ctx, rec.ID, name, netns)
		switch {
		case err == nil:
			cs.emitNetwork(events.ActionDisconnect, rec.ID, ep)
		case !errdefs.IsNotFound(err): // else it has left with an earlier try
			return err
		}
	}
	rec = c.change(func(r *record) { r.Networking = withNetwork(r.Networking, name, nil) })
	return errors.Join(cs.settlePorts(c, rec), cs.writeHosts(rec, cs.e.network.Endpoints(rec.ID)), cs.save(rec))
}

// member finds a network and a container that may be in it or leave it.
func (cs *Containers) member(ref, container string) (*ctr, string, error) {
	name := cs.networkName(ref)
	if name != api.NetworkHost && name != api.NetworkNone {
		n, _, err := cs.e.network.Inspect(ref)
		if err != nil {
			return nil, "", err
		}
		name = n.Name
	}
	c, err := cs.get(container)
	if err != nil {
		return nil, "", err
	}
	switch name {
	case api.NetworkHost:
		return nil, "", kind(errdefs.ErrInvalidArgument, "container cannot be disconnected from host network or connected to host network")
	case api.NetworkNone:
		return nil, "", kind(errdefs.ErrInvalidArgument, "container cannot be connected to multiple networks with one of the networks in private (none) mode")
	}
	switch mode := c.snapshot().HostConfig.NetworkMode; {
	case mode.IsContainer() || mode.IsHost():
		return nil, "", kind(errdefs.ErrInvalidArgument, "container sharing network namespace with another container or host cannot be connected to any other network")
	case mode.IsNone():
		return nil, "", kind(errdefs.ErrInvalidArgument, "container cannot be connected to multiple networks with one of the networks in private (none) mode")
	}
	return c, name, nil
}

// withNetwork is nc with one network more, or less if es is nil. What a record
// has never changes in place.
func withNetwork(nc *api.NetworkingConfig, name string, es *api.EndpointSettings) *api.NetworkingConfig {
	all := map[string]*api.EndpointSettings{}
	if nc != nil {
		maps.Copy(all, nc.EndpointsConfig)
	}
	if all[name] = es; es == nil {
		delete(all, name)
	}
	return &api.NetworkingConfig{EndpointsConfig: all}
}

// renameEndpoints makes the neighbours of a container find it by its new name.
func (cs *Containers) renameEndpoints(rec record) error {
	for _, ep := range cs.e.network.Endpoints(rec.ID) {
		var names []string
		if userDefined(ep.NetworkName) && rec.Networking.EndpointsConfig[ep.NetworkName] != nil {
			names = dnsNames(rec, rec.Networking.EndpointsConfig[ep.NetworkName])
		}
		if err := cs.e.network.Rename(rec.ID, ep.NetworkID, rec.Name, names); err != nil {
			return err
		}
	}
	return nil
}

// hostGateway is what "host-gateway" stands for: the host in the container's network.
func hostGateway(ends []network.Endpoint) netip.Addr {
	for _, e := range ends {
		if e.Gateway.IsValid() {
			return e.Gateway
		}
	}
	for _, e := range ends {
		if e.Gateway6.IsValid() {
			return e.Gateway6
		}
	}
	return netip.Addr{}
}
