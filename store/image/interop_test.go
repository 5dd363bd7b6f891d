package image_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tool runs an installed program; the test is skipped where it is missing.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestSkopeo moves an image through skopeo's reading and writing of both
// forms of archives.
func TestSkopeo(t *testing.T) {
	st := open(t, t.TempDir())
	img := starter(t, st)
	dir := t.TempDir()
	saved := filepath.Join(dir, "saved.tar")
	var b bytes.Buffer
	if err := st.Images.Save(t.Context(), &b, []string{"starter:latest"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(saved, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	for i, hop := range [][2]string{
		{"docker-archive:" + saved + ":starter:latest", "oci-archive:" + dir + "/0.tar:skopeo.test/oci:1"},
		{"oci-archive:" + saved + ":latest", "docker-archive:" + dir + "/1.tar:skopeo.test/docker:1"},
	} {
		tool(t, "skopeo", "copy", "--insecure-policy", "-q", hop[0], hop[1])
		f, err := os.Open(fmt.Sprintf("%s/%d.tar", dir, i))
		if err != nil {
			t.Fatal(err)
		}
		other := open(t, t.TempDir())
		loaded, err := other.Images.Load(t.Context(), f)
		f.Close()
		if err != nil {
			t.Fatalf("%s: %v", hop[1], err)
		}
		got := loaded[0]
		// Skopeo rewrites configs, so the image ID may change; the layers may not.
		if got.Layers[3].ChainID != img.Layers[3].ChainID || len(got.Names) != 1 || !strings.HasPrefix(got.Names[0], "skopeo.test/") {
			t.Errorf("%s: %v, layers %+v", hop[1], got.Names, got.Layers)
		}
		if c := readFile(t, other, got.Image, 3, "/app/new"); c != "n" {
			t.Errorf("%s: content %q", hop[1], c)
		}
	}
}

// startDocker starts a docker engine of its own and returns its client's -H.
func startDocker(t *testing.T) string {
	t.Helper()
	needRoot(t)
	path, err := exec.LookPath("dockerd")
	if err != nil {
		t.Skip("dockerd is not installed")
	}
	dir, err := os.MkdirTemp("", "bd") // short: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	host := "unix://" + dir + "/s"
	log, err := os.Create(dir + "/log")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-H", host, "--data-root", dir+"/data", "--exec-root", dir+"/exec", "--pidfile", dir+"/pid",
		"--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false", "--storage-driver=vfs")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-exited:
		case <-time.After(30 * time.Second):
			cmd.Process.Kill()
			<-exited
		}
		log.Close()
		exec.Command("umount", dir+"/exec/netns/default").Run() // if it made one
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		if err := exec.CommandContext(ctx, "docker", "-H", host, "version").Run(); err == nil {
			return host
		}
		select {
		case err := <-exited:
			exited <- err
			out, _ := os.ReadFile(dir + "/log")
			t.Skipf("dockerd does not run here: %v\n%s", err, out)
		case <-ctx.Done():
			t.Fatal("dockerd does not answer")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestDocker loads our archive into a docker engine and docker's into ours.
func TestDocker(t *testing.T) {
	host := startDocker(t)
	st := open(t, t.TempDir())
	img := starter(t, st)
	var b bytes.Buffer
	if err := st.Images.Save(t.Context(), &b, []string{"starter"}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("docker", "-H", host, "load")
	cmd.Stdin = bytes.NewReader(b.Bytes())
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "starter:latest") {
		t.Fatalf("docker load: %v\n%s", err, out)
	}
	if id := strings.TrimSpace(tool(t, "docker", "-H", host, "inspect", "-f", "{{.Id}}", "starter:latest")); id != img.ID.String() {
		t.Errorf("docker calls the image %s, we %s", id, img.ID)
	}
	cmd = exec.Command("docker", "-H", host, "save", "starter:base", "starter:latest")
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("docker save: %v", err)
	}
	other := open(t, t.TempDir())
	loaded, err := other.Images.Load(t.Context(), &out)
	if err != nil || len(loaded) != 2 {
		t.Fatalf("%+v, %v", loaded, err)
	}
	got, err := other.Images.Resolve(t.Context(), "starter")
	if err != nil || got.ID != img.ID || readFile(t, other, got, 3, "/etc/motd") != "changed" {
		t.Errorf("%+v, %v", got, err)
	}
}
