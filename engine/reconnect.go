package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/containerd/errdefs"
)

// resumeNetworks makes the networks of an adopted container agree with its record,
// which is written last by whatever changes them, and goes on with its name server.
//
//	endpoint, not in the record    a connect that was interrupted: taken back
//	in the record, no endpoint     a disconnect that was interrupted: completed
//	endpoint with another name     a rename that was interrupted: completed
//	other ports than the record    a change of ports that was interrupted: taken back
func (cs *Containers) resumeNetworks(ctx context.Context, c *ctr) error {
	// It may end right now; what is begun here must not come after its end.
	c.op.Lock()
	defer c.op.Unlock()
	r, rec, err := c.running()
	mode := rec.HostConfig.NetworkMode
	if err != nil || mode.IsContainer() || mode.IsHost() || mode.IsNone() || rec.Config.NetworkDisabled {
		return nil //nolint:nilerr // it has ended meanwhile
	}
	netns, err := r.NetNS()
	if err != nil {
		return err
	}
	defer netns.Close()
	return errors.Join(cs.e.network.Resume(c.id, r.Client, netns), cs.settleEndpoints(ctx, c, r), cs.settlePorts(c, c.snapshot()), cs.resumeResolver(r, cs.effective(c.snapshot())))
}

// settleEndpoints does what the table above says.
func (cs *Containers) settleEndpoints(ctx context.Context, c *ctr, r *run) error {
	rec := c.snapshot()
	asked := networkNames(rec)
	var has []string
	changed, renamed := false, false
	for _, ep := range cs.e.network.Endpoints(c.id) {
		has = append(has, ep.NetworkName)
		renamed = renamed || ep.Name != rec.Name
		if slices.Contains(asked, ep.NetworkName) {
			continue
		}
		netns, err := r.NetNS()
		if err != nil {
			return err
		}
		_, err = cs.e.network.Disconnect(ctx, c.id, ep.NetworkID, netns)
		if err = errors.Join(err, netns.Close()); err != nil {
			return err
		}
		changed = true
	}
	for _, name := range asked {
		if !slices.Contains(has, name) {
			rec = c.change(func(r *record) { r.Networking = withNetwork(r.Networking, name, nil) })
			changed = true
		}
	}
	var errs []error
	if renamed {
		errs = append(errs, cs.renameEndpoints(rec))
	}
	if changed {
		errs = append(errs, cs.writeHosts(rec, cs.e.network.Endpoints(c.id)), cs.save(rec))
	}
	return errors.Join(errs...)
}

// resumeResolver goes on with the name server of an adopted container. One that
// has left its user-defined networks goes on asking it, too.
func (cs *Containers) resumeResolver(r *run, rec record) error {
	sockets, err := r.Kept(keptDNS)
	if errdefs.IsNotFound(err) {
		if !namesNeighbours(rec) {
			return nil
		}
		// The engine before died before it had them kept.
		netns, err := r.NetNS()
		if err != nil {
			return err
		}
		defer netns.Close()
		return cs.startResolver(rec, r.Client, netns)
	}
	if err != nil {
		return err
	}
	forwarders, err := forwarders(rec)
	if err == nil {
		_, err = cs.e.network.Resolve(rec.ID, forwarders, nil, sockets)
	}
	for _, f := range sockets {
		err = errors.Join(err, f.Close())
	}
	return err
}
