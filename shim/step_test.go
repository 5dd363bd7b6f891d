package shim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"berth/runtime/steptest"
	"berth/shim"
)

// lifeEnv makes the test binary an engine that leads the container whose
// configuration is in that file through its whole life, and ends.
const lifeEnv = "BERTH_SHIM_TEST_LIFE"

func init() {
	path := os.Getenv(lifeEnv)
	if path == "" {
		return
	}
	if err := life(path); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func life(path string) error {
	var cfg shim.Config
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &cfg)
	}
	if err != nil {
		return err
	}
	self, err := shim.NewExecutable("")
	if err != nil {
		return err
	}
	ctx := context.Background()
	c, err := shim.Start(ctx, self, cfg)
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	if _, err := c.Exec(shim.ExecConfig{ID: "x", Process: process("exit 3")}, nil); err != nil {
		return err
	}
	x, err := c.WaitExec(ctx, "x")
	if err != nil || x.Status != 3 {
		return fmt.Errorf("exec ended with %+v, %w", x, err)
	}
	if err := errors.Join(c.Pause(), c.Resume(), c.Kill(unix.SIGKILL, false)); err != nil {
		return err
	}
	_, err = c.Wait(ctx)
	return err
}

// TestShimDiesAtAnyStep kills the shim at its system calls, from its start to the
// end of its container. Reap leaves nothing. BERTH_CRASH_STEPS is how many of some
// two thousand are tried.
func TestShimDiesAtAnyStep(t *testing.T) {
	b := newBench(t)
	all := b.step(0)
	if all.Killed || all.Status.ExitStatus() != 0 || all.Steps < 100 {
		t.Fatalf("a life that nobody ends: %+v", all)
	}
	for _, at := range steptest.Points(all.Steps, steptest.Count(12)) {
		if b.step(at); t.Failed() {
			t.Fatalf("killed at step %d", at)
		}
	}
	t.Logf("%d system calls", all.Steps)
}

// step leads a container through a life in which its shim is killed.
func (b *bench) step(at int) steptest.Result {
	b.t.Helper()
	cfg := b.config("echo up; sleep 1000")
	data, err := json.Marshal(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	path := filepath.Join(b.dir, cfg.ID, "config")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(b.dir, cfg.ID, "out"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), lifeEnv+"="+path)
	cmd.Stdout, cmd.Stderr = out, out
	r, err := steptest.Run(cmd, steptest.Child, at)
	if err != nil {
		b.t.Fatal(err)
	}
	if r.Killed {
		// A record is whole, or is not there.
		if x, err := shim.ReadExit(cfg.ExitPath); err != nil && !errdefs.IsNotFound(err) || err == nil && x.Status != 137 {
			b.t.Errorf("the exit record is %+v, %v", x, err)
		}
		if err := shim.Reap(b.ctx(), cfg.Dir, cfg.RuntimeRoot, cfg.ID); err != nil {
			b.t.Error(err)
		}
		_ = os.Remove(cfg.MountPoint) // as the engine does with the container
	} else if text, err := os.ReadFile(out.Name()); err != nil || len(text) > 0 {
		b.t.Errorf("the engine says %q, %v", text, err)
	}
	b.assertNothingLeft()
	return r
}
