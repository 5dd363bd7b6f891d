package container

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"berth/runtime/mount"
	"berth/runtime/plainfile"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// delegate gives the container's cgroup to its user, when it is one of v2, in a new
// cgroup namespace, and mounted writable: the container may then divide it as a
// systemd in it does (runtime-spec config-linux.md, "Cgroup ownership").
func (b *build) delegate() error {
	cg := b.c.cg
	if !cg.Unified || !b.ns.New(specs.CgroupNamespace) || !writableCgroups(b.spec.Mounts) {
		return nil
	}
	ids := b.spec.Linux.UIDMappings
	uid, ok := hostID(ids, b.spec.Process.User.UID)
	if !ok || uid == uint32(os.Geteuid()) || len(ids) == 0 && b.c.rec.UserNS {
		return nil // it is so already, or not known before a given namespace is entered
	}
	list, err := plainfile.Read("/sys/kernel/cgroup/delegate")
	if errors.Is(err, os.ErrNotExist) { // before Linux 4.15
		list, err = []byte("cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n"), nil
	}
	if err != nil {
		return fmt.Errorf("delegate the cgroup: %w", err)
	}
	dir := cg.Paths[""]
	for _, file := range append([]string{"."}, strings.Fields(string(list))...) {
		// Some exist with their controllers only.
		if err := os.Lchown(path.Join(dir, file), int(uid), -1); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delegate the cgroup to user %d: %w", uid, err)
		}
	}
	return nil
}

func writableCgroups(mounts []specs.Mount) bool {
	for _, m := range mounts {
		if m.Type != "cgroup" && m.Type != "cgroup2" || path.Clean(m.Destination) != "/sys/fs/cgroup" {
			continue
		}
		o, err := mount.ParseOptions(m.Options)
		return err == nil && o.Set&unix.MOUNT_ATTR_RDONLY == 0
	}
	return false
}

// hostID gives what an ID of the user namespace is here; without mappings it is the
// same.
func hostID(list []specs.LinuxIDMapping, id uint32) (uint32, bool) {
	for _, m := range list {
		if id >= m.ContainerID && id-m.ContainerID < m.Size {
			return m.HostID + id - m.ContainerID, true
		}
	}
	return id, len(list) == 0
}
