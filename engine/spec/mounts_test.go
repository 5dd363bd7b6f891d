package spec

import (
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

func TestNoSharedMemoryWithoutIPC(t *testing.T) {
	s := build(t, func(in *Input) { in.HostConfig.IpcMode = container.IPCModeNone })
	for _, m := range s.Mounts {
		if m.Destination == "/dev/shm" {
			t.Errorf("--ipc none: %+v", m)
		}
	}
}

func TestReadOnlyReachesAsFarAsAsked(t *testing.T) {
	for _, c := range []struct {
		how  MountOptions
		want []string
	}{
		{MountOptions{}, []string{"rbind", "ro", "rro", "rprivate"}},
		{MountOptions{ReadOnlyNonRecursive: true}, []string{"rbind", "ro", "rprivate"}},
		{MountOptions{NonRecursive: true, ReadOnlyNonRecursive: true}, []string{"bind", "ro", "rprivate"}},
	} {
		m, err := pointMount(Mount{container.MountPoint{Type: "bind", Source: "/h", Destination: "/d"}, c.how})
		if err != nil || !slices.Equal(m.Options, c.want) {
			t.Errorf("%+v: got %v, %v, want %v", c.how, m.Options, err, c.want)
		}
	}
}

func TestTmpfsOptionsMerge(t *testing.T) {
	for options, want := range map[string]string{
		"":                         "noexec nosuid nodev rprivate",
		"exec":                     "nosuid nodev rprivate exec",
		"size=1m,size=2m":          "noexec nosuid nodev rprivate size=2m",
		"rw,ro,mode=1777,uid=5":    "noexec nosuid nodev rprivate ro mode=1777 uid=5",
		"defaults,noatime,rslave":  "noexec nosuid nodev noatime rslave",
		"nr_inodes=1k,mpol=bind:0": "noexec nosuid nodev rprivate nr_inodes=1k mpol=bind:0",
	} {
		m, err := tmpfs("/t/", options)
		if got := strings.Join(m.Options, " "); err != nil || got != want || m.Destination != "/t" {
			t.Errorf("%q: got %q at %s, %v, want %q", options, got, m.Destination, err, want)
		}
	}
	for _, bad := range []string{"what", "huge=always", "bind", "size", ","} {
		if _, err := tmpfs("/t", bad); !errdefs.IsInvalidArgument(err) || !strings.HasPrefix(err.Error(), "Invalid tmpfs option [") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for dest, want := range map[string]string{
		"/": "invalid specification: destination can't be '/'", "t": "invalid mount path: 't' mount path must be absolute",
	} {
		if err := CheckDestination(dest); err == nil || err.Error() != want {
			t.Errorf("%q: %v", dest, err)
		}
	}
}

// What propagates needs a root that lets it through.
func TestPropagationOfTheRoot(t *testing.T) {
	for _, c := range []struct {
		modes []mount.Propagation
		want  string
	}{
		{nil, ""}, {[]mount.Propagation{"rprivate", ""}, ""}, {[]mount.Propagation{"rslave"}, "slave"},
		{[]mount.Propagation{"slave", "rshared", "private"}, "shared"},
	} {
		var volumes []Mount
		for _, p := range c.modes {
			volumes = append(volumes, Mount{MountPoint: container.MountPoint{Propagation: p}})
		}
		if got := rootPropagation(volumes); got != c.want {
			t.Errorf("%v: got %q, want %q", c.modes, got, c.want)
		}
	}
}
