package nsenter

import (
	"os"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func ids(container, host, size uint32) specs.LinuxIDMapping {
	return specs.LinuxIDMapping{ContainerID: container, HostID: host, Size: size}
}

// TestUserNamespaceOfATwin makes a user namespace and enters it, alone.
func TestUserNamespaceOfATwin(t *testing.T) {
	if os.Getuid() != 0 || !hasTwin {
		t.Skip("needs root, and a machine with twins")
	}
	s := Settings{UIDs: []specs.LinuxIDMapping{ids(0, 5000, 3), ids(7, 9000, 1)}, GIDs: []specs.LinuxIDMapping{ids(0, 6000, 1)}}
	f, err := NewUser(s)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = onTwin(func() error {
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWUSER); err != nil {
			return err
		}
		pid := unix.Getpid()
		if noGroups, err := becomeRoot(); err != nil || noGroups {
			t.Errorf("become root: no groups %v, %v", noGroups, err)
		}
		return outside(func() error {
			var st unix.Stat_t
			if err := unix.Stat(nsFile(pid, "../"), &st); err != nil || st.Uid != 5000 || st.Gid != 6000 {
				t.Errorf("the twin is %d:%d on the host, %v", st.Uid, st.Gid, err)
			}
			s.UIDs[0], s.UIDs[1] = s.UIDs[1], s.UIDs[0] // the order is nothing
			if err := s.compare(pid); err != nil {
				t.Errorf("compared with what it was made of: %v", err)
			}
			for _, other := range []Settings{{UIDs: s.UIDs[:1]}, {GIDs: []specs.LinuxIDMapping{ids(0, 6000, 2)}}} {
				if err := other.compare(pid); !errdefs.IsInvalidArgument(err) {
					t.Errorf("compared with %+v: %v", other, err)
				}
			}
			for id, want := range map[uint32]uint32{0: 5000, 2: 5002, 7: 9000} {
				if got, err := HostUID(pid, id); err != nil || got != want {
					t.Errorf("user %d is %d here, %v; want %d", id, got, err, want)
				}
			}
			if _, err := HostUID(pid, 3); !errdefs.IsInvalidArgument(err) {
				t.Errorf("an unmapped user: %v", err)
			}
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := NewUser(Settings{UIDs: []specs.LinuxIDMapping{ids(0, 1, 2), ids(1, 5, 1)}}); err == nil || !strings.Contains(err.Error(), "linux.uidMappings") {
		t.Errorf("overlapping mappings: %v", err)
	}
	if unix.Getuid() != 0 {
		t.Error("this process is somebody else")
	}
}

// TestGivenNamespacesOfTheHost joins what belongs to the host, before the user
// namespace in which there is no right to.
func TestGivenNamespacesOfTheHost(t *testing.T) {
	if os.Getuid() != 0 || !hasTwin {
		t.Skip("needs root, and a machine with twins")
	}
	ns, err := Parse([]specs.LinuxNamespace{{Type: "user"}, {Type: "uts", Path: "/proc/self/ns/uts"}, {Type: "ipc"}, {Type: "mount"}})
	if err != nil {
		t.Fatal(err)
	}
	link := func(name string) string {
		at, err := os.Readlink("/proc/thread-self/ns/" + name)
		if err != nil {
			t.Error(err)
		}
		return at
	}
	uts, ipc := link("uts"), link("ipc")
	err = ns.Run(func() error {
		in, err := ns.Enter(Settings{UIDs: []specs.LinuxIDMapping{ids(0, 5000, 1)}, GIDs: []specs.LinuxIDMapping{ids(0, 5000, 1)}})
		if err != nil {
			return err
		}
		if link("uts") != uts || link("ipc") == ipc || in.Time != nil || unix.Getuid() != 0 {
			t.Errorf("uts %s, ipc %s, %+v, user %d", link("uts"), link("ipc"), in, unix.Getuid())
		}
		if err := unix.Sethostname([]byte("mine")); err != unix.EPERM {
			t.Errorf("naming the host: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
