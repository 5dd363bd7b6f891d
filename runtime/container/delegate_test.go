package container

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestDelegatedCgroup has a container divide its cgroup, which takes cgroup v2.
func TestDelegatedCgroup(t *testing.T) {
	var fs unix.Statfs_t
	if err := unix.Statfs("/sys/fs/cgroup", &fs); err != nil || fs.Type != unix.CGROUP2_SUPER_MAGIC {
		t.Skip("needs cgroup v2; make test-vm has it")
	}
	for _, c := range []struct{ options, want string }{
		{"rw", "5\nmade\nmoved"},
		{"ro", "65534\nmkdir: can't create directory '/sys/fs/cgroup/x': Read-only file system"},
	} {
		f := newFixture(t)
		f.userNS()
		f.opts.Spec.Process.User = specs.User{UID: 5, GID: 5}
		f.opts.Spec.Process.Capabilities = nil
		m := &f.opts.Spec.Mounts[6]
		m.Options = []string{c.options, "nosuid"}
		f.want("stat -c %u /sys/fs/cgroup; mkdir /sys/fs/cgroup/x && echo made && echo 0 > /sys/fs/cgroup/x/cgroup.procs && echo moved", c.want)
	}
}

func TestHostID(t *testing.T) {
	list := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 1}, {ContainerID: 1, HostID: 1<<32 - 10, Size: 5}}
	for id, want := range map[uint32]uint32{0: 1000, 1: 1<<32 - 10, 5: 1<<32 - 6} {
		if got, ok := hostID(list, id); !ok || got != want {
			t.Errorf("%d is %d, %v; want %d", id, got, ok, want)
		}
	}
	if _, ok := hostID(list, 6); ok || mapped(list, 6) || mapped(nil, 0) {
		t.Error("what is not mapped is")
	}
	if got, ok := hostID(nil, 7); !ok || got != 7 {
		t.Errorf("without mappings 7 is %d, %v", got, ok)
	}
	if writableCgroups([]specs.Mount{{Type: "cgroup", Destination: "/sys/fs/cgroup/", Options: strings.Split("ro,rw,ro", ",")}}) {
		t.Error("a read-only mount is writable")
	}
}
