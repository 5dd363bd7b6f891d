package berthapi

import (
	"context"

	"github.com/moby/moby/api/types/network"
)

// PortChange says which ports a container is to publish, and which no more. A binding of
// Remove without an address or a host port stands for all that agree with the rest.
type PortChange struct {
	Add, Remove network.PortMap
}

// ChangePorts changes what the container id publishes, at once if it runs and for its
// next starts, and returns what it publishes then. Kinds: NotFound (no such container,
// or nothing published there), Conflict, InvalidArgument, Internal (the port is taken).
func (c *Client) ChangePorts(ctx context.Context, id string, change PortChange) (network.PortMap, error) {
	var ports network.PortMap
	return ports, c.post(ctx, containerPath(id)+"/ports", change, &ports)
}
