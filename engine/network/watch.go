package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/google/nftables"
	mdnetlink "github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// watch hears of every change of the nftables of this namespace, and repairs what
// somebody else has taken from us: an admin who loads his ruleset anew flushes ours
// with it. It waits in the kernel's multicast; nothing is polled.
type watch struct {
	f    *os.File
	done chan struct{}
}

// Attributes and messages of linux/netfilter/nf_tables.h. Attribute 1 of every message
// about a table or something in it is the name of the table.
const (
	nftaTable   = 1
	nftNewChain = 3
	nftNewGen   = 15
)

// watchBuffer is how many bytes of news may wait: those of some ten thousand ports.
const watchBuffer = 8 << 20

// startWatch begins to watch, once. m.mu is held.
func (m *Manager) startWatch() error {
	if m.watch != nil {
		return nil
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err == nil {
		// Setting up the table of many containers tells of each of their ports. Without the
		// privilege the socket has what everybody has: then more is compared, and nothing lost.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, watchBuffer)
		if err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.NFNLGRP_NFTABLES - 1)}); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return fmt.Errorf("watch nftables: %w", err)
	}
	w := &watch{f: os.NewFile(uintptr(fd), "nftables"), done: make(chan struct{})}
	m.watch = w
	go func() {
		defer close(w.done)
		w.run(m)
	}()
	return nil
}

// stopWatch ends it. m.mu is not held.
func (m *Manager) stopWatch() {
	m.mu.Lock()
	w := m.watch
	m.watch = nil
	m.mu.Unlock()
	if w != nil {
		w.f.Close()
		<-w.done
	}
}

func (w *watch) run(m *Manager) {
	raw, err := w.f.SyscallConn()
	if err != nil {
		m.log.Error("watching nftables", "error", err)
		return
	}
	buf := make([]byte, 64<<10)
	ours, others, zoned := false, false, false // what the transaction has changed so far
	for {
		n := 0
		if raw.Read(func(fd uintptr) bool {
			n, _, err = unix.Recvfrom(int(fd), buf, 0)
			return !errors.Is(err, unix.EAGAIN)
		}) != nil {
			return // closed
		}
		if errors.Is(err, unix.ENOBUFS) { // more than fits was changed: whatever that was
			m.repair(!m.intact())
			ours, others = false, false
			continue
		}
		if err != nil {
			continue
		}
		for b := buf[:n]; len(b) >= unix.SizeofNlMsghdr+4; {
			size := int(binary.NativeEndian.Uint32(b))
			if size < unix.SizeofNlMsghdr+4 || size > len(b) {
				break
			}
			kind, sender := binary.NativeEndian.Uint16(b[4:])&0xff, binary.NativeEndian.Uint32(b[12:])
			attrs := b[unix.SizeofNlMsghdr+4 : size]
			b = b[min(len(b), (size+3)&^3):]
			if kind == nftNewGen {
				if (ours || others) && !m.fw.own.sent(sender) {
					m.repair(ours)
				}
				if zoned {
					m.trustAgain()
				}
				ours, others, zoned = false, false, false
				continue
			}
			table := attribute(attrs, nftaTable)
			ours = ours || string(table) == m.fw.table+"\x00"
			others = others || kind >= nftNewChain
			zoned = zoned || kind < nftNewChain && string(table) == "firewalld\x00"
		}
	}
}

// repair sets up our table anew, if somebody has changed it, and what we need elsewhere.
func (m *Manager) repair(ours bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.ready) == 0 {
		return // nothing is needed now, and what will be is set up
	}
	err := m.fw.passForeign(m.nets)
	if ours {
		m.log.Warn("somebody has changed or flushed the firewall's table of this engine; it is set up again", "table", m.fw.table)
		err = errors.Join(m.fw.setup(m.nets, m.ends), err)
	}
	if err != nil {
		m.log.Error("setting up the firewall again", "table", m.fw.table, "error", err)
	}
}

// trustAgain tells firewalld of our bridges when it has made its table anew: it has come,
// or has forgotten what it was told while it ran.
func (m *Manager) trustAgain() {
	m.mu.Lock()
	var devices []string
	for _, n := range bridges(m.nets) {
		if _, up := m.ready[n.ID]; up {
			devices = append(devices, n.Device)
		}
	}
	m.mu.Unlock()
	if err := trust(devices...); err != nil {
		m.log.Warn("containers may be cut off", "error", err)
	}
}

// intact tells whether our tables are as we have written them, as far as the number of
// their rules and elements tells. What cannot be read is not.
func (m *Manager) intact() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	ok, err := m.fw.intact(m.ends)
	if err != nil {
		m.log.Debug("comparing the firewall's table", "error", err)
	}
	return ok && err == nil
}

func (fw *firewall) intact(ends map[string][]*Endpoint) (bool, error) {
	same := true
	err := fw.transaction("compare", func(c *nftables.Conn) error {
		for _, f := range families {
			if !fw.there[f] {
				continue
			}
			t := fw.tableOf(f)
			chains, err := c.ListChainsOfTableFamily(f.table)
			if err != nil {
				return fmt.Errorf("list the chains of nftables: %w", err)
			}
			rules := 0
			for _, ch := range chains {
				if ch.Table.Name != fw.table {
					continue
				}
				in, err := c.GetRules(t, ch)
				if err != nil {
					return fmt.Errorf("list the rules of chain %s %s: %w", fw.table, ch.Name, err)
				}
				rules += len(in)
			}
			want := map[string]int{}
			for _, of := range ends {
				for _, e := range of {
					if e.leaving {
						continue
					}
					if err := f.elements(t, e, func(s *nftables.Set, el []nftables.SetElement) error { want[s.Name] += len(el); return nil }); err != nil {
						return err
					}
				}
			}
			same = same && rules == fw.rules[f]
			for _, s := range []*nftables.Set{f.anywhere(t), f.at(t), f.open(t), f.proxied(t)} {
				el, err := c.GetSetElements(s)
				if err != nil {
					return fmt.Errorf("list the elements of %s %s: %w", fw.table, s.Name, err)
				}
				same = same && len(el) == want[s.Name]
			}
		}
		return nil
	})
	return same, err
}

// attribute finds a netlink attribute.
func attribute(attrs []byte, want uint16) []byte {
	for len(attrs) >= unix.SizeofNlAttr {
		size := int(binary.NativeEndian.Uint16(attrs))
		if size < unix.SizeofNlAttr || size > len(attrs) {
			return nil
		}
		if binary.NativeEndian.Uint16(attrs[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER) == want {
			return attrs[unix.SizeofNlAttr:size]
		}
		attrs = attrs[min(len(attrs), (size+3)&^3):]
	}
	return nil
}

// senders are the addresses of the sockets of our latest transactions, by which their
// echo is known. The process ID that the kernel tells of a transaction would not do: in a
// PID namespace it is not the one that the process knows.
type senders struct {
	mu   sync.Mutex
	last [256]uint32
	next int
}

// note takes in the address of a socket. It is an nftables.SockOption.
func (s *senders) note(c *mdnetlink.Conn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var addr unix.Sockaddr
	if cerr := raw.Control(func(fd uintptr) { addr, err = unix.Getsockname(int(fd)) }); cerr != nil || err != nil {
		return errors.Join(cerr, err)
	}
	at, ok := addr.(*unix.SockaddrNetlink)
	if !ok {
		return fmt.Errorf("a socket of nftables has an address of type %T", addr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[s.next] = at.Pid
	s.next = (s.next + 1) % len(s.last)
	return nil
}

// sent tells whether a message of that address is an echo of ours.
func (s *senders) sent(from uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.last[:], from)
}
