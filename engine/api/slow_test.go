package api_test

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// TestReadersThatDoNotRead has clients that ask for much and read nothing. What is kept for them is bounded, in the
// engine and in the shim, and others get theirs.
func TestReadersThatDoNotRead(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	made, err := r.client.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name:       "web",
		Config:     &container.Config{Image: "busybox", Cmd: []string{"sh", "-c", "while read n; do seq $n; echo done; done"}, OpenStdin: true},
		HostConfig: &container.HostConfig{NetworkMode: "none", LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "20m", "max-file": "2"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.start(made.ID)
	shim := shimOf(t, made.ID)
	before := shim.private(t)
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	heapBefore := heap()
	var idle []net.Conn
	for _, head := range []string{
		"GET /containers/web/logs?stdout=1&follow=1 HTTP/1.1\r\n",
		"GET /containers/web/logs?stdout=1&follow=1&timestamps=1 HTTP/1.1\r\n",
		"GET /events HTTP/1.1\r\n",
		"GET /containers/web/stats HTTP/1.1\r\n",
		"GET /containers/web/export HTTP/1.1\r\n",
		"GET /images/busybox/get HTTP/1.1\r\n",
		"POST /build HTTP/1.1\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n",
	} {
		conn, err := net.Dial("unix", r.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		idle = append(idle, conn)
		io.WriteString(conn, head+"Host: berth\r\n\r\n")
		if strings.HasPrefix(head, "POST /build") {
			context := dockerfile(t, "FROM busybox\nRUN seq 200000\n")
			fmt.Fprintf(conn, "%x\r\n%s\r\n0\r\n\r\n", len(context), context)
		}
	}
	// One that reads gets all, in the order in which it came.
	attached, err := r.client.ContainerAttach(ctx, made.ID, client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true})
	if err != nil {
		t.Fatal(err)
	}
	defer attached.Close()
	const lines = 3_000_000 // 23 MB
	all := func() {
		t.Helper()
		var size int64
		header, tail := make([]byte, 8), []byte{}
		for !bytes.HasSuffix(tail, []byte("done\n")) {
			if _, err := io.ReadFull(attached.Reader, header); err != nil {
				t.Fatalf("after %d bytes: %v", size, err)
			}
			frame := make([]byte, binary.BigEndian.Uint32(header[4:]))
			if _, err := io.ReadFull(attached.Reader, frame); err != nil {
				t.Fatalf("after %d bytes: %v", size, err)
			}
			size += int64(len(frame))
			tail = append(tail, frame...)
			tail = tail[max(0, len(tail)-16):]
		}
		if size < 20<<20 {
			t.Errorf("%d bytes", size)
		}
	}
	fmt.Fprintln(attached.Conn, lines)
	all()
	// Who is attached and does not read slows the container down, as with dockerd, until he goes: nothing else.
	slow, err := r.client.ContainerAttach(ctx, made.ID, client.ContainerAttachOptions{Stream: true, Stdout: true})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(attached.Conn, lines)
	if _, err := attached.Reader.Peek(1000); err != nil {
		t.Fatal(err)
	}
	// Two megabytes wait for a client at most. Until there are sixteen of all, a shim collects no garbage.
	if grown := shim.private(t) - before; !raceDetector && grown > 16<<20 { // which doubles and triples it
		t.Errorf("the shim has grown by %d bytes", grown)
	}
	if grown := heap() - heapBefore; grown > 64<<20 {
		t.Errorf("the engine's heap has grown by %d bytes", grown)
	}
	if _, err := r.client.ContainerList(ctx, client.ContainerListOptions{}); err != nil {
		t.Errorf("others: %v", err)
	}
	if _, err := r.client.ContainerInspect(ctx, made.ID, client.ContainerInspectOptions{}); err != nil {
		t.Errorf("others: %v", err)
	}
	slow.Close()
	all()
	attached.Close()
	for _, conn := range idle {
		conn.Close()
	}
	r.eventually("no client is left", func() bool { return r.server.Clients() == 0 })
}

// private is its own memory, in bytes.
func (p shimProcess) private(t *testing.T) (bytes int64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, "Private_Dirty: %d kB", &kb); n == 1 {
			return kb << 10
		}
	}
	t.Fatal("no memory is told of")
	return 0
}

// dockerfile is a context of a build that has this file alone.
func dockerfile(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	if err := w.WriteHeader(&tar.Header{Name: "Dockerfile", Mode: 0o644, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
