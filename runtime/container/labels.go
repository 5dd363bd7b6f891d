package container

import (
	"fmt"
	"os"

	"berth/runtime/initproc"
	"berth/runtime/plainfile"
	"berth/runtime/procfs"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// settings picks what init gives to itself from the linux section.
func settings(spec *specs.Spec) initproc.Settings {
	return initproc.Settings{Personality: spec.Linux.Personality, MemoryPolicy: spec.Linux.MemoryPolicy}
}

// affinity puts the calling thread, which ends with the exec, onto the CPUs where
// an exec begins (process.execCPUAffinity.initial). Its child is born there.
func affinity(a *specs.CPUAffinity) error {
	if a == nil || a.Initial == "" {
		return nil
	}
	mask, err := initproc.CPUMask(a.Initial)
	if err != nil {
		return fmt.Errorf("process.execCPUAffinity.initial: %w", err)
	}
	if err := initproc.SetAffinity(mask); err != nil {
		return fmt.Errorf("process.execCPUAffinity.initial: run on CPUs %s: %w", a.Initial, err)
	}
	return nil
}

// label adds to p what process.apparmorProfile and process.selinuxLabel ask for.
// It returns the host's /proc, opened at low or above, through which init will
// say so, or nil when there is nothing to say.
func label(p *initproc.Process, low int) (*os.File, error) {
	s := p.Spec
	if s.ApparmorProfile != "" {
		at, err := apparmorFile()
		if err != nil {
			return nil, err
		}
		p.Labels = append(p.Labels, initproc.Label{Field: "process.apparmorProfile", Path: at, Value: "exec " + s.ApparmorProfile})
	}
	if s.SelinuxLabel != "" {
		if err := needSELinux("process.selinuxLabel"); err != nil {
			return nil, err
		}
		p.Labels = append(p.Labels, initproc.Label{Field: "process.selinuxLabel", Path: "attr/exec", Value: s.SelinuxLabel})
	}
	if len(p.Labels) == 0 {
		return nil, nil
	}
	for _, l := range p.Labels {
		if len(l.Value) >= os.Getpagesize() {
			return nil, fmt.Errorf("%s: %d bytes are more than the kernel takes: %w", l.Field, len(l.Value), errdefs.ErrInvalidArgument)
		}
	}
	proc, err := procfs.Root()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Labels[0].Field, err)
	}
	defer proc.Close()
	for _, l := range p.Labels {
		// Nothing lies over the file that init opens by this name.
		f, err := procfs.Open(proc, "thread-self/"+l.Path, unix.O_PATH)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.Field, err)
		}
		f.Close()
	}
	fd, err := unix.FcntlInt(proc.Fd(), unix.F_DUPFD_CLOEXEC, low)
	if err != nil {
		return nil, fmt.Errorf("move a descriptor: %w", err)
	}
	p.HostProc = fd
	return os.NewFile(uintptr(fd), "/proc"), nil
}

// apparmorFile is where a thread names its next AppArmor profile. Kernels before
// Linux 5.8 have no place of AppArmor's own.
func apparmorFile() (string, error) {
	if on, err := plainfile.Read("/sys/module/apparmor/parameters/enabled"); err != nil || len(on) == 0 || on[0] != 'Y' {
		return "", fmt.Errorf("process.apparmorProfile: AppArmor is not enabled on this host; remove the field or boot with apparmor=1: %w", errdefs.ErrNotImplemented)
	}
	const own = "attr/apparmor/exec"
	if unix.Access("/proc/thread-self/"+own, unix.F_OK) == nil {
		return own, nil
	}
	return "attr/exec", nil
}

// needSELinux is an error that names the field if labels mean nothing here.
func needSELinux(field string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs("/sys/fs/selinux", &fs); err != nil || uint32(fs.Type) != unix.SELINUX_MAGIC {
		return fmt.Errorf("%s: SELinux is not enabled on this host; remove the field or boot with selinux=1: %w", field, errdefs.ErrNotImplemented)
	}
	return nil
}
