package api_test

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"berth/engine/api/berthapi"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/opencontainers/go-digest"
)

// texts renders what a sequence yields; an error is its last line.
func texts[T any](list iter.Seq2[T, error], of func(T) string) (all []string) {
	for v, err := range list {
		if err != nil {
			return append(all, "error: "+err.Error())
		}
		all = append(all, of(v))
	}
	return all
}

func entryText(e berthapi.Entry) string { return strings.TrimSpace(string(e.Kind) + " " + e.Path) }

func differenceText(d berthapi.Difference) string { return string(d.Kind) + " " + d.Path }

// edited is an image made of a container that goes on changing its files.
func (r *rig) edited(t *testing.T) (container string) {
	t.Helper()
	id := r.runShell("echo one >/etc/a; printf 'x\\0y' >/etc/bin; echo gone >/etc/gone; ln -s /etc/a /link; seq 1 20 >/etc/seq; echo done1; sleep 1000")
	r.eventually("the first files are there", func() bool { return strings.Contains(r.logOf(id), "done1") })
	if _, err := r.client.ContainerCommit(t.Context(), id, client.ContainerCommitOptions{Reference: "edited:1"}); err != nil {
		t.Fatal(err)
	}
	r.exec(id, "echo two >/etc/a; rm /etc/gone; printf 'x\\0z' >/etc/bin; chmod 600 /etc/seq; mkdir -p /new/sub; echo n >/new/sub/f; ln /etc/a /new/hard")
	return id
}

func (r *rig) runShell(script string) string {
	r.t.Helper()
	ctx := r.t.Context()
	made, err := r.client.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: "web", Config: &container.Config{Image: "busybox", Cmd: []string{"sh", "-c", script}}, HostConfig: &container.HostConfig{NetworkMode: "none"},
	})
	if err == nil {
		_, err = r.client.ContainerStart(ctx, made.ID, client.ContainerStartOptions{})
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return made.ID
}

func (r *rig) logOf(id string) string {
	r.t.Helper()
	logs, err := r.client.ContainerLogs(r.t.Context(), id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		r.t.Fatal(err)
	}
	defer logs.Close()
	text, err := io.ReadAll(logs)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// exec runs a script in a container to its end.
func (r *rig) exec(id, script string) {
	r.t.Helper()
	ctx := r.t.Context()
	x, err := r.client.ExecCreate(ctx, id, client.ExecCreateOptions{Cmd: []string{"/bin/busybox", "sh", "-c", "export PATH=/bin; alias rm='busybox rm' chmod='busybox chmod' mkdir='busybox mkdir' ln='busybox ln'; " + script}, AttachStdout: true, AttachStderr: true})
	if err != nil {
		r.t.Fatal(err)
	}
	at, err := r.client.ExecAttach(ctx, x.ID, client.ExecAttachOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	defer at.Close()
	said, err := io.ReadAll(at.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	if in, err := r.client.ExecInspect(ctx, x.ID, client.ExecInspectOptions{}); err != nil || in.ExitCode != 0 {
		r.t.Fatalf("%s: %v, %d: %s", script, err, in.ExitCode, said)
	}
}

// TestTreesAreComparedAndRead goes through berth's own routes of trees against a real engine and a running container.
func TestTreesAreComparedAndRead(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	r.edited(t)
	c := berthapi.NewClient(r.client)
	defer c.Close()

	for _, x := range []struct{ from, to, want string }{
		{"busybox", "edited:1", "A /etc/a,A /etc/bin,A /etc/gone,A /etc/seq,A /link"},
		{"edited:1", "web", "M /etc/a,M /etc/bin,D /etc/gone,M* /etc/seq,A /new,A /new/hard,A /new/sub,A /new/sub/f"},
		{"web", "edited:1", "M /etc/a,M /etc/bin,A /etc/gone,M* /etc/seq,D /new,D /new/hard,D /new/sub,D /new/sub/f"},
		{"container:web", "image:edited:1@layer0", "D /etc/a,D /etc/bin,D /etc/seq,D /link,D /new,D /new/hard,D /new/sub,D /new/sub/f"},
		{"busybox", "edited:1@layer0", ""},
		{"nosuch", "web", "error: No such image, container or layer: nosuch"},
		{"web", "busybox@layer9", "error: image busybox:latest has no layer 9: it has 1"},
		{"busybox@layerX", "web", `error: "layerX" is no layer: want layerN with a number, or a digest`},
	} {
		if got := strings.Join(texts(c.Diff(ctx, x.from, x.to, berthapi.DiffOptions{IgnoreTimes: true}), differenceText), ","); got != x.want {
			t.Errorf("%s against %s:\ngot  %s\nwant %s", x.from, x.to, got, x.want)
		}
	}
	if got := texts(c.Diff(ctx, "edited:1", "web", berthapi.DiffOptions{Dir: "/new/sub/"}), differenceText); !slices.Equal(got, []string{"A /new/sub", "A /new/sub/f"}) {
		t.Errorf("one directory: %v", got)
	}

	layers, err := c.Layers(ctx, "edited:1")
	if err != nil || len(layers) != 2 {
		t.Fatalf("%+v, %v", layers, err)
	}
	top := layers[1]
	for _, x := range []struct {
		tree string
		part berthapi.Part
		want string
	}{
		{top.DiffID, berthapi.Part{Depth: 2}, "A /etc,A /etc/a,A /etc/bin,A /etc/gone,A /etc/seq,A /link"},
		{top.DiffID[7:20], berthapi.Part{Dir: "/etc", Depth: 1, After: "/etc/a", Limit: 2}, "A /etc/bin,A /etc/gone"},
		{"edited:1@" + top.ChainID, berthapi.Part{Dir: "/etc", Depth: 1}, "A /etc/a,A /etc/bin,A /etc/gone,/etc/group,/etc/passwd,A /etc/seq"},
		{"web", berthapi.Part{Dir: "/etc", Depth: 1}, "A /etc/a,A /etc/bin,/etc/group,/etc/passwd,A /etc/seq"},
		{"web@live", berthapi.Part{Dir: "/new"}, "A /new,A /new/hard,A /new/sub,A /new/sub/f"},
		{"web", berthapi.Part{Dir: "relative"}, `error: "relative" is not an absolute path`},
	} {
		if got := strings.Join(texts(c.TreeEntries(ctx, x.tree, false, x.part), entryText), ","); got != x.want {
			t.Errorf("%s %+v:\ngot  %s\nwant %s", x.tree, x.part, got, x.want)
		}
	}

	for _, x := range []struct{ from, to, path, want string }{
		{"edited:1", "web", "/etc/a", "--- edited:1:/etc/a\n+++ web:/etc/a\n@@ -1 +1 @@\n-one\n+two\n"},
		{"edited:1", "web", "/etc/bin", "Binary files edited:1:/etc/bin and web:/etc/bin differ\n"},
		{"edited:1", "web", "/etc/seq", ""},
		{"edited:1", "web", "/etc/gone", "--- edited:1:/etc/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n"},
		{"edited:1", "web", "/etc/nothing", "error: neither edited:1 nor web has a file /etc/nothing"},
		{"edited:1", "web", "/etc", "error: edited:1:/etc is not a regular file"},
		{"busybox", "web", "/bin/busybox", ""},
	} {
		if got := read(c.FileDiff(ctx, x.from, x.to, x.path)); got != x.want {
			t.Errorf("%s of %s and %s:\ngot  %q\nwant %q", x.path, x.from, x.to, got, x.want)
		}
	}
	if got := read(c.TreeFile(ctx, "edited:1", "/link")); got != "one\n" {
		t.Errorf("through a link: %q", got)
	}
	if got := read(c.TreeFile(ctx, "web", "/new/hard")); got != "two\n" {
		t.Errorf("a file of a running container: %q", got)
	}
	if got := read(c.TreeFile(ctx, "web", "/etc/gone")); got != "error: no file /etc/gone" {
		t.Errorf("a deleted file: %q", got)
	}
	r.archives(ctx, c, top)
}

// archives reads subtrees and layers as tars.
func (r *rig) archives(ctx context.Context, c *berthapi.Client, top berthapi.Layer) {
	t := r.t
	for _, x := range []struct{ tree, path, want string }{
		{"web", "/new", "new/ new/hard new/sub/ new/sub/f"},
		{"edited:1", "/etc/a", "a"},
		{"edited:1", "/link", "link"},
		{top.DiffID, "/", "./ etc/ etc/a etc/bin etc/gone etc/seq link"},
		{"edited:1", "/nosuch", "error: no file /nosuch"},
	} {
		if got := tarNames(c.TreeArchive(ctx, x.tree, x.path)); got != x.want {
			t.Errorf("%s of %s: %s, want %s", x.path, x.tree, got, x.want)
		}
	}
	layer, err := c.LayerTar(ctx, "edited:1", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer layer.Close()
	if got, err := digest.FromReader(layer); err != nil || got.String() != top.DiffID {
		t.Errorf("the layer's tar has the digest %s, %v; want %s", got, err, top.DiffID)
	}
	if w, err := c.Waste(ctx, "edited:1"); err != nil || w.Efficiency != 1 || w.Wasted != 0 {
		t.Errorf("%+v, %v", w, err)
	}
	if _, err := c.LayerTar(ctx, "edited:1", 7); !errdefs.IsNotFound(err) {
		t.Errorf("no such layer: %v", err)
	}
}

// read is what a route answers, its error as text.
func read(body io.ReadCloser, err error) string {
	if err == nil {
		defer body.Close()
		var b []byte
		if b, err = io.ReadAll(body); err == nil {
			return string(b)
		}
	}
	return "error: " + err.Error()
}

func tarNames(body io.ReadCloser, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	defer body.Close()
	var names []string
	for r := tar.NewReader(body); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return strings.Join(names, " ")
		}
		if err != nil {
			return fmt.Sprint(names, err)
		}
		names = append(names, h.Name)
	}
}
