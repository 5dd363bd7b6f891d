package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"berth/engine/events"
	"berth/shim"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// victimEnv makes the test binary an engine on the directory that it names,
// doing what its standard input says until it is killed.
const victimEnv = "BERTH_TEST_VICTIM"

// order is a line of the victim's input: a container to create, and to start; or a
// Dockerfile to build.
type order struct {
	Create CreateOptions
	Start  bool
	Build  string
}

// victim serves orders and answers each with the container's ID or an error.
func victim(dir string) {
	e, err := Open(context.Background(), testConfig(dir))
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var o order
		err := json.Unmarshal(in.Bytes(), &o)
		if o.Build != "" {
			buildVictim(e, o.Build)
			continue
		}
		var resp container.CreateResponse
		switch o.Create.Name {
		case churnOrder:
			churn(e)
		case churnMountsOrder:
			churnMounts(e)
		}
		if err == nil {
			resp, err = e.Containers.Create(context.Background(), o.Create)
		}
		if err == nil && o.Start {
			err = e.Containers.Start(context.Background(), resp.ID, StartOptions{})
		}
		if err != nil {
			fmt.Println("error:", err)
			continue
		}
		fmt.Println(resp.ID)
	}
	select {} // to be killed
}

// doomed is an engine in another process.
type doomed struct {
	t   testing.TB
	cmd *exec.Cmd
	in  *json.Encoder
	out *bufio.Scanner
}

// startDoomed replaces the rig's engine by one in another process.
func (r *rig) startDoomed() *doomed {
	r.t.Helper()
	r.close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env, cmd.Stderr = append(os.Environ(), victimEnv+"="+r.dir), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	d := &doomed{t: r.t, cmd: cmd, in: json.NewEncoder(in), out: bufio.NewScanner(out)}
	r.t.Cleanup(d.kill)
	if line := d.line(); line != "ready" {
		r.t.Fatal(line)
	}
	return d
}

func (d *doomed) line() string {
	d.t.Helper()
	if !d.out.Scan() {
		d.t.Fatal("the engine to be killed is gone already")
	}
	return d.out.Text()
}

func (d *doomed) run(o CreateOptions, start bool) string {
	d.t.Helper()
	if err := d.in.Encode(order{Create: o, Start: start}); err != nil {
		d.t.Fatal(err)
	}
	id := d.line()
	if strings.HasPrefix(id, "error:") {
		d.t.Fatal(id)
	}
	return id
}

// kill is SIGKILL; the second time it does nothing.
func (d *doomed) kill() {
	if d.cmd.ProcessState == nil {
		d.cmd.Process.Kill()
		_ = d.cmd.Wait() // "signal: killed"
	}
}

func TestEngineKilledUnderRunningContainers(t *testing.T) {
	r := newRig(t)
	d := r.startDoomed()

	counter := shell("i=0; while :; do i=$((i+1)); echo $i; sleep 0.002; done")
	counter.Name = "counter"
	counting := d.run(counter, true)
	echo := shell("cat")
	echo.Config.OpenStdin = true
	talking := d.run(echo, true)
	ending := d.run(shell("while [ ! -e /tmp/go ]; do sleep 0.01; done; exit 42"), true)
	auto := shell("while [ ! -e /tmp/go ]; do sleep 0.01; done")
	auto.HostConfig.AutoRemove = true
	vanishing := d.run(auto, true)
	policy := shell("echo up; exec sleep 1000")
	policy.HostConfig.RestartPolicy.Name = "always"
	restarting := d.run(policy, true)
	created := d.run(shell("true"), false)

	d.kill()
	// While no engine is there: two containers end, and one loses its shim.
	for _, id := range []string{ending, vanishing} {
		client, err := shim.Connect(r.ctx, r.dir+"/state/shim/"+id)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/root/tmp/go", client.PID()), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r.until("the end of "+id, func() string {
			if _, err := os.Stat(r.dir + "/state/shim/" + id); err == nil {
				return "its shim lives"
			}
			return ""
		})
	}
	if err := unix.Kill(r.shimPID(restarting), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	open := time.Now()
	r.open()

	for _, id := range []string{ending, vanishing, restarting} {
		sub := r.Events.Subscribe(events.Options{Since: open})
		r.actions(sub, id, "die")
		sub.Close()
	}
	if s := r.inspect("counter").State; !s.Running || s.Pid == 0 {
		t.Errorf("the counter: %+v", s)
	}
	if s := r.inspect(ending).State; s.Status != "exited" || s.ExitCode != 42 {
		t.Errorf("what ended meanwhile: %+v", s)
	}
	if _, err := r.Containers.Inspect(r.ctx, vanishing, false); !errdefs.IsNotFound(err) {
		t.Errorf("an auto-remove container that ended meanwhile: %v", err)
	}
	if s := r.inspect(created).State; s.Status != "created" {
		t.Errorf("what was created only: %+v", s)
	}
	r.until("the restart after the loss of a shim", func() string {
		if s := r.inspect(restarting).State; s.Status != "running" {
			return string(s.Status)
		}
		return ""
	})
	c, conn := r.pipe()
	if err := r.Containers.Attach(r.ctx, talking, AttachOptions{Stream: true, Stdin: true, Stdout: true, Conn: conn}); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := c.conn.WriteString("still there?\n"); err != nil {
		t.Fatal(err)
	}
	r.until("the answer", func() string {
		if c.text() != "still there?\n" {
			return c.text()
		}
		return ""
	})
	if err := r.Containers.Kill(r.ctx, "counter", "KILL"); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(r.log(counting)), "\n")
	for i, line := range lines {
		if line != fmt.Sprint(i+1) {
			t.Fatalf("line %d of the log is %q: a gap", i+1, line)
		}
	}
	if len(lines) < 3 {
		t.Errorf("a log of %d lines", len(lines))
	}
}

// shimPID finds a shim by its command line.
func (r *rig) shimPID(id string) int {
	r.t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		if b, err := os.ReadFile("/proc/" + e.Name() + "/cmdline"); err == nil && string(b) == "berth-shim\x00"+id+"\x00" {
			var pid int
			if _, err := fmt.Sscan(e.Name(), &pid); err == nil {
				return pid
			}
		}
	}
	r.t.Fatalf("no shim of %s", id)
	return 0
}

// TestEngineKilledAtAnyInstant kills engines in the middle of creates, starts
// and removals, wherever that is.
func TestEngineKilledAtAnyInstant(t *testing.T) {
	r := newRig(t)
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	for round := range rounds {
		d := r.startDoomed()
		o := shell("sleep 0.01")
		o.HostConfig.AutoRemove = true
		for range round % 3 {
			d.run(o, true)
		}
		for range 3 {
			if err := d.in.Encode(order{Create: o, Start: true}); err != nil {
				t.Fatal(err)
			}
		}
		if round%2 == 0 {
			d.line()
		}
		d.kill()
		r.open()
		r.until("everything that runs ends and goes", func() string {
			for _, c := range r.Containers.all() {
				if s := c.snapshot().State; s.status(false) != container.StateCreated {
					return c.id + " is " + string(s.status(false))
				}
			}
			return ""
		})
	}
}

func TestTwoEngines(t *testing.T) {
	r := newRig(t)
	if _, err := Open(r.ctx, testConfig(r.dir)); !errdefs.IsUnavailable(err) {
		t.Errorf("a second engine on the same root: %v", err)
	}
	for what, cfg := range map[string]Config{
		"another root with the same state": {Root: r.dir + "/root2", State: r.dir + "/state"},
		"another state with the same root": {Root: r.dir + "/root", State: r.dir + "/state2"},
	} {
		if _, err := Open(r.ctx, cfg); !errdefs.IsUnavailable(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, cfg := range []Config{{}, {Root: "relative", State: "/x"}, {Root: r.dir + "/a:b", State: r.dir + "/s"}} {
		if _, err := Open(r.ctx, cfg); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	// The first is unharmed.
	if _, code := r.output(shell("true")); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
