package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"

	"berth/runtime/cgroup"
	"berth/runtime/criu"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Restore makes a container of the images of a checkpoint, running from the
// start. o is as for Create; r says how, and what the container is, is filled in.
// Like Create it is all or nothing.
func Restore(ctx context.Context, o Options, r criu.Restore) (_ *Container, err error) {
	names, err := readDescriptors(r.Images)
	if err != nil {
		return nil, err
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	b, err := newBuild(o)
	if err != nil {
		return nil, err
	}
	defer b.close()
	if err := checkpointable(b.spec); err != nil {
		return nil, err
	}
	lock, err := b.claim()
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	defer func() {
		if err != nil {
			b.rollback()
		}
	}()
	if err := b.c.cg.Create(); err != nil {
		return nil, err
	}
	if err := b.c.cg.Limit(); err != nil {
		return nil, err
	}
	if err := b.restore(ctx, &r, names); err != nil {
		return nil, fmt.Errorf("restore container %s: %w", o.ID, err)
	}
	b.c.cg.Settled()
	return b.c, b.adopt()
}

func readDescriptors(images string) (names [3]string, err error) {
	b, err := os.ReadFile(path.Join(images, descriptorsFile))
	if err != nil {
		return names, err
	}
	if err := json.Unmarshal(b, &names); err != nil {
		return names, fmt.Errorf("%s: %w: %w", path.Join(images, descriptorsFile), err, errdefs.ErrInvalidArgument)
	}
	return names, nil
}

// restore runs CRIU.
func (b *build) restore(ctx context.Context, r *criu.Restore, names [3]string) error {
	root := b.c.dir.path("criu-root")
	unmount, err := mountRoot(b.c.rec.Rootfs, root)
	if err != nil {
		return err
	}
	defer unmount()
	r.Root, r.PIDFile = root, b.c.dir.path("criu-pid")
	r.Files = []*os.File{b.o.Stdin, b.o.Stdout, b.o.Stderr}
	for i, name := range names {
		if strings.HasPrefix(name, "pipe:") {
			r.Inherit = append(r.Inherit, fmt.Sprintf("fd[%d]:%s", i, name))
		}
	}
	r.External = append(r.External, "mnt[]:sm")
	for _, m := range binds(b.spec) {
		source := m.Source
		if !path.IsAbs(source) {
			source = path.Join(b.o.Bundle, source)
		}
		r.External = append(r.External, "mnt["+m.Destination+"]:"+source)
	}
	if ns := networkPath(b.spec); ns != "" {
		f, err := os.Open(ns)
		if err != nil {
			return fmt.Errorf("network namespace: %w", err)
		}
		defer f.Close()
		r.Inherit = append(r.Inherit, fmt.Sprintf("fd[%d]:%s", len(r.Files), externalNet))
		r.Files = append(r.Files, f)
	}
	r.CgroupRoots = b.c.cg.Relative()
	if err := mountPoints(b.spec, b.c.rec.Rootfs); err != nil {
		return err
	}
	run, err := b.startIn(r)
	if err != nil {
		return err
	}
	if err := run.Wait(); err != nil {
		return err
	}
	return b.found(ctx, r.PIDFile)
}

// startIn starts CRIU in the container's cgroups, so that all it makes is there.
func (b *build) startIn(r *criu.Restore) (run *criu.Run, err error) {
	if b.c.cg.Unified {
		dir, err := b.c.cg.Dir()
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		return r.Start(dir)
	}
	there, err := joinFiles(b.c.cg)
	if err != nil {
		return nil, err
	}
	defer closeAll(there)
	own, err := cgroup.Own()
	if err != nil {
		return nil, err
	}
	back, err := joinFiles(own)
	if err != nil {
		return nil, err
	}
	defer closeAll(back)
	// A child is born in the cgroups of the thread that makes it. The thread goes
	// back, since as long as it is there so is this process.
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err = move(there); err == nil {
			run, err = r.Start(nil)
		}
		if merr := move(back); merr != nil {
			err = errors.Join(err, merr)
			return // without unlocking, which ends the thread
		}
		runtime.UnlockOSThread()
	}()
	<-done
	return run, err
}

func joinFiles(m *cgroup.Manager) (files []*os.File, err error) {
	joins, err := m.Join()
	for _, f := range joins {
		files = append(files, f)
	}
	return files, err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// move moves the calling thread.
func move(files []*os.File) error {
	for _, f := range files {
		if _, err := f.WriteString("0"); err != nil {
			return fmt.Errorf("move to the cgroup of %s: %w", f.Name(), err)
		}
	}
	return nil
}

// found takes the restored process for init.
func (b *build) found(ctx context.Context, pidFile string) error {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return fmt.Errorf("find the restored process: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("find the restored process: %w", err)
	}
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("open the restored process: %w", err)
	}
	b.c.init = &Process{pid: pid, pidfd: os.NewFile(uintptr(fd), "pidfd")}
	return errors.Join(ctx.Err(), os.Remove(pidFile))
}

// mountRoot mounts the root file system where nothing else is mounted below, as
// CRIU wants it.
func mountRoot(rootfs, at string) (unmount func(), err error) {
	if err := os.Mkdir(at, 0o711); err != nil {
		return nil, fmt.Errorf("make a directory for the root: %w", err)
	}
	if err := unix.Mount(rootfs, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return nil, fmt.Errorf("mount the root: %w", err)
	}
	unmount = func() {
		// Lazily: the container's own mounts are copies.
		_ = unix.Unmount(at, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		_ = os.Remove(at)
	}
	if err := unix.Mount("", at, "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		unmount()
		return nil, fmt.Errorf("mount the root: %w", err)
	}
	return unmount, nil
}

// mountPoints makes the directories and files on which CRIU mounts, which a fresh
// copy of the root file system lacks. Nothing is made outside of it.
func mountPoints(spec *specs.Spec, rootfs string) error {
	root, err := os.OpenRoot(rootfs)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, m := range spec.Mounts {
		name := strings.TrimPrefix(path.Clean("/"+m.Destination), "/")
		if _, err := root.Stat(name); name == "" || err == nil {
			continue
		}
		st, err := os.Stat(m.Source)
		if err != nil || st.IsDir() || len(binds(&specs.Spec{Mounts: []specs.Mount{m}})) == 0 {
			err = root.MkdirAll(name, 0o755)
		} else if err = root.MkdirAll(path.Dir(name), 0o755); err == nil {
			var f *os.File
			if f, err = root.Create(name); err == nil {
				err = f.Close()
			}
		}
		if err != nil {
			return fmt.Errorf("make the mount point %s: %w", m.Destination, err)
		}
	}
	return nil
}
