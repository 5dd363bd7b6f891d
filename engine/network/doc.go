// Package network gives containers their network: bridges, addresses, routes
// and published ports, through netlink and nftables and no external program.
//
// Terms are libnetwork's: a Network is a subnet on one bridge device; an
// Endpoint is the membership of one container in one network: a veth pair
// whose peer is eth0 inside the container's network namespace (its Sandbox).
//
// The sandbox itself is not made here. The runtime creates it with the
// container, the shim holds it by a file descriptor, and Attach receives that
// descriptor: when the shim and the processes are gone the kernel takes the
// namespace and with it both ends of the veth. What the kernel does not take
// is the endpoint's record (its address and its port elements in the nftables
// maps); Detach gives them back, and Reconcile does so for containers that
// ended while no engine was running.
//
// Everything follows from the state directory of the engine, so that two
// engines on one machine never touch each other: the bridge device and the
// nftables table are called berth0 and berth for the default state directory,
// and carry a hash of the directory's path otherwise. Host ends of veths start
// with the same hash.
//
// Packets. One nftables table of the ip family holds all rules:
//
//	prerouting  nat     local destination: dnat through the port maps
//	output      nat     the same for connections the host itself makes
//	postrouting nat     masquerade what leaves a bridge's subnet, loopback
//	                    sources and hairpins; leave neighbours their own
//	                    addresses, whatever foreign rules say
//	guard       filter  drop what a bridge sends to 127.0.0.0/8, which
//	                    route_localnet would otherwise let in
//	forward     filter  drop what comes from another device for a port that is
//	                    not published: the host forwards, so its neighbours
//	                    could route to the containers' addresses
//
// Published ports are elements of two maps, so that adding or removing one
// costs the same whatever their number and is atomic.
//
// Locking: Manager.mu guards everything in Manager. It is held over netlink
// calls that change the set of bridges or addresses, never over those inside
// a sandbox.
package network
