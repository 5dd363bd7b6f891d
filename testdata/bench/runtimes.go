package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// runtimes measures "run" of a bundle whose process is true.
func (b *bench) runtimes(ctx context.Context) error {
	bundle := filepath.Join(b.dir, "bundle")
	if err := b.makeBundle(ctx, bundle); err != nil {
		return err
	}
	argv := func(words ...string) []string {
		return append(words, "--root", filepath.Join(b.dir, "rt-"+filepath.Base(words[0])), "run", "--bundle", bundle, "{}")
	}
	wrapper := map[string][]string{
		// Old versions of crun fail on a hybrid machine, where a v2 hierarchy
		// stands beside the v1 ones.
		"crun": {"unshare", "-m", "sh", "-c", `umount -l /sys/fs/cgroup/unified 2>/dev/null; exec "$@"`, "sh"},
	}
	words := map[string][]string{"berth": {b.berth, "runtime"}}
	for _, peer := range []string{"runc", "crun"} {
		if path, err := exec.LookPath(peer); err == nil {
			words[peer] = []string{path}
		}
	}
	took := map[string][]time.Duration{}
	for range rounds {
		for _, name := range []string{"berth", "runc", "crun"} {
			if words[name] == nil {
				continue
			}
			d, err := loop(ctx, max(b.runs/rounds, 1), wrapper[name], argv(words[name]...))
			switch {
			case err != nil && name == "berth":
				return err
			case err != nil:
				fmt.Fprintf(os.Stderr, "%s is left out: %v\n", name, err)
				delete(words, name)
				delete(took, name)
			default:
				took[name] = append(took[name], d...)
			}
		}
	}
	r := result{what: "runtime run true", peers: map[string]float64{}}
	r.goal, r.met = ratio("runc", 0.6)
	for name, d := range took {
		if name == "berth" {
			r.berth = median(d)
		} else {
			r.peers[name] = median(d)
		}
	}
	b.add(r)
	return nil
}

// makeBundle writes a bundle around a static busybox, with the runtime's own
// default spec.
func (b *bench) makeBundle(ctx context.Context, dir string) error {
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
	if err := os.Symlink("busybox", filepath.Join(bin, "true")); err != nil {
		return err
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
	process["terminal"], process["args"] = false, []string{"true"}
	if raw, err = json.Marshal(s); err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o644)
}
