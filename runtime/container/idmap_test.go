package container

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"berth/runtime/mount"
)

// shared is a directory of the host with files of several users, and a file system
// of its own below it.
func shared(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/below", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := (mount.Mount{Type: "tmpfs", Source: "tmpfs"}).Mount(dir + "/below"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir+"/below", unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	for name, id := range map[string]int{"root": 0, "user": 1000, "other": 7, "below/root": 0} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(dir, name), id, id+1); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func mapping(container, host, size uint32) []specs.LinuxIDMapping {
	return []specs.LinuxIDMapping{{ContainerID: container, HostID: host, Size: size}}
}

// TestIDMappedMounts looks at and makes files through mounts with mappings of their
// own, with the container's, with those of the mounts below, and without.
func TestIDMappedMounts(t *testing.T) {
	oldTmpfs(t)
	for _, user := range []bool{false, true} {
		f := newFixture(t)
		host := uint32(0) // what the container's root is on the host
		if user {
			f.userNS()
			host = 100000
			f.opts.Spec.Linux.GIDMappings = f.opts.Spec.Linux.UIDMappings
		}
		dir := shared(t)
		s := f.opts.Spec
		addMount(s, "/plain", "bind", dir, "rbind")
		addMount(s, "/own", "bind", dir, "rbind", "idmap")
		s.Mounts[len(s.Mounts)-1].UIDMappings = mapping(0, host+500, 2000)
		s.Mounts[len(s.Mounts)-1].GIDMappings = mapping(0, host+600, 2000)
		addMount(s, "/all", "bind", dir, "rbind", "ridmap", "ro")
		s.Mounts[len(s.Mounts)-1].UIDMappings = mapping(1000, host+3, 1)
		s.Mounts[len(s.Mounts)-1].GIDMappings = mapping(0, host, 2000)
		script := "cd /own && stat -c '%n %u %g' root user other below/root; cd /all && stat -c '%n %u %g' root user below/root; touch x; grep -c idmapped /proc/self/mountinfo"
		below := "0 1"
		if user {
			below = "65534 65534"
			addMount(s, "/like", "bind", dir, "ridmap", "rbind")
			script += "; cd /like && touch made && stat -c '%n %u %g' root user below/root made; stat -c '%n %u %g' /plain/root; rm made"
		}
		want := "root 500 601\nuser 1500 1601\nother 507 608\nbelow/root " + below +
			"\nroot 65534 1\nuser 3 1001\nbelow/root 65534 1\ntouch: x: Read-only file system\n"
		if user {
			want += "5\nroot 0 1\nuser 1000 1001\nbelow/root 0 1\nmade 0 0\n/plain/root 65534 65534"
		} else {
			want += "3"
		}
		f.want(script, want)
	}
}

func TestIDMappedMountsRefused(t *testing.T) {
	ids := mapping(0, 1000, 10)
	for text, m := range map[string]specs.Mount{
		"only supported for bind-mounts":               {Type: "tmpfs", Options: []string{"idmap"}, UIDMappings: ids, GIDMappings: ids},
		"neither the mount has mappings nor":           {Type: "bind", Source: "/tmp", Options: []string{"idmap", "bind"}},
		"gidMappings: id-mapped mounts must have both": {Type: "bind", Source: "/tmp", Options: []string{"bind"}, UIDMappings: ids},
		"uidMappings: id-mapped mounts must have both": {Type: "bind", Source: "/tmp", Options: []string{"idmap", "bind"}, GIDMappings: ids},
		"gidMappings: [0]: size is 0":                  {Type: "bind", Source: "/tmp", Options: []string{"bind"}, UIDMappings: ids, GIDMappings: mapping(0, 1, 0)},
		"its file system cannot":                       {Type: "bind", Source: "/proc", Options: []string{"bind"}, UIDMappings: ids, GIDMappings: ids},
	} {
		t.Run(strings.Map(letters, text), func(t *testing.T) {
			f := newFixture(t, "true")
			m.Destination = "/x"
			f.opts.Spec.Mounts = append(f.opts.Spec.Mounts, m)
			if _, err := Create(context.Background(), f.opts); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("error %v; want %q in it", err, text)
			}
		})
	}
}

// oldTmpfs skips where the test's directory, or the tmpfs in it, is of a kind
// that the kernel cannot map yet.
func oldTmpfs(t *testing.T) {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	if major < 6 || major == 6 && minor < 3 {
		t.Skip("a tmpfs cannot be ID-mapped before Linux 6.3")
	}
}
