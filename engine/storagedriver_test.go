package engine

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"berth/runtime/mount"
	"berth/store/image"

	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// TestRootWhereOverlayCannotBe runs containers on a root that overlay refuses
// upper directories on: another overlay, and one where it was told to copy.
func TestRootWhereOverlayCannotBe(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: containers need mounts and namespaces")
	}
	for name, prepare := range map[string]func(t *testing.T, root string) Config{
		"an overlay": func(t *testing.T, root string) Config {
			parts := filepath.Dir(root)
			for _, d := range []string{"low", "up", "work"} {
				if err := os.Mkdir(filepath.Join(parts, d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			m := mount.Mount{Type: "overlay", Source: "overlay", Options: []string{"lowerdir=" + parts + "/low", "upperdir=" + parts + "/up", "workdir=" + parts + "/work"}}
			if err := m.Mount(root); err != nil {
				t.Fatal(err)
			}
			return Config{}
		},
		"tmpfs, told to": func(t *testing.T, root string) Config {
			if err := (mount.Mount{Type: "tmpfs", Source: "none", Options: []string{"mode=700"}}).Mount(root); err != nil {
				t.Fatal(err)
			}
			return Config{StorageDriver: "vfs"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("/tmp", "be")
			if err != nil {
				t.Fatal(err)
			}
			root := filepath.Join(dir, "root")
			if err := os.Mkdir(root, 0o700); err != nil {
				t.Fatal(err)
			}
			cfg := prepare(t, root)
			base := testConfig(dir)
			base.StorageDriver = cfg.StorageDriver
			e, err := Open(t.Context(), base)
			if err != nil {
				t.Fatal(err)
			}
			r := &rig{Engine: e, t: t, dir: dir, ctx: context.Background()}
			defer func() {
				for _, c := range r.Containers.all() {
					if err := r.Containers.Remove(r.ctx, c.id, RemoveOptions{Force: true}); err != nil {
						t.Error(err)
					}
				}
				cgroups := r.cgroups
				if err := r.network.Remove(r.ctx); err != nil {
					t.Error(err)
				}
				r.close()
				r.until("nothing uses the root", func() string {
					if err := unix.Unmount(root, 0); err != nil {
						return err.Error()
					}
					return ""
				})
				r.until("nothing is left", func() string { return leftovers(dir, cgroups) })
				if err := os.RemoveAll(dir); err != nil {
					t.Error(err)
				}
			}()
			runOnCopies(t, r)
		})
	}
}

// runOnCopies does with containers what a driver can get wrong.
func runOnCopies(t *testing.T, r *rig) {
	if _, err := r.store.Images.Import(r.ctx, rootfs(t), image.NewImage{Name: "busybox:latest"}); err != nil {
		t.Fatal(err)
	}
	if info, err := r.Info(r.ctx); err != nil || info.Driver != "vfs" || len(info.DriverStatus) != 1 {
		t.Fatalf("driver %q %v, %v", info.Driver, info.DriverStatus, err)
	}
	id := r.run(shell("mkdir /data; echo one >/data/f; rm /etc/group; chmod 600 /etc/passwd; echo ready"))
	if code := r.exit(id); code != 0 {
		t.Fatalf("exit code %d: %s", code, r.log(id))
	}
	if got := r.inspect(id); got.Driver != "vfs" {
		t.Errorf("driver of the container: %q", got.Driver)
	}
	changes, err := r.liveDiff(id)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, ch := range changes {
		list = append(list, string(ch.Kind[0])+ch.Path)
	}
	slices.Sort(list)
	if got := strings.Join(list, " "); !strings.Contains(got, "a/data/f") || !strings.Contains(got, "d/etc/group") || !strings.Contains(got, "m/etc/passwd") || strings.Contains(got, "busybox") {
		t.Errorf("changes: %v", list)
	}
	if _, err := r.Containers.Commit(r.ctx, id, CommitOptions{Repo: "made", Tag: "1"}); err != nil {
		t.Fatal(err)
	}
	if f, size, err := r.Trees.File(r.ctx, id+"@live", "/data/f"); err != nil || size != 4 {
		t.Errorf("a file of the writable layer: %d bytes, %v", size, err)
	} else if err := f.Close(); err != nil {
		t.Error(err)
	}
	// The whiteout of the committed layer hides what is below.
	out, code := r.output(CreateOptions{
		Config:     &container.Config{Image: "made:1", Cmd: []string{"sh", "-c", "cat /data/f; ls -l /etc/passwd | cut -c1-10; test ! -e /etc/group"}},
		HostConfig: &container.HostConfig{NetworkMode: "none"},
	})
	if out != "one\n-rw-------\n" || code != 0 {
		t.Errorf("a container of the commit says %q, %d", out, code)
	}
	if c, err := r.Images.Check(r.ctx, false); err != nil || len(c.Faults) != 0 {
		t.Errorf("the store: %+v, %v", c.Faults, err)
	}
}
