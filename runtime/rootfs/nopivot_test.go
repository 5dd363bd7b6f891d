package rootfs

import (
	"slices"
	"testing"
)

func TestBareFileSystems(t *testing.T) {
	got := bare("22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw\n" +
		"23 27 0:22 / /sys rw - sysfs sysfs rw\n" +
		"24 22 0:21 /sys /proc/sys ro - proc proc rw\n" +
		"25 27 8:1 / /home rw - ext4 /dev/sda1 rw\n" +
		"26 27 0:23 / /a\\040b/proc rw - proc proc rw\n")
	if want := []string{"/a b/proc", "/sys", "/proc"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestDestinationsAsTheHostHasThem(t *testing.T) {
	r := &Rootfs{path: "/b/rootfs"}
	for dest, want := range map[string]string{"/b/rootfs/mnt": "/mnt", "mnt": "/mnt", "/b/rootfs2": "/b/rootfs2", "/b/rootfs/../x": "/b/x"} {
		if got := r.inside(dest); got != want {
			t.Errorf("%s goes to %s, want %s", dest, got, want)
		}
	}
}
