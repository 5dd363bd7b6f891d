package nsenter

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"berth/runtime/plainfile"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Settings are what new user and time namespaces get from outside.
type Settings struct {
	UIDs, GIDs []specs.LinuxIDMapping           // of a new user namespace
	Offsets    map[string]specs.LinuxTimeOffset // of a new time namespace, by clock
}

// dumpable orders those who make this process dumpable for a moment.
var dumpable sync.Mutex

// apply sets up the namespaces of the thread tid: those which it made last and
// nobody has entered yet.
func (s Settings) apply(tid int) error {
	proc := "/proc/" + strconv.Itoa(tid) + "/"
	if os.Geteuid() != 0 {
		// The files of an undumpable process are root's. Nobody is in the new
		// namespaces who could make use of it.
		dumpable.Lock()
		defer dumpable.Unlock()
		was, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		if err == nil {
			err = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
		}
		if err != nil {
			return fmt.Errorf("become dumpable: %w", err)
		}
		defer func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(was), 0, 0, 0) }()
	}
	if len(s.UIDs) > 0 {
		if err := mapIDs("linux.uidMappings", proc+"uid_map", "newuidmap", tid, s.UIDs, os.Geteuid()); err != nil {
			return err
		}
	}
	if len(s.GIDs) > 0 {
		if ownID(s.GIDs, os.Getegid()) && os.Geteuid() != 0 {
			// Or a user could leave a group that is kept from something.
			if err := writeProc(proc+"setgroups", "deny"); err != nil {
				return fmt.Errorf("linux.gidMappings: forbid to set groups: %w", err)
			}
		}
		if err := mapIDs("linux.gidMappings", proc+"gid_map", "newgidmap", tid, s.GIDs, os.Getegid()); err != nil {
			return err
		}
	}
	return writeOffsets(proc+"timens_offsets", s.Offsets)
}

// ownID tells whether the only ID in the list is the runtime's own, which anybody
// may map.
func ownID(list []specs.LinuxIDMapping, own int) bool {
	return len(list) == 1 && list[0].Size == 1 && int(list[0].HostID) == own
}

func mapIDs(field, file, tool string, pid int, list []specs.LinuxIDMapping, own int) error {
	if os.Geteuid() != 0 && !ownID(list, own) {
		return runTool(field, tool, pid, list)
	}
	var b strings.Builder
	for _, m := range list {
		fmt.Fprintf(&b, "%d %d %d\n", m.ContainerID, m.HostID, m.Size)
	}
	if err := writeProc(file, b.String()); err != nil {
		return fmt.Errorf("%s: map the IDs: %w", field, err)
	}
	return nil
}

// writeProc writes to a file that takes all in one write(2).
func writeProc(name, value string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}

// runTool has the IDs mapped by newuidmap(1) or newgidmap(1), which may do what
// /etc/subuid and /etc/subgid allow this user.
func runTool(field, tool string, pid int, list []specs.LinuxIDMapping) error {
	args := []string{tool, strconv.Itoa(pid)}
	for _, m := range list {
		for _, n := range []uint32{m.ContainerID, m.HostID, m.Size} {
			args = append(args, strconv.FormatUint(uint64(n), 10))
		}
	}
	var file string
	for _, dir := range append(strings.Split(os.Getenv("PATH"), ":"), "/usr/bin") {
		if at := path.Join(dir, tool); path.IsAbs(dir) && unix.Access(at, unix.X_OK) == nil {
			file = at
			break
		}
	}
	if file == "" {
		return fmt.Errorf("%s: more than the user's own ID needs %s, which is not installed (package uidmap): %w", field, tool, errdefs.ErrFailedPrecondition)
	}
	out, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	p, err := os.StartProcess(file, args, &os.ProcAttr{Files: []*os.File{nil, w, w}})
	w.Close()
	if err != nil {
		return fmt.Errorf("%s: run %s: %w", field, file, err)
	}
	said := make([]byte, 1024)
	n, _ := out.Read(said) // what it says only explains its status
	status, err := p.Wait()
	if err != nil {
		return fmt.Errorf("%s: run %s: %w", field, file, err)
	}
	if !status.Success() {
		return fmt.Errorf("%s: %s: %s: %w", field, file, strings.TrimSpace(string(said[:n])), errdefs.ErrPermissionDenied)
	}
	return nil
}

// writeOffsets sets the clocks of a new time namespace (time_namespaces(7)).
func writeOffsets(file string, offsets map[string]specs.LinuxTimeOffset) error {
	clocks := make([]string, 0, len(offsets))
	for c := range offsets {
		clocks = append(clocks, c)
	}
	slices.Sort(clocks)
	for _, c := range clocks {
		line := fmt.Sprintf("%s %d %d\n", c, offsets[c].Secs, offsets[c].Nanosecs)
		if err := writeProc(file, line); err != nil {
			return fmt.Errorf("linux.timeOffsets: %s: set it to %ds %dns: %w", c, offsets[c].Secs, offsets[c].Nanosecs, err)
		}
	}
	return nil
}

// compare makes sure that mappings given along with the path of a user namespace are
// those that it has. pid is a process in it.
func (s Settings) compare(pid int) error {
	for _, want := range []struct {
		field, file string
		list        []specs.LinuxIDMapping
	}{{"linux.uidMappings", "uid_map", s.UIDs}, {"linux.gidMappings", "gid_map", s.GIDs}} {
		if len(want.list) == 0 {
			continue
		}
		has, err := mappingsOf(pid, want.file)
		if err != nil {
			return err
		}
		order := func(a, b specs.LinuxIDMapping) int { return int(int64(a.ContainerID) - int64(b.ContainerID)) }
		list := slices.SortedFunc(slices.Values(want.list), order)
		slices.SortFunc(has, order)
		if !slices.Equal(list, has) {
			return fmt.Errorf("%s: they are not those of the namespace; leave them out: %w", want.field, errdefs.ErrInvalidArgument)
		}
	}
	return nil
}

func mappingsOf(pid int, file string) (list []specs.LinuxIDMapping, err error) {
	b, err := plainfile.Read("/proc/" + strconv.Itoa(pid) + "/" + file)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		var m specs.LinuxIDMapping
		if _, err := fmt.Sscan(line, &m.ContainerID, &m.HostID, &m.Size); err != nil {
			return nil, fmt.Errorf("read the ID mappings of process %d: %w", pid, err)
		}
		list = append(list, m)
	}
	return list, nil
}

// HostUID gives what a user of the user namespace of a process is here.
func HostUID(pid int, uid uint32) (uint32, error) {
	list, err := mappingsOf(pid, "uid_map")
	if err != nil {
		return 0, err
	}
	for _, m := range list {
		if uid >= m.ContainerID && uid-m.ContainerID < m.Size {
			return m.HostID + uid - m.ContainerID, nil
		}
	}
	return 0, fmt.Errorf("process.user.uid: cannot set uid to unmapped user %d in user namespace: %w", uid, errdefs.ErrInvalidArgument)
}
