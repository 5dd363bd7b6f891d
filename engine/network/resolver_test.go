package network

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"
)

// lookup asks the name server of the namespace as a program in it does.
func lookup(t *testing.T, ns *os.File, network, name string) []string {
	t.Helper()
	return inside(t, ns, func() ([]string, error) {
		// The resolver opens its sockets in goroutines of its own; this one is bound
		// to a thread in the namespace.
		c, err := net.DialTimeout(network, netip.AddrPortFrom(Resolver, 53).String(), 3*time.Second)
		if err != nil {
			return nil, err
		}
		r := &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
		addrs, err := r.LookupNetIP(context.Background(), "ip4", name)
		if err != nil && !err.(*net.DNSError).IsNotFound {
			return nil, err
		}
		var out []string
		for _, a := range addrs {
			out = append(out, a.String())
		}
		slices.Sort(out)
		return out, nil
	})
}

func TestNamesOfNeighbours(t *testing.T) {
	f := newFixture(t)
	create(t, f, CreateSpec{Name: "front"})
	create(t, f, CreateSpec{Name: "back"})
	a, b, c := newSandbox(t), newSandbox(t), newSandbox(t)
	join(t, f, AttachSpec{ContainerID: "a", Network: "front", DNSNames: []string{"a"}, Links: map[string]string{"cache": "web"}}, a)
	eb := join(t, f, AttachSpec{ContainerID: "b", Network: "front", DNSNames: []string{"b", "Web"}}, b)
	join(t, f, AttachSpec{ContainerID: "c", Network: "back", DNSNames: []string{"c", "web"}}, c)
	sockets, err := f.Resolve("a", nil, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(sockets) })
	for name, want := range map[string][]string{
		"b.": {eb.IP.String()}, "web.": {eb.IP.String()}, "WEB.": {eb.IP.String()}, "web.front.": {eb.IP.String()}, "cache.": {eb.IP.String()},
	} {
		for _, network := range []string{"udp", "tcp"} {
			if got := lookup(t, a, network, name); !slices.Equal(got, want) {
				t.Errorf("%s is %v over %s, want %v", name, got, network, want)
			}
		}
	}
	two := join(t, f, AttachSpec{ContainerID: "c", Network: "front", DNSNames: []string{"web"}}, c)
	want := []string{eb.IP.String(), two.IP.String()}
	slices.Sort(want)
	if got := lookup(t, a, "udp", "web."); !slices.Equal(got, want) {
		t.Errorf("web. is %v, want both of %v", got, want)
	}
	if err := f.Detach(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if got := lookup(t, a, "udp", "web."); !slices.Equal(got, []string{two.IP.String()}) {
		t.Errorf("web. is %v after one of two has left, want %s", got, two.IP)
	}
	// The next engine takes the sockets over, and what was asked meanwhile.
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	answer := make(chan []string)
	go func() { answer <- lookup(t, a, "udp", "web.") }()
	f.reopen(t)
	if err := f.Reconcile(t.Context(), []string{"a", "c"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Resolve("a", nil, nil, sockets); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; !slices.Equal(got, []string{two.IP.String()}) {
		t.Errorf("web. is %v when asked between two engines, want %s", got, two.IP)
	}
}

// A name of a container that is not there is asked of nobody outside, whatever the case,
// and with the network's name behind it.
func TestNamesOfTheAbsentStayInside(t *testing.T) {
	f := newFixture(t)
	f.called = func(name string) bool { return name == "db" }
	create(t, f, CreateSpec{Name: "front"})
	a := newSandbox(t)
	join(t, f, AttachSpec{ContainerID: "a", Network: "front", DNSNames: []string{"a"}}, a)
	v := &view{m: f.Manager, container: "a"}
	for name, want := range map[string]bool{"db": true, "db.front": true, "db.back": false, "db.example.com": false, "front": false, "other": false, "a": true} {
		if addrs, known := v.Addresses(name); known != want || known && len(addrs) > 0 != (name == "a") {
			t.Errorf("%s is known: %v, with %v", name, known, addrs)
		}
	}
}
