package shim_test

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"berth/shim/wire"
)

// A peer that asks and does not read the answers must not hold up others.
func TestDeafPeer(t *testing.T) {
	b := newBench(t)
	cfg := b.config("sleep 1000")
	c := b.run(cfg)
	defer b.exit(c)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: filepath.Join(cfg.Dir, wire.SocketName)}); err != nil {
		t.Fatal(err)
	}
	deaf, err := wire.NewConn(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	// Until the shim reads no more, since its answer does not go out.
	for err == nil {
		deaf.SetDeadline(time.Now().Add(200 * time.Millisecond))
		err = deaf.Send(wire.TypeNetNS, nil)
	}
	begin := time.Now()
	if err := c.Kill(unix.SIGKILL, true); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("a kill took %v", took)
	}
}
