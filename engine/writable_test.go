package engine

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"berth/engine/filter"
	"berth/engine/registry"
	"berth/engine/registry/registrytest"
	"berth/store/image"

	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// capability is what setcap cap_net_raw+ep writes (linux/capability.h, vfs_cap_data of revision 2).
const capability = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// lowerImage is busybox with files below /l for a container to change.
func lowerImage(t *testing.T, r *rig) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "l/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "l/read", Typeflag: tar.TypeReg, Mode: 0o644},
		{Name: "l/modify", Typeflag: tar.TypeReg, Mode: 0o640, Uid: 3, Gid: 4},
		{Name: "l/delete", Typeflag: tar.TypeReg, Mode: 0o644},
		{Name: "l/chmod", Typeflag: tar.TypeReg, Mode: 0o644},
		{Name: "l/linked", Typeflag: tar.TypeReg, Mode: 0o644},
		{Name: "l/again/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "l/again/old", Typeflag: tar.TypeReg, Mode: 0o644},
		{Name: "l/move/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "l/move/me", Typeflag: tar.TypeReg, Mode: 0o644},
	} {
		body := strings.Repeat(h.Name, 100)
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(body))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, body); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.Images.Append(r.ctx, &b, image.NewImage{Parent: "busybox", Name: "lower"}); err != nil {
		t.Fatal(err)
	}
}

// longName is as long as a name can be, rawName no text.
var (
	longName = strings.Repeat("n", 255)
	rawName  = "\xff\xfe\n\x01"
	deepPath = "/deep" + strings.Repeat("/"+strings.Repeat("d", 200), 12)
)

// changes are what a container does to its files, as Docker's documentation tells of the copy-on-write strategy. After
// each, its file system has what is said (look), and so has that of a container of the image that is made of it.
var writes = []struct {
	what string
	do   func(root string) error
	look func(root string) error
	live string // what the live difference says, "" for nothing
}{
	{"read a file", func(root string) error { _, err := os.ReadFile(root + "/l/read"); return err },
		func(root string) error { return has(root+"/l/read", strings.Repeat("l/read", 100)) }, ""},
	{"add a file", func(root string) error { return os.WriteFile(root+"/added", []byte("new"), 0o604) },
		func(root string) error { return errors.Join(has(root+"/added", "new"), modeIs(root+"/added", 0o604)) }, "added /added"},
	{"modify a file", func(root string) error { return appendTo(root+"/l/modify", "+") },
		func(root string) error {
			return errors.Join(has(root+"/l/modify", strings.Repeat("l/modify", 100)+"+"), modeIs(root+"/l/modify", 0o640), ownedBy(root+"/l/modify", 3, 4))
		}, "modified /l/modify"},
	{"delete a file", func(root string) error { return os.Remove(root + "/l/delete") },
		func(root string) error { return gone(root + "/l/delete") }, "deleted /l/delete"},
	{"change a mode", func(root string) error { return os.Chmod(root+"/l/chmod", 0o400) },
		func(root string) error { return modeIs(root+"/l/chmod", 0o400) }, "metadata /l/chmod"},
	{"make a deleted directory again", func(root string) error {
		return errors.Join(os.RemoveAll(root+"/l/again"), os.Mkdir(root+"/l/again", 0o755), os.WriteFile(root+"/l/again/new", nil, 0o644))
	}, func(root string) error { return errors.Join(gone(root+"/l/again/old"), has(root+"/l/again/new", "")) }, "deleted /l/again/old"},
	{"rename a directory of the image", func(root string) error {
		// The kernel refuses, and mv copies, as with docker.
		if err := os.Rename(root+"/l/move", root+"/l/moved"); !errors.Is(err, unix.EXDEV) {
			return fmt.Errorf("rename: %v, want EXDEV", err)
		}
		return errors.Join(os.CopyFS(root+"/l/moved", os.DirFS(root+"/l/move")), os.RemoveAll(root+"/l/move"))
	}, func(root string) error {
		return errors.Join(gone(root+"/l/move"), has(root+"/l/moved/me", strings.Repeat("l/move/me", 100)))
	}, "added /l/moved/me"},
	{"rename a directory of its own", func(root string) error {
		return errors.Join(os.Mkdir(root+"/mine", 0o700), os.WriteFile(root+"/mine/f", []byte("m"), 0o644), os.Rename(root+"/mine", root+"/yours"))
	}, func(root string) error { return errors.Join(gone(root+"/mine"), has(root+"/yours/f", "m")) }, "added /yours/f"},
	{"link a file of the image", func(root string) error { return os.Link(root+"/l/linked", root+"/second") },
		func(root string) error { return sameFile(root+"/l/linked", root+"/second") }, "added /second"},
	{"make devices and a pipe", func(root string) error {
		return errors.Join(unix.Mknod(root+"/null2", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))), unix.Mknod(root+"/loop", unix.S_IFBLK|0o660, int(unix.Mkdev(7, 300))), unix.Mkfifo(root+"/pipe", 0o622))
	}, func(root string) error {
		return errors.Join(device(root+"/null2", unix.S_IFCHR, unix.Mkdev(1, 3)), device(root+"/loop", unix.S_IFBLK, unix.Mkdev(7, 300)), device(root+"/pipe", unix.S_IFIFO, 0))
	}, "added /null2"},
	{"set attributes and capabilities", func(root string) error {
		return errors.Join(os.WriteFile(root+"/cap", []byte("x"), 0o755), unix.Setxattr(root+"/cap", "user.note", []byte("\x00bin"), 0),
			unix.Setxattr(root+"/cap", "security.capability", []byte(capability), 0))
	}, func(root string) error {
		return errors.Join(xattr(root+"/cap", "user.note", "\x00bin"), xattr(root+"/cap", "security.capability", capability))
	}, "added /cap"},
	{"set user and group IDs", func(root string) error {
		return errors.Join(os.WriteFile(root+"/suid", nil, 0o755), os.Chown(root+"/suid", 7, 8), unix.Chmod(root+"/suid", 0o6755))
	}, func(root string) error { return errors.Join(modeIs(root+"/suid", 0o6755), ownedBy(root+"/suid", 7, 8)) }, "added /suid"},
	{"leave holes", func(root string) error {
		f, err := os.Create(root + "/sparse")
		if err != nil {
			return err
		}
		_, err = f.WriteAt([]byte("end"), 3<<20)
		// Holes are of the writable layer: the tar of a layer knows none, as docker's.
		return errors.Join(err, f.Close(), stat(root+"/sparse", func(st *unix.Stat_t) bool { return st.Blocks*512 < 1<<20 }))
	}, func(root string) error { return has(root+"/sparse", strings.Repeat("\x00", 3<<20)+"end") }, "added /sparse"},
	{"long and raw names", func(root string) error {
		return errors.Join(os.WriteFile(root+"/"+longName, []byte("long"), 0o644), os.WriteFile(root+"/"+rawName, []byte("raw"), 0o644),
			os.MkdirAll(root+deepPath, 0o755), os.WriteFile(root+deepPath+"/leaf", []byte("deep"), 0o644), os.Symlink(rawName, root+"/link"))
	}, func(root string) error {
		to, err := os.Readlink(root + "/link")
		if to != rawName {
			err = errors.Join(err, fmt.Errorf("the link leads to %q", to))
		}
		return errors.Join(err, has(root+"/"+longName, "long"), has(root+"/"+rawName, "raw"), has(root+deepPath+"/leaf", "deep"))
	}, "added /" + rawName},
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func has(path, want string) error {
	got, err := os.ReadFile(path)
	if err == nil && string(got) != want {
		err = fmt.Errorf("%s holds %d bytes that are not the %d wanted", path, len(got), len(want))
	}
	return err
}

func gone(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is there: %v", path, err)
	}
	return nil
}

func stat(path string, check func(*unix.Stat_t) bool) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !check(&st) {
		return fmt.Errorf("%s is mode %o, owner %d:%d, device %x, %d links", path, st.Mode, st.Uid, st.Gid, st.Rdev, st.Nlink)
	}
	return nil
}

func modeIs(path string, want uint32) error {
	return stat(path, func(st *unix.Stat_t) bool { return st.Mode&0o7777 == want })
}

func ownedBy(path string, uid, gid uint32) error {
	return stat(path, func(st *unix.Stat_t) bool { return st.Uid == uid && st.Gid == gid })
}

func device(path string, format uint32, dev uint64) error {
	return stat(path, func(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == format && st.Rdev == dev })
}

func sameFile(a, b string) error {
	var ino uint64
	return errors.Join(stat(a, func(st *unix.Stat_t) bool { ino = st.Ino; return st.Nlink == 2 }), stat(b, func(st *unix.Stat_t) bool { return st.Ino == ino }))
}

func xattr(path, name, want string) error {
	b := make([]byte, 100)
	n, err := unix.Getxattr(path, name, b)
	if err == nil && string(b[:n]) != want {
		err = fmt.Errorf("%s of %s is %q", name, path, b[:n])
	}
	return err
}

// rootOf is the root of a running container as the kernel shows it.
func (r *rig) rootOf(id string) string {
	r.t.Helper()
	return fmt.Sprintf("/proc/%d/root", r.inspect(id).State.Pid)
}

// TestWritableLayer does to a running container what Docker's documentation tells of, and looks at it there, in the
// live difference, on disk, and in a container of the image that is committed, saved and loaded again.
func TestWritableLayer(t *testing.T) {
	r := newRig(t)
	lowerImage(t, r)
	idle := func(ref string) string {
		return r.run(CreateOptions{Config: &container.Config{Image: ref, Cmd: []string{"sleep", "1000"}}, HostConfig: &container.HostConfig{NetworkMode: "none"}})
	}
	id := idle("lower")
	root := r.rootOf(id)
	var want []string
	for _, w := range writes {
		if err := errors.Join(w.do(root), w.look(root)); err != nil {
			t.Errorf("%s: %v", w.what, err)
		}
		if w.live != "" {
			want = append(want, w.live)
		}
	}
	changes, err := r.liveDiff(id)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		got = append(got, string(c.Kind)+" "+c.Path)
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("the live difference lacks %q", line)
		}
	}
	r.onDisk(id)

	if _, err := r.Containers.Commit(r.ctx, id, CommitOptions{Repo: "again", Pause: true}); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := r.Images.Save(r.ctx, &archive, []string{"again"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Images.Remove(r.ctx, "again", ImageRemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Images.Load(r.ctx, &archive); err != nil {
		t.Fatal(err)
	}
	look := func(when string) {
		t.Helper()
		root := r.rootOf(idle("again"))
		for _, w := range writes {
			if err := w.look(root); err != nil {
				t.Errorf("%s, in a container of the image that was %s: %v", w.what, when, err)
			}
		}
	}
	look("saved and loaded")
	if r.throughRegistry("again") {
		look("pushed and pulled")
	}
}

// throughRegistry pushes an image to Debian's registry, removes it with its containers, and pulls it back under its
// name; false if there is no such registry on this machine.
func (r *rig) throughRegistry(ref string) bool {
	t := r.t
	t.Helper()
	server, err := registrytest.Start(registrytest.Options{Dir: t.TempDir()})
	if errors.Is(err, registrytest.ErrNotInstalled) {
		t.Logf("no push and pull: %v", err)
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	remote := server.Addr + "/" + ref
	if err := r.Images.Tag(r.ctx, ref, remote, "1"); err != nil {
		t.Fatal(err)
	}
	if err := r.Images.Push(r.ctx, remote, "1", registry.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	all, err := r.Containers.List(r.ctx, ListOptions{All: true, Filters: filter.Args{"ancestor": {ref}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if err := r.Containers.Remove(r.ctx, c.ID, RemoveOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{ref, remote + ":1"} {
		if _, err := r.Images.Remove(r.ctx, name, ImageRemoveOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Images.Pull(r.ctx, remote, "1", registry.PullOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Images.Tag(r.ctx, remote+":1", ref, "latest"); err != nil {
		t.Fatal(err)
	}
	return true
}

// onDisk checks what overlay keeps in the upper directory: nothing of what was only read, one copy of what was modified,
// whiteouts, and an opaque directory.
func (r *rig) onDisk(id string) {
	t := r.t
	t.Helper()
	dirs, err := r.snapshots.Dirs(r.ctx, snapshotKey(r.inspect(id).ID))
	if err != nil {
		t.Fatal(err)
	}
	up := dirs.Upper
	var first uint64
	again := func() error {
		return stat(up+"/l/modify", func(st *unix.Stat_t) bool { same := first == 0 || first == st.Ino; first = st.Ino; return same })
	}
	if err := errors.Join(gone(up+"/l/read"), again(), appendTo(r.rootOf(id)+"/l/modify", ""), again(),
		device(up+"/l/delete", unix.S_IFCHR, 0), device(up+"/l/move", unix.S_IFCHR, 0), xattr(up+"/l/again", "trusted.overlay.opaque", "y")); err != nil {
		t.Error(err)
	}
}

// TestImageOfManyLayers makes an image of 127 layers, which docker allows, runs and changes a container of it, and does
// so again with what was saved and loaded.
func TestImageOfManyLayers(t *testing.T) {
	r := newRig(t)
	parent := "busybox"
	for i := range 126 {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		name := fmt.Sprintf("layer%d", i)
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(name))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, name); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		img, err := r.store.Images.Append(r.ctx, &b, image.NewImage{Parent: parent, Name: "many"})
		if err != nil {
			t.Fatal(err)
		}
		parent = img.ID.String()
	}
	look := func(r *rig, ref string) {
		t.Helper()
		o := shell("cat /layer0 /layer125; rm /layer7; ls / | grep -c layer")
		o.Config.Image = ref
		if got, code := r.output(o); got != "layer0layer125125\n" || code != 0 {
			t.Errorf("%s: %q, %d", ref, got, code)
		}
	}
	look(r, "many")
	var archive bytes.Buffer
	if err := r.Images.Save(r.ctx, &archive, []string{"many"}); err != nil {
		t.Fatal(err)
	}
	other := newRig(t)
	if _, err := other.Images.Load(other.ctx, &archive); err != nil {
		t.Fatal(err)
	}
	look(other, "many")
	layers, err := r.Images.Layers(r.ctx, "many")
	if err != nil || len(layers) != 127 || layers[126].Added != 1 {
		t.Errorf("%d layers, %v", len(layers), err)
	}
}
