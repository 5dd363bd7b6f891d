package engine

import (
	"testing"

	"github.com/moby/moby/api/types/network"
)

// Names that no container may have are good enough for networks, and what a client says to
// the driver of addresses it can read again, after a restart, too.
func TestNamesAndAddressOptionsOfNetworks(t *testing.T) {
	r := newRig(t)
	const name = "-my net/ü"
	if _, err := r.Networks.Create(r.ctx, network.CreateRequest{Name: name, IPAM: &network.IPAM{Options: map[string]string{"k": "v"}}}); err != nil {
		t.Fatal(err)
	}
	r.close()
	r.open()
	got, err := r.Networks.Inspect(r.ctx, name)
	if err != nil || got.Name != name || got.IPAM.Options["k"] != "v" {
		t.Errorf("%+v, %v", got, err)
	}
	o := shell("true")
	o.HostConfig.NetworkMode = name
	if _, code := r.output(o); code != 0 {
		t.Errorf("a container in it ended with %d", code)
	}
	if err := r.Networks.Remove(r.ctx, name); err != nil {
		t.Error(err)
	}
}
