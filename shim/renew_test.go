package shim_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"berth/shim"
)

// renewed tells whether a shim has become a fresh image of itself.
func renewed(c *shim.Client) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", c.ShimPID()))
	return err == nil && strings.Count(string(line), "\x00") == 3
}

// A shim that became a fresh image does all that the first could, and nobody noticed.
func TestRenewed(t *testing.T) {
	b := newBench(t)
	cfg := b.config(`printf 'no end of line'; read x; echo " got $x"; echo err >&2; read x; exit 21`)
	cfg.OpenStdin = true
	c := b.run(cfg)
	waited := make(chan shim.Exit, 1)
	go func() {
		x, err := c.Wait(b.ctx())
		if err != nil {
			t.Error(err)
		}
		waited <- x
	}()
	before, err := c.Info()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := errors.Join(c.Keep("pipe", r, w), c.Keep("forgotten", r), c.Keep("forgotten"), w.Close()); err != nil {
		t.Fatal(err)
	}
	b.until("it is fresh", func() bool { return renewed(c) })
	kept, err := c.Kept("pipe")
	if err != nil || len(kept) != 2 {
		t.Fatalf("kept are %v, %v", kept, err)
	}
	if _, err := kept[1].WriteString("kept"); err != nil {
		t.Error(err)
	}
	word := make([]byte, 4)
	if _, err := io.ReadFull(kept[0], word); err != nil || string(word) != "kept" {
		t.Errorf("what was kept reads %q, %v", word, err)
	}
	if err := errors.Join(kept[0].Close(), kept[1].Close()); err != nil {
		t.Error(err)
	}
	if _, err := c.Kept("forgotten"); !errdefs.IsNotFound(err) {
		t.Errorf("what was forgotten: %v", err)
	}
	after, err := c.Info()
	if err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("info was %+v, is %+v, %v", before, after, err)
	}
	unix.Kill(c.ShimPID(), unix.SIGTERM) // it still does not mind
	term := b.attach(c, shim.AttachOptions{Stdin: true, Stdout: true})
	term.write("word\n")
	term.expect(" got word\n")
	if out, _ := demux(t, b.exec(c, shim.ExecConfig{ID: "x", Process: process("echo hello")}).all()); out != "hello\n" {
		t.Errorf("exec says %q", out)
	}
	b.execExit(c, "x")
	if err := c.Pause(); err != nil {
		t.Error(err)
	}
	if err := c.Resume(); err != nil {
		t.Error(err)
	}
	for _, get := range []func() (*os.File, error){c.RootFD, c.NetNS} {
		f, err := get()
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	term.write("end\n")
	if x := <-waited; x.Status != 21 || !x.StartedAt.Equal(before.StartedAt) {
		t.Errorf("exit is %+v", x)
	}
	if out, errs := logText(t, "stdout", cfg.Log.Path), logText(t, "stderr", cfg.Log.Path); out != "no end of line got word\n" || errs != "err\n" {
		t.Errorf("log has %q and %q", out, errs)
	}
}

// A terminal goes along, and a container that is only parked can still be started.
func TestRenewedTerminal(t *testing.T) {
	b := newBench(t)
	cfg := b.config("read x; stty size; exit 22")
	cfg.Tty, cfg.OpenStdin, cfg.ConsoleSize = true, true, [2]uint{30, 90}
	cfg.Spec.Process.Terminal = true
	c := b.create(cfg)
	b.until("it is fresh", func() bool { return renewed(c) })
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	term := b.attach(c, shim.AttachOptions{Stdin: true, Stdout: true})
	if err := c.Resize(31, 91); err != nil {
		t.Error(err)
	}
	term.write("\n")
	term.expect("31 91\r\n")
	if x := b.exit(c); x.Status != 22 {
		t.Errorf("exit is %+v", x)
	}
}

// No byte of output is lost or doubled while the shim becomes a fresh image again and
// again.
func TestRenewedUnderOutput(t *testing.T) {
	b := newBench(t)
	cfg := b.config(`i=0; while [ $i -lt 1500 ]; do echo $i; printf $i. >&2; i=$((i+1)); [ $((i%3)) = 0 ] && sleep 0.002; done`)
	c := b.run(cfg)
	// An exec that ends makes the shim renew itself.
	for i := range 4 {
		id := fmt.Sprint(i)
		if _, err := c.Exec(shim.ExecConfig{ID: id, Process: process("true")}, nil); err != nil {
			break // the container has ended
		}
		c.WaitExec(b.ctx(), id)
		b.until("it is fresh, or over", func() bool { i, err := c.Info(); return renewed(c) || err != nil || i.Status == shim.StatusStopped })
	}
	if x := b.exit(c); x.Status != 0 {
		t.Errorf("exit is %+v", x)
	}
	var out, errs strings.Builder
	for i := range 1500 {
		fmt.Fprintln(&out, i)
		fmt.Fprintf(&errs, "%d.", i)
	}
	if got := logText(t, "stdout", cfg.Log.Path); got != out.String() {
		t.Errorf("stdout has %d bytes, not %d", len(got), out.Len())
	}
	if got := logText(t, "stderr", cfg.Log.Path); got != errs.String() {
		t.Errorf("stderr has %d bytes, not %d", len(got), errs.Len())
	}
}

// The shim of a container that is killed while the shim becomes a fresh image knows its
// exit.
func TestRenewedAtTheEnd(t *testing.T) {
	b := newBench(t)
	for range 3 {
		c := b.run(b.config("sleep 0.3; exit 23")) // just when the shim falls idle
		if x := b.exit(c); x.Status != 23 {
			t.Errorf("exit is %+v", x)
		}
	}
}
