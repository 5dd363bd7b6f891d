package engine

import (
	"strings"
	"testing"

	busevents "berth/engine/events"
	"berth/engine/registry"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
)

func TestReload(t *testing.T) {
	r := newRig(t)
	before := r.run(shell("ulimit -n; cat /proc/1/comm; exec sleep 1000"))
	sub := r.Events.Subscribe(busevents.Options{})
	defer sub.Close()
	err := r.Reload(Settings{
		LogDriver: "local", LogOpts: map[string]string{"max-file": "2"}, ShmSize: 1 << 20, IpcMode: "shareable",
		Ulimits: []*units.Ulimit{{Name: "nofile", Soft: 333, Hard: 444}}, Labels: []string{"rack=3"},
	}, registry.Config{Mirrors: []string{"https://mirror.example"}})
	if err != nil {
		t.Fatal(err)
	}
	for {
		msg, err := sub.Next(r.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if msg.Type != events.DaemonEventType {
			continue
		}
		if a := msg.Actor.Attributes; msg.Action != events.ActionReload || a["labels"] != `["rack=3"]` || a["registry-mirrors"] != `["https://mirror.example"]` || a["default-shm-size"] != "1048576" {
			t.Errorf("event %+v", msg)
		}
		break
	}
	info, err := r.Info(r.ctx)
	if err != nil || info.LoggingDriver != "local" || len(info.Labels) != 1 || len(info.RegistryConfig.Mirrors) != 1 {
		t.Errorf("info: %+v, %v", info, err)
	}
	// A new container has the new settings, and what it says itself before them.
	o := shell("ulimit -n; grep ' /dev/shm ' /proc/mounts | grep -o size=[0-9]*k")
	id := r.run(o)
	r.exit(id)
	if got := r.log(id); !strings.HasPrefix(got, "333\nsize=1024k\n") {
		t.Errorf("got %q", got)
	}
	in := r.inspect(id)
	if in.HostConfig.LogConfig.Type != "local" || in.HostConfig.LogConfig.Config["max-file"] != "2" || in.HostConfig.IpcMode != "shareable" {
		t.Errorf("inspect: %+v", in.HostConfig.LogConfig)
	}
	o = shell("ulimit -n")
	o.HostConfig.Ulimits = []*units.Ulimit{{Name: "nofile", Soft: 77, Hard: 88}}
	if got, _ := r.output(o); got != "77\n" {
		t.Errorf("its own limit: %q", got)
	}
	// One that was there keeps what it got when it was created, and gets the rest with its next start.
	if err := r.Containers.Restart(r.ctx, before, StopOptions{Signal: "KILL"}); err != nil {
		t.Fatal(err)
	}
	r.until("the restarted container tells its limit", func() string {
		if got := r.logNow(before); !strings.Contains(got, "333\n") {
			return got
		}
		return ""
	})
	if got := r.inspect(before).HostConfig; got.LogConfig.Type != "json-file" || len(got.Ulimits) != 0 {
		t.Errorf("inspect of the old one: %+v", got)
	}
	// What is wrong changes nothing.
	if err := r.Reload(Settings{LogDriver: "fax"}, registry.Config{}); err == nil {
		t.Error("a wrong driver is taken")
	}
	if r.settings().LogDriver != "local" {
		t.Error("it counts")
	}
}

func TestSettingsAtStart(t *testing.T) {
	yes := false
	s := Settings{Init: true, NoNewPrivileges: true, DNSSearch: []string{"a"}}
	hc := &container.HostConfig{Init: &yes, SecurityOpt: []string{"no-new-privileges=false"}, DNSSearch: []string{"b"}}
	got := s.atStart(hc)
	if *got.Init || strings.Join(got.SecurityOpt, " ") != "no-new-privileges no-new-privileges=false" || got.DNSSearch[0] != "b" || len(hc.SecurityOpt) != 1 {
		t.Errorf("%+v", got)
	}
	if got := s.atStart(&container.HostConfig{}); !*got.Init || got.DNSSearch[0] != "a" {
		t.Errorf("%+v", got)
	}
}
