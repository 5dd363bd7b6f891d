package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/volume"
	"golang.org/x/sys/unix"
)

// mounted is a container with these mounts that runs a script.
func mounted(script string, ms ...mount.Mount) CreateOptions {
	o := shell(script)
	o.HostConfig.Mounts = ms
	return o
}

func TestWhatInspectShowsOfMounts(t *testing.T) {
	r := newRig(t)
	dir := t.TempDir()
	o := mounted("true",
		mount.Mount{Type: "bind", Source: dir, Target: "/b/", ReadOnly: true, BindOptions: &mount.BindOptions{ReadOnlyNonRecursive: true}},
		mount.Mount{Type: "bind", Source: dir + "/new", Target: "/c", BindOptions: &mount.BindOptions{CreateMountpoint: true}},
		mount.Mount{Type: "bind", Source: "/", Target: "/host"},
		mount.Mount{Type: "volume", Source: "vol", Target: "/v"},
		mount.Mount{Type: "image", Source: "busybox", Target: "/i"},
		mount.Mount{Type: "tmpfs", Target: "/t", TmpfsOptions: &mount.TmpfsOptions{SizeBytes: 1 << 20}})
	o.HostConfig.Binds = []string{"vol:/w:ro"}
	o.HostConfig.Tmpfs = map[string]string{"/hidden": ""}
	o.Config.Volumes = map[string]struct{}{"/anon": {}, "/hidden": {}, "/v": {}}
	in, err := r.Containers.Inspect(r.ctx, r.create(o), false)
	if err != nil {
		t.Fatal(err)
	}
	anon := in.Mounts[0]
	if len(anon.Name) != 64 || !strings.HasSuffix(anon.Source, anon.Name+"/_data") {
		t.Errorf("the anonymous volume: %+v", anon)
	}
	anon.Name, anon.Source = "", ""
	data := filepath.Join(r.cfg.Root, "volumes/vol/_data")
	for i, want := range []container.MountPoint{
		{Type: "volume", Driver: "local", Destination: "/anon", RW: true},
		{Type: "bind", Source: dir, Destination: "/b", Propagation: "rprivate"},
		{Type: "bind", Source: dir + "/new", Destination: "/c", RW: true, Propagation: "rprivate"},
		{Type: "bind", Source: "/", Destination: "/host", RW: true, Propagation: "rslave"},
		{Type: "image", Source: "busybox", Destination: "/i"},
		{Type: "tmpfs", Destination: "/t", RW: true},
		{Type: "volume", Name: "vol", Source: data, Driver: "local", Destination: "/v", Mode: "z", RW: true},
		{Type: "volume", Name: "vol", Source: data, Driver: "local", Destination: "/w", Mode: "ro"},
	} {
		got := in.Mounts[i]
		if i == 0 {
			got = anon
		}
		if got != want {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
	if len(in.Mounts) != 8 {
		t.Errorf("%d mounts: %+v", len(in.Mounts), in.Mounts)
	}
}

func TestMountsThatDoNotGoTogether(t *testing.T) {
	r := newRig(t)
	dir := t.TempDir()
	bind := func(target string) mount.Mount { return mount.Mount{Type: "bind", Source: dir, Target: target} }
	for want, o := range map[string]CreateOptions{
		"Duplicate mount point: /a": mounted("true", bind("/a"), bind("/a/")),
		`invalid mount config for type "bind": bind source path does not exist: ` + dir + "/none": mounted("true", mount.Mount{Type: "bind", Source: dir + "/none", Target: "/a"}),
		`error looking up volume plugin nfs: plugin "nfs" not found`: mounted("true", mount.Mount{Type: "volume", Source: "vv", Target: "/a",
			VolumeOptions: &mount.VolumeOptions{DriverConfig: &mount.Driver{Name: "nfs"}}}),
		`create vv: invalid option: "x"`: mounted("true", mount.Mount{Type: "volume", Source: "vv", Target: "/a",
			VolumeOptions: &mount.VolumeOptions{DriverConfig: &mount.Driver{Options: map[string]string{"x": "y"}}}}),
		`create ../x: "../x" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`: mounted("true",
			mount.Mount{Type: "volume", Source: "../x", Target: "/a"}),
		"No such image: none:latest": mounted("true", mount.Mount{Type: "image", Source: "none", Target: "/a"}),
	} {
		if _, err := r.Containers.Create(r.ctx, o); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
	o := shell("true")
	o.HostConfig.Binds, o.HostConfig.Tmpfs = []string{dir + ":/a"}, map[string]string{"/a": ""}
	if _, err := r.Containers.Create(r.ctx, o); !errdefs.IsInvalidArgument(err) || err.Error() != "Duplicate mount point: /a" {
		t.Errorf("a bind and a tmpfs: %v", err)
	}
	own := mounted("true", mount.Mount{Type: "bind", Source: r.cfg.Root, Target: "/a", BindOptions: &mount.BindOptions{Propagation: "rprivate"}})
	if _, err := r.Containers.Create(r.ctx, own); err == nil || !strings.HasPrefix(err.Error(), `invalid mount config: must use either propagation mode "rslave" or "rshared"`) {
		t.Errorf("the engine's own root: %v", err)
	}
	if names := r.volumeNames(); len(names) > 0 {
		t.Errorf("left are the volumes %v", names)
	}
}

// A missing directory of -v is made when the container starts, not before.
func TestSourceIsMadeAtStart(t *testing.T) {
	r := newRig(t)
	dir := filepath.Join(t.TempDir(), "a/b")
	o := shell("touch /b/f")
	o.HostConfig.Binds = []string{dir + ":/b"}
	id := r.create(o)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after create: %v", err)
	}
	r.start(id)
	r.exit(id)
	if _, err := os.Stat(dir + "/f"); err != nil {
		t.Error(err)
	}
	file := filepath.Join(dir, "f")
	o.HostConfig.Binds = []string{file + "/below:/b"}
	id = r.create(o)
	if err := r.Containers.Start(r.ctx, id, StartOptions{}); err == nil {
		t.Error("a directory below a file was made")
	}
}

func TestSubpaths(t *testing.T) {
	r := newRig(t)
	v, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "vol"})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"a/b/f": "deep", "top": "secret"} {
		path := filepath.Join(v.Mountpoint, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("a/b", v.Mountpoint+"/in"), os.Symlink("/etc", v.Mountpoint+"/out")); err != nil {
		t.Fatal(err)
	}
	sub := func(path string) mount.Mount {
		return mount.Mount{Type: "volume", Source: "vol", Target: "/v", VolumeOptions: &mount.VolumeOptions{Subpath: path}}
	}
	for path, want := range map[string]string{"a/b": "f deep", "in": "f deep"} {
		if got, _ := r.output(mounted("cd /v; echo -n $(ls) $(cat f)", sub(path))); got != want {
			t.Errorf("%s: got %q", path, got)
		}
	}
	if got, _ := r.output(mounted("cat /v", sub("a/b/f"))); got != "deep" {
		t.Errorf("a file: got %q", got)
	}
	id := r.create(mounted("true", sub("a/b")))
	if got := r.copied(id, "/v/f"); got != "f=deep" {
		t.Errorf("copied out of one that does not run: %q", got)
	}
	for path, want := range map[string]string{"out": "path concatenation escapes the base directory", "none": "cannot access path /none: no such file or directory"} {
		if err := r.Containers.Start(r.ctx, r.create(mounted("true", sub(path))), StartOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// An empty directory of a volume gets what the image has where it is mounted, as an empty volume does.
func TestEmptySubpathsAreFilled(t *testing.T) {
	r := newRig(t)
	v, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "vol"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(v.Mountpoint+"/empty", 0o755), os.MkdirAll(v.Mountpoint+"/full/x", 0o755)); err != nil {
		t.Fatal(err)
	}
	for part, want := range map[string]bool{"empty": true, "full": false} {
		r.create(mounted("true", mount.Mount{Type: "volume", Source: "vol", Target: "/etc", VolumeOptions: &mount.VolumeOptions{Subpath: part}}))
		_, err := os.Lstat(filepath.Join(v.Mountpoint, part, "passwd"))
		if (err == nil) != want {
			t.Errorf("%s: filled %v, want %v (%v)", part, err == nil, want, err)
		}
	}
	got, err := os.ReadDir(v.Mountpoint)
	if err != nil || len(got) != 2 {
		t.Errorf("the volume has %v, %v", got, err)
	}
	left, err := filepath.Glob(v.Mountpoint + "/empty/.fill*")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Until API 1.44 a bind that is read-only left what is mounted below its source writable.
func TestShallowReadOnlyBinds(t *testing.T) {
	r := newRig(t)
	for shallow, want := range map[bool]string{true: "ro rw", false: "ro ro"} {
		dir := t.TempDir()
		below := filepath.Join(dir, "below")
		if err := os.Mkdir(below, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("tmpfs", below, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Unmount(below, unix.MNT_DETACH) })
		o := shell("for d in /v /v/below; do touch $d/x 2>/dev/null && echo -n 'rw ' || echo -n 'ro '; done")
		o.HostConfig.Binds, o.ShallowReadOnly = []string{dir + ":/v:ro"}, shallow
		if got, _ := r.output(o); strings.TrimSpace(got) != want {
			t.Errorf("shallow %v: %s, not %s", shallow, got, want)
		}
	}
}

// An image that is mounted stays though it be removed.
func TestImageMounts(t *testing.T) {
	r := newRig(t)
	image := func(subpath string) mount.Mount {
		m := mount.Mount{Type: "image", Source: "busybox", Target: "/i"}
		if subpath != "" {
			m.ImageOptions = &mount.ImageOptions{Subpath: subpath}
		}
		return m
	}
	if got, _ := r.output(mounted("cat /i/etc/noexec; touch /i/x 2>/dev/null || echo -n no", image(""))); got != "#!/bin/sh\nno" {
		t.Errorf("got %q", got)
	}
	id := r.create(mounted("test -x /i/busybox && test ! -e /i/bin", image("bin")))
	other, err := r.Images.Import(r.ctx, fileTar(t, "f", "x"), ImportOptions{Repo: "other"})
	if err != nil {
		t.Fatal(err)
	}
	source := mounted("true", mount.Mount{Type: "image", Source: "other", Target: "/i"})
	user := r.create(source)
	want := "container " + user[:12] + " is using its referenced image " + short(other)
	if _, err := r.Images.Remove(r.ctx, "other", ImageRemoveOptions{}); !errdefs.IsConflict(err) || !strings.Contains(err.Error(), want) {
		t.Errorf("the name of what is mounted: %v", err)
	}
	if _, err := r.Images.Remove(r.ctx, "busybox", ImageRemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	r.start(id)
	if code := r.exit(id); code != 0 {
		t.Errorf("its part of the image: exit %d", code)
	}
	if err := r.Containers.Remove(r.ctx, id, RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.snapshots.Stat(r.ctx, imageMountKey(id, 0)); !errdefs.IsNotFound(err) {
		t.Errorf("what held the image: %v", err)
	}
}

// Mounts made on one side arrive on the other, or do not.
func TestPropagation(t *testing.T) {
	r := newRig(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	if err := unix.Mount("", dir, "", unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"in", "out"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		mode    string
		in, out bool
	}{{"rprivate", false, false}, {"rslave", true, false}, {"rshared", true, true}} {
		o := shell("mount -t tmpfs inner /m/in && touch /m/in/made; while ! test -e /m/go; do sleep 0.01; done; test -e /m/out/made")
		o.HostConfig.Binds, o.HostConfig.CapAdd = []string{dir + ":/m:" + c.mode}, []string{"SYS_ADMIN"}
		id := r.run(o)
		made := filepath.Join(dir, "in/made")
		pid := strconv.Itoa(r.inspect(id).State.Pid)
		r.until("the container mounts", func() string {
			if table, _ := os.ReadFile("/proc/" + pid + "/mountinfo"); strings.Contains(string(table), " /m/in ") {
				return ""
			}
			return "no mount"
		})
		r.until("a file is there", func() string {
			_, err := os.Stat("/proc/" + pid + "/root/m/in/made")
			if err != nil {
				return err.Error()
			}
			return ""
		})
		if _, err := os.Stat(made); (err == nil) != c.out {
			t.Errorf("%s: the container's mount on the host: %v", c.mode, err)
		}
		out := filepath.Join(dir, "out")
		if err := unix.Mount("tmpfs", out, "tmpfs", 0, "size=1m"); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(out+"/made", nil, 0o644), os.WriteFile(dir+"/go", nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		if code := r.exit(id); (code == 0) != c.in {
			t.Errorf("%s: the host's mount in the container: exit %d", c.mode, code)
		}
		if err := errors.Join(unix.Unmount(out, 0), os.Remove(dir+"/go")); err != nil {
			t.Fatal(err)
		}
		if c.out {
			if err := unix.Unmount(dir+"/in", 0); err != nil {
				t.Error(err)
			}
		}
	}
}
