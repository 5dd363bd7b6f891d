package engine

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/volume"
	"golang.org/x/sys/unix"
)

// docker's words, to the letter.
func TestVolumesThatAreRefused(t *testing.T) {
	r := newRig(t)
	for want, req := range map[string]volume.CreateRequest{
		`create vv: invalid option: "foo"`:                                                         {Name: "vv", DriverOpts: map[string]string{"foo": "bar"}},
		`create vv: missing required option: "device"`:                                             {Name: "vv", DriverOpts: map[string]string{"type": "tmpfs"}},
		`create vv: missing required option: "type"`:                                               {Name: "vv", DriverOpts: map[string]string{"device": "tmpfs"}},
		`create vv: quota size requested but no quota support`:                                     {Name: "vv", DriverOpts: map[string]string{"size": "10M"}},
		`create vv: invalid size: 'much'`:                                                          {Name: "vv", DriverOpts: map[string]string{"size": "much"}},
		`create vv: port not allowed in CIFS device URL, include 'port' in 'o='`:                   {Name: "vv", DriverOpts: map[string]string{"type": "cifs", "device": "//host:1/x"}},
		`create v: volume name is too short, names should be at least two alphanumeric characters`: {Name: "v"},
		`error looking up volume plugin x: plugin "x" not found`:                                   {Name: "vv", Driver: "x"},
	} {
		_, err := r.Volumes.Create(r.ctx, req)
		if err == nil || err.Error() != want || !errdefs.IsInvalidArgument(err) && req.Driver == "" {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
	if _, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: strings.Repeat("v", 300)}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a long name: %v", err)
	}
	// A second creation is the first's, whatever it asks for.
	first, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "vv", Labels: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "vv", Driver: "local", DriverOpts: map[string]string{"foo": "bar"}})
	if err != nil || again.CreatedAt != first.CreatedAt || again.Options != nil || again.Labels["a"] != "b" {
		t.Errorf("again: %+v, %v", again, err)
	}
}

// Two containers share a tmpfs, over a new engine; with the last it is gone, and
// the host's mount table never sees it.
func TestVolumeInMemory(t *testing.T) {
	r := newRig(t)
	opts := map[string]string{"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=33,mode=750"}
	v, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "mem", DriverOpts: opts})
	if err != nil || v.Options["o"] != opts["o"] {
		t.Fatalf("%+v, %v", v, err)
	}
	use := func(script string) CreateOptions {
		o := shell(script)
		o.HostConfig.Binds = []string{"mem:/m", "mem:/n:ro"}
		return o
	}
	first := r.run(use("cd /m; ls -ldn . | cut -c1-10 >perm; echo -n shared >f; while :; do sleep 1; done"))
	r.until("the file is there", func() string {
		if r.copied(first, "/n/f") == "f=shared" {
			return ""
		}
		return "no file"
	})
	if got := r.copied(first, "/m/perm"); got != "perm=drwxr-x---\n" {
		t.Errorf("its mode: %q", got)
	}
	r.reopen()
	second := r.run(use("cat /m/f; touch /n/x 2>/dev/null || echo -n ' no'; grep -c size=1024k /proc/mounts >/dev/null && echo ' small'; while :; do sleep 1; done"))
	r.untilLogged(second, "shared no small")
	if err := r.Volumes.Remove(r.ctx, "mem", false); !errdefs.IsConflict(err) ||
		!strings.HasSuffix(err.Error(), "volume is in use - ["+first+", "+second+"]") && !strings.HasSuffix(err.Error(), "volume is in use - ["+second+", "+first+"]") {
		t.Errorf("removing it: %v", err)
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || bytes.Contains(table, []byte("uid=33")) {
		t.Errorf("the host's mount table: %v\n%s", err, table)
	}
	for _, id := range []string{first, second} {
		if err := r.Containers.Remove(r.ctx, id, RemoveOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := r.output(use("ls /m | wc -l")); strings.TrimSpace(got) != "0" {
		t.Errorf("after the last: %q files", got)
	}
	r.noMountPoints()
}

// noMountPoints waits until the shims have removed theirs.
func (r *rig) noMountPoints() {
	r.t.Helper()
	r.until("the mount points are gone", func() string {
		entries, err := os.ReadDir(r.mountRoot())
		if err != nil || len(entries) > 0 {
			return "left are " + strconv.Itoa(len(entries))
		}
		return ""
	})
}

// A shim that is killed leaves no mount point of its volumes.
func TestVolumeOfAKilledShim(t *testing.T) {
	r := newRig(t)
	if _, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "mem", DriverOpts: map[string]string{"type": "tmpfs", "device": "tmpfs"}}); err != nil {
		t.Fatal(err)
	}
	o := shell("while :; do sleep 1; done")
	o.HostConfig.Binds = []string{"mem:/m"}
	id := r.run(o)
	wait := r.wait(id, "not-running")
	if err := unix.Kill(r.shimPID(id), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wait()
	r.noMountPoints()
	r.start(id)
}

func TestVolumeOfADirectory(t *testing.T) {
	r := newRig(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("there"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]string{"rw": "bind", "ro": "bind,ro"} {
		if _, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: name, DriverOpts: map[string]string{"type": "none", "device": dir, "o": o}}); err != nil {
			t.Fatal(err)
		}
	}
	o := shell("cat /rw/f; touch /rw/new; touch /ro/x 2>/dev/null || echo -n ' no'")
	o.HostConfig.Binds = []string{"rw:/rw", "ro:/ro"}
	if got, _ := r.output(o); got != "there no" {
		t.Errorf("got %q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); err != nil {
		t.Error(err)
	}
	// It is filled as any other that is empty, and what it held stays with its host.
	empty := t.TempDir()
	if _, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "empty", DriverOpts: map[string]string{"type": "none", "device": empty, "o": "bind"}}); err != nil {
		t.Fatal(err)
	}
	o.HostConfig.Binds = []string{"empty:/etc"}
	r.create(o)
	if entries, err := os.ReadDir(empty); err != nil || len(entries) != 3 {
		t.Errorf("filled with %v, %v", entries, err)
	}
	for _, c := range r.Containers.all() {
		if err := r.Containers.Remove(r.ctx, c.id, RemoveOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Volumes.Remove(r.ctx, "empty", false); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(empty); len(entries) != 3 {
		t.Errorf("after its volume was removed: %v", entries)
	}
}

func TestVolumesThatDoNotMount(t *testing.T) {
	r := newRig(t)
	for name, c := range map[string]struct{ device, fstype, o, want string }{
		"none": {"/does/not/exist", "none", "bind,ro", "failed to mount local volume: mount /does/not/exist:$, flags: 0x1001: no such file or directory"},
		"type": {"x", "whatfs", "", "failed to mount local volume: mount x:$: no such device"},
		"opts": {"tmpfs", "tmpfs", "huge=what,noexec", "failed to mount local volume: mount tmpfs:$, flags: 0x8, data: huge=what: invalid argument"},
		"pass": {"tmpfs", "tmpfs", "password=secret", "failed to mount local volume: mount tmpfs:$, data: password=********: invalid argument"},
		"addr": {":/x", "nfs", "addr=host.invalid", "error resolving passed in network volume address: "},
	} {
		opts := map[string]string{"device": c.device, "type": c.fstype, "o": c.o}
		v, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "vol-" + name, DriverOpts: opts})
		if err != nil {
			t.Fatal(err)
		}
		o := shell("true")
		o.HostConfig.Binds = []string{v.Name + ":/m:nocopy"}
		err = r.Containers.Start(r.ctx, r.create(o), StartOptions{})
		want := "error while mounting volume '" + v.Mountpoint + "': " + strings.ReplaceAll(c.want, "$", v.Mountpoint)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v\nwant %s", name, err, want)
		}
	}
}

// What is copied into a new volume keeps its links, owners, modes and attributes,
// and half of it never counts.
func TestFillSurvivesACrash(t *testing.T) {
	r := newRig(t)
	v, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "vol"})
	if err != nil {
		t.Fatal(err)
	}
	dirs := filepath.Join(r.cfg.Root, "volumes")
	put := func(dir string, names ...string) {
		t.Helper()
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o640); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.close()
	// Killed while it copied.
	put(filepath.Join(dirs, fillingPrefix+"vol"), "half")
	r.open()
	if entries, err := os.ReadDir(v.Mountpoint); err != nil || len(entries) > 0 {
		t.Errorf("half a copy: %v, %v", entries, err)
	}
	r.close()
	// Killed while it moved the complete copy into the volume.
	put(v.Mountpoint, "a")
	put(filepath.Join(dirs, filledPrefix+"vol"), "b", "c")
	if err := errors.Join(os.Chown(filepath.Join(dirs, filledPrefix+"vol"), 33, 34), unix.Chmod(filepath.Join(dirs, filledPrefix+"vol"), 0o1750),
		unix.Setxattr(filepath.Join(dirs, filledPrefix+"vol"), "trusted.mark", []byte("x"), 0)); err != nil {
		t.Fatal(err)
	}
	put(filepath.Join(dirs, filledPrefix+"gone"), "x")
	r.open()
	entries, err := os.ReadDir(v.Mountpoint)
	if err != nil || len(entries) != 3 {
		t.Errorf("the complete copy: %v, %v", entries, err)
	}
	var st unix.Stat_t
	if err := unix.Stat(v.Mountpoint, &st); err != nil || st.Uid != 33 || st.Gid != 34 || st.Mode&0o7777 != 0o1750 {
		t.Errorf("the directory: %d:%d %o, %v", st.Uid, st.Gid, st.Mode, err)
	}
	value := make([]byte, 8)
	if n, err := unix.Getxattr(v.Mountpoint, "trusted.mark", value); err != nil || string(value[:n]) != "x" {
		t.Errorf("its attribute: %q, %v", value[:max(n, 0)], err)
	}
	if left, err := os.ReadDir(dirs); err != nil || len(left) != 1 {
		t.Errorf("left in %s: %v, %v", dirs, left, err)
	}
}
