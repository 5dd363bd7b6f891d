package api_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/net/websocket"
)

// dialWebsocket attaches to a container by websocket.
func (r *rig) dialWebsocket(path string) *websocket.Conn {
	r.t.Helper()
	conn, err := net.Dial("unix", r.socket)
	if err != nil {
		r.t.Fatal(err)
	}
	config, err := websocket.NewConfig("ws://berth"+path, "http://berth")
	if err != nil {
		r.t.Fatal(err)
	}
	ws, err := websocket.NewClient(config, conn)
	if err != nil {
		conn.Close()
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { ws.Close() })
	return ws
}

// frames reads messages until they hold text, or to the end, and says of which type they were.
func frames(t *testing.T, ws *websocket.Conn, text string) (got string, payload byte) {
	t.Helper()
	codec := websocket.Codec{Unmarshal: func(data []byte, kind byte, v any) error {
		payload = kind
		*v.(*string) += string(data)
		return nil
	}}
	for text == "" || !strings.Contains(got, text) {
		if err := codec.Receive(ws, &got); err != nil {
			if err != io.EOF || text != "" {
				t.Fatalf("after %q: %v", got, err)
			}
			break
		}
	}
	return got, payload
}

func TestAttachByWebsocket(t *testing.T) {
	r := newRig(t)
	made, err := r.client.ContainerCreate(t.Context(), client.ContainerCreateOptions{Config: &container.Config{
		Image: "busybox", Cmd: []string{"sh", "-c", "echo ready; echo wrong >&2; read line; echo got $line"},
		OpenStdin: true, StdinOnce: true,
	}})
	if err != nil {
		t.Fatal(err)
	}
	// Attached before the start: nothing of the output is missed.
	old := r.dialWebsocket("/v1.24/containers/" + made.ID + "/attach/ws?stream=1") // all three streams, as text
	outputs := r.dialWebsocket("/containers/" + made.ID + "/attach/ws?stream=1&stderr=1")
	if _, err := r.client.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	first, kind := frames(t, old, "ready")
	if kind != websocket.TextFrame {
		t.Errorf("an old client got messages of type %d", kind)
	}
	if !strings.Contains(first, "wrong\n") { // either output may come first
		frames(t, old, "wrong\n")
	}
	if err := websocket.Message.Send(old, "words\n"); err != nil {
		t.Fatal(err)
	}
	if got, _ := frames(t, old, ""); got != "got words\n" {
		t.Errorf("got %q", got)
	}
	got, kind := frames(t, outputs, "")
	if got != "wrong\n" || kind != websocket.BinaryFrame {
		t.Errorf("got %q in messages of type %d", got, kind)
	}
	// The past, of a container that has ended, and its end.
	past := r.dialWebsocket("/containers/" + made.ID + "/attach/ws?logs=1&stdout=1")
	if got, _ := frames(t, past, ""); got != "ready\ngot words\n" {
		t.Errorf("the past: %q", got)
	}
}
