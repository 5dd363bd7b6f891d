package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"

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
	nftaGenPID  = 2
	nftNewChain = 3
	nftNewGen   = 15
)

// startWatch begins to watch, once. m.mu is held.
func (m *Manager) startWatch() error {
	if m.watch != nil {
		return nil
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err == nil {
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
	ours, others := false, false // what the transaction has changed so far
	for {
		n := 0
		if raw.Read(func(fd uintptr) bool {
			n, _, err = unix.Recvfrom(int(fd), buf, 0)
			return !errors.Is(err, unix.EAGAIN)
		}) != nil {
			return // closed
		}
		if errors.Is(err, unix.ENOBUFS) { // more than fits was changed: whatever that was
			m.repair(true)
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
			kind := binary.NativeEndian.Uint16(b[4:]) & 0xff
			attrs := b[unix.SizeofNlMsghdr+4 : size]
			b = b[min(len(b), (size+3)&^3):]
			if kind == nftNewGen {
				if (ours || others) && !isThread(attribute(attrs, nftaGenPID)) {
					m.repair(ours)
				}
				ours, others = false, false
				continue
			}
			table := attribute(attrs, nftaTable)
			ours = ours || string(table) == m.fw.table+"\x00"
			others = others || kind >= nftNewChain
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

// isThread tells whether the process ID of a transaction, which is that of a thread, is
// one of this process.
func isThread(pid []byte) bool {
	if len(pid) != 4 {
		return false
	}
	_, err := os.Stat("/proc/self/task/" + strconv.Itoa(int(binary.BigEndian.Uint32(pid))))
	return err == nil
}
