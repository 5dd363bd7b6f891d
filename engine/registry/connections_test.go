package registry

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestConnectionsGoWithTheirPull pulls, and looks whether the registry has a connection left: idle ones would stay for half
// a minute each, with a descriptor.
func TestConnectionsGoWithTheirPull(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	var open, ever atomic.Int32
	s := httptest.NewUnstartedServer(f)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
			ever.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	f.host = strings.TrimPrefix(s.URL, "http://")
	m := f.manifestOf(three(t))
	f.put("1", m.MediaType, m)
	if err := r.pull(f.host+"/app:1", PullOptions{}); err != nil {
		t.Fatal(err)
	}
	// Less than after which idle connections are closed anyway.
	for end := time.Now().Add(20 * time.Second); open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d connections are left", open.Load(), ever.Load())
		}
	}
	if ever.Load() == 0 {
		t.Error("nothing was pulled")
	}
}
