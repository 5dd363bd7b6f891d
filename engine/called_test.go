package engine

import (
	"testing"

	"github.com/moby/moby/api/types/network"
)

func TestNamesThatContainersHave(t *testing.T) {
	r := newRig(t)
	r.makeNetwork(network.CreateRequest{Name: "front"})
	o := inNetwork("front", "true", &network.EndpointSettings{Aliases: []string{"Cache"}})
	o.Name = "db.one"
	id := r.create(o) // it need not run
	alone := shell("true")
	alone.Name = "alone"
	r.create(alone)
	for name, want := range map[string]bool{"db.one": true, "cache": true, id[:12]: true, "alone": false, "example.com": false, "cache.front": false} {
		if got := r.Engine.called(name); got != want {
			t.Errorf("%s is a container's: %v", name, got)
		}
	}
}
