package network

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/nftables"
)

// hooked are records that can be made to fail, or to do something meanwhile.
type hooked struct {
	records
	put     func(e *Endpoint) error
	deleted func()
}

func (h *hooked) Put(key string, v any) error {
	if e, ok := v.(*Endpoint); ok && h.put != nil {
		if err := h.put(e); err != nil {
			return err
		}
	}
	return h.records.Put(key, v)
}

func (h *hooked) Delete(key string) error {
	if h.deleted != nil {
		h.deleted()
	}
	return h.records.Delete(key)
}

// published are the container addresses that the kernel's port maps lead to.
func published(t *testing.T, f *fixture) []netip.Addr {
	t.Helper()
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	var out []netip.Addr
	fam := families[0]
	for _, set := range []*nftables.Set{fam.anywhere(f.fw.tableOf(fam)), fam.at(f.fw.tableOf(fam))} {
		elements, err := c.GetSetElements(set)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range elements {
			a, _ := netip.AddrFromSlice(e.Val[:4])
			out = append(out, a)
		}
	}
	return out
}

var webPort = PortBinding{Proto: "tcp", ContainerPort: 80}

// A container that cannot join one more network has its ports where they were.
func TestPortsComeBackFromAFailedJoin(t *testing.T) {
	f := newFixture(t)
	h := &hooked{records: f.cfg.Endpoints.(records)}
	f.cfg.Endpoints = h
	f.reopen(t)
	create(t, f, CreateSpec{Name: "front"})
	create(t, f, CreateSpec{Name: "better"})
	ns := newSandbox(t)
	e := join(t, f, AttachSpec{ContainerID: "a", Network: "front", Ports: []PortBinding{webPort}}, ns)
	broken := errors.New("the disk is full")
	h.put = func(e *Endpoint) error {
		if e.NetworkName == "better" && len(e.Ports) > 0 {
			return broken
		}
		return nil
	}
	spec := AttachSpec{ContainerID: "a", Name: "a", Network: "better", GwPriority: 5, Ports: []PortBinding{webPort}}
	if _, err := f.Attach(t.Context(), spec, ns); !errors.Is(err, broken) {
		t.Fatalf("joining: %v", err)
	}
	if got := f.Endpoints("a"); len(got) != 1 || !slices.Equal(got[0].Ports, e.Ports) {
		t.Errorf("after the failure: %+v, want ports %v", got, e.Ports)
	}
	if got := published(t, f); !slices.Equal(got, []netip.Addr{e.IP}) {
		t.Errorf("published at %v, want %s", got, e.IP)
	}
}

// An engine that died while ports moved leaves two endpoints that have them.
func TestInterruptedMoveOfPorts(t *testing.T) {
	f := newFixture(t)
	create(t, f, CreateSpec{Name: "front"})
	create(t, f, CreateSpec{Name: "back"})
	ns := newSandbox(t)
	join(t, f, AttachSpec{ContainerID: "a", Network: "front", Ports: []PortBinding{webPort}}, ns)
	join(t, f, AttachSpec{ContainerID: "a", Network: "back"}, ns)
	ends := f.Endpoints("a")
	front, back := ends[0], ends[1]
	if len(front.Ports) != 0 || len(back.Ports) != 2 {
		t.Fatalf("the ports are not with the default route: %+v", ends)
	}
	front.Ports = back.Ports
	if err := f.cfg.Endpoints.Put(front.key(), front); err != nil {
		t.Fatal(err)
	}
	f.reopen(t)
	if err := f.Reconcile(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	if got := published(t, f); !slices.Equal(got, []netip.Addr{back.IP}) {
		t.Errorf("published at %v, want %s", got, back.IP)
	}
}

// What leads nowhere publishes nothing, also when all rules are written again.
func TestPortsOfAContainerWithoutAWayOut(t *testing.T) {
	f := newFixture(t)
	create(t, f, CreateSpec{Name: "front"})
	create(t, f, CreateSpec{Name: "inner", Internal: true})
	ns := newSandbox(t)
	ports := []PortBinding{webPort}
	join(t, f, AttachSpec{ContainerID: "a", Network: "front", Ports: ports}, ns)
	join(t, f, AttachSpec{ContainerID: "a", Network: "inner", Ports: ports}, ns)
	if _, err := f.Disconnect(t.Context(), "a", "front", ns); err != nil {
		t.Fatal(err)
	}
	create(t, f, CreateSpec{Name: "new"})
	if got := published(t, f); len(got) != 0 {
		t.Errorf("published at %v in an internal network", got)
	}
	e := join(t, f, AttachSpec{ContainerID: "a", Network: "new", Ports: ports}, ns)
	if got := published(t, f); len(e.Ports) != 2 || !slices.Equal(got, []netip.Addr{e.IP}) {
		t.Errorf("published at %v after the container has a way out again: %+v", got, e)
	}
}

// Rules that are written while a container leaves do not bring its ports back.
func TestLeavingWhileRulesAreWritten(t *testing.T) {
	f := newFixture(t)
	h := &hooked{records: f.cfg.Endpoints.(records)}
	f.cfg.Endpoints = h
	f.reopen(t)
	attach(t, f, "a", newSandbox(t), webPort)
	h.deleted = func() {
		h.deleted = nil
		create(t, f, CreateSpec{Name: "meanwhile"})
	}
	if err := f.Detach(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got := published(t, f); len(got) != 0 {
		t.Errorf("ports of a container that is gone lead to %v", got)
	}
}

// No router advertisement of a container is believed by the host or a neighbour.
func TestNobodyListensToRouterAdvertisements(t *testing.T) {
	f := newFixture(t)
	six := create(t, f, CreateSpec{Name: "six", IPv6: true})
	ns := newSandbox(t)
	attach(t, f, "a", ns)
	join(t, f, AttachSpec{ContainerID: "a", Network: "six"}, ns)
	bridge, _, err := f.Inspect(Bridge)
	if err != nil {
		t.Fatal(err)
	}
	setting := func(name string) func() (string, error) {
		return func() (string, error) {
			b, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + name)
			return strings.TrimSpace(string(b)), err
		}
	}
	for _, dev := range []string{bridge.Device, six.Device} {
		if got, err := setting(dev + "/accept_ra")(); err != nil || got != "0" {
			t.Errorf("accept_ra of %s is %q, %v", dev, got, err)
		}
	}
	for dev, want := range map[string]string{"eth0": "1", "eth1": "0"} {
		if got := inside(t, ns, setting(dev+"/disable_ipv6")); got != want {
			t.Errorf("disable_ipv6 of %s in the container is %s, want %s", dev, got, want)
		}
	}
}

// An engine that dies within a disconnect, at its first step or when the device is gone
// already, is followed by one that completes it.
func TestInterruptedDisconnect(t *testing.T) {
	for _, gone := range []bool{false, true} {
		f := newFixture(t)
		ns := newSandbox(t)
		attach(t, f, "a", ns, webPort)
		create(t, f, CreateSpec{Name: "other", IPv4: true})
		join(t, f, AttachSpec{ContainerID: "a", Network: "other"}, ns)
		e := f.ends["a"][0]
		e.Leaving = true
		if err := f.endpoints.Put(e.key(), e); err != nil {
			t.Fatal(err)
		}
		if gone {
			if err := removeLink(f.vethName(e)); err != nil {
				t.Fatal(err)
			}
		}
		f.stopWatch()
		f.reopen(t)
		if err := errors.Join(f.Reconcile(t.Context(), []string{"a"}), f.Resume("a", f.shims["a"], ns)); err != nil {
			t.Fatal(err)
		}
		ends := f.Endpoints("a")
		if len(ends) != 1 || ends[0].NetworkName != "other" || len(ends[0].Ports) != 2 || !slices.Equal(published(t, f), []netip.Addr{ends[0].IP}) {
			t.Errorf("gone %v: it is left in %+v", gone, ends)
		}
		if err := f.Detach(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
}
