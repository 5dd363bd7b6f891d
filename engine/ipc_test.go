package engine

import (
	"os"
	"strings"
	"testing"
)

func TestSharedMemoryOfAnotherContainer(t *testing.T) {
	r := newRig(t)
	donor := shell("echo mine >/dev/shm/note; readlink /proc/self/ns/ipc; exec sleep 1000")
	donor.Name, donor.HostConfig.IpcMode = "donor", "shareable"
	id := r.run(donor)
	var ns string
	r.until("the donor tells its namespace", func() string {
		var said text
		if err := r.Containers.Logs(r.ctx, id, LogsOptions{Stdout: true, Tail: -1}, &said); err != nil {
			t.Fatal(err)
		}
		ns = said.out.String()
		if !strings.HasPrefix(ns, "ipc:") {
			return "it said " + ns
		}
		return ""
	})
	second := shell("readlink /proc/self/ns/ipc; cat /dev/shm/note; grep ' /dev/shm ' /proc/self/mountinfo | grep -c noexec")
	second.HostConfig.IpcMode = "container:donor"
	if got, code := r.output(second); got != ns+"mine\n1\n" || code != 0 {
		t.Errorf("got %q, %d", got, code)
	}
	if err := r.Containers.Kill(r.ctx, id, ""); err != nil {
		t.Fatal(err)
	}
	r.exit(id)
	if _, err := os.Stat(r.Containers.shmDir(id)); err == nil {
		t.Error("its shared memory stays")
	}
	private := shell("exec sleep 1000")
	private.Name = "private"
	r.run(private)
	second.HostConfig.IpcMode = "container:private"
	err := r.Containers.Start(r.ctx, r.create(second), StartOptions{})
	if err == nil || !strings.Contains(err.Error(), "non-shareable IPC (hint: use IpcMode:shareable for the donor container)") {
		t.Errorf("got %v", err)
	}
}

// The engine that made the mount may be gone when the container ends.
func TestSharedMemoryGoesWithAContainerThatEndsWithoutAnEngine(t *testing.T) {
	r := newRig(t)
	donor := shell("exec sleep 1000")
	donor.HostConfig.IpcMode = "shareable"
	id := r.run(donor)
	pid, dir := r.inspect(id).State.Pid, r.Containers.shmDir(id)
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	r.close()
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	r.open()
	r.exit(id)
	if _, err := os.Stat(dir); err == nil {
		t.Error("its shared memory stays")
	}
}
