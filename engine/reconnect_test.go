package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/network"
)

// reopen is an engine after another one that was killed: it sees what is recorded.
func (r *rig) reopen() {
	r.t.Helper()
	r.close()
	r.open()
}

// networksOf are the networks that a container is in, by its record and by its endpoints.
func (r *rig) networksOf(id string) (recorded, joined []string) {
	r.t.Helper()
	c, err := r.Containers.get(id)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, ep := range r.network.Endpoints(id) {
		joined = append(joined, ep.NetworkName)
	}
	slices.Sort(joined)
	recorded = networkNames(c.snapshot())
	slices.Sort(recorded)
	return recorded, joined
}

// An engine may be killed between what it does to the network and the record of
// it; the next one brings both together, and everything can be done again.
func TestInterruptedConnectDisconnectAndRename(t *testing.T) {
	r := newRig(t)
	r.makeNetwork(network.CreateRequest{Name: "front"})
	o := inNetwork("front", "sleep 1000", nil)
	o.Name = "old"
	id := r.run(o)
	r.makeNetwork(network.CreateRequest{Name: "back"})
	c, err := r.Containers.get(id)
	if err != nil {
		t.Fatal(err)
	}
	before := c.snapshot()
	steps := []struct {
		name string
		do   func() error
		want []string
	}{
		{"connect", func() error { return r.Containers.Connect(r.ctx, "back", id, nil) }, []string{"front"}},
		{"disconnect", func() error { return r.Containers.Disconnect(r.ctx, "front", id) }, nil},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if err := r.Containers.save(before); err != nil { // its record was not written
			t.Fatal(err)
		}
		r.reopen()
		if recorded, joined := r.networksOf(id); !slices.Equal(recorded, s.want) || !slices.Equal(joined, s.want) {
			t.Errorf("after a %s that was interrupted it is in %v, and should be in %v, want %v", s.name, joined, recorded, s.want)
		}
	}
	if err := r.Containers.Connect(r.ctx, "front", id, nil); err != nil {
		t.Fatal(err)
	}
	c, err = r.Containers.get(id)
	if err != nil {
		t.Fatal(err)
	}
	renamed := c.change(func(rec *record) { rec.Name = "new" })
	if err := r.Containers.save(renamed); err != nil {
		t.Fatal(err)
	}
	r.reopen()
	if out, code := r.output(inNetwork("front", "nslookup -type=a new && ! nslookup -type=a old", nil)); code != 0 {
		t.Errorf("after a rename that was interrupted: code %d, %s", code, out)
	}
}

// A container that has left its user-defined networks still asks the name server
// that its resolv.conf names, also that of the next engine.
func TestNameServerOfAContainerThatLeft(t *testing.T) {
	r := newRig(t)
	r.makeNetwork(network.CreateRequest{Name: "front"})
	id := r.run(inNetwork("bridge", "until [ -e /go ]; do sleep 0.1; done; nslookup -type=a nobody; sleep 1000", nil))
	for _, do := range []func() error{
		func() error { return r.Containers.Connect(r.ctx, "front", id, nil) },
		func() error { return r.Containers.Disconnect(r.ctx, "front", id) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	r.reopen()
	if err := r.Containers.CopyIn(r.ctx, id, "/", fileTar(t, "go", ""), CopyInOptions{}); err != nil {
		t.Fatal(err)
	}
	r.until("it has an answer", func() string {
		// SERVFAIL: the forwarder of this container does not answer.
		if log := r.logSoFar(id); !strings.Contains(log, "SERVFAIL") {
			return log
		}
		return ""
	})
}
