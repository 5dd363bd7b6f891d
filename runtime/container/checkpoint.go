package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"

	"berth/runtime/criu"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// descriptorsFile is in the images' directory and names what the standard
// streams were.
const descriptorsFile = "descriptors.json"

// Checkpoint saves the container with CRIU. d says how; what the container is, is
// filled in. Afterwards the container is gone from the machine, unless it was to
// be left running, and has still to be deleted.
func (c *Container) Checkpoint(d criu.Dump) error {
	return c.dir.withLock(func() error {
		if s := c.status(); s != specs.StateRunning && s != Paused {
			return fmt.Errorf("container cannot be checkpointed in %s state: %w", s, errdefs.ErrFailedPrecondition)
		}
		spec, err := LoadSpec(c.rec.Bundle)
		if err != nil {
			return fmt.Errorf("checkpoint container %s: %w", c.rec.ID, err)
		}
		if err := checkpointable(spec); err != nil {
			return fmt.Errorf("checkpoint container %s: %w", c.rec.ID, err)
		}
		d.PID, d.Root = c.rec.PID, c.rec.Rootfs
		if c.cg != nil {
			d.Freezer = c.cg.Freezer()
		}
		if err := saveDescriptors(d.Images, c.rec.PID); err != nil {
			return fmt.Errorf("checkpoint container %s: %w", c.rec.ID, err)
		}
		d.External = append(d.External, "mnt[]:sm") // what else is mounted from outside, the cgroups say
		for _, m := range binds(spec) {
			d.External = append(d.External, "mnt["+m.Destination+"]:"+m.Destination)
		}
		if ns := networkPath(spec); ns != "" {
			var st unix.Stat_t
			if err := unix.Stat(ns, &st); err != nil {
				return fmt.Errorf("checkpoint container %s: network namespace %s: %w", c.rec.ID, ns, err)
			}
			d.External = append(d.External, "net["+strconv.FormatUint(st.Ino, 10)+"]:"+externalNet)
		}
		if err := d.Run(); err != nil {
			return fmt.Errorf("checkpoint container %s: %w", c.rec.ID, err)
		}
		return nil
	})
}

// externalNet is what a network namespace that others made is called in images.
const externalNet = "extRootNetNS"

// checkpointable refuses what could be saved and not restored.
func checkpointable(spec *specs.Spec) error {
	if spec.Process != nil && spec.Process.Terminal {
		return fmt.Errorf("process.terminal: a terminal cannot be restored by criu's command line: %w", errdefs.ErrNotImplemented)
	}
	return nil
}

// binds are the mounts of what is the host's.
func binds(spec *specs.Spec) (list []specs.Mount) {
	for _, m := range spec.Mounts {
		bind := m.Type == "bind"
		for _, o := range m.Options {
			bind = bind || o == "bind" || o == "rbind"
		}
		if bind {
			m.Destination = path.Clean("/" + m.Destination)
			list = append(list, m)
		}
	}
	return list
}

func networkPath(spec *specs.Spec) string {
	for _, ns := range spec.Linux.Namespaces {
		if ns.Type == specs.NetworkNamespace {
			return ns.Path
		}
	}
	return ""
}

func saveDescriptors(images string, pid int) error {
	var names [3]string
	for i := range names {
		name, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, i))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("look at the standard streams: %w", err)
		}
		names[i] = name
	}
	b, err := json.Marshal(names)
	if err == nil {
		err = os.WriteFile(path.Join(images, descriptorsFile), b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("save the names of the standard streams: %w", err)
	}
	return nil
}
