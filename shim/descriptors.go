package shim

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"berth/shim/wire"
)

// RootFD returns a descriptor of the container's root directory, with its volumes
// mounted: walk from it with openat2(RESOLVE_IN_ROOT). The caller closes it; until then
// the root filesystem stays mounted.
func (c *Client) RootFD() (*os.File, error) { return c.descriptor(wire.TypeRoot, "root of "+c.id) }

// NetNS returns a descriptor of the container's network namespace.
func (c *Client) NetNS() (*os.File, error) { return c.descriptor(wire.TypeNetNS, "netns of "+c.id) }

// Tree returns a detached copy of what the shim has mounted for the Config.Trees with
// that path. The caller closes it, or gives it to another shim: both then share the
// file system, and it lives as long as one of them does. The error is NotFound if there
// is no such tree.
func (c *Client) Tree(path string) (*os.File, error) {
	return c.descriptorOf(wire.TypeTree, wire.EncodeID(path), "tree of "+c.id)
}

// Keep has the shim hold files, at most wire.MaxFDs, for engines to come that ask for
// them by name; those that it held under the name before are closed. They live as long
// as the container does. Without files the name is forgotten.
func (c *Client) Keep(name string, files ...*os.File) error {
	if err := c.give(wire.TypeKeep, wire.EncodeID(name), files); err != nil {
		return fmt.Errorf("have shim of %s keep %s: %w", c.id, name, err)
	}
	return nil
}

// give sends a request with descriptors of files.
func (c *Client) give(t wire.Type, body []byte, files []*os.File) error {
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for _, f := range files {
		fd, err := duplicate(f)
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	conn, err := dial(c.dir)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	_, err = c.ask(ctx, conn, t, body, wire.TypeOK, fds...)
	return err
}

// Kept returns what Keep was given under the name, in that order; the error is NotFound
// if that was nothing. The caller closes the files.
func (c *Client) Kept(name string) ([]*os.File, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	m, err := c.call(ctx, wire.TypeKept, wire.EncodeID(name), wire.TypeOK)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for f := m.TakeFD(name); f != nil; f = m.TakeFD(name) {
		files = append(files, f)
	}
	return files, nil
}

// Forward has the shim hold ports of the host for its container: those that have a
// socket from now on, which sockets are in the same order, one for each; those that
// have none lead to another address of the container, or with no address are given
// back. What arrives at the sockets is passed on. They live as long as the container.
func (c *Client) Forward(list []Forward, sockets ...*os.File) error {
	for len(list) > 0 {
		n, some := min(len(list), wire.MaxFDs), 0
		for _, f := range list[:n] {
			if f.Socket {
				some++
			}
		}
		if some > len(sockets) {
			return fmt.Errorf("have shim of %s hold %d ports: %d sockets came along", c.id, some, len(sockets))
		}
		if err := c.give(wire.TypeForward, wire.EncodeForwards(list[:n]), sockets[:some]); err != nil {
			return fmt.Errorf("have shim of %s hold ports: %w", c.id, err)
		}
		list, sockets = list[n:], sockets[some:]
	}
	return nil
}

// Forwards returns the ports that the shim holds, in no order.
func (c *Client) Forwards() ([]Forward, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	m, err := c.call(ctx, wire.TypeForwards, nil, wire.TypeForwarded)
	if err != nil {
		return nil, err
	}
	return wire.DecodeForwards(m.Body)
}

func (c *Client) descriptor(t wire.Type, name string) (*os.File, error) {
	return c.descriptorOf(t, nil, name)
}

func (c *Client) descriptorOf(t wire.Type, body []byte, name string) (*os.File, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	m, err := c.call(ctx, t, body, wire.TypeOK)
	if err != nil {
		return nil, err
	}
	f := m.TakeFD(name)
	m.CloseFDs()
	if f == nil {
		return nil, fmt.Errorf("get %s: the shim sent no descriptor", name)
	}
	return f, nil
}

// duplicate gives a descriptor of what file is, to send. File.Fd would make it
// blocking, which may be shared with a poller; a duplicate is as good.
func duplicate(file *os.File) (int, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return -1, err
	}
	dup := -1
	cerr := raw.Control(func(fd uintptr) { dup, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	return dup, errors.Join(cerr, err)
}
