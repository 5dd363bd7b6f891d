package network

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// watch hears of every change of the nftables of this namespace, and repairs what
// somebody else has taken from us: an admin who loads his ruleset anew flushes ours
// with it. It waits in the kernel's multicast; nothing is polled.
type watch struct {
	f    *os.File
	done chan struct{}
}

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
	heard := news{table: m.fw.table, comment: m.fw.comment()}
	for {
		n := 0
		if raw.Read(func(fd uintptr) bool {
			n, _, err = unix.Recvfrom(int(fd), buf, 0)
			return !errors.Is(err, unix.EAGAIN)
		}) != nil {
			return // closed
		}
		if errors.Is(err, unix.ENOBUFS) { // more than fits was changed: whatever that was
			heard.clear()
			m.repair(!m.intact())
			m.trustAgain()
			continue
		}
		if err != nil {
			continue
		}
		for sender := range heard.transactions(buf[:n]) {
			if (heard.ours || heard.passage) && !m.fw.own.sent(sender) {
				m.repair(heard.ours)
			}
			if heard.zoned {
				m.trustAgain()
			}
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
