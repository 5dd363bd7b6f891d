package engine

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"berth/engine/filter"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// inNetwork is a shell in a user-defined network.
func inNetwork(name, script string, es *network.EndpointSettings) CreateOptions {
	o := shell(script)
	if o.HostConfig == nil {
		o.HostConfig = &container.HostConfig{}
	}
	o.HostConfig.NetworkMode = container.NetworkMode(name)
	// Where nobody answers: no question of a test leaves the machine.
	o.HostConfig.DNS = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	o.NetworkingConfig = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{name: es}}
	return o
}

func (r *rig) makeNetwork(req network.CreateRequest) string {
	r.t.Helper()
	id, err := r.Networks.Create(r.ctx, req)
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// Containers of one network find each other by their names, whoever is the engine.
func TestContainersFindEachOtherByName(t *testing.T) {
	r := newRig(t)
	r.makeNetwork(network.CreateRequest{Name: "front"})
	server := inNetwork("front", "sleep 1000", &network.EndpointSettings{Aliases: []string{"db"}})
	server.Name = "server"
	id := r.run(server)
	ip := r.inspect(id).NetworkSettings.Networks["front"].IPAddress.String()
	asks := inNetwork("front", "cat /etc/resolv.conf; for n in server db "+id[:12]+" server.front; do nslookup -type=a $n | tail -n 2; done; ! nslookup nobody", nil)
	out, code := r.output(asks)
	if code != 0 || strings.Count(out, ip) != 4 || !strings.HasPrefix(out, "nameserver 127.0.0.11\n") {
		t.Errorf("looking the server (%s) up: code %d, %s", ip, code, out)
	}
	if err := r.Containers.Rename(r.ctx, "server", "renamed"); err != nil {
		t.Fatal(err)
	}
	asks.Config.Cmd[2] = strings.ReplaceAll(asks.Config.Cmd[2], "server", "renamed")
	r.close()
	r.open()
	if out, code := r.output(asks); code != 0 || strings.Count(out, ip) != 4 {
		t.Errorf("with the next engine: code %d, %s", code, out)
	}
}

func TestConnectAndDisconnect(t *testing.T) {
	r := newRig(t)
	front := r.makeNetwork(network.CreateRequest{Name: "front"})
	r.makeNetwork(network.CreateRequest{Name: "back", Internal: true})
	server := inNetwork("back", "sleep 1000", nil)
	server.Name = "server"
	r.run(server)
	id := r.run(inNetwork("bridge", "until grep -q 127.0.0.11 /etc/resolv.conf; do sleep 0.1; done; f() { nslookup -type=a server | grep -q ^Name; }; until f; do sleep 0.1; done; echo found; while f; do sleep 0.1; done; cat /etc/hosts", nil))
	if err := r.Containers.Connect(r.ctx, front, id, &network.EndpointSettings{Aliases: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	if err := r.Containers.Connect(r.ctx, "back", id, nil); err != nil {
		t.Fatal(err)
	}
	nets := r.inspect(id).NetworkSettings.Networks
	if len(nets) != 3 || !nets["front"].IPAddress.IsValid() || nets["back"].Gateway.IsValid() || nets["front"].NetworkID != front {
		t.Errorf("connected to %v", nets)
	}
	if err := r.Containers.Connect(r.ctx, "back", id, nil); !errdefs.IsPermissionDenied(err) {
		t.Errorf("connecting twice: %v", err)
	}
	if err := r.Networks.Remove(r.ctx, "back"); !errdefs.IsPermissionDenied(err) {
		t.Errorf("removing a network in use: %v", err)
	}
	r.until("it finds the server", func() string {
		if !strings.Contains(r.logSoFar(id), "found") {
			return "not found"
		}
		return ""
	})
	if err := r.Containers.Disconnect(r.ctx, "back", id); err != nil {
		t.Fatal(err)
	}
	if code := r.exit(id); code != 0 {
		t.Errorf("exit %d: %s", code, r.log(id))
	}
	if log := r.log(id); strings.Count(log[strings.LastIndex(log, "localhost"):], id[:12]) != 2 {
		t.Errorf("its hosts file has not two lines of it: %s", log)
	}
	// One that does not run joins with its next start.
	if err := r.Containers.Connect(r.ctx, "back", id, &network.EndpointSettings{Aliases: []string{"first"}}); err != nil {
		t.Fatal(err)
	}
	if err := r.Containers.Connect(r.ctx, "back", id, nil); err != nil {
		t.Errorf("connecting twice what does not run: %v", err)
	}
	if back := r.inspect(id).NetworkSettings.Networks["back"]; !slices.Equal(back.Aliases, []string{"first"}) {
		t.Errorf("the second connect left it the aliases %q", back.Aliases)
	}
	if err := r.Containers.Disconnect(r.ctx, "bridge", id); err != nil {
		t.Fatal(err)
	}
	r.start(id)
	if nets := r.inspect(id).NetworkSettings.Networks; len(nets) != 2 || !nets["back"].IPAddress.IsValid() {
		t.Errorf("after the next start it is in %v", nets)
	}
	missing := func(err error) bool {
		return err != nil && strings.Contains(err.Error(), "is not connected to network")
	}
	host, err := r.Networks.Inspect(r.ctx, "host")
	if err != nil {
		t.Fatal(err)
	}
	for ref, is := range map[string]func(error) bool{"bridge": missing, "nowhere": errdefs.IsNotFound, "host": errdefs.IsInvalidArgument, host.ID: errdefs.IsInvalidArgument} {
		if err := r.Containers.Disconnect(r.ctx, ref, id); !is(err) {
			t.Errorf("leaving %s: %v", ref, err)
		}
	}
}

func TestPruneNetworks(t *testing.T) {
	r := newRig(t)
	r.makeNetwork(network.CreateRequest{Name: "used"})
	r.makeNetwork(network.CreateRequest{Name: "kept", Labels: map[string]string{"keep": ""}})
	r.makeNetwork(network.CreateRequest{Name: "free"})
	r.create(inNetwork("used", "true", nil))
	names, err := r.Networks.Prune(r.ctx, filter.Args{"label!": {"keep"}})
	if err != nil || strings.Join(names, " ") != "free" {
		t.Errorf("pruned %v, %v", names, err)
	}
	if names, err = r.Networks.Prune(r.ctx, filter.Args{"until": {"1h"}}); err != nil || len(names) != 0 {
		t.Errorf("pruned what is older than an hour: %v, %v", names, err)
	}
}

func TestNoNetworkHasLoopback(t *testing.T) {
	r := newRig(t)
	// IFF_UP and IFF_LOOPBACK
	got, code := r.output(shell("cat /sys/class/net/lo/flags; ls /sys/class/net; grep -c localhost /etc/hosts"))
	if want := "0x9\nlo\n2\n"; got != want || code != 0 {
		t.Errorf("got %q, %d; want %q", got, code, want)
	}
}
