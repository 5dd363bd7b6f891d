package container

import (
	"fmt"
	"os"

	"berth/runtime/caps"
	"berth/runtime/cgroup"
	"berth/runtime/initproc"
	"berth/runtime/nsenter"
	"berth/runtime/rootfs"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxMappings is how many mappings the kernel takes (user_namespaces(7)).
const maxMappings = 340

// validateUser refuses user and time namespaces that could not be made, and
// processes that could not be in them.
func validateUser(spec *specs.Spec, ns nsenter.Namespaces) error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf(format+": %w", append(args, errdefs.ErrInvalidArgument)...)
	}
	l := spec.Linux
	switch {
	case !ns.Own(specs.UserNamespace) && len(l.UIDMappings)+len(l.GIDMappings) > 0:
		return invalid("linux.uidMappings: user namespace mappings specified, but no user namespace in linux.namespaces")
	case !ns.Own(specs.UserNamespace) && os.Geteuid() != 0:
		return invalid("linux.namespaces: rootless container requires user namespaces; add one, as berth-runtime spec --rootless does")
	case !ns.New(specs.TimeNamespace) && len(l.TimeOffsets) > 0:
		return invalid("linux.timeOffsets: time namespace offsets specified, but no new time namespace in linux.namespaces")
	}
	for clock, o := range l.TimeOffsets {
		if clock != "monotonic" && clock != "boottime" {
			return invalid("linux.timeOffsets: unknown clock %q, want monotonic or boottime", clock)
		}
		if o.Nanosecs >= 1e9 {
			return invalid("linux.timeOffsets: %s: %d nanoseconds are a second or more", clock, o.Nanosecs)
		}
	}
	for i, m := range spec.Mounts {
		if len(m.UIDMappings)+len(m.GIDMappings) == 0 {
			continue
		}
		// The mappings need not be what the container's root could be in.
		for field, list := range map[string][]specs.LinuxIDMapping{"uidMappings": m.UIDMappings, "gidMappings": m.GIDMappings} {
			if len(list) == 0 {
				return invalid("mounts[%d].%s: id-mapped mounts must have both uid and gid mappings specified", i, field)
			}
			if err := checkMappings(fmt.Sprintf("mounts[%d].%s", i, field), list); err != nil {
				return err
			}
		}
	}
	if !ns.New(specs.UserNamespace) {
		return nil
	}
	for field, list := range map[string][]specs.LinuxIDMapping{"linux.uidMappings": l.UIDMappings, "linux.gidMappings": l.GIDMappings} {
		if err := checkMappings(field, list); err != nil {
			return err
		}
		if !mapped(list, 0) {
			return invalid("%s: the container's root is not mapped", field)
		}
	}
	return validateUserProcess(spec.Process, l.UIDMappings, l.GIDMappings)
}

func checkMappings(field string, list []specs.LinuxIDMapping) error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf(field+": "+format+": %w", append(args, errdefs.ErrInvalidArgument)...)
	}
	switch {
	case len(list) == 0:
		return invalid("user namespaces enabled, but no mappings found")
	case len(list) > maxMappings:
		return invalid("%d mappings are more than the %d that the kernel takes", len(list), maxMappings)
	}
	for i, m := range list {
		switch {
		case m.Size == 0:
			return invalid("[%d]: size is 0", i)
		case uint64(m.ContainerID)+uint64(m.Size) > 1<<32-1 || uint64(m.HostID)+uint64(m.Size) > 1<<32-1:
			return invalid("[%d]: IDs end at 4294967294", i)
		}
		for j, o := range list[:i] {
			if overlap(m.ContainerID, o.ContainerID, m.Size, o.Size) || overlap(m.HostID, o.HostID, m.Size, o.Size) {
				return invalid("[%d] and [%d] overlap", j, i)
			}
		}
	}
	return nil
}

func overlap(a, b, asize, bsize uint32) bool {
	return uint64(a) < uint64(b)+uint64(bsize) && uint64(b) < uint64(a)+uint64(asize)
}

func mapped(list []specs.LinuxIDMapping, id uint32) bool {
	_, ok := hostID(list, id)
	return ok && len(list) > 0
}

// validateUserProcess refuses users and groups that are not in the user namespace.
func validateUserProcess(p *specs.Process, uids, gids []specs.LinuxIDMapping) error {
	if !mapped(uids, p.User.UID) {
		return fmt.Errorf("process.user.uid: cannot set uid to unmapped user %d in user namespace: %w", p.User.UID, errdefs.ErrInvalidArgument)
	}
	for _, g := range append([]uint32{p.User.GID}, p.User.AdditionalGids...) {
		if !mapped(gids, g) {
			return fmt.Errorf("process.user: cannot set gid to unmapped group %d in user namespace: %w", g, errdefs.ErrInvalidArgument)
		}
	}
	return nil
}

func nsSettings(spec *specs.Spec) nsenter.Settings {
	return nsenter.Settings{UIDs: spec.Linux.UIDMappings, GIDs: spec.Linux.GIDMappings, Offsets: spec.Linux.TimeOffsets}
}

// entered passes on what the namespaces leave to init.
func (b *build) entered(in nsenter.Entered) error {
	b.proc.TimeNS, b.proc.NoGroups = in.TimeFD(), in.NoGroups
	return checkGroups(b.spec.Process, in)
}

func checkGroups(p *specs.Process, in nsenter.Entered) error {
	if in.NoGroups && len(p.User.AdditionalGids) > 0 {
		return fmt.Errorf("process.user.additionalGids: cannot set any additional groups: the user namespace does not allow it (setgroups is denied): %w", errdefs.ErrPermissionDenied)
	}
	return nil
}

func (b *build) rootfsConfig() rootfs.Config {
	cfg := rootfs.Config{Rootless: caps.Rootless, Spec: b.spec, Path: b.c.rec.Rootfs, Bundle: b.o.Bundle, NoPivot: b.o.NoPivot, Cgroups: b.cgroupMounts()}
	if b.c.rec.UserNS {
		pid := unix.Getpid() // of the twin
		cfg.Rootless = func() bool { return b.rootless }
		cfg.Privileged = func(f func() error) error { return nsenter.Privileged(pid, f) }
	}
	cfg.UserNS = b.mountIDs
	return cfg
}

// mountIDs gives the user namespace for an ID-mapped mount.
func (b *build) mountIDs(uids, gids []specs.LinuxIDMapping) (*os.File, error) {
	switch {
	case b.c.rec.Owner != 0:
		return nil, fmt.Errorf("id-mapped mounts are not supported for rootless containers: %w", errdefs.ErrPermissionDenied)
	case len(uids)+len(gids) > 0:
		return nsenter.NewUser(nsenter.Settings{UIDs: uids, GIDs: gids})
	case b.c.rec.UserNS:
		return os.Open("/proc/self/ns/user") // the twin's
	}
	return nil, fmt.Errorf("option idmap: neither the mount has mappings nor the container a user namespace: %w", errdefs.ErrInvalidArgument)
}

// inside runs f on a builder that may enter the container.
func (c *Container) inside(f func() error) error {
	if c.rec.UserNS {
		return nsenter.Builder(func() error { return nsenter.Twin(f) })
	}
	return nsenter.Builder(f)
}

// enter takes the calling thread, that of inside, into the container.
func (c *Container) enter(pidfd *os.File) (nsenter.Entered, error) {
	if c.rec.UserNS {
		return nsenter.EnterUserOf(c.rec.PID, pidfd)
	}
	return nsenter.Entered{}, nsenter.EnterProcess(pidfd)
}

// joins opens what an exec has to join by itself: cgroups, and a time namespace.
func (e *execution) joins(c *Container, cg *cgroup.Manager) error {
	if e.cgroupDir == nil {
		files, err := cg.Join()
		if err != nil {
			return err
		}
		for _, f := range files {
			e.closers = append(e.closers, f)
		}
		e.proc.Cgroups = joinables(files)
	}
	if !c.rec.TimeNS {
		return nil
	}
	in, err := nsenter.TimeOf(c.rec.PID)
	if err != nil {
		return err
	}
	e.closers = append(e.closers, in)
	e.proc.TimeNS = in.TimeFD()
	return nil
}

// givePipes makes the pipes among the standard descriptors the command's user's,
// for whom /dev/stdout could not be opened else. In a user namespace init has no
// right to. pid is a process in the user namespace.
func givePipes(p *initproc.Process, pid int) error {
	if p.Spec.Terminal || os.Geteuid() != 0 {
		return nil
	}
	for i, fd := range p.Stdio {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
			continue
		}
		uid, err := nsenter.HostUID(pid, p.Spec.User.UID)
		if err == nil && st.Uid != uid {
			err = unix.Fchown(fd, int(uid), -1)
		}
		if err != nil {
			return fmt.Errorf("give descriptor %d to user %d of the user namespace: %w", i, p.Spec.User.UID, err)
		}
	}
	return nil
}
