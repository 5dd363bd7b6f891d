package container

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"berth/runtime/cgroup"
	"berth/runtime/initproc"
	"berth/runtime/plainfile"
	"berth/runtime/plainjson"
	"berth/runtime/resctrl"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const (
	stateFile    = "state.json"
	startSocket  = "start"
	filterFile   = "seccomp"
	notifyDir    = "notify"
	stateDirMode = 0o711
)

// record is what state.json holds.
type record struct {
	Version     string            `json:"ociVersion"`
	ID          string            `json:"id"`
	PID         int               `json:"pid"`     // 0 until init exists
	Started     uint64            `json:"started"` // start time of PID in clock ticks since boot
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Owner       int               `json:"owner"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Cgroups     map[string]string `json:"cgroups"`
	Unit        string            `json:"unit,omitempty"`  // systemd's, whose cgroups they are
	Class       *resctrl.Group    `json:"class,omitempty"` // linux.intelRdt
	SharedPID   bool              `json:"sharedPID,omitempty"`
	UserNS      bool              `json:"userNS,omitempty"` // it has one other than the runtime's
	TimeNS      bool              `json:"timeNS,omitempty"` // likewise
	Keyring     string            `json:"keyring,omitempty"`
	FilterFlags uint              `json:"filterFlags,omitempty"`
	// The agent of a filter that notifies.
	ListenerPath     string `json:"listenerPath,omitempty"`
	ListenerMetadata string `json:"listenerMetadata,omitempty"`

	Command string `json:"command"` // process.args[0], for errors of Start
	defaults
	// Process is who the startContainer hooks run as, if there are any.
	Process  *specs.Process    `json:"process,omitempty"`
	Settings initproc.Settings `json:"settings"`
	Hooks    *specs.Hooks      `json:"hooks,omitempty"`
}

// stateDir is the directory of one container.
type stateDir string

// makeStateDir claims the ID. The directory is locked until the file is closed.
func makeStateDir(root, id string) (stateDir, *os.File, error) {
	if err := os.MkdirAll(root, stateDirMode); err != nil {
		return "", nil, fmt.Errorf("make the state root: %w", err)
	}
	dir := stateDir(path.Join(root, id))
	if err := os.Mkdir(string(dir), stateDirMode); err != nil {
		if errors.Is(err, os.ErrExist) {
			return "", nil, fmt.Errorf("container with given ID already exists: %s: %w", id, errdefs.ErrAlreadyExists)
		}
		return "", nil, fmt.Errorf("make the state directory: %w", err)
	}
	lock, err := dir.lock(unix.LOCK_EX)
	if err != nil {
		dir.remove()
		return "", nil, err
	}
	return dir, lock, nil
}

// NotifyDir is where a container made with Options.Notify has a directory that
// lives as long as it does.
func NotifyDir(stateRoot, id string) string { return path.Join(stateRoot, id, notifyDir) }

func (d stateDir) path(name string) string { return path.Join(string(d), name) }

func (d stateDir) has(name string) bool {
	return unix.Access(d.path(name), unix.F_OK) == nil
}

func (d stateDir) lock(how int) (*os.File, error) {
	fd, err := unix.Open(string(d), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		if err == unix.ENOENT {
			return nil, fmt.Errorf("container does not exist: %s: %w", path.Base(string(d)), errdefs.ErrNotFound)
		}
		return nil, fmt.Errorf("lock the state: %w", err)
	}
	for {
		err = unix.Flock(fd, how)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("lock the state: %w", err)
	}
	return os.NewFile(uintptr(fd), string(d)), nil
}

// remove removes the directory with all that is in it.
func (d stateDir) remove() error {
	// Nearly always these are all; to find that out os.RemoveAll takes thrice the calls.
	for _, name := range []string{filterFile, startSocket, stateFile} {
		_ = unix.Unlink(d.path(name))
	}
	if err := unix.Rmdir(string(d)); err == nil || err == unix.ENOENT {
		return nil
	}
	return os.RemoveAll(string(d))
}

// locked tells whether another process is changing the container.
func (d stateDir) locked() bool {
	f, err := d.lock(unix.LOCK_SH | unix.LOCK_NB)
	if err != nil {
		return errors.Is(err, unix.EWOULDBLOCK)
	}
	f.Close()
	return false
}

func (d stateDir) withLock(f func() error) error {
	l, err := d.lock(unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer l.Close()
	return f()
}

func (d stateDir) read() (record, error) {
	var r record
	b, err := plainfile.Read(d.path(stateFile))
	if err != nil {
		return r, err
	}
	if err = plainjson.Unmarshal(b, &r); err == nil {
		err = r.check(path.Base(string(d)))
	}
	if err != nil {
		return r, fmt.Errorf("read the state of container %s: %w: %w", path.Base(string(d)), err, errdefs.ErrDataLoss)
	}
	return r, nil
}

// check refuses a record that this package did not write: Delete kills and removes
// what it names.
func (r *record) check(id string) error {
	if r.ID != id {
		return fmt.Errorf("it is that of %q", r.ID)
	}
	if r.PID < 0 {
		return fmt.Errorf("init is process %d", r.PID)
	}
	return cgroup.CheckPaths(r.Cgroups)
}

// write writes state.json for the first time.
func (d stateDir) write(r *record) error {
	b, err := plainjson.Marshal(r)
	if err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	tmp := d.path(stateFile + ".tmp")
	if err := plainfile.Create(tmp, append(b, pidRoom...), 0o600); err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	if err := unix.Rename(tmp, d.path(stateFile)); err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	return nil
}

// pidRoom follows the first state, so that the second, in which init's numbers
// are longer, covers it whole.
const pidRoom = "                                        \n"

// update writes the state with init in it over the first: one write(2), which
// takes neither the time of a new file nor can be cut in two by a kill.
func (d stateDir) update(r *record) error {
	b, err := plainjson.Marshal(r)
	if err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	if err := plainfile.Write(d.path(stateFile), string(b)); err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	return nil
}

// address is a name for a socket in the directory that fits sockaddr_un however
// long the path is. dir must stay open while it is used.
func address(dir *os.File, name string) *unix.SockaddrUnix {
	return &unix.SockaddrUnix{Name: plainfile.FD(int(dir.Fd())) + "/" + name}
}

func (d stateDir) open() (*os.File, error) {
	return plainfile.Open(string(d), unix.O_PATH|unix.O_DIRECTORY)
}

// processStat reads the state and the start time of a process.
func processStat(pid int) (state byte, started uint64, err error) {
	b, err := plainfile.Read("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, err
	}
	// The name, in parentheses, may hold anything; the fields after it are
	// counted from the third, the state (proc_pid_stat(5)).
	i := strings.LastIndexByte(string(b), ')')
	if i < 0 {
		return 0, 0, fmt.Errorf("process %d: malformed stat", pid)
	}
	fields := strings.Fields(string(b[i+1:]))
	if len(fields) < 20 {
		return 0, 0, fmt.Errorf("process %d: malformed stat", pid)
	}
	started, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0][0], started, err
}
