package shim_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"berth/shim"
)

// spareEnv makes the test binary an engine that prepares a shim and does no more.
const spareEnv = "BERTH_SHIM_TEST_SPARE"

func init() {
	if os.Getenv(spareEnv) == "" {
		return
	}
	self, err := shim.NewExecutable("")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	self.Prepare()
	fmt.Println(self.Spares())
	select {}
}

// spare prepares a shim.
func (b *bench) spare() int {
	b.t.Helper()
	b.self.Prepare()
	pids := b.self.Spares()
	if len(pids) == 0 {
		b.t.Fatal("no spare")
	}
	return pids[len(pids)-1]
}

// onSpare creates a container whose shim is a spare. It takes some tries where others on
// the host mount something in between.
func (b *bench) onSpare(script string) (*shim.Client, shim.Config) {
	b.t.Helper()
	var c *shim.Client
	var cfg shim.Config
	b.until("a start with a spare", func() bool {
		if c != nil {
			c.Kill(unix.SIGKILL, true)
			b.exit(c)
		}
		pid := b.spare()
		cfg = b.config(script)
		cfg.OpenStdin = true
		c = b.create(cfg)
		return c.ShimPID() == pid
	})
	return c, cfg
}

// gone tells that the process has ended with all its threads, reaped or not.
func gone(pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return n > 0 && err == nil
}

// A shim that was started before its container was known is as any other.
func TestStartTakesSpare(t *testing.T) {
	b := newBench(t)
	c, cfg := b.onSpare("read x; exit 4")
	pid := c.ShimPID()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err != nil || string(line[:len("berth-shim")+1]) != "berth-shim\x00" ||
		strings.Trim(string(line[len("berth-shim"):]), "\x00") != cfg.ID {
		t.Errorf("its arguments are %q, %v", line, err)
	}
	if log, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/2", pid)); err != nil || filepath.Dir(log) != cfg.Dir {
		t.Errorf("its errors go to %s, %v", log, err)
	}
	term := b.attach(c, shim.AttachOptions{Stdin: true, Stdout: true})
	term.write("x\n")
	if x := b.exit(c); x.Status != 4 {
		t.Errorf("exit is %+v", x)
	}
	if left := b.self.Spares(); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}

// What is mounted on the host after a spare was started is there for the container.
func TestSpareIsOfNoUseAfterMount(t *testing.T) {
	b := newBench(t)
	// Below a private mount: nothing passes on by itself.
	private := filepath.Join(b.dir, "private")
	if err := shim.PrivateMount(private); err != nil {
		t.Fatal(err)
	}
	defer shim.RemovePrivateMount(private)
	at := filepath.Join(private, "volume")
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	old := b.spare()
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(at, unix.MNT_DETACH)
	if err := os.WriteFile(filepath.Join(at, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	cfg := b.config("[ -e /tmp/file ]")
	cfg.Spec.Mounts = append(cfg.Spec.Mounts, specs.Mount{Destination: "/tmp", Type: "bind", Source: at, Options: []string{"rbind"}})
	c := b.run(cfg)
	if x := b.exit(c); x.Status != 0 {
		t.Errorf("the container does not see the mount: %+v", x)
	}
	if c.ShimPID() == old || !gone(old) {
		t.Errorf("spare %d is there still", old)
	}
	// One that is younger than the mount is of use.
	young, _ := b.onSpare("true")
	if err := young.Start(); err != nil {
		t.Fatal(err)
	}
	b.exit(young)
}

// A spare that was killed is not missed.
func TestSpareIsKilled(t *testing.T) {
	b := newBench(t)
	pid := b.spare()
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.until("the end of the spare", func() bool { return gone(pid) })
	if x := b.exit(b.run(b.config("exit 3"))); x.Status != 3 {
		t.Errorf("exit is %+v", x)
	}
}

// Spares are few, nobody has to end them, and none outlives the engine.
func TestSparesLeave(t *testing.T) {
	b := newBench(t)
	for range shim.MaxSpares + 2 {
		b.self.Prepare()
	}
	pids := b.self.Spares()
	if len(pids) > shim.MaxSpares {
		t.Errorf("there are %d", len(pids))
	}
	b.until("the end of all spares", func() bool {
		for _, pid := range pids {
			if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
				return false
			}
		}
		return true
	})
	last := b.spare()
	b.self.Close()
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", last)); err == nil {
		t.Error("one is there after the end of the engine")
	}
	if b.self.Prepare(); len(b.self.Spares()) != 0 {
		t.Error("one was started after the end of the engine")
	}
}

// A killed engine leaves no spare.
func TestSpareLosesEngine(t *testing.T) {
	newBench(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), spareEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	cmd.Process.Kill()
	cmd.Wait()
	var pid int
	if _, serr := fmt.Sscanf(line, "[%d]", &pid); serr != nil {
		t.Fatalf("engine says %q, %v", line, err)
	}
	b := &bench{t: t}
	b.until("the end of the spare", func() bool { return gone(pid) })
}
