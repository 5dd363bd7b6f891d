package rootfs

import (
	"os"
	"strings"
	"testing"

	"berth/runtime/mount"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestMountLabel shows on a host without SELinux as the kernel's refusal of what it
// is asked for.
func TestMountLabel(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting needs root")
	}
	if _, err := os.Stat("/sys/fs/selinux/enforce"); err == nil {
		t.Skip("SELinux is enabled: labels are not refused")
	}
	for label, fails := range map[string]string{"": "", "a:b:c:s0:c1,c2": "context"} {
		r := &Rootfs{cfg: Config{Spec: &specs.Spec{Linux: &specs.Linux{MountLabel: label}}}}
		tree, err := r.newTree("tmpfs", "tmpfs", mount.Options{})
		if err == nil {
			tree.Close()
		}
		if (err == nil) != (fails == "") || err != nil && !strings.Contains(err.Error(), fails) {
			t.Errorf("a tmpfs labelled %q: %v", label, err)
		}
		if tree, err = r.newTree("sysfs", "sysfs", mount.Options{}); err != nil {
			t.Errorf("sysfs takes no label: %v", err)
		} else {
			tree.Close()
		}
	}
}
