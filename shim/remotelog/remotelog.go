// Package remotelog sends the lines of a container's log to a syslog server or to
// journald, as docker's drivers of these names do.
//
// It runs in every shim that is told to, so it speaks to the kernel's sockets itself:
// package net would be a megabyte of each. Names are resolved by the engine.
package remotelog

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"berth/shim/jsonlog"
	"berth/shim/wire"
)

// patience bounds connecting and sending, for the container waits meanwhile, and who
// wants to see it ended does so too. After that nobody waits for as long again: lines
// are lost at once, so that what a container leaves behind is dealt with in time.
const patience = 5 * time.Second

// Conn is a connection to where lines go. It is not safe for concurrent use.
type Conn struct {
	to  wire.LogRemote
	fd  int // -1 while there is no connection
	buf []byte

	patience time.Duration
	deaf     time.Time // until when a server that was waited for in vain is not tried again
}

// Dial connects. A server that is not there is an error now, and counted as lost lines
// later.
func Dial(to wire.LogRemote) (*Conn, error) {
	c := &Conn{to: to, fd: -1, patience: patience}
	if err := c.dial(); err != nil {
		return nil, fmt.Errorf("failed to initialize logging driver: %w", err)
	}
	return c, nil
}

func (c *Conn) dial() error {
	kind := unix.SOCK_DGRAM
	if c.to.Network == "tcp" || c.to.Network == "unix" {
		kind = unix.SOCK_STREAM
	}
	family, addr, err := address(c.to)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	limit := unix.NsecToTimeval(c.patience.Nanoseconds())
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
	if err == nil {
		err = unix.Connect(fd, addr)
	}
	if err != nil {
		unix.Close(fd)
		return fmt.Errorf("connect to %s: %w", describe(c.to), err)
	}
	c.fd = fd
	return nil
}

// address is where c.to is, for the kernel.
func address(to wire.LogRemote) (family int, addr unix.Sockaddr, err error) {
	switch {
	case to.Path != "":
		return unix.AF_UNIX, &unix.SockaddrUnix{Name: to.Path}, nil
	case len(to.IP) == 4:
		return unix.AF_INET, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte([]byte(to.IP))}, nil
	case len(to.IP) == 16:
		return unix.AF_INET6, &unix.SockaddrInet6{Port: to.Port, Addr: [16]byte([]byte(to.IP))}, nil
	}
	return 0, nil, fmt.Errorf("a log server at an address of %d bytes", len(to.IP))
}

// describe names where lines go.
func describe(to wire.LogRemote) string {
	if to.Path != "" {
		return to.Network + "://" + to.Path
	}
	return fmt.Sprintf("%s port %d of the log server", to.Network, to.Port)
}

// Line implements jsonlog.Copy. A connection that broke is made anew once.
func (c *Conn) Line(s jsonlog.Stream, text []byte, whole bool, at time.Time) error {
	if time.Now().Before(c.deaf) {
		return fmt.Errorf("send to %s: it takes nothing", describe(c.to))
	}
	if c.to.Format == "journald" {
		c.buf = appendJournal(c.buf[:0], c.to, s, text, whole, at)
	} else {
		c.buf = appendSyslog(c.buf[:0], c.to, s, text, at)
	}
	err := c.send(c.buf)
	if err == nil {
		return nil
	}
	c.hangUp()
	if !waitedInVain(err) {
		if err = c.dial(); err == nil {
			if err = c.send(c.buf); err == nil {
				return nil
			}
			c.hangUp()
		}
	}
	if waitedInVain(err) {
		c.deaf = time.Now().Add(c.patience)
	}
	return err
}

// waitedInVain tells an error of a server that does not answer from those of one that
// is not there: it is what connect and send say when their time is over.
func waitedInVain(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINPROGRESS) || errors.Is(err, unix.ETIMEDOUT)
}

// send sends a whole message.
func (c *Conn) send(b []byte) error {
	if c.fd < 0 {
		return fmt.Errorf("send to %s: %w", describe(c.to), unix.ENOTCONN)
	}
	for len(b) > 0 {
		// A server that has left must not kill the shim.
		n, err := unix.SendmsgN(c.fd, b, nil, nil, unix.MSG_NOSIGNAL)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("send to %s: %w", describe(c.to), err)
		}
		b = b[n:]
	}
	return nil
}

func (c *Conn) hangUp() {
	if c.fd >= 0 {
		unix.Close(c.fd)
		c.fd = -1
	}
}

// Close ends the connection.
func (c *Conn) Close() error {
	c.hangUp()
	return nil
}
