package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"berth/engine/spec"

	ctdmount "github.com/containerd/containerd/v2/core/mount"
	continuity "github.com/containerd/continuity/fs"
	"github.com/docker/go-units"
	"github.com/moby/buildkit/executor"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// prepare mounts the step's root and makes its spec.
func (s *step) prepare(ctx context.Context, root executor.Mount, mounts []executor.Mount, meta executor.Meta) error {
	if err := os.Mkdir(s.dir, 0o710); err != nil {
		return fmt.Errorf("make directory of a build step: %w", err)
	}
	s.undo = append(s.undo, func() error { return os.RemoveAll(s.dir) })
	src, err := root.Src.Mount(ctx, root.Readonly)
	if err != nil {
		return err
	}
	if s.root, err = s.mounted(src); err != nil {
		return fmt.Errorf("mount the root of a build step: %w", err)
	}
	place, err := decodePlace(meta.CgroupParent)
	if err != nil {
		return fmt.Errorf("read where a build step is to run: %w", err)
	}
	if err := s.prepareNet(meta, place); err != nil {
		return err
	}
	dir, err := os.Open(s.root)
	if err != nil {
		return err
	}
	defer dir.Close()
	in := s.input(meta, place, spec.Mounted{Dir: dir})
	if err := makeWorkDir(s.root, in.Root, meta); err != nil {
		return err
	}
	if s.spec, err = spec.Build(in); err != nil {
		return err
	}
	own := make([]executor.Mount, len(s.spec.Mounts))
	for i, m := range s.spec.Mounts {
		own[i].Dest = m.Destination
	}
	if err := s.addMounts(ctx, mounts); err != nil {
		return err
	}
	// What the runtime makes to mount over is no part of the image. The directories of
	// the system go with it; those of the step's own mounts as BuildKit says.
	ownStubs := executor.MountStubsCleaner(ctx, s.root, own, true)
	stubs := executor.MountStubsCleaner(ctx, s.root, mounts, meta.RemoveMountStubsRecursive)
	s.undo = append(s.undo, func() error { stubs(); ownStubs(); return nil })
	return nil
}

// input describes the container, with docker's defaults for all that a step does
// not say.
func (s *step) input(meta executor.Meta, place Place, root spec.Root) spec.Input {
	cfg := &container.Config{
		Hostname: meta.Hostname, User: meta.User, Env: meta.Env, WorkingDir: meta.Cwd, Tty: meta.Tty,
		AttachStdout: true, AttachStderr: true,
	}
	if cfg.Hostname == "" {
		cfg.Hostname = s.id[:12]
	}
	hc := &container.HostConfig{
		NetworkMode: s.net.mode, IpcMode: container.IPCModePrivate, ShmSize: 64 << 20, ReadonlyRootfs: meta.ReadonlyRootFS,
	}
	place.limit(hc)
	for _, u := range meta.Ulimit {
		hc.Ulimits = append(hc.Ulimits, &units.Ulimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
	return spec.Input{
		ID: s.id, Rootfs: filepath.Join(s.opts.Mounts, s.id), Root: root, Config: cfg, HostConfig: hc,
		Path: meta.Args[0], Args: meta.Args[1:], Hostname: cfg.Hostname, NetNS: s.net.path(),
		CgroupParent: s.opts.CgroupParent, CgroupV2: s.opts.CgroupV2,
		Files: []spec.File{
			{Source: filepath.Join(s.dir, "resolv.conf"), Destination: "/etc/resolv.conf"},
			{Source: filepath.Join(s.dir, "hostname"), Destination: "/etc/hostname"},
			{Source: filepath.Join(s.dir, "hosts"), Destination: "/etc/hosts"},
		},
	}
}

// makeWorkDir makes the directory that the step runs in, as its user's.
func makeWorkDir(root string, files spec.Root, meta executor.Meta) error {
	dir, err := continuity.RootPath(root, meta.Cwd)
	if err != nil {
		return fmt.Errorf("find working directory %s: %w", meta.Cwd, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	u, _, err := spec.LookupUser(files, meta.User, nil)
	if err != nil {
		return err
	}
	return user.MkdirAllAndChown(dir, 0o755, int(u.UID), int(u.GID))
}

// addMounts adds the mounts of the step (caches, secrets, other stages) to its spec.
func (s *step) addMounts(ctx context.Context, mounts []executor.Mount) error {
	for _, m := range mounts {
		src, err := m.Src.Mount(ctx, m.Readonly)
		if err != nil {
			return err
		}
		one, err := s.mount(src, m)
		if err != nil {
			return fmt.Errorf("mount %s of a build step: %w", m.Dest, err)
		}
		// It takes the place of a default, such as /dev/shm.
		kept := s.spec.Mounts[:0]
		for _, have := range s.spec.Mounts {
			if path.Clean(have.Destination) != one.Destination {
				kept = append(kept, have)
			}
		}
		s.spec.Mounts = append(kept, one)
	}
	return nil
}

// mount makes one mount of the spec.
func (s *step) mount(src executor.MountableRef, m executor.Mount) (specs.Mount, error) {
	to := path.Join("/", m.Dest)
	list, release, err := src.Mount()
	if err != nil {
		return specs.Mount{}, err
	}
	if release != nil {
		s.undo = append(s.undo, release)
	}
	if len(list) == 1 && list[0].Type == "tmpfs" && m.Selector == "" {
		return specs.Mount{Type: "tmpfs", Source: "tmpfs", Destination: to, Options: list[0].Options}, nil
	}
	at, err := s.host(list)
	if err != nil {
		return specs.Mount{}, err
	}
	if sel := path.Join("/", m.Selector); sel != "/" {
		if at, err = s.part(at, sel); err != nil {
			return specs.Mount{}, err
		}
	}
	mode := "rw"
	if m.Readonly {
		mode = "ro"
	}
	return specs.Mount{Type: "bind", Source: at, Destination: to, Options: append([]string{"rbind", mode}, barred(list)...)}, nil
}

// barred are the options by which BuildKit bars devices, set-user-ID and execution from a
// mount. A bind mount starts without them, whatever holds where its source is.
func barred(list []ctdmount.Mount) []string {
	var out []string
	for _, o := range []string{"nodev", "nosuid", "noexec"} {
		if slices.ContainsFunc(list, func(m ctdmount.Mount) bool { return slices.Contains(m.Options, o) }) {
			out = append(out, o)
		}
	}
	return out
}

// host gives mounts a place on the host until the step is cleaned.
func (s *step) host(list []ctdmount.Mount) (string, error) {
	if len(list) == 1 && (list[0].Type == "bind" || list[0].Type == "rbind") {
		return list[0].Source, nil // whether it may be written to is said with the mount in the container
	}
	at, err := os.MkdirTemp("", "berth-build-mount")
	if err != nil {
		return "", err
	}
	s.undo = append(s.undo, func() error { return os.Remove(at) })
	if err := ctdmount.All(list, at); err != nil {
		return "", err
	}
	s.undo = append(s.undo, func() error { return ctdmount.Unmount(at, unix.MNT_DETACH) })
	return at, nil
}

// part mounts what is at sel below dir by itself. Others may be changing links in dir
// right now, so it is opened inside of dir, and what was opened is mounted.
func (s *step) part(dir, sel string) (string, error) {
	top, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(top)
	fd, err := unix.Openat2(top, sel, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return "", &fs.PathError{Op: "open", Path: sel, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp("", "berth-build-part")
	if err != nil {
		return "", err
	}
	s.undo = append(s.undo, func() error { return os.RemoveAll(tmp) })
	at := filepath.Join(tmp, "part")
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		err = os.Mkdir(at, 0o700)
	} else {
		err = os.WriteFile(at, nil, 0o600)
	}
	if err != nil {
		return "", err
	}
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", fd), at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return "", err
	}
	s.undo = append(s.undo, func() error { return unix.Unmount(at, unix.MNT_DETACH) })
	return at, nil
}

// userIn finds a user in the databases below dir.
func userIn(dir *os.File, name string) (specs.User, error) {
	u, _, err := spec.LookupUser(spec.Mounted{Dir: dir}, name, nil)
	return u, err
}
