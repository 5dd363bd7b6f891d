package engine

import (
	"context"
	"errors"
	"net"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"berth/engine/build"

	"github.com/containerd/errdefs"
)

// gitServer serves a bare repository over HTTP; the repository has two commits, the
// first with the tag "one", a directory "sub", and a link that leads out of it.
func gitServer(t *testing.T) (url, first string) {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	run := func(args ...string) string {
		cmd := exec.Command(git, append([]string{"-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"}, args...)...)
		cmd.Dir = filepath.Join(dir, "work")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	file := func(name, content string) {
		name = filepath.Join(dir, "work", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	file("Dockerfile", "FROM busybox\nCOPY said /said\nRUN cat /said")
	file("said", "the first commit\n")
	file("sub/Dockerfile", "FROM busybox\nCOPY said /said\nRUN cat /said")
	file("sub/said", "of the directory\n")
	if err := os.Symlink("/etc", filepath.Join(dir, "work", "out")); err != nil {
		t.Fatal(err)
	}
	run("init", "-q")
	run("add", ".")
	run("commit", "-qm", "one")
	run("tag", "one")
	first = run("rev-parse", "HEAD")
	file("said", "the second commit\n")
	run("commit", "-qam", "two")
	run("clone", "-q", "--bare", ".", "../project.git")
	srv := httptest.NewServer(&cgi.Handler{
		Path: git, Args: []string{"http-backend"}, InheritEnv: []string{"PATH"},
		Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + dir, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
	})
	t.Cleanup(srv.Close)
	return srv.URL + "/project.git", first
}

func TestBuildOfAGitRepository(t *testing.T) {
	r := newBuildRig(t)
	url, first := gitServer(t)
	for remote, want := range map[string]string{
		url:                "the second commit",
		url + "#one":       "the first commit",
		url + "#" + first:  "the first commit",
		url + "#:sub":      "of the directory",
		url + "#main:/sub": "of the directory",
	} {
		o := &told{}
		err := r.Builds.Build(r.ctx, build.Request{Remote: remote, NoCache: true, NetworkMode: "none"}, nil, o.report)
		if err != nil || !strings.Contains(o.String(), want+"\n") {
			t.Errorf("%s: %v, want %q in:\n%s", remote, err, want, o)
		}
	}
	for remote, want := range map[string]string{
		url + "#missing":         "missing",
		url + "#:none":           "has no directory none",
		url + "#:out":            "directory out",
		url + "#:../..":          "directory ../..",
		url + "#--upload-pack=x": "invalid refspec",
	} {
		err := r.Builds.Build(r.ctx, build.Request{Remote: remote}, nil, (&told{}).report)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", remote, err, want)
		}
	}
	if left, err := os.ReadDir(filepath.Join(r.Builds.root(), "contexts")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestBuildOfASilentGitServerEndsWithItsClient(t *testing.T) {
	r := newBuildRig(t)
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(r.ctx)
	built := make(chan error, 1)
	go func() {
		built <- r.Builds.Build(ctx, build.Request{Remote: "http://" + l.Addr().String() + "/x.git"}, nil, (&told{}).report)
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cancel()
	if err := <-built; !errors.Is(err, context.Canceled) || errdefs.IsInvalidArgument(err) {
		t.Errorf("%v", err)
	}
	// git's helper is gone too: its connection ends.
	buf := make([]byte, 4096)
	for err == nil {
		_, err = c.Read(buf)
	}
}
