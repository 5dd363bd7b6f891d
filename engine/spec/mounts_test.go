package spec

import (
	"slices"
	"testing"

	"github.com/moby/moby/api/types/container"
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
	for mode, want := range map[string][]string{
		"":                      {"rbind", "ro", "rro", "rprivate"},
		"readonly-nonrecursive": {"rbind", "ro", "rprivate"},
		"bind-nonrecursive,readonly-nonrecursive": {"bind", "ro", "rprivate"},
	} {
		m, err := volumeMount(container.MountPoint{Type: "bind", Source: "/h", Destination: "/d", Mode: mode})
		if err != nil || !slices.Equal(m.Options, want) {
			t.Errorf("%q: got %v, %v, want %v", mode, m.Options, err, want)
		}
	}
}
