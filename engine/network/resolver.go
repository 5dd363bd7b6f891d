package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"berth/engine/network/dns"
)

// Resolver is the address of the name server in a container of a user-defined
// network, Docker's. It listens on a port of its own, and rules of the container's
// namespace send what goes to port 53 there: so a program in the container may
// have port 53 for itself.
var Resolver = netip.AddrFrom4([4]byte{127, 0, 0, 11})

// resolver is a name server that runs.
type resolver struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// Resolve starts the name server of a container that is in user-defined networks.
// The sockets are made in the namespace that ns refers to, or are those that an
// earlier engine got from Resolve. The caller has them kept by who outlives
// the engine: questions that come while there is none wait in them. That the
// container has a name server already is an error of kind ErrAlreadyExists.
func (m *Manager) Resolve(containerID string, forwarders []Forwarder, ns *os.File, sockets []*os.File) (_ []*os.File, err error) {
	m.mu.Lock()
	_, there := m.resolvers[containerID]
	m.mu.Unlock()
	if there {
		return nil, fmt.Errorf("start the name server of container %s: it has one: %w", containerID, errdefs.ErrAlreadyExists)
	}
	if len(sockets) == 0 {
		if sockets, err = listenInside(ns); err != nil {
			return nil, fmt.Errorf("start the name server of container %s: %w", containerID, err)
		}
		defer func() {
			if err != nil {
				closeAll(sockets)
			}
		}()
	}
	udp, tcp, err := conns(sockets)
	if err != nil {
		return nil, fmt.Errorf("start the name server of container %s: %w", containerID, err)
	}
	inside, err := udp.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the name server of container %s: %w", containerID, err), udp.Close(), tcp.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &resolver{cancel: cancel, done: make(chan struct{})}
	m.mu.Lock()
	m.resolvers[containerID] = r
	m.mu.Unlock()
	server := dns.NewServer(&view{m: m, container: containerID, forwarders: asked(forwarders), inside: inside}, m.log)
	go func() {
		defer close(r.done)
		if err := server.Serve(ctx, udp, tcp); err != nil {
			m.log.Error("the name server of a container ended", "container", containerID, "error", err)
		}
	}()
	return sockets, nil
}

// stopResolver ends the name server of a container, if it has one.
func (m *Manager) stopResolver(containerID string) {
	m.mu.Lock()
	r := m.resolvers[containerID]
	delete(m.resolvers, containerID)
	m.mu.Unlock()
	if r != nil {
		r.cancel()
		<-r.done
	}
}

// listenInside makes the sockets of a name server in a namespace, and the rules
// that lead to them.
func listenInside(ns *os.File) (files []*os.File, err error) {
	err = enter(ns, func() (err error) {
		files, err = listen()
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := redirect(ns, files); err != nil {
		closeAll(files)
		return nil, err
	}
	return files, nil
}

func listen() (_ []*os.File, err error) {
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: Resolver.AsSlice()})
	if err != nil {
		return nil, err
	}
	defer udp.Close()
	tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: Resolver.AsSlice()})
	if err != nil {
		return nil, err
	}
	defer tcp.Close()
	u, err := udp.File()
	if err != nil {
		return nil, err
	}
	t, err := tcp.File()
	if err != nil {
		return nil, errors.Join(err, u.Close())
	}
	return []*os.File{u, t}, nil
}

// conns are the sockets as the net package has them.
func conns(sockets []*os.File) (*net.UDPConn, *net.TCPListener, error) {
	if len(sockets) != 2 {
		return nil, nil, fmt.Errorf("%d sockets, want one for UDP and one for TCP", len(sockets))
	}
	p, err := net.FilePacketConn(sockets[0])
	if err != nil {
		return nil, nil, err
	}
	l, err := net.FileListener(sockets[1])
	if err != nil {
		return nil, nil, errors.Join(err, p.Close())
	}
	udp, isUDP := p.(*net.UDPConn)
	tcp, isTCP := l.(*net.TCPListener)
	if !isUDP || !isTCP {
		return nil, nil, errors.Join(errors.New("the sockets are not one for UDP and one for TCP"), p.Close(), l.Close())
	}
	return udp, tcp, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// redirect sends what the namespace's programs send to port 53 of Resolver to
// the ports of sockets.
func redirect(ns *os.File, sockets []*os.File) error {
	udp, tcp, err := conns(sockets)
	if err != nil {
		return err
	}
	defer udp.Close()
	defer tcp.Close()
	c, err := nftables.New(nftables.WithNetNSFd(int(ns.Fd())))
	if err != nil {
		return fmt.Errorf("open nftables of the container's namespace: %w", err)
	}
	t := &nftables.Table{Name: "berth-dns", Family: nftables.TableFamilyIPv4}
	c.AddTable(t)
	c.DelTable(t) // of a name server before
	c.AddTable(t)
	out := c.AddChain(chain(t, "output", nftables.ChainTypeNAT, nftables.ChainHookOutput, *nftables.ChainPriorityNATDest))
	for proto, to := range map[byte]uint16{
		unix.IPPROTO_UDP: udp.LocalAddr().(*net.UDPAddr).AddrPort().Port(),
		unix.IPPROTO_TCP: tcp.Addr().(*net.TCPAddr).AddrPort().Port(),
	} {
		// ip daddr 127.0.0.11 meta l4proto PROTO th dport 53 dnat to 127.0.0.11:PORT
		r := match(families[0].dst, netip.PrefixFrom(Resolver, 32))
		r = append(r,
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: []byte{proto}},
			destPort(reg1),
			&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: port(53)[:2]},
			&expr.Immediate{Register: reg1, Data: Resolver.AsSlice()},
			&expr.Immediate{Register: reg1 + 1, Data: port(to)[:2]},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: reg1, RegProtoMin: reg1 + 1, Specified: true})
		c.AddRule(&nftables.Rule{Table: t, Chain: out, Exprs: r})
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("lead port 53 to the name server: %w", err)
	}
	return nil
}

// view is what one container may know; it implements dns.View.
type view struct {
	m          *Manager
	container  string
	forwarders []Forwarder
	inside     syscall.RawConn // a socket in the container's namespace
}

// Addresses looks name up in the user-defined networks of the container, as it is
// and, if it ends in a network's name, without that; links come first. A name of a
// container that does not run, or is elsewhere, has no address and is known all the same:
// others must not be asked about it.
func (v *view) Addresses(name string) ([]netip.Addr, bool) {
	out, known := v.neighbours(name)
	if !known && v.m.called != nil {
		known = v.m.called(name)
		if i := strings.LastIndexByte(name, '.'); i > 0 && !known {
			known = v.isNetwork(name[i+1:]) && v.m.called(name[:i])
		}
	}
	return out, known
}

// isNetwork tells whether the container is in a network of this name.
func (v *view) isNetwork(name string) bool {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	return slices.ContainsFunc(v.m.ends[v.container], func(e *Endpoint) bool { return strings.EqualFold(e.NetworkName, name) })
}

func (v *view) neighbours(name string) ([]netip.Addr, bool) {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	var out []netip.Addr
	known := false
	for _, e := range v.m.ends[v.container] {
		if e.NetworkName == Bridge {
			continue
		}
		asked := name
		if target, ok := e.Links[name]; ok {
			asked = strings.ToLower(target)
		}
		found := v.m.names[e.NetworkID][asked]
		if rest, ok := strings.CutSuffix(name, "."+strings.ToLower(e.NetworkName)); ok && found == nil {
			found = v.m.names[e.NetworkID][rest]
		}
		for _, member := range found {
			known = true
			for _, a := range []netip.Addr{member.IP, member.IP6} {
				if a.IsValid() && !slices.Contains(out, a) {
					out = append(out, a)
				}
			}
		}
	}
	return out, known
}

// Name is the name of the neighbour with the address, with that of the network
// behind it.
func (v *view) Name(addr netip.Addr) (string, bool) {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	ours := false
	for _, e := range v.m.ends[v.container] {
		n := v.m.nets[e.NetworkName]
		if n == nil || n.Default() || !n.V4.Subnet.Contains(addr) && !n.V6.Subnet.Contains(addr) {
			continue
		}
		ours = true
		for _, member := range v.m.members(n.ID) {
			if member.IP == addr || member.IP6 == addr {
				return member.Name + "." + n.Name, true
			}
		}
	}
	return "", ours
}
