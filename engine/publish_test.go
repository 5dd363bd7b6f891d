package engine

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"berth/store/meta"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

var port80 = network.MustParsePort("80/tcp")

// web is a container that answers each connection to port 80 with a word.
func web(word string, binds ...network.PortBinding) CreateOptions {
	o := shell("while :; do echo " + word + " | nc -l -p 80; done")
	o.HostConfig = &container.HostConfig{PortBindings: network.PortMap{port80: binds}}
	return o
}

// says asks until it gets an answer that is no error: the server of web is away between
// two connections.
func (r *rig) says(addr, want string) {
	r.t.Helper()
	r.until(addr+" says "+want, func() string {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return err.Error()
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(time.Second))
		b, err := io.ReadAll(conn)
		if strings.TrimSpace(string(b)) == want {
			return ""
		}
		return fmt.Sprintf("%q, %v", b, err)
	})
}

func hostPort(t *testing.T, m network.PortMap) string {
	t.Helper()
	if len(m[port80]) == 0 {
		t.Fatalf("published is %v", m)
	}
	return m[port80][0].HostPort
}

// A published port answers on every address of the host, over IPv6 too though the
// container has none, whoever is the engine; and belongs to the container.
func TestPublishedPorts(t *testing.T) {
	r := newRig(t)
	id := r.run(web("hello", network.PortBinding{}))
	ports := r.inspect(id).NetworkSettings.Ports
	if len(ports[port80]) != 2 || ports[port80][0].HostIP != netip.IPv4Unspecified() || ports[port80][1].HostIP != netip.IPv6Unspecified() {
		t.Errorf("inspect shows %v", ports)
	}
	port := hostPort(t, ports)
	ask := func() {
		t.Helper()
		for _, host := range []string{"127.0.0.1", "[::1]", r.inspect(id).NetworkSettings.Networks["bridge"].Gateway.String()} {
			r.says(host+":"+port, "hello")
			if l, err := net.Listen("tcp", host+":"+port); err == nil {
				l.Close()
				t.Errorf("%s:%s can be taken", host, port)
			}
		}
	}
	ask()
	if _, err := r.Containers.Create(r.ctx, web("other", network.PortBinding{HostPort: port})); err != nil {
		t.Fatal(err)
	}
	other := r.create(web("other", network.PortBinding{HostPort: port}))
	err := r.Containers.Start(r.ctx, other, StartOptions{})
	if want := "Bind for 0.0.0.0:" + port + " failed: port is already allocated by container"; err == nil || !strings.Contains(err.Error(), want) ||
		!strings.HasPrefix(err.Error(), "failed to set up container networking: driver failed programming external connectivity on endpoint") {
		t.Errorf("starting another one: %v", err)
	}
	r.close()
	ask2 := func() {
		for _, host := range []string{"127.0.0.1", "[::1]"} {
			r.says(host+":"+port, "hello")
		}
	}
	ask2() // without an engine
	r.open()
	ask()
	if err := r.Containers.Kill(r.ctx, id, "KILL"); err != nil {
		t.Fatal(err)
	}
	r.exit(id)
	r.start(other)
	r.says("[::1]:"+port, "other")
}

// To ::1 it answers, too, if the container has IPv6: no rule can lead there.
func TestPublishedPortsOverIPv6(t *testing.T) {
	r := newRig(t)
	six := true
	r.makeNetwork(network.CreateRequest{Name: "six", EnableIPv6: &six})
	o := web("hello", network.PortBinding{}, network.PortBinding{HostIP: netip.IPv6Loopback()})
	o.HostConfig.NetworkMode = "six"
	o.HostConfig.DNS = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	id := r.run(o)
	info := r.inspect(id).NetworkSettings
	for _, b := range info.Ports[port80] {
		switch {
		case b.HostIP == netip.IPv6Loopback():
			r.says("[::1]:"+b.HostPort, "hello")
		case b.HostIP.Is6():
			r.says("[::1]:"+b.HostPort, "hello")
			r.says("["+info.Networks["six"].IPv6Gateway.String()+"]:"+b.HostPort, "hello")
		default:
			r.says("127.0.0.1:"+b.HostPort, "hello")
		}
	}
}

// freePort is one that nobody holds. That it is far from the first ones that an engine
// takes by itself matters: engines of other tests are on this machine, too.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func TestPortsOfARunningContainerChange(t *testing.T) {
	r := newRig(t)
	id := r.run(web("hello"))
	first, err := r.Containers.ChangePorts(r.ctx, id, network.PortMap{port80: {{}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	port := hostPort(t, first)
	r.says("127.0.0.1:"+port, "hello")
	r.says("[::1]:"+port, "hello")
	another := freePort(t)
	both, err := r.Containers.ChangePorts(r.ctx, id, network.PortMap{port80: {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: another}}}, nil)
	if err != nil || len(both[port80]) != 3 {
		t.Fatalf("published are %v, %v", both, err)
	}
	r.says("127.0.0.1:"+another, "hello")
	// It stays so with the next engine and the next start.
	r.close()
	r.open()
	r.says("127.0.0.1:"+another, "hello")
	if err := r.Containers.Restart(r.ctx, id, StopOptions{Signal: "KILL"}); err != nil {
		t.Fatal(err)
	}
	r.says("127.0.0.1:"+another, "hello")
	for what, c := range map[string]struct {
		add, remove network.PortMap
		is          func(error) bool
	}{
		"a port that it publishes": {add: network.PortMap{port80: {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: another}}}, is: errdefs.IsConflict},
		"one that is taken":        {add: network.PortMap{port80: {{HostPort: another}}}, is: errdefs.IsInternal},
		"one that is not there":    {remove: network.PortMap{network.MustParsePort("81/tcp"): nil}, is: errdefs.IsNotFound},
		"one at another address":   {remove: network.PortMap{port80: {{HostIP: netip.MustParseAddr("127.0.0.2"), HostPort: another}}}, is: errdefs.IsNotFound},
	} {
		if _, err := r.Containers.ChangePorts(r.ctx, id, c.add, c.remove); !c.is(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	left, err := r.Containers.ChangePorts(r.ctx, id, nil, network.PortMap{port80: {{HostPort: another}}})
	if err != nil || len(left[port80]) != 2 {
		t.Errorf("left are %v, %v", left, err)
	}
	if l, err := net.Listen("tcp", "127.0.0.1:"+another); err != nil {
		t.Errorf("the port is not free: %v", err)
	} else {
		l.Close()
	}
	if left, err = r.Containers.ChangePorts(r.ctx, id, nil, network.PortMap{port80: nil}); err != nil || len(left[port80]) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// Ports and record agree after an error of either.
func TestPortsThatCannotChangeStay(t *testing.T) {
	r := newRig(t)
	id := r.run(web("hello"))
	before := r.inspect(id)
	same := func(what string) {
		t.Helper()
		saved, err := r.records.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		now := r.inspect(id)
		for _, got := range []network.PortMap{saved.HostConfig.PortBindings, now.HostConfig.PortBindings} {
			if len(got[port80]) != 0 {
				t.Errorf("%s: the bindings are %v", what, got)
			}
		}
		if got, want := now.NetworkSettings.Ports, before.NetworkSettings.Ports; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: published is %v, not %v", what, got, want)
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	add := network.PortMap{port80: {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: port}}}
	if _, err := r.Containers.ChangePorts(r.ctx, id, add, nil); err == nil {
		t.Error("a port that is taken was published")
	}
	same("a port that is taken")

	db, err := meta.Open(filepath.Join(t.TempDir(), "closed.db"))
	if err != nil {
		t.Fatal(err)
	}
	closed, err := meta.NewBucket[record](db, "containers")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	open := r.records
	r.records = closed
	_, err = r.Containers.ChangePorts(r.ctx, id, network.PortMap{port80: {{}}}, nil)
	r.records = open
	if err == nil {
		t.Error("a record that was not saved is no error")
	}
	same("a database that is closed")
}
