// Package dns is the name server that containers of user-defined networks ask:
// it knows the names of their neighbours and passes everything else on to the
// resolvers of the host.
//
// A Server answers for one container. Its sockets are in that container's
// network namespace, so who asks is known without looking at addresses, and
// nobody else can ask. What it answers from is a View, made by who knows the
// networks.
//
//	question                               answer
//	A, AAAA of a neighbour's name          its addresses of that family, shuffled; none is no error
//	any other type of a neighbour's name   none, and nobody else is asked: names of containers stay here
//	PTR of a neighbour's address           its name
//	PTR of another address of our subnets  no such name (NXDOMAIN), for the same reason
//	everything else                        what the first forwarder says that answers
//
// Forwarding is message for message over the transport that the container used:
// an answer that was cut short over UDP tells the container to ask again over
// TCP, and EDNS (RFC 6891) is between the container and the forwarder.
//
// It does not know networks or containers and must not import engine/network.
package dns
