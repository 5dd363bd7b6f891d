package main

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

// TestLookingForClientsKeepsAListenerClosable: an engine that ended while clients came
// hung in the end of its listeners, with the root locked and its socket gone.
func TestLookingForClientsKeepsAListenerClosable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if pending(l) {
		t.Error("somebody waits where nobody has come")
	}
	dial := func() {
		t.Helper()
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	dial()
	if !pending(l) {
		t.Error("nobody waits where one has come")
	}
	accepted, ended := make(chan bool), make(chan error)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			c.Close()
			accepted <- true
		}
	}()
	<-accepted
	dial()
	<-accepted
	closed := make(chan error)
	go func() { closed <- l.Close() }()
	for range 2 {
		select {
		case <-closed:
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatal("the listener does not close")
		}
	}
	if pending(l) {
		t.Error("somebody waits at a closed listener")
	}
}
