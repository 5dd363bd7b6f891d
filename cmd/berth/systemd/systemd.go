// Package systemd is what an engine and the service manager that runs it say
// to each other: the sockets it was given (sd_listen_fds(3)) and how far it is
// (sd_notify(3)). Without a service manager there are no sockets, and nobody is
// told anything.
//
// The units that use it, berth.service and berth.socket, lie beside this file;
// `make install` puts them in place. It must not import an engine.
package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// Scheme is how a host begins that names inherited sockets.
const Scheme = "fd://"

// firstFD is the number of the first inherited socket (SD_LISTEN_FDS_START).
const firstFD = 3

// Sockets are the listening sockets that the service manager opened.
type Sockets struct{ files []*os.File }

// Inherit takes the sockets over, and takes what tells of them out of the
// environment: a child would find other descriptors under these numbers.
func Inherit() *Sockets { return &Sockets{activation.Files(true)} }

// Listen opens those that host names: fd:// means all, fd://NAME those with
// that FileDescriptorName, fd://4 the descriptor of that number.
func (s *Sockets) Listen(host string) ([]net.Listener, error) {
	name := strings.Trim(strings.TrimPrefix(host, Scheme), "*")
	var out []net.Listener
	for i, f := range s.files {
		if name != "" && name != f.Name() && name != strconv.Itoa(firstFD+i) {
			continue
		}
		l, err := net.FileListener(f)
		if err != nil {
			return out, fmt.Errorf("listening on %s: descriptor %d is no listening socket: %w", host, firstFD+i, err)
		}
		out = append(out, l)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("listening on %s: the service manager passed no such socket (%d in all): start berth.socket, or name a unix:// socket", host, len(s.files))
	}
	return out, nil
}

// Close lets go of the descriptors; what Listen returned stays open.
func (s *Sockets) Close() {
	for _, f := range s.files {
		f.Close() // read from and written to by nobody
	}
}

// Ready says that the engine answers.
func Ready() error { return notify(daemon.SdNotifyReady) }

// Stopping says that the engine ends.
func Stopping() error { return notify(daemon.SdNotifyStopping) }

// Reloading says that settings are being read again; Ready ends it. The time
// tells the manager which request this answers (Type=notify-reload).
func Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("reading the clock for the service manager: %w", err)
	}
	return notify(daemon.SdNotifyReloading + "\nMONOTONIC_USEC=" + strconv.FormatInt(now.Nano()/1000, 10))
}

func notify(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("telling the service manager %s: %w", strings.SplitN(state, "\n", 2)[0], err)
	}
	return nil
}
