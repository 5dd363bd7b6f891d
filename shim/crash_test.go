package shim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"berth/shim"
	"berth/shim/wire"
)

// engineEnv makes the test binary an engine that starts the container whose
// configuration is in that file and lives until it is killed.
const engineEnv = "BERTH_SHIM_TEST_ENGINE"

func init() {
	path := os.Getenv(engineEnv)
	if path == "" {
		return
	}
	var cfg shim.Config
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &cfg)
	}
	var self shim.Executable
	if err == nil {
		self, err = shim.NewExecutable("")
	}
	var c *shim.Client
	if err == nil {
		c, err = shim.Start(context.Background(), self, cfg)
	}
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("started")
	select {}
}

// engine runs an engine that starts a container.
func (b *bench) engine(cfg shim.Config) *exec.Cmd {
	b.t.Helper()
	cmd, out := b.startEngine(cfg)
	buf := make([]byte, 4096)
	if n, err := out.Read(buf); string(buf[:n]) != "started\n" {
		b.t.Fatalf("engine says %q, %v", buf[:n], err)
	}
	return cmd
}

// startEngine is engine without waiting for the start.
func (b *bench) startEngine(cfg shim.Config) (*exec.Cmd, io.Reader) {
	b.t.Helper()
	data, err := json.Marshal(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	path := filepath.Join(b.dir, cfg.ID, "config")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), engineEnv+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd, out
}

// The engine dies by kill -9; the container, its log, its attached clients and its exit
// status do not notice.
func TestEngineDies(t *testing.T) {
	b := newBench(t)
	cfg := b.config("i=0; while [ $i -lt 200 ]; do echo $i; i=$((i+1)); sleep 0.002; done; read x; echo $x; exit 11")
	cfg.OpenStdin = true
	engine := b.engine(cfg)
	c, err := shim.Connect(b.ctx(), cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	term := b.attach(c, shim.AttachOptions{Stdin: true, Stdout: true})
	engine.Process.Kill()
	engine.Wait()

	c, err = shim.Connect(b.ctx(), cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.ID() != cfg.ID {
		t.Errorf("ID is %q", c.ID())
	}
	term.expect("199\n")
	term.write("word\n")
	term.expect("word\n")
	if x := b.exit(c); x.Status != 11 {
		t.Errorf("exit is %+v", x)
	}
	var want strings.Builder
	for i := range 200 {
		fmt.Fprintln(&want, i)
	}
	if got := logText(t, "stdout", cfg.Log.Path); got != want.String()+"word\n" {
		t.Errorf("the log is %q", got)
	}
}

// The engine dies at some instant of a start, and the next one starts the same container at once:
// what the first has begun is finished and taken back by then, or is found.
func TestEngineDiesWhileStarting(t *testing.T) {
	b := newBench(t)
	found := 0
	for range 30 {
		cfg := b.config("true")
		engine, _ := b.startEngine(cfg)
		b.until("the start has begun", func() bool {
			_, err := os.Stat(cfg.Dir)
			return err == nil
		})
		time.Sleep(rand.N(10 * time.Millisecond)) // the random instant
		engine.Process.Kill()
		engine.Wait()
		c, err := shim.Start(b.ctx(), b.self, cfg)
		if errdefs.IsAlreadyExists(err) { // it was parked, or runs
			found++
			if err := shim.Reap(b.ctx(), cfg.Dir, cfg.RuntimeRoot, cfg.ID); err != nil {
				t.Fatal(err)
			}
			c, err = shim.Start(b.ctx(), b.self, cfg)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if x := b.exit(c); x.Status != 0 {
			t.Errorf("exit is %+v", x)
		}
		b.assertNothingLeft()
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d of 30 were found", found)
}

// A container that ends while no engine lives leaves its record, and a client that
// looks for it later finds that.
func TestExitWithoutAnEngine(t *testing.T) {
	b := newBench(t)
	cfg := b.config("read x; exit 12")
	cfg.OpenStdin, cfg.StdinOnce = true, true
	engine := b.engine(cfg)
	c, err := shim.Connect(b.ctx(), cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	engine.Process.Kill()
	engine.Wait()
	b.attach(c, shim.AttachOptions{Stdin: true}).closeWrite()
	b.assertNothingLeft()
	if x, err := shim.ReadExit(cfg.ExitPath); err != nil || x.Status != 12 {
		t.Errorf("record is %+v, %v", x, err)
	}
	if x, err := c.Wait(b.ctx()); err != nil || x.Status != 12 {
		t.Errorf("late wait gives %+v, %v", x, err)
	}
	if _, err := shim.Connect(b.ctx(), cfg.Dir); !errdefs.IsNotFound(err) {
		t.Errorf("connect gives %v", err)
	}
}

// The shim dies by kill -9, in any state; Reap leaves nothing.
func TestShimDies(t *testing.T) {
	b := newBench(t)
	for _, state := range []string{"parked", "running", "paused", "with exec", "stopped shim"} {
		t.Run(state, func(t *testing.T) {
			cfg := b.config("sleep 1000 & sleep 1000")
			c := b.create(cfg)
			if state != "parked" {
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
			}
			switch state {
			case "paused":
				if err := c.Pause(); err != nil {
					t.Fatal(err)
				}
			case "with exec":
				b.exec(c, shim.ExecConfig{ID: "x", Process: process("echo up; sleep 1000")}).expect("up")
			}
			if state == "stopped shim" {
				unix.Kill(c.ShimPID(), unix.SIGSTOP) // Reap must not wait for an answer
			} else {
				unix.Kill(c.ShimPID(), unix.SIGKILL)
				if _, err := c.Wait(b.ctx()); !errdefs.IsUnavailable(err) {
					t.Errorf("wait gives %v", err)
				}
				if _, err := shim.Connect(b.ctx(), cfg.Dir); !errdefs.IsNotFound(err) {
					t.Errorf("connect gives %v", err)
				}
			}
			if err := shim.Reap(b.ctx(), cfg.Dir, cfg.RuntimeRoot, cfg.ID); err != nil {
				t.Fatal(err)
			}
			os.Remove(cfg.MountPoint)
			b.assertNothingLeft()
			if err := shim.Reap(b.ctx(), cfg.Dir, cfg.RuntimeRoot, cfg.ID); err != nil {
				t.Errorf("the second time: %v", err)
			}
		})
	}
}

// A start that is given up leaves nothing, at whatever point.
func TestCancelledStart(t *testing.T) {
	b := newBench(t)
	for range 20 {
		cfg := b.config("true")
		ctx, cancel := context.WithCancel(context.Background())
		fuse := rand.IntN(100)
		go func() {
			for range fuse * 1000 {
				if ctx.Err() != nil {
					return
				}
			}
			cancel()
		}()
		c, err := shim.Start(ctx, b.self, cfg)
		cancel()
		if err == nil {
			c.Kill(unix.SIGKILL, true)
			b.exit(c)
		}
		b.assertNothingLeft()
	}
}

// Whatever bytes come, the shim and its container go on.
func TestHostileBytes(t *testing.T) {
	b := newBench(t)
	cfg := b.config("sleep 1000")
	c := b.run(cfg)
	info, err := c.Info()
	if err != nil {
		t.Fatal(err)
	}
	good := info.Encode()
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: filepath.Join(cfg.Dir, wire.SocketName)}); err != nil {
			t.Fatal(err)
		}
		body := good[:random.IntN(len(good))]
		if random.IntN(2) == 0 {
			body = make([]byte, random.IntN(64))
			for i := range body {
				body[i] = byte(random.Uint32())
			}
		}
		frame := append([]byte{0, 0, 0, byte(len(body)), wire.Version, byte(random.IntN(80)), 0, 0}, body...)
		if random.IntN(4) == 0 {
			frame[random.IntN(8)] = byte(random.Uint32())
		}
		unix.Sendmsg(fd, frame, nil, nil, unix.MSG_NOSIGNAL)
		unix.Close(fd)
	}
	i, err := c.Info()
	if err != nil {
		t.Fatal(err)
	}
	// A well-formed kill or pause may be among them; what may not happen is that the
	// shim is gone without a trace.
	if i.ShimPID != c.ShimPID() {
		t.Errorf("the shim is %d now", i.ShimPID)
	}
	c.Kill(unix.SIGKILL, true)
	b.exit(c)
}

// The shim is killed while it creates the container: Start says so, and nothing is
// left.
func TestShimDiesWhileStarting(t *testing.T) {
	b := newBench(t)
	random := rand.New(rand.NewPCG(3, 4))
	killed := 0
	for range 60 {
		cfg := b.config("true")
		done := make(chan struct{})
		go func() {
			defer close(done)
			fuse := time.Duration(random.IntN(8000)) * time.Microsecond
			for end := time.Now().Add(waitLimit); time.Now().Before(end); {
				pid := findShim(cfg.ID)
				if pid == 0 {
					continue
				}
				<-time.After(fuse)
				unix.Kill(pid, unix.SIGKILL)
				return
			}
		}()
		c, err := shim.Start(b.ctx(), b.self, cfg)
		<-done
		if err == nil { // it was parked before it died
			if err := shim.Reap(b.ctx(), cfg.Dir, cfg.RuntimeRoot, cfg.ID); err != nil {
				t.Fatal(err)
			}
			os.Remove(cfg.MountPoint)
			if _, err := c.Wait(b.ctx()); !errdefs.IsUnavailable(err) {
				t.Errorf("wait gives %v", err)
			}
		} else {
			killed++
		}
		b.assertNothingLeft()
		if t.Failed() {
			t.Fatal(err)
		}
	}
	t.Logf("%d of 60 died before they were parked", killed)
}

// findShim returns the process of a container's shim, 0 if there is none yet.
func findShim(id string) int {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, l := range lists {
		b, err := os.ReadFile(l)
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(b)) {
			line, err := os.ReadFile("/proc/" + f + "/cmdline")
			if pid, aerr := strconv.Atoi(f); err == nil && aerr == nil && strings.HasPrefix(string(line), "berth-shim\x00"+id) {
				return pid
			}
		}
	}
	return 0
}
