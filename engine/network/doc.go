// Package network gives containers their networks: bridges, addresses, routes,
// published ports and names, through netlink and nftables and no external program.
//
// Terms are libnetwork's: a Network is one bridge device with a subnet for each
// address family; an Endpoint is the membership of one container in one network:
// a veth pair whose peer is eth0, eth1, … inside the container's network
// namespace (its Sandbox). The network "bridge" is every engine's; the others are
// user-defined, and only in those do containers find each other by name.
//
// The sandbox itself is not made here. The runtime creates it with the
// container, the shim holds it by a file descriptor, and Attach receives that
// descriptor: when the shim and the processes are gone the kernel takes the
// namespace and with it both ends of the veths, in its own time (see silence). What the kernel does not take
// is the endpoint's record (its addresses and its port elements in the nftables
// maps); Detach gives them back, and Reconcile does so for containers that
// ended while no engine was running.
//
// Of a container in several networks, one endpoint has the published ports and
// the default route: that of the highest priority, then the first by name.
// Attach and Disconnect move both.
//
// Everything follows from the state directory of the engine, so that two
// engines on one machine never touch each other: the default bridge and the
// nftables tables are called berth0 and berth for the default state directory,
// and carry a hash of the directory's path otherwise. Host ends of veths start
// with the same hash.
//
// Packets. One nftables table for each address family holds all rules:
//
//	prerouting  nat     local destination: dnat through the port maps
//	output      nat     the same for connections the host itself makes
//	postrouting nat     masquerade what leaves a bridge's subnet, loopback
//	                    sources and hairpins; leave neighbours their own
//	                    addresses, whatever foreign rules say
//	guard       filter  drop what a bridge sends to the host's loopback, which
//	                    route_localnet would otherwise let in
//	forward     filter  drop what comes from another device for a port that is
//	                    not published: this keeps networks apart, and the host's
//	                    neighbours out, who could route to the containers; of an
//	                    internal network, drop all that comes in or goes out
//	input       filter  keep internal networks from published ports that a shim passes on
//
// Published ports are elements of two maps, so that adding or removing one
// costs the same whatever their number and is atomic. Each is reserved by a socket that
// is bound to it on the host, from the moment it is chosen: first here, then in the
// container's shim (its Holder), so that the port is the container's until it ends. What
// arrives at the socket because no rule can translate it, such as a connection to ::1,
// the shim passes on. Containers that must not
// reach each other in one network (ICC off) are on isolated ports of the bridge.
//
// Names are answered by a server of the package dns for each container in a
// user-defined network, on sockets inside its sandbox; see Resolve.
//
// Locking: Manager.mu guards everything in Manager. It is held over netlink
// calls that change the set of bridges or addresses, never over those inside
// a sandbox.
package network
