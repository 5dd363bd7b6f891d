package engine

import (
	"strings"
	"testing"

	"berth/engine/build"

	"github.com/moby/moby/api/types/network"
)

func TestBuildStepsFindTheirNeighboursByName(t *testing.T) {
	r := newBuildRig(t)
	r.makeNetwork(network.CreateRequest{Name: "front"})
	server := inNetwork("front", "sleep 1000", &network.EndpointSettings{Aliases: []string{"db"}})
	ip := r.inspect(r.run(server)).NetworkSettings.Networks["front"].IPAddress.String()
	out := r.mustBuild(build.Request{NetworkMode: "front"}, "FROM busybox\nRUN cat /etc/resolv.conf && nslookup -type=a db")
	if !strings.Contains(out.String(), "nameserver 127.0.0.11\n") || !strings.Contains(out.String(), "Address: "+ip) {
		t.Errorf("looking db (%s) up:\n%s", ip, out)
	}
}

func TestBuildStepsUseTheNetworkOfAContainer(t *testing.T) {
	r := newBuildRig(t)
	first := shell("echo 192.0.2.1 known >>/etc/hosts; readlink /proc/self/ns/net; exec sleep 1000")
	first.Name = "first"
	id := r.run(first)
	var ns string
	r.until("the first tells its namespace", func() string {
		ns = strings.TrimSpace(r.logged(id))
		return missing(ns, "net:[")
	})
	// One that joined another has what that has.
	second := shell("sleep 1000")
	second.Name, second.HostConfig.NetworkMode = "second", "container:first"
	r.run(second)
	for _, of := range []string{"first", "second"} {
		out := r.mustBuild(build.Request{NetworkMode: "container:" + of, NoCache: true}, "FROM busybox\nRUN readlink /proc/self/ns/net; cat /etc/hosts")
		for _, want := range []string{ns, "192.0.2.1 known"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("in the network of %s there is no %q:\n%s", of, want, out)
			}
		}
	}
	out := r.mustBuild(build.Request{NetworkMode: "container:first"}, "FROM busybox\nRUN --network=none readlink /proc/self/ns/net")
	if strings.Contains(out.String(), ns) || !strings.Contains(out.String(), "net:[") {
		t.Errorf("a step without a network has that of the build:\n%s", out)
	}
	if _, err := r.build(build.Request{NetworkMode: "container:nobody"}, "FROM busybox\nRUN true"); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("the network of nobody: %v", err)
	}
}
