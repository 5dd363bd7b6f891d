package diff

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// overlayOn mounts an overlay with a new upper directory on layers, topmost
// first, as the snapshotter would.
func overlayOn(t *testing.T, lower ...string) (merged, upper string) {
	t.Helper()
	needRoot(t)
	base, err := os.MkdirTemp("", "ov")
	if err != nil {
		t.Fatal(err)
	}
	merged, upper = base+"/m", base+"/u"
	for _, d := range []string{merged, upper, base + "/w"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	st := lstat(t, lower[0]) // as the snapshotter does
	must(t, unix.Chmod(upper, st.Mode&0o7777))
	opts := fmt.Sprintf("index=off,redirect_dir=off,metacopy=off,lowerdir=%s,upperdir=%s,workdir=%s", strings.Join(lower, ":"), upper, base+"/w")
	if err := unix.Mount("overlay", merged, "overlay", 0, opts); err != nil {
		t.Fatalf("mount overlay: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(merged, 0); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(base); err != nil {
			t.Error(err)
		}
	})
	return merged, upper
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lines renders changes as tests state them: "kind path".
func lines(changes []Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, string(c.Kind)+" "+c.Path)
	}
	return out
}

// listChanges is all that Changes tells.
func listChanges(tb testing.TB, upper string, lower []string) ([]Change, error) {
	return gather(new(Comparer).Changes(tb.Context(), upper, lower))
}

// gather is all that a sequence yields, up to an error.
func gather[T any](list iter.Seq2[T, error]) (all []T, err error) {
	for x, err := range list {
		if err != nil {
			return all, err
		}
		all = append(all, x)
	}
	return all, nil
}

// baseLayers are what the tests change; topmost first.
func baseLayers(t *testing.T) []string {
	t.Helper()
	needRoot(t)
	bottom := mustApply(t, archive(t,
		file("etc/hosts", "hosts"), file("etc/passwd", "root"), file("etc/time", "t"), file("etc/big", strings.Repeat("x", compareChunk*3+1)),
		dir("data"), file("data/a", "a"), file("data/b", "b"), dir("data/sub"), file("data/sub/c", "c"),
		symlink("link", "etc/hosts"), file("gone", "g"), file("hidden", "below"), dir("tree"), file("tree/deep/leaf", "l"),
	))
	top := mustApply(t, archive(t, file(".wh.hidden", ""), file("etc/passwd", "root2")), bottom)
	return []string{top, bottom}
}

func TestChangesOnARealOverlay(t *testing.T) {
	needRoot(t)
	for name, tc := range map[string]struct {
		do   func(m string) error
		want []string
	}{
		"nothing": {func(string) error { return nil }, nil},
		"read":    {func(m string) error { _, err := os.ReadFile(m + "/etc/hosts"); return err }, nil},
		"add": {func(m string) error { return os.WriteFile(m+"/etc/new", nil, 0o600) },
			[]string{"modified /etc", "added /etc/new"}},
		"modify": {func(m string) error { return os.WriteFile(m+"/etc/hosts", []byte("other"), 0o600) },
			[]string{"modified /etc", "modified /etc/hosts"}},
		"modify to the same bytes": {func(m string) error { return os.WriteFile(m+"/etc/hosts", []byte("hosts"), 0o600) },
			[]string{"modified /etc", "metadata /etc/hosts"}},
		"touch of a large file": {func(m string) error { return os.Chtimes(m+"/etc/big", old, old) },
			[]string{"modified /etc", "metadata /etc/big"}},
		"mode of a large file": {func(m string) error { return os.Chmod(m+"/etc/big", 0o600) },
			[]string{"modified /etc", "metadata /etc/big"}},
		"owner of a large file": {func(m string) error { return os.Chown(m+"/etc/big", 1, 1) },
			[]string{"modified /etc", "metadata /etc/big"}},
		"one byte of a large file": {func(m string) error { return writeAt(m+"/etc/big", "y", compareChunk*3) },
			[]string{"modified /etc", "modified /etc/big"}},
		"a file of the same size and time in the place of another": {func(m string) error { return replaceKeepingTime(m+"/etc/hosts", "HOSTS") },
			[]string{"modified /etc", "modified /etc/hosts"}},
		"the same file again in the place of itself": {func(m string) error { return replaceKeepingTime(m+"/etc/hosts", "hosts") }, nil},
		"mode": {func(m string) error { return os.Chmod(m+"/etc/hosts", 0o600) },
			[]string{"modified /etc", "metadata /etc/hosts"}},
		"owner of a directory": {func(m string) error { return os.Chown(m+"/etc", 1, 1) },
			[]string{"metadata /etc"}},
		"owner of a link": {func(m string) error { return os.Lchown(m+"/link", 1, 1) },
			[]string{"metadata /link"}},
		"xattr": {func(m string) error { return unix.Setxattr(m+"/etc/hosts", "user.x", []byte("y"), 0) },
			[]string{"modified /etc", "metadata /etc/hosts"}},
		"root itself": {func(m string) error { return os.Chmod(m, 0o700) }, []string{"metadata /"}},
		"delete":      {func(m string) error { return os.Remove(m + "/gone") }, []string{"deleted /gone"}},
		"delete a directory": {func(m string) error { return os.RemoveAll(m + "/data") },
			[]string{"deleted /data"}},
		"delete what was added": {func(m string) error {
			if err := os.WriteFile(m+"/etc/new", nil, 0o600); err != nil {
				return err
			}
			return os.Remove(m + "/etc/new")
		}, nil},
		"open for writing without a write": {func(m string) error {
			f, err := os.OpenFile(m+"/etc/hosts", os.O_RDWR, 0)
			if err != nil {
				return err
			}
			return f.Close()
		}, nil},
		"re-create a file that the upper of two layers deleted": {func(m string) error { return os.WriteFile(m+"/hidden", []byte("below"), 0o644) },
			[]string{"added /hidden"}},
		"re-create a directory": {func(m string) error {
			if err := os.RemoveAll(m + "/data"); err != nil {
				return err
			}
			if err := os.Mkdir(m+"/data", 0o755); err != nil {
				return err
			}
			return os.WriteFile(m+"/data/b", []byte("new"), 0o644)
		}, []string{"modified /data", "deleted /data/a", "modified /data/b", "deleted /data/sub"}},
		"a file becomes a directory": {func(m string) error {
			if err := os.Remove(m + "/gone"); err != nil {
				return err
			}
			return os.MkdirAll(m+"/gone/x", 0o755)
		}, []string{"modified /gone", "added /gone/x"}},
		"a directory becomes a file": {func(m string) error {
			if err := os.RemoveAll(m + "/data"); err != nil {
				return err
			}
			return os.WriteFile(m+"/data", nil, 0o644)
		}, []string{"modified /data"}},
		"rename of a file": {func(m string) error { return os.Rename(m+"/gone", m+"/found") },
			[]string{"added /found", "deleted /gone"}},
		"rename of a lower directory is not done by the kernel": {func(m string) error {
			if err := os.Rename(m+"/data", m+"/moved"); err != unix.EXDEV && !strings.Contains(fmt.Sprint(err), "cross-device") {
				return fmt.Errorf("rename: %v", err)
			}
			return nil
		}, nil},
		"hard link": {func(m string) error { return os.Link(m+"/etc/hosts", m+"/etc/hosts2") },
			[]string{"modified /etc", "added /etc/hosts2"}},
		"device": {func(m string) error { return unix.Mknod(m+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))) },
			[]string{"added /null"}},
		"link retargeted": {func(m string) error {
			if err := os.Remove(m + "/link"); err != nil {
				return err
			}
			return os.Symlink("etc/passwd", m+"/link")
		}, []string{"modified /link"}},
		"deep": {func(m string) error { return os.WriteFile(m+"/tree/deep/leaf", []byte("L!"), 0o644) },
			[]string{"modified /tree", "modified /tree/deep", "modified /tree/deep/leaf"}},
		"bytes in names": {func(m string) error { return os.WriteFile(m+"/\xff\n", nil, 0o644) }, []string{"added /\xff\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			lower := baseLayers(t)
			m, upper := overlayOn(t, lower...)
			must(t, tc.do(m))
			changes, err := listChanges(t, upper, lower)
			must(t, err)
			if got := lines(changes); !slices.Equal(got, tc.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(tc.want, "\n\t"))
			}
			sameAfterRoundTrip(t, m, upper, lower)
		})
	}
}

// sameAfterRoundTrip checks that an upper directory written as a layer and
// unpacked again makes the same merged tree and the same list of changes.
func sameAfterRoundTrip(t *testing.T, merged, upper string, lower []string) {
	t.Helper()
	var layer, want, got bytes.Buffer
	must(t, WriteTar(t.Context(), &layer, upper, TarOptions{Layer: true, Root: true}))
	d := mustApply(t, layer.Bytes(), lower...)
	m, _ := overlayOn(t, append([]string{d}, lower...)...)
	for _, root := range []string{merged, m} { // each mount has an upper root of its own age
		must(t, os.Chtimes(root, old, old))
	}
	must(t, WriteTar(t.Context(), &want, merged, TarOptions{Root: true}))
	must(t, WriteTar(t.Context(), &got, m, TarOptions{Root: true}))
	if !bytes.Equal(want.Bytes(), got.Bytes()) {
		t.Errorf("the merged tree differs after a round trip:\n%s\n%s", listing(t, want.Bytes()), listing(t, got.Bytes()))
	}
}

func TestChangesDuringUse(t *testing.T) {
	lower := baseLayers(t)
	m, upper := overlayOn(t, lower...)
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			p := fmt.Sprintf("%s/etc/d%d", m, i%7)
			if err := os.MkdirAll(p+"/x/y", 0o755); err != nil {
				done <- err
				return
			}
			os.Symlink("/etc", p+"/x/l")
			if err := os.RemoveAll(p); err != nil {
				done <- err
				return
			}
		}
	}()
	for range 300 {
		if _, err := listChanges(t, upper, lower); err != nil {
			t.Error(err)
			break
		}
		var b bytes.Buffer
		if err := WriteTar(t.Context(), &b, upper, TarOptions{Layer: true}); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	must(t, <-done)
}

func TestChangesWithoutLayersBelow(t *testing.T) {
	needRoot(t)
	d := mustApply(t, archive(t, file("a/b", "x")))
	changes, err := listChanges(t, d, nil)
	must(t, err)
	if got := lines(changes); !slices.Equal(got, []string{"added /a", "added /a/b"}) {
		t.Errorf("%v", got)
	}
	if _, err := listChanges(t, filepath.Join(d, "missing"), nil); err == nil {
		t.Error("changes of a missing directory")
	}
}

// writeAt overwrites part of a file.
func writeAt(path, s string, at int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte(s), at); err != nil {
		return err
	}
	return f.Close()
}

// replaceKeepingTime renames a new file over one, as package managers do.
func replaceKeepingTime(path, content string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", []byte(content), fi.Mode()); err != nil {
		return err
	}
	if err := os.Chtimes(path+".new", fi.ModTime(), fi.ModTime()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// TestComparerReadsOnce pins that a large file is not read again: neither one
// that stays as it is, nor one that goes on differing where it did.
func TestComparerReadsOnce(t *testing.T) {
	lower := baseLayers(t)
	m, upper := overlayOn(t, lower...)
	must(t, writeAt(m+"/etc/big", "1", compareChunk*3))
	var c Comparer
	look := func(want string) {
		t.Helper()
		changes, err := gather(c.Changes(t.Context(), upper, lower))
		must(t, err)
		if got := lines(changes); !slices.Equal(got, []string{"modified /etc", want + " /etc/big"}) {
			t.Errorf("%v", got)
		}
	}
	look("modified")
	for st := lstat(t, upper+"/etc/big"); time.Since(time.Unix(st.Ctim.Unix())) <= tick; {
		runtime.Gosched() // nothing is remembered of a file that is still fresh
	}
	look("modified")
	if len(c.known) != 1 {
		t.Fatalf("%d files are remembered", len(c.known))
	}
	for id, v := range c.known {
		if v.at != compareChunk*3 || v.same {
			t.Errorf("remembered %+v", v)
		}
		// An answer that only memory can give.
		v.same = true
		c.known[id] = v
	}
	look("metadata")
	// A later change is looked for where the last one was, and found there.
	must(t, writeAt(m+"/etc/big", "2", compareChunk*3))
	look("modified")
	// And it is noticed when the file is as it was.
	must(t, writeAt(m+"/etc/big", "x", compareChunk*3))
	look("metadata")
	// A cheap look reads nothing: another time is another content.
	shallow := Comparer{Shallow: true}
	changes, err := gather(shallow.Changes(t.Context(), upper, lower))
	must(t, err)
	if got := lines(changes); !slices.Equal(got, []string{"modified /etc", "modified /etc/big"}) {
		t.Errorf("shallow: %v", got)
	}
}

// TestChangesAreToldAsTheyAreFound pins that who asks for a few changes costs
// no look at the rest, and that a directory is told of before what is in it.
func TestChangesAreToldAsTheyAreFound(t *testing.T) {
	lower := baseLayers(t)
	m, upper := overlayOn(t, lower...)
	for i := range 50 {
		must(t, os.MkdirAll(fmt.Sprintf("%s/data/sub/d%02d", m, i), 0o755))
		must(t, os.WriteFile(fmt.Sprintf("%s/data/sub/d%02d/f", m, i), nil, 0o644))
	}
	must(t, os.WriteFile(m+"/tree/deep/new", nil, 0o644))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	for c, err := range new(Comparer).Changes(ctx, upper, lower) {
		must(t, err)
		got = append(got, string(c.Kind)+" "+c.Path)
		if len(got) == 4 {
			cancel() // had the walk gone on, it would have ended in an error
			break
		}
	}
	want := []string{"modified /data", "modified /data/sub", "added /data/sub/d00", "added /data/sub/d00/f"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := gather(new(Comparer).Changes(ctx, upper, lower)); !errors.Is(err, context.Canceled) {
		t.Errorf("a walk that was called off: %v", err)
	}
	all, err := listChanges(t, upper, lower)
	must(t, err)
	if n := len(all); n != 2+2*50+3 || all[n-3].Path != "/tree" || all[n-1].Path != "/tree/deep/new" {
		t.Errorf("%d changes, %v", n, lines(all))
	}
}
