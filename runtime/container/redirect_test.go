package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"berth/runtime/nsenter"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// mountNamespace makes a mount namespace in which prepare has been, and returns
// its path. It lives as long as the test.
func mountNamespace(t *testing.T, prepare func() error) string {
	t.Helper()
	made, done := make(chan error), make(chan struct{})
	var tid int
	go nsenter.Builder(func() error {
		tid = unix.Gettid()
		err := unix.Unshare(unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			err = prepare()
		}
		made <- err
		<-done
		return nil
	})
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(done) })
	return fmt.Sprintf("/proc/%d/task/%d/ns/mnt", os.Getpid(), tid)
}

// TestSysctlOfAJoinedNamespace is the redirected write of CVE-2025-52881: the
// mount namespace that the spec names has a /proc of its own making.
func TestSysctlOfAJoinedNamespace(t *testing.T) {
	f := newFixture(t)
	fake := filepath.Join(f.opts.Bundle, "fake")
	if err := errors.Join(os.MkdirAll(filepath.Join(fake, "sys/net/ipv4"), 0o755), os.WriteFile(filepath.Join(fake, "sys/net/ipv4/ip_default_ttl"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	path := mountNamespace(t, func() error { return unix.Mount(fake, "/proc", "", unix.MS_BIND, "") })
	for i, n := range f.opts.Spec.Linux.Namespaces {
		if n.Type == specs.MountNamespace {
			f.opts.Spec.Linux.Namespaces[i].Path = path
		}
	}
	f.opts.Spec.Linux.MaskedPaths, f.opts.Spec.Linux.ReadonlyPaths = nil, nil
	f.opts.Spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_default_ttl": "77"}
	// Held by procfs.Root before Enter in build.build.
	f.want("cat /proc/sys/net/ipv4/ip_default_ttl", "77")
}

// TestPasswdThatIsNoFile has images whose /etc/passwd never ends, or is a device:
// to find HOME the runtime reads it with all its rights.
func TestPasswdThatIsNoFile(t *testing.T) {
	for name, place := range map[string]func(at string) error{
		"fifo":          func(at string) error { return unix.Mkfifo(at, 0o644) },
		"device":        func(at string) error { return unix.Mknod(at, unix.S_IFCHR|0o644, int(unix.Mkdev(1, 5))) },
		"endless":       func(at string) error { return os.Symlink("/dev/zero", at) },
		"magic":         func(at string) error { return os.Symlink("/proc/1/fd/0", at) },
		"absurdly long": func(at string) error { return errors.Join(os.WriteFile(at, nil, 0o644), os.Truncate(at, 1<<40)) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if err := place(filepath.Join(f.opts.Bundle, "rootfs/etc/passwd")); err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			watchdog := time.AfterFunc(time.Minute, func() {
				select {
				case <-done:
				default:
					panic("create reads /etc/passwd for ever")
				}
			})
			defer watchdog.Stop()
			// Held by the check of the type in home.
			f.want("echo $HOME", "/")
			close(done)
		})
	}
}

// TestConsoleOnALink is CVE-2025-52565: with a /dev of the container's making,
// what is bound to /dev/console must not go to a file of proc.
func TestConsoleOnALink(t *testing.T) {
	f := newFixture(t, "true")
	dev := filepath.Join(f.opts.Bundle, "dev")
	if err := errors.Join(os.MkdirAll(dev+"/pts", 0o755), os.Symlink("/proc/version", dev+"/console")); err != nil {
		t.Fatal(err)
	}
	for i, m := range f.opts.Spec.Mounts {
		if m.Destination == "/dev" {
			f.opts.Spec.Mounts[i] = specs.Mount{Destination: "/dev", Type: "bind", Source: dev, Options: []string{"bind"}}
		}
	}
	f.opts.ConsoleSocket, _ = console(t)
	f.opts.Spec.Process.Terminal = true
	// Held by openHere in Rootfs.console.
	if _, err := Create(context.Background(), f.opts); !errors.Is(err, unix.ELOOP) {
		t.Errorf("create: %v, want ELOOP", err)
	}
}

// TestMasksAreTheNullDevice is CVE-2025-31133: the container's /dev/null leads to
// a file that would be bound, writable, over what is to be masked.
func TestMasksAreTheNullDevice(t *testing.T) {
	f := newFixture(t)
	dev := filepath.Join(f.opts.Bundle, "dev")
	if err := errors.Join(os.MkdirAll(dev+"/pts", 0o755), os.Symlink("/proc/sys/kernel/core_pattern", dev+"/null")); err != nil {
		t.Fatal(err)
	}
	for i, m := range f.opts.Spec.Mounts {
		if m.Destination == "/dev" {
			f.opts.Spec.Mounts[i] = specs.Mount{Destination: "/dev", Type: "bind", Source: dev, Options: []string{"bind"}}
		}
	}
	f.opts.Spec.Linux.MaskedPaths = []string{"/proc/version"}
	// Held by the bind of Rootfs.null, the host's, in Rootfs.mask.
	f.want("stat -c %t:%T /proc/version; cat /proc/version", "1:3")
}

// TestNullThatIsNone has a host, or a joined mount namespace, whose /dev/null is
// not the null device.
func TestNullThatIsNone(t *testing.T) {
	f := newFixture(t, "true")
	file := filepath.Join(f.opts.Bundle, "file")
	if err := os.WriteFile(file, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	block := filepath.Join(f.opts.Bundle, "block")
	if err := unix.Mknod(block, unix.S_IFBLK|0o600, int(unix.Mkdev(1, 3))); err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]string{"file": file, "other device": "/dev/zero", "block device of its number": block} {
		path := mountNamespace(t, func() error { return unix.Mount(source, "/dev/null", "", unix.MS_BIND, "") })
		f.opts.Spec.Linux.MaskedPaths, f.opts.Spec.Linux.ReadonlyPaths = nil, nil
		for i, n := range f.opts.Spec.Linux.Namespaces {
			if n.Type == specs.MountNamespace {
				f.opts.Spec.Linux.Namespaces[i].Path = path
			}
		}
		// Held by hostNull.
		if _, err := Create(context.Background(), f.opts); !errdefs.IsFailedPrecondition(err) {
			t.Errorf("%s: create: %v, want a failed precondition", name, err)
		}
	}
}
