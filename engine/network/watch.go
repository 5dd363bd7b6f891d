package network

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// watch hears of every change of the nftables of this namespace, and repairs what
// somebody else has taken from us: an admin who loads his ruleset anew flushes ours
// with it. It waits in the kernel's multicast; nothing is polled.
type watch struct {
	f    *os.File
	lost bool // of what has changed since the last of the waiting news, we have not been told all
	done chan struct{}
}

// watchBuffer is how many bytes of news may wait: those of some ten thousand ports.
const watchBuffer = 8 << 20

// startWatch begins to watch, once. m.mu is held.
func (m *Manager) startWatch() error {
	if m.watch != nil {
		return nil
	}
	f, err := hearTables(watchBuffer)
	if err != nil {
		return fmt.Errorf("watch nftables: %w", err)
	}
	w := &watch{f: f, done: make(chan struct{})}
	m.watch = w
	go func() {
		defer close(w.done)
		w.run(m)
	}()
	return nil
}

// hearTables opens a socket that is told of nftables, and keeps so many bytes that nobody has read.
func hearTables(bytes int) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	// Setting up the table of many containers tells of each of their ports. Without the
	// privilege the socket has what everybody has: then more is compared, and nothing lost.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.NFNLGRP_NFTABLES - 1)}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "nftables"), nil
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
		n, err := w.next(raw, buf)
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case errors.Is(err, unix.ENOBUFS): // whatever it was that we have not been told
			heard.clear()
			m.repair(!m.intact())
			m.trustAgain()
			continue
		case err != nil:
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

// next waits for news, and puts n bytes of them into buf. The error is ENOBUFS when more has
// changed than fits, and comes after all that did fit: before that is read the kernel goes on to
// drop what is new, without a further error (net/netlink/af_netlink.c, netlink_overrun), and who
// compared then would compare too early.
func (w *watch) next(raw syscall.RawConn, buf []byte) (n int, err error) {
	closed := raw.Read(func(fd uintptr) bool {
		for {
			n, _, err = unix.Recvfrom(int(fd), buf, 0)
			switch {
			case errors.Is(err, unix.ENOBUFS):
				w.lost = true
				continue
			case errors.Is(err, unix.EAGAIN) && w.lost:
				w.lost, err = false, unix.ENOBUFS
			}
			return !errors.Is(err, unix.EAGAIN)
		}
	})
	if closed != nil {
		return 0, os.ErrClosed
	}
	return n, err
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
