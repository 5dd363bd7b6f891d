package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"time"

	"berth/runtime/container"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A container that systemd runs as a service tells it that it is ready through
// $NOTIFY_SOCKET (sd_notify(3)). The host's socket is not to be had in a
// container: it gets one of its own, and what comes over it is passed on, the
// readiness only, with the container's first process named as the main one.

// notifyDir is where the container sees the directory with its socket.
const notifyDir = "/run/notify"

const notifySocket = "notify.sock"

func notifyHost() string { return os.Getenv("NOTIFY_SOCKET") }

// addNotify has the container made with a socket for notifications.
func (a *app) addNotify(o *container.Options) {
	o.Notify = true
	o.Spec.Mounts = append(o.Spec.Mounts, specs.Mount{Destination: notifyDir, Source: container.NotifyDir(a.root, o.ID), Type: "bind",
		Options: []string{"bind", "nosuid", "noexec", "nodev", "ro"}})
	o.Spec.Process.Env = append(o.Spec.Process.Env, "NOTIFY_SOCKET="+path.Join(notifyDir, notifySocket))
}

// notifier is the receiving end of the container's socket. Nil does nothing.
type notifier struct {
	socket *os.File
	path   string
}

// listenNotify binds the socket of a container that was made with one.
func (a *app) listenNotify(id string) (*notifier, error) {
	dir := container.NotifyDir(a.root, id)
	if _, err := os.Stat(dir); err != nil || notifyHost() == "" {
		return nil, nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("make the notification socket: %w", err)
	}
	n := &notifier{socket: os.NewFile(uintptr(fd), notifySocket), path: path.Join(dir, notifySocket)}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: n.path}); err != nil {
		n.close()
		return nil, fmt.Errorf("bind the notification socket %s: %w", n.path, err)
	}
	// The container's command may run as any user.
	if err := unix.Chmod(n.path, 0o777); err != nil {
		n.close()
		return nil, fmt.Errorf("open the notification socket %s to all: %w", n.path, err)
	}
	return n, nil
}

// ready waits until the container says that it is ready, and says so to the
// host; or until it ends.
func (n *notifier) ready(c *container.Container) error {
	if n == nil {
		return nil
	}
	buf := make([]byte, 4096)
	for {
		// The socket stays open when its users are gone, so look for those.
		if err := n.socket.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			return fmt.Errorf("wait for the container's notification: %w", err)
		}
		got, err := n.socket.Read(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			s, err := c.State()
			if err != nil || s.Status == specs.StateStopped {
				return err
			}
			continue
		case errors.Is(err, io.EOF): // an empty message
		case err != nil:
			return fmt.Errorf("wait for the container's notification: %w", err)
		}
		for line := range bytes.Lines(buf[:got]) {
			if bytes.HasPrefix(line, []byte("READY=")) {
				s, err := c.State()
				if err != nil {
					return err
				}
				return tellHost(string(bytes.TrimSpace(line)), s.Pid)
			}
		}
	}
}

// tellHost passes the readiness on and says which process to watch. It waits,
// but not for ever, until systemd has read that, since it looks at the sender,
// which is about to end (sd_notify_barrier(3)).
func tellHost(ready string, pid int) error {
	host := notifyHost()
	if host[0] == '@' {
		host = "\x00" + host[1:] // abstract
	}
	socket, err := dial(unix.SOCK_DGRAM, host)
	if err != nil {
		return fmt.Errorf("notify the host: %w", err)
	}
	defer socket.Close()
	for _, line := range []string{ready + "\n", "MAINPID=" + strconv.Itoa(pid) + "\n"} {
		if _, err := socket.Write([]byte(line)); err != nil {
			return fmt.Errorf("notify the host: %w", err)
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("notify the host: %w", err)
	}
	defer r.Close()
	err = unix.Sendmsg(int(socket.Fd()), []byte("BARRIER=1"), unix.UnixRights(int(w.Fd())), nil, unix.MSG_NOSIGNAL)
	w.Close()
	if err != nil {
		return fmt.Errorf("notify the host: %w", err)
	}
	fds := []unix.PollFd{{Fd: int32(r.Fd())}}
	if _, err := unix.Poll(fds, 5000); err != nil && err != unix.EINTR {
		return fmt.Errorf("wait for the host to have read the notification: %w", err)
	}
	return nil
}

func (n *notifier) close() {
	if n != nil {
		n.socket.Close()
		_ = os.Remove(n.path) // it goes with the state otherwise
	}
}
