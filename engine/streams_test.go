package engine

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

func TestAttachBeforeStartLosesNothing(t *testing.T) {
	r := newRig(t)
	for range 10 {
		id := r.create(shell("echo first; echo problem >&2; seq 1 1000"))
		c, conn := r.pipe()
		err := r.Containers.Attach(r.ctx, id, AttachOptions{
			Stream: true, Stdout: true, Stderr: true, Mux: true,
			Accept: func() (*os.File, []byte, error) { return conn, nil, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		r.start(id)
		out, problem := demux(t, c.end())
		if !strings.HasPrefix(out, "first\n1\n2\n") || !strings.HasSuffix(out, "\n1000\n") || problem != "problem\n" {
			t.Fatalf("got %d bytes, stderr %q", len(out), problem)
		}
	}
}

func TestAttachDuringStart(t *testing.T) {
	r := newRig(t)
	for range 20 {
		id := r.create(shell("echo x"))
		c, conn := r.pipe()
		attached := make(chan error, 1)
		go func() {
			attached <- r.Containers.Attach(r.ctx, id, AttachOptions{Stream: true, Stdout: true, Conn: conn})
			conn.Close()
		}()
		r.start(id)
		if err := <-attached; err != nil {
			t.Fatal(err)
		}
		// However late it came, it must not wait for ever: for the next run, if this one was over.
		r.until("the end of the stream", func() string {
			select {
			case <-c.done:
				return ""
			default:
			}
			if r.inspect(id).State.Running {
				return "it runs"
			}
			if err := r.Containers.Start(r.ctx, id, StartOptions{}); err != nil && !errdefs.IsNotModified(err) {
				return err.Error()
			}
			return "open"
		})
	}
}

func TestClientsThatVanishBeforeTheStart(t *testing.T) {
	r := newRig(t)
	id := r.create(shell("echo x"))
	for range 3 * maxQueued {
		c, conn := r.pipe()
		if err := r.Containers.Attach(r.ctx, id, AttachOptions{Stream: true, Stdout: true, Conn: conn}); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		c.conn.Close()
	}
	c, conn := r.pipe()
	if err := r.Containers.Attach(r.ctx, id, AttachOptions{Stream: true, Stdout: true, Conn: conn}); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	r.start(id)
	if got := c.end(); got != "x\n" {
		t.Errorf("got %q", got)
	}
}

func TestAttachToARunOfAnotherCommand(t *testing.T) {
	r := newRig(t)
	o := shell("cat; echo bye; exit 6")
	o.Config.OpenStdin, o.Config.StdinOnce = true, true
	id := r.run(o)
	c, conn := r.pipe()
	if err := r.Containers.Attach(r.ctx, id, AttachOptions{Stream: true, Stdin: true, Stdout: true, Conn: conn, Pending: []byte("read before ")}); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := c.conn.WriteString("and after\n"); err != nil {
		t.Fatal(err)
	}
	closeWrite(t, c)
	if got := c.end(); got != "read before and after\nbye\n" {
		t.Errorf("got %q", got)
	}
	if code := r.exit(id); code != 6 {
		t.Errorf("exit code %d", code)
	}
	if err := r.Containers.Attach(r.ctx, id, AttachOptions{Stream: true, DetachKeys: "nokey", Conn: conn}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("strange detach keys: %v", err)
	}
}

func TestTerminal(t *testing.T) {
	r := newRig(t)
	o := shell("tty; stty size; read line; stty size; echo got $line")
	o.Config.Tty, o.Config.OpenStdin, o.HostConfig.ConsoleSize = true, true, [2]uint{24, 80}
	id := r.create(o)
	c, conn := r.pipe()
	if err := r.Containers.Attach(r.ctx, id, AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true, Mux: true, Conn: conn}); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	r.start(id)
	has := func(want string) {
		t.Helper()
		r.until(want, func() string {
			if !strings.Contains(c.text(), want) {
				return fmt.Sprintf("%q", c.text())
			}
			return ""
		})
	}
	has("24 80")
	if err := r.Containers.Resize(r.ctx, id, 50, 132); err != nil {
		t.Fatal(err)
	}
	if _, err := c.conn.WriteString("word\r"); err != nil {
		t.Fatal(err)
	}
	has("50 132")
	if got := c.end(); !strings.Contains(got, "/dev/pts/0") || !strings.Contains(got, "got word") {
		t.Errorf("got %q", got)
	}
	r.exit(id)
	if err := r.Containers.Resize(r.ctx, id, 1, 1); !errdefs.IsConflict(err) {
		t.Errorf("resize of an ended container: %v", err)
	}
}

func TestExec(t *testing.T) {
	r := newRig(t)
	o := shell("exec sleep 1000")
	o.Config.Env, o.Config.WorkingDir = []string{"A=container"}, "/work/deep"
	id := r.run(o)
	exec := func(x ExecOptions) (out, problem string, code int) {
		t.Helper()
		x.AttachStdout, x.AttachStderr = true, true
		xid, err := r.Containers.ExecCreate(r.ctx, id, x)
		if err != nil {
			t.Fatal(err)
		}
		c, conn := r.pipe()
		err = r.Containers.ExecStart(r.ctx, xid, ExecStartOptions{Mux: true, Conn: conn})
		conn.Close()
		if err != nil {
			problem = err.Error()
		} else {
			out, problem = demux(t, c.end())
		}
		r.until("the end of the exec", func() string {
			in, err := r.Containers.ExecInspect(r.ctx, xid)
			if err != nil || in.Running || in.ExitCode == nil {
				return fmt.Sprint(in, err)
			}
			code = *in.ExitCode
			return ""
		})
		if err := r.Containers.ExecStart(r.ctx, xid, ExecStartOptions{Detach: true}); !errdefs.IsConflict(err) {
			t.Errorf("started twice: %v", err)
		}
		return out, problem, code
	}
	for _, c := range []struct {
		what         string
		x            ExecOptions
		out, problem string
		code         int
	}{
		{"streams and code", ExecOptions{Cmd: []string{"sh", "-c", "echo out; echo err >&2; exit 9"}}, "out\n", "err\n", 9},
		{"environment and directory", ExecOptions{Cmd: []string{"sh", "-c", "echo $A $B $PWD $HOME"}, Env: []string{"B=exec"}}, "container exec /work/deep /root\n", "", 0},
		{"user", ExecOptions{Cmd: []string{"id"}, User: "www", WorkingDir: "/"}, "uid=33(www) gid=33(www) groups=33(www)\n", "", 0},
		{"missing", ExecOptions{Cmd: []string{"nosuch"}}, "", `exec: "nosuch": executable file not found in $PATH`, 127},
		{"not executable", ExecOptions{Cmd: []string{"/etc/noexec"}}, "", "permission denied", 126},
	} {
		out, problem, code := exec(c.x)
		if out != c.out || !strings.Contains(problem, c.problem) || code != c.code {
			t.Errorf("%s: got %q, %q, %d", c.what, out, problem, code)
		}
	}
	if _, err := r.Containers.ExecCreate(r.ctx, id, ExecOptions{}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("no command: %v", err)
	}
	xid, err := r.Containers.ExecCreate(r.ctx, id, ExecOptions{Cmd: []string{"sleep", "1000"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Containers.ExecStart(r.ctx, xid, ExecStartOptions{Detach: true}); err != nil {
		t.Fatal(err)
	}
	top, err := r.Containers.Top(r.ctx, id, "")
	if err != nil || len(top.Processes) != 2 {
		t.Errorf("processes %v, %v", top, err)
	}
	if in := r.inspect(id); len(in.ExecIDs) != 1 || in.ExecIDs[0] != xid {
		t.Errorf("execs %v", in.ExecIDs)
	}
	if err := r.Containers.Kill(r.ctx, id, "KILL"); err != nil {
		t.Fatal(err)
	}
	r.until("the exec ends with its container", func() string {
		if in, err := r.Containers.ExecInspect(r.ctx, xid); err != nil || in.Running {
			return fmt.Sprint(in, err)
		}
		return ""
	})
	if _, err := r.Containers.ExecCreate(r.ctx, id, ExecOptions{Cmd: []string{"true"}}); !errdefs.IsConflict(err) {
		t.Errorf("exec in an ended container: %v", err)
	}
}

// Clients resize a terminal as soon as the start of its exec is answered, which is before its process exists.
func TestAResizeWaitsForItsExec(t *testing.T) {
	r := newRig(t)
	id := r.run(shell("exec sleep 1000"))
	xid, err := r.Containers.ExecCreate(r.ctx, id, ExecOptions{Cmd: []string{"sleep", "1000"}, Tty: true})
	if err != nil {
		t.Fatal(err)
	}
	resized := make(chan error, 1)
	go func() { resized <- r.Containers.ExecResize(r.ctx, xid, 30, 90) }()
	if err := r.Containers.ExecStart(r.ctx, xid, ExecStartOptions{Detach: true}); err != nil {
		t.Fatal(err)
	}
	if err := <-resized; err != nil {
		t.Error(err)
	}
}

func TestFollowEndsWithTheContainer(t *testing.T) {
	r := newRig(t)
	id := r.run(shell("for i in 1 2 3; do echo $i; sleep 0.02; done"))
	if got := r.log(id); got != "1\n2\n3\n" {
		t.Errorf("got %q", got)
	}
	o := shell("echo x")
	o.HostConfig.LogConfig = container.LogConfig{Type: "none"}
	id = r.run(o)
	r.exit(id)
	if err := r.Containers.Logs(r.ctx, id, LogsOptions{Stdout: true}, &text{}); !errdefs.IsNotImplemented(err) {
		t.Errorf("without a log: %v", err)
	}
}
