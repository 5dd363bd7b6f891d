package shim_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"berth/runtime/mount"
	"berth/shim"
)

// bound mounts the tree at path at /v of the container.
func bound(cfg shim.Config, tree shim.Tree) shim.Config {
	source := tree.Path
	if tree.Subpath != "" {
		source = tree.SubpathAt()
	}
	cfg.Trees = append(cfg.Trees, tree)
	cfg.Spec.Mounts = append(cfg.Spec.Mounts, specs.Mount{Destination: "/v", Type: "bind", Source: source, Options: []string{"rbind", "rprivate"}})
	return cfg
}

// A mount that no path leads to is handed from shim to shim, and gone with the last.
func TestShimsShareATree(t *testing.T) {
	b := newBench(t)
	tree, err := mount.Mount{Type: "tmpfs", Source: "tmpfs", Options: []string{"size=1m"}}.Tree()
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	cfg := b.config("mkdir -p /v/a/b; echo here >/v/a/b/f; while :; do sleep 1; done")
	cfg = bound(cfg, shim.Tree{Path: cfg.MountPoint + "@0"})
	first, err := shim.Start(b.ctx(), b.self, cfg, tree)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	root, err := first.RootFD()
	if err != nil {
		t.Fatal(err)
	}
	b.until("the file is there", func() bool {
		_, err := os.Stat(filepath.Join("/proc/self/fd", strconv.Itoa(int(root.Fd())), "v/a/b/f"))
		return err == nil
	})
	root.Close()
	if _, err := first.Tree(cfg.MountPoint); !errdefs.IsNotFound(err) {
		t.Errorf("what is no tree: %v", err)
	}
	shared, err := first.Tree(cfg.Trees[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Close()
	// The second has a part of it, and the whole file system with it.
	cfg2 := b.config("read x </v/f; test $x = here && exit 7")
	cfg2 = bound(cfg2, shim.Tree{Path: cfg2.MountPoint + "@0", Subpath: "a/b"})
	second, err := shim.Start(b.ctx(), b.self, cfg2, shared)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	if x := b.exit(second); x.Status != 7 {
		t.Errorf("the second container: %+v", x)
	}
	if err := first.Kill(9, true); err != nil {
		t.Fatal(err)
	}
	b.exit(first)
	b.until("no mount point is left", func() bool {
		entries, err := os.ReadDir(filepath.Dir(cfg.MountPoint))
		return err == nil && len(entries) == 0
	})
}

func TestSubpathsThatLeadOut(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	for name, to := range map[string]string{"up": "../..", "abs": "/etc", "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for subpath, want := range map[string]string{
		"up": "escapes the base directory", "abs": "escapes the base directory", "loop": "cannot access path /loop: too many levels", "none/x": "cannot access path /none/x: no such file",
	} {
		tree, err := mount.Clone(-100, dir, true)
		if err != nil {
			t.Fatal(err)
		}
		cfg := b.config("true")
		cfg = bound(cfg, shim.Tree{Path: cfg.MountPoint + "@0", Subpath: subpath})
		_, err = shim.Start(b.ctx(), b.self, cfg, tree)
		tree.Close()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", subpath, err)
		}
		if entries, err := os.ReadDir(filepath.Dir(cfg.MountPoint)); err != nil || len(entries) > 0 {
			t.Errorf("%s: left are %v, %v", subpath, entries, err)
		}
	}
	if _, err := shim.Start(b.ctx(), b.self, bound(b.config("true"), shim.Tree{Path: "/x"})); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a tree that is missing: %v", err)
	}
}
