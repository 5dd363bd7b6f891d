package engine

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

func fileTar(t *testing.T, name, content string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// copied are the names and contents that come out of a container.
func (r *rig) copied(id, name string) string {
	r.t.Helper()
	var b bytes.Buffer
	if err := r.Containers.CopyOut(r.ctx, id, name, func(container.PathStat) (io.Writer, error) { return &b, nil }); err != nil {
		return "error: " + err.Error()
	}
	var out []string
	for tr := tar.NewReader(&b); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return strings.Join(out, " ")
		}
		if err != nil {
			r.t.Fatal(err)
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, h.Name+"="+string(content))
	}
}

func TestCopyInAndOut(t *testing.T) {
	r := newRig(t)
	o := shell("mkdir -p /data/sub; ln -s data /link; echo -n out > /data/f; echo ready; read x")
	o.Config.OpenStdin = true
	o.Config.Volumes = map[string]struct{}{"/vol": {}}
	id := r.run(o)
	r.until("it is ready", func() string {
		return strings.TrimPrefix("waiting", strings.Repeat("waiting", strings.Count(r.logSoFar(id), "ready")))
	})
	check := func(when string) {
		t.Helper()
		for dir, name := range map[string]string{"/data": "in", "/link/sub": "deep", "/vol": "v"} {
			if err := r.Containers.CopyIn(r.ctx, id, dir, fileTar(t, name, when), CopyInOptions{}); err != nil {
				t.Errorf("%s: into %s: %v", when, dir, err)
			}
		}
		for name, want := range map[string]string{
			"/data":      "data/= data/f=out data/in=" + when + " data/sub/= data/sub/deep=" + when,
			"/link/":     "link/= link/f=out link/in=" + when + " link/sub/= link/sub/deep=" + when,
			"data/sub/.": "./= ./deep=" + when, "data/sub/./": "./= ./deep=" + when,
			"/link":    "link=",
			"/vol":     "vol/= vol/v=" + when,
			"/nothing": "error: Could not find the file /nothing in container " + id,
		} {
			if got := r.copied(id, name); got != want {
				t.Errorf("%s: %s comes out as %q, want %q", when, name, got, want)
			}
		}
		if st, err := r.Containers.StatPath(r.ctx, id, "/link"); err != nil || st.LinkTarget != "/data" || st.Name != "link" {
			t.Errorf("%s: %+v, %v", when, st, err)
		}
		if st, err := r.Containers.StatPath(r.ctx, id, "/link/"); err != nil || !st.Mode.IsDir() {
			t.Errorf("%s: %+v, %v", when, st, err)
		}
		if err := r.Containers.CopyIn(r.ctx, id, "/data/f", fileTar(t, "x", ""), CopyInOptions{}); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: into a file: %v", when, err)
		}
		if err := r.Containers.CopyIn(r.ctx, id, "/nowhere", fileTar(t, "x", ""), CopyInOptions{}); !errdefs.IsNotFound(err) {
			t.Errorf("%s: into nothing: %v", when, err)
		}
	}
	check("running")
	if err := r.Containers.Kill(r.ctx, id, "KILL"); err != nil {
		t.Fatal(err)
	}
	r.exit(id)
	check("stopped")
	readOnly := shell("true")
	readOnly.HostConfig.ReadonlyRootfs = true
	if err := r.Containers.CopyIn(r.ctx, r.create(readOnly), "/", fileTar(t, "x", ""), CopyInOptions{}); !errdefs.IsPermissionDenied(err) {
		t.Errorf("into what is read-only: %v", err)
	}
}

// A file that is mounted by itself is copied out of a container that does not run
// as out of one that does, and not replaced in either.
func TestCopyOfAMountedFile(t *testing.T) {
	r := newRig(t)
	file := filepath.Join(t.TempDir(), "of-the-host")
	if err := os.WriteFile(file, []byte("mounted"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := shell("sleep 1000")
	o.HostConfig.Binds = []string{file + ":/etc/conf"}
	id := r.run(o)
	check := func(when string) {
		t.Helper()
		if got := r.copied(id, "/etc/conf"); got != "conf=mounted" {
			t.Errorf("%s: it comes out as %q", when, got)
		}
		if st, err := r.Containers.StatPath(r.ctx, id, "/etc/conf"); err != nil || st.Name != "conf" || st.Size != 7 || !st.Mode.IsRegular() {
			t.Errorf("%s: %+v, %v", when, st, err)
		}
		for _, name := range []string{"/etc/conf/", "/etc/conf/x"} {
			if _, err := r.Containers.StatPath(r.ctx, id, name); err == nil || !strings.Contains(err.Error(), "not a directory") {
				t.Errorf("%s: %s: %v", when, name, err)
			}
		}
		if err := r.Containers.CopyIn(r.ctx, id, "/etc/conf", fileTar(t, "x", ""), CopyInOptions{}); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: into it: %v", when, err)
		}
	}
	check("running")
	if err := r.Containers.Kill(r.ctx, id, "KILL"); err != nil {
		t.Fatal(err)
	}
	r.exit(id)
	check("stopped")
}
