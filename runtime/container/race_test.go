package container

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// exchanging exchanges two names for as long as the test runs.
func exchanging(t *testing.T, a, b string) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped })
}

// TestVolumeThatChanges is CVE-2021-30465: another container with the same volume
// exchanges a directory in it for a link to the host while things are mounted
// there.
func TestVolumeThatChanges(t *testing.T) {
	outside := t.TempDir()
	f := newFixture(t, "true")
	volume, payload := filepath.Join(f.opts.Bundle, "volume"), filepath.Join(f.opts.Bundle, "payload")
	if err := errors.Join(os.MkdirAll(volume+"/x", 0o755), os.Mkdir(payload, 0o755), os.Symlink(outside, volume+"/y")); err != nil {
		t.Fatal(err)
	}
	addMount(f.opts.Spec, "/volume", "bind", volume, "rbind")
	addMount(f.opts.Spec, "/volume/x/sub", "bind", payload, "rbind")
	addMount(f.opts.Spec, "/volume/x/file", "bind", "/etc/hostname", "bind")
	addMount(f.opts.Spec, "/volume/x/up", "tmpfs", "tmpfs", "size=1m", "tmpcopyup")
	f.opts.Spec.Linux.MaskedPaths = append(f.opts.Spec.Linux.MaskedPaths, "/volume/x/up")
	f.opts.Spec.Linux.ReadonlyPaths = append(f.opts.Spec.Linux.ReadonlyPaths, "/volume/x/sub")
	f.opts.Spec.Linux.Devices = []specs.LinuxDevice{{Path: "/volume/x/dev/null", Type: "c", Major: 1, Minor: 3}}
	exchanging(t, volume+"/x", volume+"/y")
	made := 0
	for range 20 {
		// Held by RESOLVE_IN_ROOT in open, and by mounts being made on descriptors.
		c, err := Create(context.Background(), f.opts)
		if err != nil {
			continue // the directory was not what it had been: refused
		}
		made++
		if err := c.Delete(true); err != nil {
			t.Fatal(err)
		}
		f.wait(c.Init())
	}
	t.Logf("%d of 20 were created", made)
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("made on the host: %v, %v", left, err)
	}
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(mounts), outside) {
		t.Errorf("mounted on the host: %v", err)
	}
}

// TestProcThatChanges exchanges /proc for a link while proc is mounted on it
// (CVE-2019-19921): either it is refused, or what is masked is masked in proc.
func TestProcThatChanges(t *testing.T) {
	f := newFixture(t, "true")
	root := filepath.Join(f.opts.Bundle, "rootfs")
	if err := errors.Join(os.MkdirAll(root+"/evil", 0o755), os.WriteFile(root+"/evil/version", []byte("false"), 0o644), os.Symlink("evil", root+"/link")); err != nil {
		t.Fatal(err)
	}
	f.opts.Spec.Linux.MaskedPaths = []string{"/proc/version"}
	exchanging(t, root+"/proc", root+"/link")
	for range 30 {
		c, err := Create(context.Background(), f.opts)
		if err != nil {
			continue
		}
		mounts, err := os.ReadFile("/proc/" + strconv.Itoa(c.Init().PID()) + "/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		// Held by openHere in Rootfs.ordinary.
		if strings.Contains(string(mounts), " /evil ") {
			t.Errorf("proc is mounted elsewhere:\n%s", mounts)
		}
		if err := c.Delete(true); err != nil {
			t.Fatal(err)
		}
		f.wait(c.Init())
	}
}
