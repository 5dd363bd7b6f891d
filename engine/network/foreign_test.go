package network

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ownHost runs the test that calls it once more, in a network namespace that stands for
// a host of its own, and tells whether this is there.
func ownHost(t *testing.T) bool {
	t.Helper()
	if os.Getenv("BERTH_TEST_HOST") == t.Name() {
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(lo)
		}
		if err != nil {
			t.Fatal(err)
		}
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), "BERTH_TEST_HOST="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("on a host of its own: %v\n%s", err, out)
	}
	return false
}

// neighbour is another machine at a network of the host: 203.0.113.2, the host being
// 203.0.113.1.
func neighbour(t *testing.T, name, prefix string) *os.File {
	t.Helper()
	ns := newSandbox(t)
	veth := netlink.NewVeth(netlink.LinkAttrs{Name: name})
	veth.PeerName, veth.PeerNamespace = "eth0", netlink.NsFd(int(ns.Fd()))
	addr := func(last string) *netlink.Addr {
		a, err := netlink.ParseAddr(prefix + "." + last + "/24")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, err := range []error{netlink.LinkAdd(veth), netlink.AddrAdd(veth, addr("1")), netlink.LinkSetUp(veth)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	inside(t, ns, func() (struct{}, error) {
		h, err := netlink.NewHandle()
		if err != nil {
			return struct{}{}, err
		}
		defer h.Close()
		eth, err := h.LinkByName("eth0")
		for _, do := range []func() error{
			func() error { return h.AddrAdd(eth, addr("2")) },
			func() error { return h.LinkSetUp(eth) },
			func() error { return h.RouteAdd(&netlink.Route{Gw: addr("1").IP}) },
		} {
			if err == nil {
				err = do()
			}
		}
		return struct{}{}, err
	})
	return ns
}

func iptables(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("iptables-nft")
	if err != nil {
		t.Skip("needs iptables-nft")
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("iptables %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Where somebody else's chain drops what is forwarded, as dockerd's and ufw's does,
// containers reach out and are reached all the same; what its owner drops by a rule
// stays dropped, and his tool still reads it.
func TestForeignChainsThatDrop(t *testing.T) {
	if !ownHost(t) {
		return
	}
	f := newFixture(t)
	outside := neighbour(t, "up0", "203.0.113")
	iptables(t, "-P", "FORWARD", "DROP")
	iptables(t, "-A", "FORWARD", "-p", "tcp", "--dport", "81", "-j", "DROP")
	a := newSandbox(t)
	e := attach(t, f, "a", a, PortBinding{Proto: "tcp", ContainerPort: 80}, PortBinding{Proto: "tcp", ContainerPort: 81})
	serve(t, a, "a")
	serve(t, outside, "outside")
	published := fmt.Sprintf("203.0.113.1:%d", e.Ports[0].HostPort)
	pass := func() {
		t.Helper()
		if got := inside(t, a, func() (string, error) { return read("203.0.113.2:80") }); got != "outside from 203.0.113.1" {
			t.Errorf("the container reads %q from outside", got)
		}
		if got := inside(t, outside, func() (string, error) { return read(published) }); got != "a from 203.0.113.2" {
			t.Errorf("the neighbour reads %q from the published port", got)
		}
	}
	pass()
	closed(t, outside, fmt.Sprintf("203.0.113.1:%d", e.Ports[2].HostPort)) // to 81, behind the translation
	rules := iptables(t, "-S", "FORWARD")
	for _, dir := range []string{"-i", "-o"} {
		if want := fmt.Sprintf("-A FORWARD %s %s -m comment --comment \"%s: traffic of containers\" -j ACCEPT", dir, f.nets[Bridge].Device, f.fw.table); !strings.Contains(rules, want) {
			t.Errorf("iptables shows %s, want %s", rules, want)
		}
	}
	// An admin who begins anew does not cut them off.
	iptables(t, "-F", "FORWARD")
	eventually(t, "the rules are back", func() bool { return strings.Count(iptables(t, "-S", "FORWARD"), f.fw.comment()) == 2 })
	pass()
	// Without the policy there is nothing to do, and without networks nothing left.
	iptables(t, "-P", "FORWARD", "ACCEPT")
	eventually(t, "the rules are gone", func() bool { return !strings.Contains(iptables(t, "-S", "FORWARD"), f.fw.table) })
	iptables(t, "-P", "FORWARD", "DROP")
	eventually(t, "the rules are back", func() bool { return strings.Count(iptables(t, "-S", "FORWARD"), f.fw.comment()) == 2 })
	if err := f.Detach(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rules := iptables(t, "-S", "FORWARD"); strings.TrimSpace(rules) != "-P FORWARD DROP" {
		t.Errorf("left in iptables: %s", rules)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within ten seconds", what)
		}
	}
}

// The whole ruleset is flushed, or some of ours: what containers publish and what keeps
// them apart is there again, with every connection that was open.
func TestFlushedRulesAreRepaired(t *testing.T) {
	if !ownHost(t) {
		return
	}
	nft, err := exec.LookPath("nft")
	if err != nil {
		t.Skip("needs nft")
	}
	f := newFixture(t)
	var repairs lineCounter
	f.log = slog.New(slog.NewTextHandler(&repairs, nil))
	outside := neighbour(t, "up0", "203.0.113")
	a := newSandbox(t)
	e := attach(t, f, "a", a, PortBinding{Proto: "tcp", ContainerPort: 80})
	serve(t, a, "a")
	published := fmt.Sprintf("203.0.113.1:%d", e.Ports[0].HostPort)
	table := "table ip " + f.fw.table
	whole, err := exec.Command(nft, "-s", "list", "table", "ip", f.fw.table).Output()
	if err != nil {
		t.Fatal(err)
	}
	changes := [][]string{
		{"flush", "ruleset"}, {"delete", "table", "ip", f.fw.table}, {"flush", "table", "ip", f.fw.table},
		{"flush", "map", "ip", f.fw.table, "anywhere"}, {"flush", "chain", "ip", f.fw.table, "guard"},
	}
	for _, change := range changes {
		if out, err := exec.Command(nft, change...).CombinedOutput(); err != nil {
			t.Fatalf("nft %v: %v: %s", change, err, out)
		}
		eventually(t, table+" is whole again", func() bool {
			now, err := exec.Command(nft, "-s", "list", "table", "ip", f.fw.table).Output()
			return err == nil && string(now) == string(whole)
		})
		if got := inside(t, outside, func() (string, error) { return read(published) }); got != "a from 203.0.113.2" {
			t.Errorf("after nft %v the neighbour reads %q", change, got)
		}
	}
	f.stopWatch()
	// What a repair changes itself is none to be repaired.
	if n := repairs.Load(); n != int64(len(changes)) {
		t.Errorf("%d changes were repaired %d times", len(changes), n)
	}
}

// lineCounter counts what is written to it.
type lineCounter struct{ atomic.Int64 }

func (c *lineCounter) Write(p []byte) (int, error) {
	c.Add(1)
	return len(p), nil
}

// A host that was no router is none for its neighbours, though its containers reach out.
func TestHostDoesNotBecomeARouter(t *testing.T) {
	if !ownHost(t) {
		return
	}
	if err := setSysctl("net/ipv4/ip_forward", "0"); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t)
	one, two := neighbour(t, "up0", "203.0.113"), neighbour(t, "up1", "198.51.100")
	serve(t, two, "two")
	a := newSandbox(t)
	e := attach(t, f, "a", a, PortBinding{Proto: "tcp", ContainerPort: 80})
	serve(t, a, "a")
	check := func() {
		t.Helper()
		if got := inside(t, a, func() (string, error) { return read("198.51.100.2:80") }); got != "two from 198.51.100.1" {
			t.Errorf("the container reads %q from outside", got)
		}
		if got := inside(t, one, func() (string, error) { return read(fmt.Sprintf("203.0.113.1:%d", e.Ports[0].HostPort)) }); got != "a from 203.0.113.2" {
			t.Errorf("a neighbour reads %q from the published port", got)
		}
		closed(t, one, "198.51.100.2:80")
	}
	check()
	f.stopWatch()
	f.reopen(t) // the next engine knows
	if err := f.Reconcile(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	check()
	if err := f.Detach(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward"); err != nil || strings.TrimSpace(string(b)) != "0" {
		t.Errorf("forwarding is left %q, %v", b, err)
	}
}
