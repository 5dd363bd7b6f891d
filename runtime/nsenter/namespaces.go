package nsenter

import (
	"fmt"
	"os"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// flags are the clone flags of the namespaces, and order is that in which given
// ones are joined: what the later ones need to be seen must still be seen, so
// the mount namespace comes last.
var (
	flags = map[specs.LinuxNamespaceType]uintptr{
		specs.UserNamespace:    unix.CLONE_NEWUSER,
		specs.TimeNamespace:    unix.CLONE_NEWTIME,
		specs.IPCNamespace:     unix.CLONE_NEWIPC,
		specs.UTSNamespace:     unix.CLONE_NEWUTS,
		specs.NetworkNamespace: unix.CLONE_NEWNET,
		specs.PIDNamespace:     unix.CLONE_NEWPID,
		specs.CgroupNamespace:  unix.CLONE_NEWCGROUP,
		specs.MountNamespace:   unix.CLONE_NEWNS,
	}
	order = []specs.LinuxNamespaceType{specs.IPCNamespace, specs.UTSNamespace, specs.NetworkNamespace,
		specs.PIDNamespace, specs.CgroupNamespace, specs.MountNamespace}
)

// Namespaces are the namespaces of a container: those to be made and those to
// be joined by path. The ones in neither are the runtime's own.
type Namespaces struct {
	made  uintptr
	paths map[specs.LinuxNamespaceType]string
}

// Parse reads linux.namespaces of a spec.
func Parse(list []specs.LinuxNamespace) (Namespaces, error) {
	n := Namespaces{paths: map[specs.LinuxNamespaceType]string{}}
	for _, ns := range list {
		flag := flags[ns.Type]
		switch {
		case flag == 0:
			return n, fmt.Errorf("linux.namespaces: unknown type %q: %w", ns.Type, errdefs.ErrInvalidArgument)
		case n.made&flag != 0 || n.paths[ns.Type] != "":
			return n, fmt.Errorf("linux.namespaces: %s is given twice: %w", ns.Type, errdefs.ErrInvalidArgument)
		case ns.Path == "":
			n.made |= flag
		case ns.Path[0] != '/':
			return n, fmt.Errorf("linux.namespaces: %s: path %q is not absolute: %w", ns.Type, ns.Path, errdefs.ErrInvalidArgument)
		default:
			n.paths[ns.Type] = ns.Path
		}
	}
	return n, nil
}

// New tells whether a new namespace of the type is made.
func (n Namespaces) New(t specs.LinuxNamespaceType) bool { return n.made&flags[t] != 0 }

// Own tells whether the container has a namespace of the type other than the
// runtime's: a new one or one by path.
func (n Namespaces) Own(t specs.LinuxNamespaceType) bool { return n.New(t) || n.paths[t] != "" }

// Run runs f on a builder that Enter may take into these namespaces.
func (n Namespaces) Run(f func() error) error {
	if n.Own(specs.UserNamespace) {
		return Builder(func() error { return Twin(f) })
	}
	return Builder(f)
}

// Enter takes the calling thread, that of Run, into the namespaces, as far as a
// thread can be in them: a new pid namespace begins with the child (CloneFlags),
// a new cgroup namespace is made by the child once it is in its cgroups, and a
// time namespace is joined by the child (Time). settings are for new ones.
func (n Namespaces) Enter(settings Settings) (in Entered, err error) {
	if n.Own(specs.UserNamespace) || n.Own(specs.TimeNamespace) {
		return n.enterUser(settings)
	}
	for _, t := range order {
		path := n.paths[t]
		if path == "" {
			continue
		}
		if err := setns(path, int(flags[t])); err != nil {
			return in, fmt.Errorf("join the %s namespace at %s: %w", t, path, err)
		}
	}
	return in, n.unshare()
}

func (n Namespaces) unshare() error {
	made := n.made &^ (unix.CLONE_NEWPID | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUSER | unix.CLONE_NEWTIME)
	if made == 0 {
		return nil
	}
	if err := unix.Unshare(int(made)); err != nil {
		return fmt.Errorf("make namespaces: %w", err)
	}
	return nil
}

// CloneFlags are the flags for Fork.
func (n Namespaces) CloneFlags() uintptr { return n.made & unix.CLONE_NEWPID }

func setns(path string, flag int) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Setns(int(f.Fd()), flag)
}

// EnterProcess takes the calling thread, a builder's, into all namespaces of the
// process that pidfd names (Linux 5.8), except its user namespace. Children are
// then born in its pid namespace.
func EnterProcess(pidfd *os.File) error {
	const all = unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWCGROUP | unix.CLONE_NEWNS
	if err := unix.Setns(int(pidfd.Fd()), all); err != nil {
		return fmt.Errorf("join the namespaces of the container: %w", err)
	}
	return nil
}

// EnterCgroup takes the calling thread into the cgroup namespace of a process.
func EnterCgroup(pidfd *os.File) error {
	if err := unix.Setns(int(pidfd.Fd()), unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("join the cgroup namespace of init: %w", err)
	}
	return nil
}

// LoopbackUp brings up the loopback device of the calling thread's network
// namespace.
func LoopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	defer unix.Close(s)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	return nil
}
