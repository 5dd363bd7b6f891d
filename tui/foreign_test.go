package tui

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// another is a real engine that is not berth's, for one test.
type another struct {
	t   *testing.T
	dir string
	log bytes.Buffer
}

// beside starts an engine; $D in its command is its directory, and $D/s its socket.
func beside(t *testing.T, program, command string) *another {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("an engine needs root")
	}
	for _, p := range []string{program, "docker", "busybox"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("needs %s (Debian: apt-get install docker.io podman busybox-static)", p)
		}
	}
	dir, err := os.MkdirTemp("/tmp", "tui")
	if err != nil {
		t.Fatal(err)
	}
	f := &another{t: t, dir: dir}
	cmd := exec.Command("busybox", "sh", "-c", "busybox ip link set lo up; exec "+command)
	cmd.Env = append(os.Environ(), "D="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	cmd.Stdout, cmd.Stderr = &f.log, &f.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { f.end(cmd.Process, ended) })
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if exec.Command("docker", "-H", f.host(), "version").Run() == nil {
			return f
		}
		select {
		case err := <-ended:
			ended <- err
			t.Skipf("%s does not run on this machine: %v\n%s", program, err, f.log.String())
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not answer", program)
		}
	}
}

// end leaves nothing of the engine.
func (f *another) end(p *os.Process, ended chan error) {
	if ids, err := exec.Command("docker", "-H", f.host(), "ps", "-aq").Output(); err == nil && len(ids) > 0 {
		_ = exec.Command("docker", append([]string{"-H", f.host(), "rm", "-f"}, strings.Fields(string(ids))...)...).Run()
	}
	_ = p.Signal(unix.SIGTERM)
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		_ = p.Kill()
		<-ended
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	lines := strings.Split(string(mounts), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if fields := strings.Fields(lines[i]); len(fields) > 1 && strings.HasPrefix(fields[1], f.dir+"/") {
			err = errors.Join(err, unix.Unmount(fields[1], unix.MNT_DETACH))
		}
	}
	if err = errors.Join(err, os.RemoveAll(f.dir)); err != nil {
		f.t.Error(err)
	}
}

func (f *another) host() string { return "unix://" + filepath.Join(f.dir, "s") }

// docker runs the CLI on the engine.
func (f *another) docker(stdin []byte, args ...string) {
	f.t.Helper()
	cmd := exec.Command("docker", append([]string{"-H", f.host(), "--config", f.dir}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// rootfs is busybox as a tar.
func rootfs(t *testing.T) []byte {
	t.Helper()
	program, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, m := range []struct{ name, link, content string }{{"bin/busybox", "", string(binary)}, {"bin/sh", "busybox", ""}, {"etc/motd", "", "a good day\n"}} {
		h := &tar.Header{Name: m.name, Mode: 0o755, Size: int64(len(m.content)), Typeflag: tar.TypeReg, Linkname: m.link}
		if m.link != "" {
			h.Typeflag = tar.TypeSymlink
		}
		_, more := w, w.WriteHeader(h)
		if _, err := w.Write([]byte(m.content)); errors.Join(more, err) != nil {
			t.Fatal(errors.Join(more, err))
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestTheConsoleOnDockerd(t *testing.T) {
	f := beside(t, "dockerd", `dockerd --data-root $D/root --exec-root $D/x --pidfile $D/pid --bridge none --iptables=false --storage-driver vfs -H unix://$D/s`)
	f.docker(rootfs(t), "import", "-", "box:1")
	f.docker(nil, "run", "-d", "--name", "web", "-v", "files:/data", "--network", "none", "--stop-timeout", "0", "box:1", "/bin/busybox", "sh", "-c", "echo it begins; echo other > /etc/motd; echo kept > /data/note; /bin/busybox sleep 100000")
	f.docker(nil, "commit", "web", "box:2")
	r := start(t, &engine{socket: filepath.Join(f.dir, "s")}, 140, 40)
	r.WaitFor("● web", "box:1", "it begins")
	r.Press("3")
	r.WaitFor("box:2", "Imported from", "motd", "A 5 ") // the files come from the export, and then the counts
	r.Press("G")
	r.WaitFor("▌    6B", "-rwxr-xr-x     motd", "M 1")
	r.Press("enter", "c", "k", "c")
	r.WaitFor("A ⇄ B", "motd")
	r.Press("esc", "2", "D")
	r.WaitFor("(live)", "writable layer", "M       -     motd")
	r.Press("j", "j", "enter") // after the directory of the volume
	r.WaitFor("/etc/motd  layer 0 → live", "-a good day", "+other")
	r.Press("esc", "esc", "]")
	r.WaitFor("bin/", "etc/", "proc/")
	r.Press("enter", "j", "j", "j", "enter")
	r.WaitFor("/etc", "hostname", "motd", "6B")
	r.Press("esc", "esc", "]", "]")
	r.WaitFor(`"Driver": "vfs"`)
	r.Press("]")
	r.WaitFor("/bin/busybox sleep 100000")
	r.Press("E")
	r.WaitFor("/ #")
	r.Type("echo a$((1+1))b\n")
	r.WaitFor("a2b")
	r.Press("ctrl+]", "q")
	r.WaitFor("E shell  m logs") // the keys are the lists' again
	r.Press("4")
	r.WaitFor("● files", "C e i: needs berth's engine, this is docker ")
	r.Press("]")
	r.WaitFor("note", "5B") // through the container that uses it
	r.Press("enter", "enter")
	r.WaitFor("kept")
	r.Press("esc", "esc", "C")
	r.WaitFor("clone volume: needs berth's engine")
	r.Press("2", "u")
	r.Type("--pids-limit 50\n")
	r.WaitFor("changed the limits of web")
	r.Press("s")
	r.WaitFor("○ web") // by the event
}

func TestTheConsoleOnPodman(t *testing.T) {
	f := beside(t, "podman", `podman --root $D/root --runroot $D/x --storage-driver vfs system service --time 0 unix://$D/s`)
	f.docker(rootfs(t), "import", "-", "box:1")
	f.docker(nil, "create", "--name", "web", "--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096", "box:1", "/bin/sh")
	r := start(t, &engine{socket: filepath.Join(f.dir, "s")}, 140, 40)
	r.WaitFor("○ web", "box:1", "u: unknown to this engine, this is podman ")
	r.Press("3")
	r.WaitFor("box:1", "motd", "A 5 ")
	r.Press("2", "D")
	r.WaitFor("⇄ web", "the container has changed nothing yet")
	r.Press("esc", "]")
	r.WaitFor("bin/", "etc/")
}
