package shim_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"berth/runtime/container"
	"berth/shim"
)

func process(script string) *specs.Process {
	return &specs.Process{Args: []string{"/bin/sh", "-c", script}, Cwd: "/", Env: []string{"PATH=/bin"}}
}

// exec starts a process with a client attached to all its streams.
func (b *bench) exec(c *shim.Client, x shim.ExecConfig) *terminal {
	b.t.Helper()
	term, conn := b.connect()
	defer conn.Close()
	x.Attach.Stdin, x.Attach.Stdout, x.Attach.Stderr, x.Attach.Mux = true, true, true, true
	x.Attach.Ended = func(e shim.End) { term.ended <- e }
	if _, err := c.Exec(x, conn); err != nil {
		b.t.Fatal(err)
	}
	return term
}

func (b *bench) execExit(c *shim.Client, id string) shim.Exit {
	b.t.Helper()
	x, err := c.WaitExec(b.ctx(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return x
}

func TestExec(t *testing.T) {
	b := newBench(t)
	c := b.run(b.config("sleep 1000"))
	defer func() { c.Kill(unix.SIGKILL, true); b.exit(c) }()

	t.Run("streams and status", func(t *testing.T) {
		term := b.exec(c, shim.ExecConfig{ID: "a", Process: process("cat; echo err >&2; exit 6"), OpenStdin: true})
		big := strings.Repeat("x", 300000)
		go func() {
			io.WriteString(term.f, big)
			term.closeWrite()
		}()
		if out, errs := demux(t, term.all()); out != big || errs != "err\n" {
			t.Errorf("got %d bytes and %q", len(out), errs)
		}
		if x := b.execExit(c, "a"); x.Status != 6 || x.ID != "a" {
			t.Errorf("exit is %+v", x)
		}
		if _, err := c.WaitExec(b.ctx(), "a"); !errdefs.IsNotFound(err) {
			t.Errorf("collected twice: %v", err)
		}
	})
	t.Run("detached, kept until collected", func(t *testing.T) {
		pid, err := c.Exec(shim.ExecConfig{ID: "d", Process: process("exit 8")}, nil)
		if err != nil || pid <= 0 {
			t.Fatal(pid, err)
		}
		b.until("it ended", func() bool {
			i, err := c.Info()
			return err == nil && len(i.Execs) == 1 && !i.Execs[0].Running
		})
		if x := b.execExit(c, "d"); x.Status != 8 || x.PID != pid {
			t.Errorf("exit is %+v", x)
		}
	})
	t.Run("terminal", func(t *testing.T) {
		p := process("stty size; read x; stty size")
		p.Terminal = true
		term := b.exec(c, shim.ExecConfig{ID: "t", Process: p, Tty: true, OpenStdin: true, ConsoleSize: [2]uint{20, 70}})
		term.expect("20 70\r\n")
		if err := c.ExecResize("t", 21, 71); err != nil {
			t.Fatal(err)
		}
		term.write("\n")
		term.expect("21 71\r\n")
		b.execExit(c, "t")
	})
	t.Run("detach leaves it running", func(t *testing.T) {
		p := process("read x; exit 2")
		term := b.exec(c, shim.ExecConfig{ID: "k", Process: p, Tty: true, OpenStdin: true})
		term.write("\x10\x11")
		if e := term.end(); e != shim.EndDetached {
			t.Errorf("ended by %d", e)
		}
		if err := c.ExecKill("k", unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if x := b.execExit(c, "k"); x.Status != 137 || x.Signal != 9 {
			t.Errorf("exit is %+v", x)
		}
	})
	t.Run("a child left behind does not hold it", func(t *testing.T) {
		term := b.exec(c, shim.ExecConfig{ID: "g", Process: process("sleep 1000 & echo started")})
		if out, _ := demux(t, term.all()); out != "started\n" {
			t.Errorf("got %q", out)
		}
		if x := b.execExit(c, "g"); x.Status != 0 {
			t.Errorf("exit is %+v", x)
		}
	})
	t.Run("not found", func(t *testing.T) {
		_, err := c.Exec(shim.ExecConfig{ID: "n", Process: &specs.Process{Args: []string{"nothing"}, Cwd: "/", Env: []string{"PATH=/bin"}}}, nil)
		if !errors.Is(err, container.ErrNotFound) {
			t.Errorf("error is %v", err)
		}
		_, err = c.Exec(shim.ExecConfig{ID: "n", Process: &specs.Process{Args: []string{"/etc"}, Cwd: "/"}}, nil)
		if !errors.Is(err, container.ErrNotExecutable) {
			t.Errorf("error is %v", err)
		}
		if i, err := c.Info(); err != nil || len(i.Execs) != 0 {
			t.Errorf("execs are %+v, %v", i.Execs, err)
		}
	})
	t.Run("unknown", func(t *testing.T) {
		if err := c.ExecKill("nobody", unix.SIGTERM); !errdefs.IsNotFound(err) {
			t.Errorf("kill gives %v", err)
		}
		if err := c.ExecResize("nobody", 1, 1); !errdefs.IsNotFound(err) {
			t.Errorf("resize gives %v", err)
		}
	})
	t.Run("name is taken", func(t *testing.T) {
		if _, err := c.Exec(shim.ExecConfig{ID: "twice", Process: process("sleep 1000")}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Exec(shim.ExecConfig{ID: "twice", Process: process("true")}, nil); !errdefs.IsAlreadyExists(err) {
			t.Errorf("error is %v", err)
		}
	})
}

// An exec dies with its container, and who waits for it is told.
func TestExecEndsWithTheContainer(t *testing.T) {
	b := newBench(t)
	c := b.run(b.config("sleep 1000"))
	term := b.exec(c, shim.ExecConfig{ID: "x", Process: process("echo up; sleep 1000")})
	term.expect("up")
	waited := make(chan error, 1)
	go func() {
		x, err := c.WaitExec(b.ctx(), "x")
		if err == nil && x.Status != 137 {
			err = errors.New("status is not 137")
		}
		waited <- err
	}()
	if err := c.Kill(unix.SIGKILL, true); err != nil {
		t.Fatal(err)
	}
	b.exit(c)
	if err := <-waited; err != nil && !errdefs.IsUnavailable(err) && !errdefs.IsNotFound(err) {
		t.Error(err)
	}
	if e := term.end(); e != shim.EndExited {
		t.Errorf("the attachment ended by %d", e)
	}
}
