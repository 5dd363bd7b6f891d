package network

import (
	"bufio"
	"maps"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/godbus/dbus/v5"
	"github.com/google/nftables"
)

// firewalldStub has the zones of devices as firewalld has them.
type firewalldStub struct {
	mu    sync.Mutex
	zones map[string]string
}

func (s *firewalldStub) GetZoneOfInterface(device string) (string, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.zones[device], nil
}

func (s *firewalldStub) AddInterface(zone, device string) (string, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.zones[device] != "" {
		return "", dbus.NewError("ZONE_CONFLICT", nil)
	}
	s.zones[device] = zone
	return zone, nil
}

func (s *firewalldStub) RemoveInterface(zone, device string) (string, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.zones, device)
	return zone, nil
}

func (s *firewalldStub) set(zones map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zones = zones
}

func (s *firewalldStub) all() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.zones)
}

// bus starts a message bus of the test's own, with a firewalld.
func bus(t *testing.T) *firewalldStub {
	t.Helper()
	cmd := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address", "--address=unix:dir="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Skipf("a message bus needs dbus-daemon: %v", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", strings.TrimSpace(address))
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &firewalldStub{zones: map[string]string{}}
	names := map[string]string{"GetZoneOfInterface": "getZoneOfInterface", "AddInterface": "addInterface", "RemoveInterface": "removeInterface"}
	if err := conn.ExportWithMap(s, names, "/org/fedoraproject/FirewallD1", "org.fedoraproject.FirewallD1.zone"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName("org.fedoraproject.FirewallD1", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return s
}

// firewalld is told of bridges when they come, when it has forgotten them, and when they go; not
// of those that the user has put into a zone.
func TestFirewalldIsTold(t *testing.T) {
	s := bus(t)
	f := newFixture(t)
	one := create(t, f, CreateSpec{Name: "one", Options: map[string]string{optName: "bo" + f.hash}})
	if got := s.all(); got[one.Device] != trusted {
		t.Errorf("zones %v, want %s for %s", got, trusted, one.Device)
	}
	s.set(map[string]string{"bt" + f.hash: "public", one.Device: trusted})
	two := create(t, f, CreateSpec{Name: "two", Options: map[string]string{optName: "bt" + f.hash}})
	if got := s.all(); got[two.Device] != "public" {
		t.Errorf("zones %v, want public for %s", got, two.Device)
	}
	// It makes its table anew.
	s.set(map[string]string{two.Device: "public"})
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	table := &nftables.Table{Name: "firewalld", Family: nftables.TableFamilyINet}
	c.AddTable(table)
	c.DelTable(table)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); s.all()[one.Device] != trusted; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("zones %v, 20 s after firewalld has begun anew", s.all())
		}
	}
	for _, n := range []Network{one, two} {
		if _, err := f.Delete(t.Context(), n.Name); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.all(); len(got) != 1 || got[two.Device] != "public" {
		t.Errorf("zones %v when the networks are gone", got)
	}
}

// A bus that takes connections and says nothing keeps nobody from the networks, and is given up.
func TestBusThatSaysNothing(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "bus"))
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 16)
	go func() {
		defer close(conns)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	}()
	t.Cleanup(func() {
		l.Close()
		for c := range conns {
			c.Close()
		}
	})
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+l.Addr().String())
	f := newFixture(t)
	patience := busPatience
	t.Cleanup(func() { busPatience = patience })
	busPatience = time.Hour
	done := make(chan error)
	go func() {
		_, err := f.Create(t.Context(), CreateSpec{Name: "one", IPv4: true})
		done <- err
	}()
	asked := <-conns
	if _, _, err := f.Inspect("one"); err != nil { // would wait for the hour
		t.Errorf("while firewalld is told: %v", err)
	}
	asked.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	busPatience = 10 * time.Millisecond
	if err := trust("eth0"); !errdefs.IsUnavailable(err) {
		t.Errorf("a bus that says nothing: %v", err)
	}
	if _, err := f.Delete(t.Context(), "one"); err != nil {
		t.Error(err)
	}
}
