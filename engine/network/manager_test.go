package network

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"berth/shim"

	"github.com/containerd/errdefs"
	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// records is a bucket in memory that keeps encoded values, as the database does.
type records map[string][]byte

func (r records) Put(key string, v any) error {
	b, err := json.Marshal(v)
	r[key] = b
	return err
}
func (r records) Delete(key string) error { delete(r, key); return nil }
func (r records) ForEach(fn func(string, []byte) error) error {
	for k, v := range r {
		if err := fn(k, v); err != nil {
			return err
		}
	}
	return nil
}

// fixture is a manager on a state directory of its own whose devices and rules
// go with the test.
type fixture struct {
	*Manager
	cfg   Config
	shims map[string]*shimStub
}

// Attach gives the container a shim to hold its ports, and Detach ends it.
func (f *fixture) Attach(ctx context.Context, spec AttachSpec, ns *os.File) (Endpoint, error) {
	if f.shims[spec.ContainerID] == nil {
		f.shims[spec.ContainerID] = &shimStub{held: map[string]shim.Forward{}, sockets: map[string]*os.File{}}
	}
	spec.Holder = f.shims[spec.ContainerID]
	return f.Manager.Attach(ctx, spec, ns)
}

func (f *fixture) Detach(ctx context.Context, id string) error {
	if s := f.shims[id]; s != nil {
		s.end()
		delete(f.shims, id)
	}
	return f.Manager.Detach(ctx, id)
}

// shimStub holds ports as a shim does, and passes nothing on.
type shimStub struct {
	held    map[string]shim.Forward
	sockets map[string]*os.File
}

func (s *shimStub) Forward(list []shim.Forward, sockets ...*os.File) error {
	for _, f := range list {
		switch {
		case f.Socket:
			fd, err := unix.Dup(int(sockets[0].Fd()))
			if err != nil {
				return err
			}
			sockets = sockets[1:]
			s.sockets[f.Name] = os.NewFile(uintptr(fd), f.Name)
		case len(f.Addr) == 0:
			if s.sockets[f.Name] != nil {
				s.sockets[f.Name].Close()
			}
			delete(s.held, f.Name)
			delete(s.sockets, f.Name)
			continue
		case s.sockets[f.Name] == nil:
			return fmt.Errorf("port %s: %w", f.Name, errdefs.ErrNotFound)
		}
		f.Socket = false
		s.held[f.Name] = f
	}
	return nil
}

func (s *shimStub) Forwards() ([]shim.Forward, error) {
	return slices.Collect(maps.Values(s.held)), nil
}

func (s *shimStub) end() {
	for _, f := range s.sockets {
		f.Close()
	}
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making network namespaces and bridges needs root")
	}
	f := &fixture{shims: map[string]*shimStub{}, cfg: Config{State: t.TempDir(), Networks: records{}, Endpoints: records{}}}
	f.reopen(t)
	t.Cleanup(func() {
		for _, s := range f.shims {
			s.end()
		}
		if err := errors.Join(f.Reconcile(t.Context(), nil), f.Remove(t.Context())); err != nil {
			t.Errorf("clean up: %v", err)
		}
		f.stopWatch()
		if c, err := nftables.New(); err != nil {
			t.Error(err)
		} else if tables, err := c.ListTables(); err != nil || slices.ContainsFunc(tables, func(n *nftables.Table) bool { return n.Name == f.fw.table }) {
			t.Errorf("nftables has tables %s left, %v", f.fw.table, err)
		}
		links, err := dump(netlink.LinkList)
		for _, l := range links {
			name := l.Attrs().Name
			mine := func(n Network) bool { return n.Device == name && !n.Borrowed }
			if strings.HasPrefix(name, f.vethPrefix()) || slices.ContainsFunc(f.List(), mine) {
				t.Errorf("device %s is left behind", name)
			}
		}
		if err != nil {
			t.Error(err)
		}
	})
	return f
}

// reopen is what a new engine does after the old one was killed, which ends its
// watch, too: left running, that would bring back what the new one takes away.
func (f *fixture) reopen(t testing.TB) {
	t.Helper()
	if f.Manager != nil {
		f.stopWatch()
	}
	m, err := Open(f.cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.Manager = m
}

// newSandbox is a network namespace; serve starts a server in it.
func newSandbox(t testing.TB) *os.File {
	t.Helper()
	files := make(chan *os.File)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		defer close(files)
		h, err := netns.New()
		if err != nil {
			t.Errorf("make a network namespace: %v", err)
			return
		}
		files <- os.NewFile(uintptr(h), "netns")
	}()
	f := <-files
	if f == nil {
		t.FailNow()
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// inside runs fn on a thread that has joined ns. Sockets made there stay there.
func inside[T any](t *testing.T, ns *os.File, fn func() (T, error)) T {
	t.Helper()
	type result struct {
		v   T
		err error
	}
	c := make(chan result)
	go func() {
		runtime.LockOSThread()
		var r result
		if r.err = netns.Set(netns.NsHandle(int(ns.Fd()))); r.err == nil {
			r.v, r.err = fn()
		}
		c <- r
	}()
	r := <-c
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r.v
}

func serve(t *testing.T, ns *os.File, word string) {
	t.Helper()
	l := inside(t, ns, func() (net.Listener, error) { return net.Listen("tcp4", "0.0.0.0:80") })
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "%s from %s", word, c.RemoteAddr().(*net.TCPAddr).IP)
			c.Close()
		}
	}()
}

func read(addr string) (string, error) {
	c, err := net.DialTimeout("tcp4", addr, 3*time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(c)
	return b.String(), err
}

func attach(t *testing.T, f *fixture, id string, ns *os.File, ports ...PortBinding) Endpoint {
	t.Helper()
	e, err := f.Attach(t.Context(), AttachSpec{ContainerID: id, Name: id, Ports: ports}, ns)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestContainersReachEachOtherAndTheHost(t *testing.T) {
	f := newFixture(t)
	a, b := newSandbox(t), newSandbox(t)
	ea, eb := attach(t, f, "a", a), attach(t, f, "b", b)
	if ea.IP == eb.IP {
		t.Fatalf("both have %s", ea.IP)
	}
	serve(t, b, "b")
	got := inside(t, a, func() (string, error) { return read(eb.IP.String() + ":80") })
	if want := "b from " + ea.IP.String(); got != want {
		t.Errorf("a reads %q from b, want %q", got, want)
	}
	if got, err := read(eb.IP.String() + ":80"); err != nil || got != "b from "+eb.Gateway.String() {
		t.Errorf("the host reads %q, %v from b", got, err)
	}
}

func TestPublishedPortIsReachableFromEverywhere(t *testing.T) {
	f := newFixture(t)
	a, b := newSandbox(t), newSandbox(t)
	any := PortBinding{Proto: "tcp", ContainerPort: 80}
	one := PortBinding{Proto: "tcp", ContainerPort: 80, HostIP: netip.MustParseAddr("127.0.0.1")}
	eb := attach(t, f, "b", b, any, one)
	attach(t, f, "a", a)
	serve(t, b, "b")
	everywhere, local := eb.Ports[0].HostPort, eb.Ports[2].HostPort
	if everywhere == 0 || local == 0 || everywhere == local {
		t.Fatalf("ports %d and %d were chosen", everywhere, local)
	}
	for _, addr := range []string{fmt.Sprintf("127.0.0.1:%d", everywhere), fmt.Sprintf("%s:%d", eb.Gateway, everywhere), fmt.Sprintf("127.0.0.1:%d", local)} {
		if got, err := read(addr); err != nil || !strings.HasPrefix(got, "b from ") {
			t.Errorf("the host reads %q, %v from %s", got, err, addr)
		}
	}
	if got, err := read(fmt.Sprintf("%s:%d", eb.Gateway, local)); err == nil {
		t.Errorf("the port published on 127.0.0.1 answers on %s: %q", eb.Gateway, got)
	}
	for name, ns := range map[string]*os.File{"a neighbour": a, "the container itself": b} {
		got := inside(t, ns, func() (string, error) { return read(fmt.Sprintf("%s:%d", eb.Gateway, everywhere)) })
		if !strings.HasPrefix(got, "b from ") {
			t.Errorf("%s reads %q through the host's address", name, got)
		}
	}
	if err := f.Detach(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if got, err := read(fmt.Sprintf("127.0.0.1:%d", everywhere)); err == nil {
		t.Errorf("the port still answers after Detach: %q", got)
	}
}

func TestUnpublishedPortsAreClosedToOtherNetworks(t *testing.T) {
	f := newFixture(t)
	b, neighbour := newSandbox(t), newSandbox(t)
	eb := attach(t, f, "b", b, PortBinding{Proto: "tcp", ContainerPort: 80})
	attach(t, f, "neighbour", neighbour)
	serve(t, b, "b")
	// Another engine's container is beyond another device, as a machine of the
	// local network is that has a route by this one.
	other := newFixture(t)
	outsider := newSandbox(t)
	attach(t, other, "outsider", outsider)
	direct, published := eb.IP.String()+":80", fmt.Sprintf("%s:%d", eb.Gateway, eb.Ports[0].HostPort)
	inside(t, outsider, func() (struct{}, error) {
		c, err := net.DialTimeout("tcp4", direct, 300*time.Millisecond)
		if err == nil {
			c.Close()
			return struct{}{}, fmt.Errorf("the outsider reached %s", direct)
		}
		return struct{}{}, nil
	})
	for name, c := range map[string]struct {
		ns   *os.File
		addr string
	}{"the outsider": {outsider, published}, "the neighbour": {neighbour, direct}, "the neighbour by the host": {neighbour, published}} {
		got := inside(t, c.ns, func() (string, error) { return read(c.addr) })
		if !strings.HasPrefix(got, "b from ") {
			t.Errorf("%s reads %q from %s", name, got, c.addr)
		}
	}
}

func TestContainerCannotReachTheHostsLoopback(t *testing.T) {
	f := newFixture(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a := newSandbox(t)
	e := attach(t, f, "a", a)
	// A route for 127/8 by the gateway is what an attacker with NET_ADMIN adds.
	inside(t, a, func() (struct{}, error) {
		eth, err := netlink.LinkByName("eth0")
		if err != nil {
			return struct{}{}, err
		}
		lo, _ := netlink.LinkByName("lo")
		_, all, _ := net.ParseCIDR("127.0.0.0/8")
		return struct{}{}, errors.Join(
			netlink.LinkSetDown(lo),
			os.WriteFile("/proc/sys/net/ipv4/conf/all/route_localnet", []byte("1"), 0o644),
			netlink.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Dst: all, Gw: e.Gateway.AsSlice()}))
	})
	inside(t, a, func() (struct{}, error) {
		c, err := net.DialTimeout("tcp4", l.Addr().String(), 300*time.Millisecond)
		if err == nil {
			c.Close()
			return struct{}{}, fmt.Errorf("the container reached %s of the host", l.Addr())
		}
		return struct{}{}, nil
	})
}

// ownName is what this process is called.
func ownName(t *testing.T) string {
	t.Helper()
	name, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(name))
}

func TestTakenPorts(t *testing.T) {
	f := newFixture(t)
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	held := PortBinding{Proto: "tcp", ContainerPort: 80, HostPort: uint16(l.Addr().(*net.TCPAddr).Port)}
	if _, err := f.Attach(t.Context(), AttachSpec{ContainerID: "a", Ports: []PortBinding{held}}, newSandbox(t)); !errdefs.IsInternal(err) || !strings.Contains(err.Error(), "address already in use by "+ownName(t)+" (process "+strconv.Itoa(os.Getpid())+")") {
		t.Errorf("a port that a process holds: %v", err)
	}
	ours := attach(t, f, "b", newSandbox(t), PortBinding{Proto: "tcp", ContainerPort: 80}).Ports[0]
	_, err = f.Attach(t.Context(), AttachSpec{ContainerID: "a", Ports: []PortBinding{ours}}, newSandbox(t))
	if !errdefs.IsInternal(err) || !strings.Contains(err.Error(), "port is already allocated by container b") {
		t.Errorf("a port that container b holds: %v", err)
	}
	if f.Endpoints("a") != nil || len(f.cfg.Endpoints.(records)) != 1 {
		t.Error("a failed Attach left an endpoint")
	}
}

func TestEndpointsSurviveTheEngine(t *testing.T) {
	f := newFixture(t)
	a, b := newSandbox(t), newSandbox(t)
	ea := attach(t, f, "a", a, PortBinding{Proto: "tcp", ContainerPort: 80})
	attach(t, f, "b", b)
	serve(t, a, "a")
	f.reopen(t)
	if err := f.Reconcile(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	if got := f.Endpoints("a"); len(got) != 1 || got[0].IP != ea.IP {
		t.Errorf("endpoints of a are %+v after a restart", got)
	}
	if f.Endpoints("b") != nil {
		t.Error("endpoint of b outlives its container")
	}
	if got, err := read(fmt.Sprintf("127.0.0.1:%d", ea.Ports[0].HostPort)); err != nil || !strings.HasPrefix(got, "a from ") {
		t.Errorf("a's port after a restart: %q, %v", got, err)
	}
}

// Engines that are opened at the same time choose the same subnet, since none
// has a bridge yet; the one that comes second with its bridge chooses again.
func TestEnginesDoNotShareASubnet(t *testing.T) {
	f, g := newFixture(t), newFixture(t)
	f.nets[Bridge].V4 = g.nets[Bridge].V4
	a := attach(t, f, "a", newSandbox(t))
	b := attach(t, g, "b", newSandbox(t))
	if a.Gateway == b.Gateway {
		t.Errorf("both engines use %s", f.nets[Bridge].V4.Subnet)
	}
	n, _, err := g.Inspect(Bridge)
	if err != nil || n.V4.Gateway != b.Gateway || !n.V4.Subnet.Contains(b.IP) {
		t.Errorf("after choosing again the network is %+v, %v and the endpoint %+v", n, err, b)
	}
}

func TestAttachTwiceAndDetachTwice(t *testing.T) {
	f := newFixture(t)
	ns := newSandbox(t)
	attach(t, f, "a", ns)
	if _, err := f.Attach(t.Context(), AttachSpec{ContainerID: "a"}, ns); !errdefs.IsPermissionDenied(err) {
		t.Errorf("second Attach: %v", err)
	}
	if err := errors.Join(f.Detach(t.Context(), "a"), f.Detach(t.Context(), "a")); err != nil {
		t.Errorf("Detach twice: %v", err)
	}
}

func TestCloseLeavesTheHostAsItWas(t *testing.T) {
	f := newFixture(t)
	attach(t, f, "a", newSandbox(t))
	device := func() bool { _, err := netlink.LinkByName(f.deviceName()); return err == nil }
	if err := f.Close(t.Context()); err != nil || !device() {
		t.Errorf("Close with a container: %v, bridge there: %v", err, device())
	}
	if err := errors.Join(f.Detach(t.Context(), "a"), f.Close(t.Context())); err != nil || device() {
		t.Errorf("Close without containers: %v, bridge there: %v", err, device())
	}
	attach(t, f, "b", newSandbox(t)) // and all is set up again
}

func TestInspect(t *testing.T) {
	f := newFixture(t)
	n, _, err := f.Inspect(Bridge)
	if err != nil {
		t.Fatal(err)
	}
	attach(t, f, "a", newSandbox(t))
	byID, members, err := f.Inspect(n.ID[:12])
	if err != nil || byID.Name != Bridge || len(members) != 1 {
		t.Errorf("Inspect by ID = %+v, %v, %v", byID, members, err)
	}
	if _, _, err := f.Inspect("nowhere"); !errdefs.IsNotFound(err) {
		t.Errorf("Inspect of an unknown network: %v", err)
	}
	if all := f.List(); len(all) != 1 || all[0].Name != Bridge {
		t.Errorf("List = %+v", all)
	}
}

func BenchmarkAttachDetach(b *testing.B) {
	f := newFixture(b)
	for b.Loop() {
		b.StopTimer()
		ns := newSandbox(b)
		b.StartTimer()
		if _, err := f.Attach(b.Context(), AttachSpec{ContainerID: "a"}, ns); err != nil {
			b.Fatal(err)
		}
		if err := f.Detach(b.Context(), "a"); err != nil {
			b.Fatal(err)
		}
	}
}
