package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// alone is where the runtimes run: old versions of crun fail on a hybrid machine,
// where a v2 hierarchy stands beside the v1 ones.
var alone = []string{"unshare", "-m", "sh", "-c", `umount -l /sys/fs/cgroup/unified 2>/dev/null; exec "$@"`, "sh"}

// runtimes measures what is done to one container with an OCI runtime.
func (b *bench) runtimes(ctx context.Context) error {
	ends, sleeps := filepath.Join(b.dir, "ends"), filepath.Join(b.dir, "sleeps")
	if err := errors.Join(b.makeBundle(ctx, ends, "true"), b.makeBundle(ctx, sleeps, "sleep", "1000000")); err != nil {
		return err
	}
	names := []string{"berth"}
	for _, peer := range []string{"runc", "crun"} {
		if _, err := exec.LookPath(peer); err == nil {
			names = append(names, peer)
		}
	}
	crun := func(r *result) { r.goal, r.met = ratio("crun", 1) }
	all := []struct {
		what  string
		goal  func(r *result)
		value func(taken) float64
		unit  string
		steps func(call func(...string) step, pid string) script
	}{
		{"runtime run true", crun, milliseconds, "", func(call func(...string) step, _ string) script {
			return script{Timed: []step{call("run", "--bundle", ends, "{}")}}
		}},
		{"runtime create, start, kill, delete", crun, milliseconds, "", func(call func(...string) step, pid string) script {
			return script{Timed: []step{
				call("create", "--bundle", sleeps, "--pid-file", pid, "{}"), call("start", "{}"),
				// The end is waited for, as only a stopped container can be deleted.
				call("kill", "{}", "KILL"), {reap, pid}, call("delete", "{}"),
			}}
		}},
		{"runtime exec true", crun, milliseconds, "", func(call func(...string) step, pid string) script {
			return script{
				Setup: []step{call("run", "--detach", "--bundle", sleeps, "--pid-file", pid, "idle")},
				Timed: []step{call("exec", "idle", "true")}, Finish: []step{call("delete", "--force", "idle")},
			}
		}},
		{"runtime run, memory at its peak", func(r *result) { r.goal, r.met = ratio("runc", 1) }, func(t taken) float64 { return t.Peak }, "MB",
			func(call func(...string) step, _ string) script {
				return script{Timed: []step{call("run", "--bundle", ends, "{}")}}
			}},
		{"init waiting, private memory", func(r *result) { r.goal, r.met = most(1, "MB") }, func(t taken) float64 { return t.Private }, "MB",
			func(call func(...string) step, pid string) script {
				return script{Timed: []step{call("create", "--bundle", sleeps, "--pid-file", pid, "{}"), {private, pid}},
					After: []step{call("delete", "--force", "{}")}}
			}},
	}
	for _, m := range all {
		var scripts []script
		for _, name := range names {
			words := []string{name}
			if name == "berth" {
				words = []string{b.berth, "runtime"}
			}
			root := filepath.Join(b.dir, "rt-"+name)
			s := m.steps(func(verb ...string) step { return append(append(words, "--root", root), verb...) }, root+".pid")
			s.Name = name
			scripts = append(scripts, s)
		}
		found, err := loop(ctx, b.runs, alone, scripts...)
		if err != nil {
			return err
		}
		r := result{what: m.what, unit: m.unit, peers: map[string]float64{}}
		m.goal(&r)
		for i, t := range found {
			switch {
			case t.Error != "":
				if err := left(names[i], t); err != nil {
					return err
				}
			case names[i] == "berth":
				r.berth = m.value(t)
			default:
				r.peers[names[i]] = m.value(t)
			}
		}
		b.add(r)
	}
	return nil
}

func milliseconds(t taken) float64 { return median(t.Times) }

// left says that something is left out, unless that is berth.
func left(name string, t taken) error {
	if name == "berth" {
		return errors.New(t.Error)
	}
	fmt.Fprintf(os.Stderr, "%s is left out: %s\n", name, t.Error)
	return nil
}

// makeBundle writes a bundle around a static busybox, with the runtime's own
// default spec and a command.
func (b *bench) makeBundle(ctx context.Context, dir string, args ...string) error {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return fmt.Errorf("a static busybox is needed: %w", err)
	}
	bin := filepath.Join(dir, "rootfs", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	body, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(bin, "busybox"), body, 0o755); err != nil {
		return err
	}
	for _, applet := range []string{"true", "sleep"} {
		if err := os.Symlink("busybox", filepath.Join(bin, applet)); err != nil {
			return err
		}
	}
	spec := exec.CommandContext(ctx, b.berth, "runtime", "spec")
	if runc, err := exec.LookPath("runc"); err == nil {
		spec = exec.CommandContext(ctx, runc, "spec")
	}
	spec.Dir = dir
	if out, err := spec.CombinedOutput(); err != nil {
		return fmt.Errorf("writing a spec: %w: %s", err, strings.TrimSpace(string(out)))
	}
	path := filepath.Join(dir, "config.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var s map[string]any
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("reading the spec: %w", err)
	}
	process := s["process"].(map[string]any)
	process["terminal"], process["args"] = false, args
	if raw, err = json.Marshal(s); err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o644)
}
