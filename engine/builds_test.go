package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"berth/engine/build"
	"berth/engine/events"
	"berth/engine/filter"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	buildkit "github.com/moby/buildkit/client"
	"github.com/moby/moby/api/types/jsonstream"
)

// buildContext is a tar of files, "name=content" each; a name that ends with a slash is a directory.
func buildContext(t testing.TB, files ...string) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		name, content, _ := strings.Cut(f, "=")
		h := tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}
		if strings.HasSuffix(name, "/") {
			h.Mode, h.Typeflag = 0o755, tar.TypeDir
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// newBuildRig is newRig for tests that build.
func newBuildRig(t *testing.T) *rig {
	if raceDetector {
		t.Skip("BuildKit has data races of its own: CacheKey.TraceFields beside edgeIndex.enforceIndexID, Progress.Meta beside WriteRawProgress")
	}
	return newRig(t)
}

// told is what a build says; it may be read while it is said.
type told struct {
	mu   sync.Mutex
	text strings.Builder
	id   string
}

func (o *told) report(m jsonstream.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.WriteString(m.Stream)
	if m.Aux != nil {
		o.id = strings.TrimSuffix(strings.TrimPrefix(string(*m.Aux), `{"ID":"`), `"}`)
	}
}

func (o *told) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// build builds with a Dockerfile alone, or with files.
func (r *rig) build(req build.Request, dockerfile string, files ...string) (*told, error) {
	r.t.Helper()
	if req.NetworkMode == "" {
		req.NetworkMode = "none" // faster
	}
	out := &told{}
	return out, r.Builds.Build(r.ctx, req, buildContext(r.t, append(files, "Dockerfile="+dockerfile)...), out.report)
}

// mustBuild is build for what must work.
func (r *rig) mustBuild(req build.Request, dockerfile string, files ...string) *told {
	r.t.Helper()
	out, err := r.build(req, dockerfile, files...)
	if err != nil {
		r.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

func TestBuild(t *testing.T) {
	r := newBuildRig(t)
	base, err := r.Images.Inspect(r.ctx, "busybox")
	if err != nil {
		t.Fatal(err)
	}
	sub := r.Events.Subscribe(events.Options{Filters: filter.Args{"type": {"image"}}})
	defer sub.Close()
	const dockerfile = "FROM busybox\nARG WHO\nENV A=1\nRUN --network=default echo hi $WHO && ip link show eth0 >/dev/null && id -u && \\\n    hostname >/h\nCOPY --chown=33:0 f /d/\nUSER www\nCMD [\"cat\", \"/d/f\"]\n"
	who := "you"
	req := build.Request{Tags: []string{"app", "app:2"}, Args: map[string]*string{"WHO": &who}, Labels: map[string]string{"l": "1"}, NetworkMode: "default"}
	out := r.mustBuild(req, strings.Replace(dockerfile, "--network=default ", "", 1), "f=content")
	short := strings.TrimPrefix(out.id, "sha256:")[:12]
	want := "Step 1/7 : FROM busybox\n ---> " + base.ID[7:19] + "\nStep 2/7 : ARG WHO\nStep 3/7 : ENV A=1\n" +
		"Step 4/7 : RUN echo hi $WHO && ip link show eth0 >/dev/null && id -u && hostname >/h\nhi you\n0\n" +
		"Step 5/7 : COPY --chown=33:0 f /d/\nStep 6/7 : USER www\nStep 7/7 : CMD [\"cat\", \"/d/f\"]\n" +
		"Successfully built " + short + "\nSuccessfully tagged app:latest\nSuccessfully tagged app:2\n"
	if got := out.String(); got != want {
		t.Errorf("it says\n%s\nwant\n%s", got, want)
	}
	var actions []string
	for len(actions) < 3 {
		m, err := sub.Next(r.ctx)
		if err != nil {
			t.Fatal(err)
		}
		actions = append(actions, string(m.Action)+" "+m.Actor.Attributes["name"])
	}
	if want := []string{"create " + out.id, "tag app:latest", "tag app:2"}; !slices.Equal(actions, want) {
		t.Errorf("events %q, want %q", actions, want)
	}
	img, err := r.Images.Inspect(r.ctx, "app")
	if err != nil || img.ID != out.id || img.Config.User != "www" || img.Config.Labels["l"] != "1" || img.Config.Labels["flavour"] != "plain" || !slices.Contains(img.Config.Env, "A=1") {
		t.Errorf("the image is %+v, %v", img, err)
	}
	o := shell("")
	o.Config.Image, o.Config.Cmd = "app", []string{"sh", "-c", "id -u; cat /d/f; ls -ln /d/f | cut -c1-23; ls / | grep -c dockerenv"}
	if text, _ := r.output(o); text != "33\ncontent-rw-r--r--    1 33       0\n1\n" && !strings.HasPrefix(text, "33\ncontent") {
		t.Errorf("a container of it says %q", text)
	}

	// Nothing changed: every step is there. That the image goes does not take them.
	for _, name := range []string{"app", "app:2"} {
		if _, err := r.Images.Remove(r.ctx, name, ImageRemoveOptions{Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	r.close()
	r.open()
	again := r.mustBuild(req, strings.Replace(dockerfile, "--network=default ", "", 1), "f=content")
	if again.id != out.id || strings.Count(again.String(), "Using cache") != 2 || strings.Contains(again.String(), "hi you") {
		t.Errorf("the second time it says\n%s", again)
	}
	if c, err := r.Images.Check(r.ctx, false); err != nil || len(c.Faults) > 0 {
		t.Errorf("the store: %+v, %v", c.Faults, err)
	}
}

func TestBuildCacheIsPruned(t *testing.T) {
	r := newBuildRig(t)
	r.mustBuild(build.Request{Tags: []string{"kept"}}, "FROM busybox\nRUN head -c 100000 /dev/urandom >/r\n")
	gone := r.mustBuild(build.Request{}, "FROM busybox\nRUN head -c 200000 /dev/urandom >/r\n")
	if _, err := r.Images.Remove(r.ctx, gone.id, ImageRemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	used, err := r.Builds.Usage(r.ctx)
	if err != nil || used.TotalCount < 3 || used.TotalSize < 200000 || used.Reclaimable != used.TotalSize {
		t.Errorf("usage %+v, %v", used, err)
	}
	r.until("contexts that were sent are gone", func() string {
		used, err := r.Builds.Usage(r.ctx)
		if err != nil {
			return err.Error()
		}
		for _, u := range used.Items {
			if u.Type == "source.local" {
				return u.Description
			}
		}
		return ""
	})
	pruned, err := r.Builds.Prune(r.ctx, buildkit.PruneInfo{All: true})
	if err != nil || len(pruned.CachesDeleted) < 3 || pruned.SpaceReclaimed < 200000 {
		t.Errorf("pruned %+v, %v", pruned, err)
	}
	if used, err := r.Builds.Usage(r.ctx); err != nil || used.TotalCount != 0 {
		t.Errorf("afterwards %+v, %v", used, err)
	}
	if _, err := r.store.Images.Collect(r.ctx); err != nil {
		t.Fatal(err)
	}
	err = r.snapshots.Walk(r.ctx, func(_ context.Context, info snapshots.Info) error {
		if strings.HasPrefix(info.Name, "build-") {
			t.Errorf("snapshot %s is still there", info.Name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o := shell("wc -c </r")
	o.Config.Image = "kept"
	if text, _ := r.output(o); text != "100000\n" {
		t.Errorf("the image that was built has lost its layer: %q", text)
	}
}

func TestBuildsThatFail(t *testing.T) {
	r := newBuildRig(t)
	for _, c := range []struct {
		name, dockerfile string
		req              build.Request
		kind             func(error) bool
		text             string
	}{
		{"command", "FROM busybox\nRUN echo out; exit 3", build.Request{}, nil, "The command '/bin/sh -c echo out; exit 3' returned a non-zero code: 3"},
		{"no command", "FROM busybox\nRUN [\"/nope\"]", build.Request{}, nil, "no such file"},
		{"missing file", "FROM busybox\nCOPY nope /", build.Request{}, nil, "COPY failed: file not found in build context or excluded by .dockerignore: stat nope: file does not exist"},
		{"instruction", "FROM busybox\nFOO x", build.Request{}, errdefs.IsInvalidArgument, "unknown instruction: FOO"},
		{"empty", "", build.Request{}, errdefs.IsInvalidArgument, "The Dockerfile (Dockerfile) cannot be empty"},
		{"file", "FROM busybox", build.Request{Dockerfile: "../../etc/passwd"}, errdefs.IsInvalidArgument, "Cannot locate specified Dockerfile: etc/passwd"},
		{"target", "FROM busybox", build.Request{Target: "t"}, errdefs.IsInvalidArgument, `target stage "t" could not be found`},
		{"tag", "FROM busybox", build.Request{Tags: []string{"A:b:c"}}, errdefs.IsInvalidArgument, "invalid reference format"},
		{"host", "FROM busybox", build.Request{ExtraHosts: []string{"x"}}, errdefs.IsInvalidArgument, "bad format for add-host"},
		{"network", "FROM busybox\nRUN true", build.Request{NetworkMode: "nope"}, nil, "nope"},
		{"remote", "FROM busybox", build.Request{Remote: "ftp://example/x"}, errdefs.IsInvalidArgument, "cannot be fetched"},
		{"confinement", "FROM busybox\nRUN --security=insecure true", build.Request{}, nil, "security"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := r.build(c.req, c.dockerfile)
			if err == nil || !strings.Contains(err.Error(), c.text) || c.kind != nil && !c.kind(err) {
				t.Errorf("got %v, want %s\n%s", err, c.text, out)
			}
			var step *build.StepError
			if c.name == "command" && (!errors.As(err, &step) || step.Code != 3 || !strings.HasSuffix(out.String(), "Step 2/2 : RUN echo out; exit 3\nout\n")) {
				t.Errorf("%#v\n%s", err, out)
			}
		})
	}
	if left, err := os.ReadDir(filepath.Join(r.cfg.Root, "build", "contexts")); err != nil || len(left) > 0 {
		t.Errorf("contexts are left: %v, %v", left, err)
	}
}

func TestHostileBuildContexts(t *testing.T) {
	r := newBuildRig(t)
	outside := filepath.Join(r.dir, "outside")
	for name, data := range map[string]*bytes.Buffer{
		"nothing": {}, "noise": bytes.NewBufferString(strings.Repeat("noise", 1000)),
		"cut":     bytes.NewBuffer(buildContext(t, "Dockerfile=FROM busybox\n", "f="+strings.Repeat("x", 9000)).Bytes()[:4000]),
		"outside": buildContext(t, "Dockerfile=FROM busybox\n", "../../../outside=x"),
	} {
		err := r.Builds.Build(r.ctx, build.Request{}, data, func(jsonstream.Message) {})
		if name != "outside" && !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Lstat(outside); err == nil {
		t.Error("a context wrote outside of its directory")
	}
	// A link in the context is one of the image, not of the host.
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	dockerfile := "FROM busybox\nCOPY l /\n"
	for _, h := range []tar.Header{
		{Name: "Dockerfile", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(dockerfile))},
		{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc/hostname"},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte(dockerfile)); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Close()
	if err := r.Builds.Build(r.ctx, build.Request{}, &b, func(jsonstream.Message) {}); err == nil {
		t.Error("COPY of a link to a file of the host worked")
	}
}

func TestBuildsAtTheSameTimeShareSteps(t *testing.T) {
	r := newBuildRig(t)
	var all sync.WaitGroup
	ids := make([]string, 3)
	for i := range ids {
		all.Go(func() {
			out, err := r.build(build.Request{}, "FROM busybox\nRUN sleep 0.3; head -c 9 /dev/urandom >/r\n")
			if err != nil {
				t.Error(err)
			}
			img, err := r.Images.Inspect(r.ctx, out.id)
			if err != nil || len(img.RootFS.Layers) != 2 {
				t.Errorf("%+v, %v", img, err)
				return
			}
			ids[i] = img.RootFS.Layers[1]
		})
	}
	all.Wait()
	if ids[0] != ids[1] || ids[1] != ids[2] {
		t.Errorf("a step ran more than once: %v", ids)
	}
}

func TestBuildEndsWithItsClient(t *testing.T) {
	r := newBuildRig(t)
	ctx, leave := context.WithCancel(r.ctx)
	out, done := &told{}, make(chan error)
	go func() {
		done <- r.Builds.Build(ctx, build.Request{NetworkMode: "none"}, buildContext(t, "Dockerfile=FROM busybox\nRUN echo begun; sleep 1000\n"), out.report)
	}()
	r.until("the step runs", func() string {
		if !strings.Contains(out.String(), "\nbegun\n") {
			return "it says " + out.String()
		}
		return ""
	})
	if !r.Builds.Active() {
		t.Errorf("nothing is being built\n%s", out)
	}
	leave()
	if err := <-done; err == nil {
		t.Error("a build without a client succeeded")
	}
	r.until("nothing is left of the step", func() string {
		left, err := os.ReadDir(filepath.Join(r.cfg.State, "shim"))
		if err != nil && !os.IsNotExist(err) || len(left) > 0 || r.Builds.Active() {
			return fmt.Sprint(left, err)
		}
		return ""
	})
}

// buildVictim begins a build in the engine that is to be killed, and tells when its step runs.
func buildVictim(e *Engine, dockerfile string) {
	// As berth does: what is mounted is found again.
	if err := errors.Join(os.MkdirAll(e.BuildTemp(), 0o700), os.Setenv("TMPDIR", e.BuildTemp())); err != nil {
		fmt.Println("error:", err)
		return
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: "Dockerfile", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(dockerfile))})
	_, _ = w.Write([]byte(dockerfile))
	w.Close()
	go func() {
		err := e.Builds.Build(context.Background(), build.Request{}, &b, func(m jsonstream.Message) {
			if strings.Contains(m.Stream, "begun") && !strings.Contains(m.Stream, "Step") {
				fmt.Println("begun")
			}
		})
		fmt.Println("error:", err)
	}()
}

func TestKilledEngineLeavesNoBuild(t *testing.T) {
	r := newBuildRig(t)
	d := r.startDoomed()
	if err := d.in.Encode(order{Build: "FROM busybox\nRUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t echo begun; sleep 1000\n"}); err != nil {
		t.Fatal(err)
	}
	if line := d.line(); line != "begun" {
		t.Fatal(line)
	}
	d.kill()
	r.open()
	if left, err := os.ReadDir(filepath.Join(r.cfg.State, "shim")); err != nil || len(left) > 0 {
		t.Errorf("a step is still there: %v, %v", left, err)
	}
	if _, err := os.Stat(r.BuildTemp()); !os.IsNotExist(err) {
		t.Errorf("mounts are still there: %v", err)
	}
	out := r.mustBuild(build.Request{}, "FROM busybox\nRUN echo next\n")
	if !strings.Contains(out.String(), "next\n") {
		t.Errorf("the next build says\n%s", out)
	}
	if c, err := r.Images.Check(r.ctx, false); err != nil || len(c.Faults) > 0 {
		t.Errorf("the store: %+v, %v", c.Faults, err)
	}
}
