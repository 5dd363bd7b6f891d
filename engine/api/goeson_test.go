package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// vanishing is a request whose client goes.
type vanishing struct {
	name, head string
	body       []byte // in one chunk that is never followed by the last one if half
	half       bool
	until      string // how much of the answer is read at most: up to this
}

// leave sends v's request, reads of the answer what is to be read of it, and goes in one of three ways.
func (v vanishing) leave(t *testing.T, address string, how int) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := v.head + " HTTP/1.1\r\nHost: berth\r\n"
	if v.body != nil {
		request += "Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		t.Fatal(err)
	}
	if v.body != nil {
		fmt.Fprintf(conn, "%x\r\n%s", len(v.body), v.body)
		if !v.half {
			io.WriteString(conn, "\r\n0\r\n\r\n")
		}
	}
	if v.until != "" && how > 0 {
		in := bufio.NewReader(conn)
		for seen := ""; !strings.Contains(seen, v.until); {
			b, err := in.ReadByte()
			if err != nil {
				t.Fatalf("%s: %v after %q", v.name, err, seen)
			}
			seen += string(b)
		}
	}
	if how > 1 {
		conn.(*net.TCPConn).SetLinger(0) // a reset
	}
}

// TestWhatGoesOnWithoutItsClient has clients go from what docker finishes all the same: a commit thaws its container
// and makes its image, a stop waits and kills, a removal removes.
func TestWhatGoesOnWithoutItsClient(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go r.server.Serve(l)
	ask := func(head string, how int) { vanishing{name: head, head: head}.leave(t, l.Addr().String(), how) }
	state := func(id string) container.ContainerState {
		found, err := r.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
		if err != nil {
			return "none"
		}
		return found.Container.State.Status
	}
	for how := range 3 {
		id := r.create(fmt.Sprint("deaf", how), container.Config{}, "sh", "-c", "trap '' TERM; seq 1000000 >/big; touch /tmp/done; while true; do sleep 0.01; done")
		r.start(id)
		r.eventually("the large file is written", func() bool {
			_, err := r.client.ContainerStatPath(ctx, id, client.ContainerStatPathOptions{Path: "/tmp/done"})
			return err == nil
		})
		name := fmt.Sprint("made:", how)
		ask(fmt.Sprintf("POST /commit?container=%s&repo=made&tag=%d", id, how), how)
		r.eventually("there is the image", func() bool {
			_, err := r.client.ImageInspect(ctx, name)
			return err == nil
		})
		r.eventually("the container is thawed", func() bool { return state(id) == container.StateRunning })
		ask("POST /containers/"+id+"/stop?t=1", how)
		r.eventually("the container is stopped", func() bool { return state(id) == container.StateExited })
		ask("POST /containers/"+id+"/start", how)
		r.eventually("the container is started", func() bool { return state(id) == container.StateRunning })
		started := r.startedAt(id)
		ask("POST /containers/"+id+"/restart?t=0", how)
		r.eventually("the container is started anew", func() bool { return state(id) == container.StateRunning && r.startedAt(id) != started })
		ask("DELETE /containers/"+id+"?force=1", how)
		r.eventually("the container is removed", func() bool { return state(id) == "none" })
	}
}

// startedAt is when a container was last started.
func (r *rig) startedAt(id string) string {
	r.t.Helper()
	found, err := r.client.ContainerInspect(r.t.Context(), id, client.ContainerInspectOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	return found.Container.State.StartedAt
}
