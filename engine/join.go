package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// namespaces are those of other containers that a new one joins
// (--network container:X, --pid container:X, --ipc container:X). They are held by descriptors: a
// path below /proc/PID could be another process's by the time the runtime opens
// it, and that of the host.
type namespaces struct {
	files   map[string]*os.File // by kind: "net", "pid", "ipc"
	network *record             // whose network it is, nil without
	ipc     *record             // whose shared memory it is, nil without
}

// join opens the namespaces that hc asks for. A container that does not run is a Conflict.
func (cs *Containers) join(hc *container.HostConfig) (n namespaces, err error) {
	defer func() {
		if err != nil {
			n.close()
		}
	}()
	for kind, ref := range map[string]string{"net": hc.NetworkMode.ConnectedContainer(), "pid": hc.PidMode.Container(), "ipc": hc.IpcMode.Container()} {
		if ref == "" {
			continue
		}
		f, rec, err := cs.openNamespace(ref, kind)
		if err != nil {
			return n, err
		}
		if n.files == nil {
			n.files = make(map[string]*os.File)
		}
		n.files[kind] = f
		switch kind {
		case "net":
			rec = cs.networkOwner(rec)
			n.network = &rec
		case "ipc":
			n.ipc = &rec
			if err := shareable(rec); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// openNamespace opens a namespace of a running container.
func (cs *Containers) openNamespace(ref, name string) (*os.File, record, error) {
	other, err := cs.get(ref)
	if err != nil {
		return nil, record{}, err
	}
	_, rec, err := other.running()
	if err != nil {
		return nil, rec, notRunning(name, rec.ID)
	}
	f, err := openProcess(rec.State.Pid, rec.ID, "ns/"+name)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		err = notRunning(name, rec.ID)
	}
	return f, rec, err
}

// networkOwner is the container whose network rec uses, over however many that joined another.
func (cs *Containers) networkOwner(rec record) record {
	// Two may name each other: a reference to a container that is not there yet is a name.
	for seen := map[string]bool{}; rec.HostConfig.NetworkMode.IsContainer() && !seen[rec.ID]; {
		seen[rec.ID] = true
		next, err := cs.get(rec.HostConfig.NetworkMode.ConnectedContainer())
		if err != nil {
			break // it was removed; its network lives while somebody is in it
		}
		rec = next.snapshot()
	}
	return rec
}

// notRunning is docker's error for each kind of namespace that is not there to be joined.
func notRunning(name, id string) error {
	if name == "net" {
		return kind(errdefs.ErrConflict, "cannot join network namespace of a non running container: %s", id)
	}
	return fmt.Errorf("failed to join %s namespace: container %s is not running", strings.ToUpper(name), id)
}

// openProcess opens a file of the process pid below /proc, having made sure that
// it is in the container's cgroup and not somebody else who got the number.
// Both are looked up through one descriptor, which stands for one process.
func openProcess(pid int, id, name string) (*os.File, error) {
	failed := func(err error) (*os.File, error) {
		return nil, fmt.Errorf("open %s of process %d: %w", name, pid, err)
	}
	proc, err := unix.Open(fmt.Sprintf("/proc/%d", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return failed(err)
	}
	defer unix.Close(proc)
	fd, err := unix.Openat(proc, "cgroup", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return failed(err)
	}
	cgroups := os.NewFile(uintptr(fd), "cgroup")
	defer cgroups.Close()
	list, err := io.ReadAll(cgroups)
	if err != nil {
		return failed(err)
	}
	if !bytes.Contains(list, []byte("/"+id)) {
		return failed(unix.ESRCH)
	}
	if fd, err = unix.Openat(proc, name, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return failed(err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// path is by what name the runtime opens a namespace while n is not closed; ""
// if there is none of that kind.
func (n namespaces) path(kind string) string {
	f := n.files[kind]
	if f == nil {
		return ""
	}
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd())
}

func (n namespaces) close() {
	for _, f := range n.files {
		f.Close()
	}
}
