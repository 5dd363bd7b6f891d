package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// ctr shows the same beside an engine that works, and after one that was killed.
func TestCtrNeedsNoEngine(t *testing.T) {
	needBusybox(t)
	r := newRig(t)
	r.berth("image", "starter")
	id := r.berth("run", "-d", "--name", "sleeper", "--network", "none", "busybox", "sleep", "1000")
	look := func() string {
		t.Helper()
		var all []string
		for _, verb := range []string{"content ls -q", "images ls", "containers ls -q", "snapshots ls", "snapshots tree", "snapshots usage", "tasks ls", "tasks ps " + id[:8], "leases ls"} {
			all = append(all, "== "+verb, r.berth(append([]string{"ctr"}, strings.Fields(verb)...)...))
		}
		return strings.Join(all, "\n")
	}
	beside := look()
	for _, want := range []string{"sha256:", "busybox:latest", id, "container/" + id, ` \_ container/` + id, "RUNNING", "sleep 1000"} {
		if !strings.Contains(beside, want) {
			t.Errorf("%q is not in\n%s", want, beside)
		}
	}
	mounts := r.berth("ctr", "snapshots", "mounts", "/mnt", "container/"+id)
	if !strings.HasPrefix(mounts, "mount -t overlay overlay /mnt -o ") || !strings.Contains(mounts, "upperdir="+r.conf.Root) {
		t.Errorf("mounts: %s", mounts)
	}
	if info := r.berth("ctr", "snapshots", "info", "container/"+id); !strings.Contains(info, `"Dir": "`+r.conf.Root) {
		t.Errorf("info: %s", info)
	}
	blob, _, _ := strings.Cut(r.berth("ctr", "content", "ls", "-q"), "\n")
	if got := r.berth("ctr", "content", "get", blob); got == "" {
		t.Errorf("blob %s is empty", blob)
	}
	none := "sha256:" + strings.Repeat("0", 64)
	if _, code, msg := r.try("ctr", "content", "get", none); code == 0 || !strings.Contains(msg, "no blob "+none) {
		t.Errorf("%d, %s", code, msg)
	}
	for _, pid := range r.processes("serve") {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	r.until("the engine is gone", func() bool { return len(r.processes("serve")) == 0 })
	if after := look(); after != beside {
		t.Errorf("without the engine:\n%s\nbeside it:\n%s", after, beside)
	}
	if len(r.processes("serve")) > 0 {
		t.Error("ctr has started an engine")
	}
	r.berth("ctr", "tasks", "kill", "-s", "KILL", id[:12])
	r.until("the task is gone", func() bool { return r.berth("ctr", "tasks", "ls", "-q") == "" })
}

func TestCtrWhereThereIsNothing(t *testing.T) {
	r := newRig(t)
	if _, code, msg := r.try("ctr", "content", "ls"); code == 0 || !strings.Contains(msg, "there is no store in "+r.conf.Root) {
		t.Errorf("%d, %s", code, msg)
	}
	if got := r.berth("ctr", "tasks", "ls"); got != "TASK      PID       SHIM      STATUS" {
		t.Errorf("%q", got)
	}
	if _, code, msg := r.try("ctr", "tasks", "kill", "x"); code == 0 || !strings.Contains(msg, "no task x") {
		t.Errorf("%d, %s", code, msg)
	}
	// Looking makes nothing.
	if err := os.MkdirAll(r.conf.Root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.conf.Root, "meta.db"), []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, code, msg := r.try("ctr", "images", "ls"); code == 0 || !strings.Contains(msg, "meta.db") {
		t.Errorf("%d, %s", code, msg)
	}
	if entries, err := os.ReadDir(r.conf.Root); err != nil || len(entries) != 1 {
		t.Errorf("in the root are %v, %v", entries, err)
	}
	if err := os.RemoveAll(r.conf.Root); err != nil {
		t.Fatal(err)
	}
}
