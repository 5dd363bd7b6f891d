package network

import (
	"net"
	"testing"

	"github.com/vishvananda/netlink"
)

// The namespace of a container that has ended lives on while a connection of it waits;
// what it still sends must not draw to it what is for the next one with its address.
func TestTheDeadDoNotAnswer(t *testing.T) {
	f := newFixture(t)
	dead, next := newSandbox(t), newSandbox(t)
	ed := attach(t, f, "dead", dead)
	if err := f.Detach(t.Context(), "dead"); err != nil {
		t.Fatal(err)
	}
	en := attach(t, f, "next", next)
	if en.IP != ed.IP || en.MAC != ed.MAC {
		t.Fatalf("the next container has %s (%s), not the address of the one before, %s (%s)", en.IP, en.MAC, ed.IP, ed.MAC)
	}
	serve(t, next, "next")
	inside(t, dead, func() (struct{}, error) {
		c, err := net.Dial("udp4", ed.Gateway.String()+":9")
		if err == nil {
			c.Write([]byte("still here"))
			err = c.Close()
		}
		return struct{}{}, err
	})
	if got, err := read(en.IP.String() + ":80"); err != nil || got != "next from "+en.Gateway.String() {
		t.Errorf("the host reads %q, %v", got, err)
	}
	// And nothing of it stays when the networks go.
	if err := f.Detach(t.Context(), "next"); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*Endpoint{&ed, &en} {
		if _, err := netlink.LinkByName(f.vethName(e)); err == nil {
			t.Errorf("%s is left", f.vethName(e))
		}
	}
}
