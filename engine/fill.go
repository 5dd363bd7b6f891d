package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"berth/store/diff"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"golang.org/x/sys/unix"
)

// fillVolumes copies what the image has at a volume's mount point into the
// volume while that is empty, as docker does unless it is told not to (nocopy).
// chain is the key of the image's layers, "" if it has none.
func (cs *Containers) fillVolumes(ctx context.Context, rec *record, chain string) (err error) {
	var empty []container.MountPoint
	for _, m := range rec.Mounts {
		if m.Type != mount.TypeVolume || noCopy(rec.HostConfig, m) {
			continue
		}
		entries, err := os.ReadDir(m.Source)
		if err != nil {
			return fmt.Errorf("look into volume %s: %w", m.Name, err)
		}
		if len(entries) == 0 {
			empty = append(empty, m)
		}
	}
	if len(empty) == 0 || chain == "" {
		return nil
	}
	root, err := cs.viewLayers(ctx, chain)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for _, m := range empty {
		if err := copyTree(ctx, root, m.Destination, m.Source); err != nil {
			return fmt.Errorf("copy %s of image %s to volume %s: %w", m.Destination, rec.imageName(), m.Name, err)
		}
	}
	return nil
}

func noCopy(hc *container.HostConfig, m container.MountPoint) bool {
	if slices.Contains(strings.Split(m.Mode, ","), "nocopy") {
		return true
	}
	return slices.ContainsFunc(hc.Mounts, func(a mount.Mount) bool {
		return a.Target == m.Destination && a.VolumeOptions != nil && a.VolumeOptions.NoCopy
	})
}

// copyTree copies a directory of an image, with its own owner and mode, to the
// directory dst. What is missing or no directory is not copied.
func copyTree(ctx context.Context, root *os.File, name, dst string) (err error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	fd, err := unix.Openat2(int(root.Fd()), strings.TrimPrefix(name, "/"), &how)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "openat2", Path: name, Err: err}
	}
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	r, w := io.Pipe()
	go func() { w.CloseWithError(diff.WriteTarFrom(ctx, w, dir, diff.TarOptions{Root: true})) }()
	_, err = diff.Apply(ctx, dst, r, diff.ApplyOptions{})
	return errors.Join(err, r.Close())
}
