package cli

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"berth/runtime/sync"
	"golang.org/x/sys/unix"
)

// until waits for a status of the container.
func (b *bundle) until(status string) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(b.ok("state", b.id), `"`+status+`"`); {
		if time.Now().After(deadline) {
			b.t.Fatalf("the container is not %s: %s", status, b.ok("state", b.id))
		}
	}
}

// TestReadinessIsPassedOn plays systemd: its socket must get the container's
// readiness and first process, and nothing else that the container sends.
func TestReadinessIsPassedOn(t *testing.T) {
	b := newBundle(t)
	host := filepath.Join(b.dir, "host.sock")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: host, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b.args("sh", "-c", "[ -S $NOTIFY_SOCKET ] && touch /dev/shm/seen; exec sleep 1000")
	command := func(args ...string) *exec.Cmd {
		c := b.command(args...)
		c.Env = append(os.Environ(), "NOTIFY_SOCKET="+host)
		return c
	}
	if err := command("create", b.id).Run(); err != nil {
		t.Fatal(err)
	}
	start := command("start", b.id)
	if err := start.Start(); err != nil {
		t.Fatal(err)
	}
	b.until("running")
	inside, err := net.Dial("unixgram", filepath.Join(b.root, b.id, "notify", "notify.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	for _, m := range []string{"STATUS=nearly\n", "STATUS=now\nREADY=1\nMAINPID=1\n"} {
		if _, err := inside.Write([]byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	buf, oob := make([]byte, 4096), make([]byte, 128)
	for len(got) == 0 || got[len(got)-1] != "BARRIER=1" {
		n, oobn, _, _, err := l.ReadMsgUnix(buf, oob)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(buf[:n]))
		fds, err := sync.Rights(oob[:oobn])
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			unix.Close(fd) // the barrier
		}
	}
	if err := start.Wait(); err != nil {
		t.Errorf("start: %v", err)
	}
	pids := strings.Trim(strings.TrimSpace(b.ok("ps", "-f", "json", b.id)), "[]")
	if len(got) != 3 || got[0] != "READY=1\n" || got[1] != "MAINPID="+pids+"\n" {
		t.Errorf("systemd got %q, want readiness and MAINPID=%s", got, pids)
	}
	b.ok("exec", b.id, "sh", "-c", "while [ ! -e /dev/shm/seen ]; do :; done") // the command had a socket
}

// TestActivatedSocketsArePassedOn is LISTEN_FDS, in front of --preserve-fds.
func TestActivatedSocketsArePassedOn(t *testing.T) {
	b := newBundle(t)
	b.args("sh", "-c", "echo $LISTEN_FDS $LISTEN_PID; cat <&3; cat <&4; [ ! -e /proc/self/fd/5 ]")
	var files []*os.File
	for _, text := range []string{"socket\n", "further\n"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString(text); err != nil {
			t.Fatal(err)
		}
		w.Close()
		defer r.Close()
		files = append(files, r)
	}
	// LISTEN_PID is that of the runtime, which only a shell in its place knows.
	c := exec.Command("sh", "-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"`, "sh", os.Args[0], "runtime", "--root", b.root, "run", "--preserve-fds", "1", b.id)
	c.Dir, c.ExtraFiles = b.dir, files
	if out, err := c.CombinedOutput(); err != nil || string(out) != "1 1\nsocket\nfurther\n" {
		t.Errorf("output %q, %v", out, err)
	}
	b.fails(1, "--preserve-fds", "run", "--preserve-fds", "100", b.id)
}

func TestPidfdSocket(t *testing.T) {
	b := newBundle(t)
	b.args("sleep", "1000")
	path := filepath.Join(b.dir, "pidfd.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b.ok("run", "-d", "--pidfd-socket", path, b.id)
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	oob := make([]byte, 64)
	_, n, _, _, err := conn.ReadMsgUnix(make([]byte, 64), oob)
	if err != nil {
		t.Fatal(err)
	}
	fds, err := sync.Rights(oob[:n])
	if err != nil || len(fds) != 1 {
		t.Fatalf("descriptors %v, %v", fds, err)
	}
	defer unix.Close(fds[0])
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fds[0]))
	pid := strings.Trim(strings.TrimSpace(b.ok("ps", "-f", "json", b.id)), "[]")
	if err != nil || !strings.Contains(string(info), "Pid:\t"+pid+"\n") {
		t.Errorf("not a pidfd of %s: %s, %v", pid, info, err)
	}
	b.fails(1, "connect to the pidfd socket", "run", "--pidfd-socket", "/gone", b.id+"-2")
	if err := unix.PidfdSendSignal(fds[0], unix.SIGKILL, nil, 0); err != nil {
		t.Error(err)
	}
	b.until("stopped")
}
