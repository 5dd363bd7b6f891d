//go:build !client

package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// socketGroup may use the engine's sockets besides root, unless the settings name
// another. Whoever is in it is root on the machine, as with docker's group.
const socketGroup = "berth"

// openListener opens a socket of the engine: unix://PATH or tcp://ADDRESS:PORT.
// mutual says that only clients with a certificate are answered on tcp.
func openListener(host, group string, mutual, insecureTCP bool, log *slog.Logger) (net.Listener, error) {
	proto, addr, ok := strings.Cut(host, "://")
	if !ok || addr == "" {
		return nil, fmt.Errorf("listening on %q: must be unix://PATH, tcp://ADDRESS:PORT or fd://", host)
	}
	switch proto {
	case "unix":
		return openUnix(addr, group)
	case "tcp":
		if !mutual && !insecureTCP {
			return nil, fmt.Errorf("listening on %s: whoever reaches the port would be root on this machine: let clients prove who they are (--tlsverify --tlscacert --tlscert --tlskey), or say --insecure-tcp if that is meant", host)
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("listening on %s: %w", host, err)
		}
		if !mutual {
			log.Warn("the engine does not ask who its clients are: whoever reaches the port is root on this machine", "host", host)
		}
		return l, nil
	default:
		return nil, fmt.Errorf("listening on %s: unknown kind of socket %s; use unix://, tcp:// or fd://", host, proto)
	}
}

// openUnix listens on path, which only root and the group may use ("": berth, if there
// is one). A socket file that nobody listens on is replaced.
func openUnix(path, group string) (net.Listener, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("listening on unix://%s: the path must be absolute", path)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return nil, fmt.Errorf("listening on unix://%s: %w", path, err)
	}
	// Nobody else may connect before the mode is set.
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listening on unix://%s: %w", path, err)
	}
	// The file is removed by daemon.stop, not when a listener closes: another
	// process may have inherited the socket by then.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	g, err := user.LookupGroup(cmp.Or(group, socketGroup))
	if err != nil && group != "" {
		l.Close()
		return nil, fmt.Errorf("giving unix://%s to the group %s: %w", path, group, err)
	}
	if err == nil {
		gid, err := strconv.Atoi(g.Gid)
		if err == nil {
			err = errors.Join(os.Chown(path, 0, gid), os.Chmod(path, 0o660))
		}
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("giving unix://%s to the group %s: %w", path, g.Name, err)
		}
	}
	return l, nil
}

// removeStale removes a socket file without a listener.
func removeStale(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at the socket %s: %w", path, err)
	}
	if fi.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("listening on unix://%s: there is a file that is no socket; move it away", path)
	}
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return fmt.Errorf("listening on unix://%s: another process listens there", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the stale socket %s: %w", path, err)
	}
	return nil
}

// inheritListener takes over a listening socket from the process that started
// this one.
func inheritListener(fd int) (net.Listener, error) {
	f := os.NewFile(uintptr(fd), "listener")
	if f == nil {
		return nil, fmt.Errorf("taking over the listening socket %d: no such descriptor", fd)
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("taking over the listening socket %d: %w", fd, err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return l, nil
}
