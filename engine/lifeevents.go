package engine

import (
	"strconv"

	"berth/engine/network"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/mount"
)

// tellVolumes publishes that a container's volumes are mounted, or are no more.
func (cs *Containers) tellVolumes(rec record, action events.Action) {
	for _, m := range rec.Mounts {
		if m.Type != mount.TypeVolume {
			continue
		}
		attrs := map[string]string{"container": rec.ID, "driver": m.Driver}
		if action == events.ActionMount {
			attrs["destination"], attrs["propagation"], attrs["read/write"] = m.Destination, string(m.Propagation), strconv.FormatBool(m.RW)
		}
		cs.e.Events.Publish(events.VolumeEventType, action, m.Name, attrs)
	}
}

// tellStart publishes what a container joins by its start, but for the networks that attach tells of.
func (cs *Containers) tellStart(rec record) {
	cs.tellBuiltin(rec, events.ActionConnect)
	cs.tellVolumes(rec, events.ActionMount)
}

// tellBuiltin publishes that a container joins, or leaves, the network none or host.
func (cs *Containers) tellBuiltin(rec record, action events.Action) {
	driver := map[bool]string{rec.HostConfig.NetworkMode.IsHost(): "host", rec.HostConfig.NetworkMode.IsNone(): "null"}[true]
	if driver == "" {
		return
	}
	bridge, err := cs.e.network.Find(network.Bridge)
	if err != nil {
		return
	}
	one := builtin(bridge.ID, rec.HostConfig.NetworkMode.NetworkName(), driver)
	cs.e.Events.Publish(events.NetworkEventType, action, one.ID, map[string]string{"container": rec.ID, "name": one.Name, "type": driver})
}

// tellEnd publishes what a container has left by its end: the networks that it was in, and its volumes.
func (cs *Containers) tellEnd(rec record, ends []network.Endpoint) {
	for _, ep := range ends {
		cs.emitNetwork(events.ActionDisconnect, rec.ID, ep)
	}
	cs.tellBuiltin(rec, events.ActionDisconnect)
	cs.tellVolumes(rec, events.ActionUnmount)
}
