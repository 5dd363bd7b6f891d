package network

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// When more has changed than the watch could be told, the table is compared before it is called
// somebody else's work.
func TestIntact(t *testing.T) {
	f := newFixture(t)
	create(t, f, CreateSpec{Name: "in", IPv4: true, IPv6: true, Internal: true})
	f.stopWatch() // else it repairs what is broken here
	attach(t, f, "a", newSandbox(t), PortBinding{Proto: "tcp", ContainerPort: 80}, PortBinding{Proto: "udp", ContainerPort: 53})
	f.stopWatch()
	if !f.intact() {
		t.Error("what we have written is taken for somebody else's")
	}
	for what, breaks := range map[string]func(c *nftables.Conn, t4, t6 *nftables.Table){
		"a port is taken out": func(c *nftables.Conn, t4, _ *nftables.Table) { c.FlushSet(families[0].anywhere(t4)) },
		"rules are taken out": func(c *nftables.Conn, t4, _ *nftables.Table) {
			c.FlushChain(&nftables.Chain{Table: t4, Name: "forward"})
		},
		"the IPv6 table is gone":   func(c *nftables.Conn, _, t6 *nftables.Table) { c.DelTable(t6) },
		"everything is taken away": func(c *nftables.Conn, t4, t6 *nftables.Table) { c.DelTable(t4); c.DelTable(t6) },
	} {
		c, err := nftables.New()
		if err != nil {
			t.Fatal(err)
		}
		breaks(c, f.fw.tableOf(families[0]), f.fw.tableOf(families[1]))
		if err := c.Flush(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if f.intact() {
			t.Errorf("%s: taken for intact", what)
		}
		if err := f.fw.setup(f.nets, f.ends); err != nil {
			t.Fatal(err)
		}
		if !f.intact() {
			t.Errorf("%s: set up again, and not intact", what)
		}
	}
}

// flood changes more of nftables, in tables that come and go, than a watch with a small buffer can be told.
func flood(t *testing.T) {
	t.Helper()
	for i := range 20 {
		c, err := nftables.New()
		if err != nil {
			t.Fatal(err)
		}
		table := &nftables.Table{Name: fmt.Sprintf("flood-%d-%s", i, t.Name()), Family: nftables.TableFamilyIPv4}
		c.AddTable(table)
		c.DelTable(table)
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
	}
}

// That something is missing is said after all that is there, when nothing more gets lost.
func TestWatchTellsOfLossLast(t *testing.T) {
	if !ownHost(t) {
		return
	}
	f, err := hearTables(1) // the kernel makes that the least there may be
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{f: f}
	buf := make([]byte, 64<<10)
	for i := range 2 {
		flood(t)
		for first := true; ; first = false {
			_, err := w.next(raw, buf)
			if errors.Is(err, unix.ENOBUFS) && !first {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		// From here on it hears everything again.
		if err := f.SetReadDeadline(time.Now()); err != nil {
			t.Fatal(err)
		}
		if n, err := w.next(raw, buf); n > 0 || err == nil {
			t.Errorf("after the loss there are %d bytes more, %v", n, err)
		}
		if err := f.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		c, err := nftables.New()
		if err != nil {
			t.Fatal(err)
		}
		c.AddTable(&nftables.Table{Name: fmt.Sprint("one-", i), Family: nftables.TableFamilyIPv4})
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		if n, err := w.next(raw, buf); n == 0 || err != nil {
			t.Errorf("the next change: %d bytes, %v", n, err)
		}
	}
}

// What is taken from us while more changes than the watch can be told is put back all the same.
func TestWatchRepairsWhatItWasNotTold(t *testing.T) {
	f := newFixture(t)
	attach(t, f, "a", newSandbox(t), PortBinding{Proto: "tcp", ContainerPort: 80})
	raw, err := f.watch.f.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 1) }), err)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock() // the watch gets stuck with the first that matters
	flood(t)
	c, err := nftables.New()
	if err == nil {
		c.FlushSet(families[0].anywhere(f.fw.tableOf(families[0])))
		err = c.Flush()
	}
	flood(t)
	f.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); !f.intact(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the port is still missing")
		}
	}
}
