package container

import (
	"context"
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"berth/runtime/sync"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// notification and answer are struct seccomp_notif and seccomp_notif_resp.
type notification struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type answer struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

const (
	ioctlReceive = 0xc0502100 // SECCOMP_IOCTL_NOTIF_RECV
	ioctlSend    = 0xc0182101 // SECCOMP_IOCTL_NOTIF_SEND
)

// agent answers all notifications of the listeners it gets with EXDEV, and tells
// what came with them.
func agent(t *testing.T, path string) <-chan specs.ContainerProcessState {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	states := make(chan specs.ContainerProcessState, 8)
	go func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			buf, oob := make([]byte, 1<<16), make([]byte, 64)
			n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
			conn.Close()
			var state specs.ContainerProcessState
			if err == nil {
				err = json.Unmarshal(buf[:n], &state)
			}
			fds, ferr := sync.Rights(oob[:oobn])
			if err != nil || ferr != nil || len(fds) != 1 {
				t.Errorf("the agent got %q with %d descriptors: %v, %v", buf[:n], len(fds), err, ferr)
				return
			}
			states <- state
			go refuse(fds[0])
		}
	}()
	return states
}

func refuse(listener int) {
	defer unix.Close(listener)
	for aborted := 0; ; {
		var n notification
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), ioctlReceive, uintptr(unsafe.Pointer(&n)))
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.ENOENT && aborted < 10: // who asked was interrupted, and asks again
			aborted++
			continue
		case errno != 0:
			return
		}
		a := answer{id: n.id, errno: -int32(unix.EXDEV)}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(listener), ioctlSend, uintptr(unsafe.Pointer(&a)))
	}
}

func TestSeccompNotify(t *testing.T) {
	for _, mode := range []string{"no_new_privs", "privileged", "user namespace"} {
		f := newFixture(t)
		if mode == "user namespace" {
			f.userNS()
		}
		path := filepath.Join(t.TempDir(), "agent")
		states := agent(t, path)
		f.opts.Spec.Process.NoNewPrivileges = mode == "no_new_privs"
		f.opts.Spec.Annotations = map[string]string{"a": "b"}
		f.opts.Spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerPath: path, ListenerMetadata: "meta",
			Flags:    []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv},
			Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActNotify}}}
		c := f.running()
		check := func(status specs.ContainerState, pid int) {
			t.Helper()
			s := <-states
			if s.Version != specs.Version || len(s.Fds) != 1 || s.Fds[0] != "seccompFd" || s.Metadata != "meta" || s.State.ID != c.ID() ||
				s.State.Status != status || s.State.Pid != c.Init().PID() || s.State.Annotations["a"] != "b" || s.State.Bundle != c.Bundle() ||
				pid != 0 && s.Pid != pid {
				t.Errorf("the agent was told %+v", s)
			}
		}
		check(specs.StateCreating, c.Init().PID())
		out, _ := f.exec(c, "mkdir", "/tmp/x")
		check(specs.StateRunning, 0)
		if !strings.Contains(out, "Invalid cross-device link") && !strings.Contains(out, "Cross-device link") {
			t.Errorf("%s: mkdir says %q, want what the agent answers", mode, out)
		}
	}
}

// TestSeccompNotifyWithoutAgent leaves nothing, as the fixture checks.
func TestSeccompNotifyWithoutAgent(t *testing.T) {
	f := newFixture(t, "true")
	f.opts.Spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerPath: "/no/agent",
		Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActNotify}}}
	_, err := Create(context.Background(), f.opts)
	if err == nil || !strings.Contains(err.Error(), "linux.seccomp.listenerPath: failed to connect with seccomp agent at /no/agent: no such file") {
		t.Errorf("error %v", err)
	}
}
