package engine

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

func TestJoinNamespaces(t *testing.T) {
	r := newRig(t)
	first := shell("echo mine >/etc/hosts; readlink /proc/self/ns/net; readlink /proc/self/ns/pid; exec sleep 1000")
	first.Name = "first"
	id := r.run(first)
	var want string
	r.until("the first tells its namespaces", func() string {
		var said text
		if err := r.Containers.Logs(r.ctx, id, LogsOptions{Stdout: true, Tail: -1}, &said); err != nil {
			t.Fatal(err)
		}
		if want = said.out.String(); strings.Count(want, "\n") < 2 {
			return "it said " + want
		}
		return ""
	})
	second := shell("readlink /proc/self/ns/net; readlink /proc/self/ns/pid; cat /etc/hosts")
	second.HostConfig.NetworkMode, second.HostConfig.PidMode = "container:first", "container:first"
	if got, code := r.output(second); got != want+"mine\n" || code != 0 {
		t.Errorf("got %q, %d, want %q", got, code, want)
	}
	if err := r.Containers.Kill(r.ctx, id, ""); err != nil {
		t.Fatal(err)
	}
	for what, edit := range map[string]func(*container.HostConfig){
		"cannot join network namespace of a non running container: " + id:   func(hc *container.HostConfig) { hc.NetworkMode = "container:first" },
		"failed to join PID namespace: container " + id + " is not running": func(hc *container.HostConfig) { hc.PidMode = "container:first" },
	} {
		third := shell("true")
		edit(third.HostConfig)
		if err := r.Containers.Start(r.ctx, r.create(third), StartOptions{}); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("of one that ended: %v", err)
		}
	}
}

// Another process, which got the number of the container's, is not the container.
func TestOpenProcessKnowsItsContainer(t *testing.T) {
	if f, err := openProcess(os.Getpid(), newID(), "ns/net"); !errors.Is(err, unix.ESRCH) {
		t.Errorf("a process of the host: %v, %v", f, err)
	}
	if f, err := openProcess(1<<30, newID(), "ns/net"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no process: %v, %v", f, err)
	}
	none := namespaces{}
	if p := none.path("net"); p != "" {
		t.Errorf("nothing joined: %q", p)
	}
	if n, err := (&Containers{}).join(&container.HostConfig{}); err != nil || n.network != nil {
		t.Errorf("nothing asked: %+v, %v", n, err)
	}
}

// A reference to a container that is not there yet stays a name, so that two can name each other.
func TestNetworksOfEachOther(t *testing.T) {
	r := newRig(t)
	o := shell("true")
	o.Name, o.HostConfig.NetworkMode = "one", "container:two"
	a := r.create(o)
	o.Name, o.HostConfig.NetworkMode = "two", "container:one"
	b := r.create(o)
	if got := r.Containers.networkOwner(record{ID: a, HostConfig: &container.HostConfig{NetworkMode: "container:two"}}); got.ID != a && got.ID != b {
		t.Errorf("the owner is %q", got.ID)
	}
	if err := r.Containers.Start(r.ctx, a, StartOptions{}); err == nil {
		t.Error("a container of no network started")
	}
}
