package api_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"berth/engine"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// TestClientsThatVanish cuts connections in the middle of everything, and looks for what they leave.
func TestClientsThatVanish(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	id := r.create("web", container.Config{OpenStdin: true}, "sh", "-c", "while true; do echo tick; sleep 0.01; done")
	r.start(id)
	before := runtime.NumGoroutine()
	for _, head := range []string{
		"POST /containers/web/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n",
		"GET /containers/web/logs?stdout=1&follow=1 HTTP/1.1\r\n",
		"GET /containers/web/stats HTTP/1.1\r\n",
		"GET /events HTTP/1.1\r\n",
		"POST /containers/web/wait HTTP/1.1\r\n",
		"GET /containers/web/export HTTP/1.1\r\n",
		"POST /images/load HTTP/1.1\r\nContent-Length: 1000000\r\n",
		"POST /images/create?fromSrc=-&repo=half HTTP/1.1\r\nTransfer-Encoding: chunked\r\n",
		"POST /containers/create HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n",
	} {
		for i := range 8 {
			conn, err := net.Dial("unix", r.socket)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "%sHost: berth\r\n\r\n", head)
			if i%2 == 0 && (strings.Contains(head, "-Length") || strings.Contains(head, "-Encoding") || strings.Contains(head, "Upgrade")) {
				io.WriteString(conn, "200\r\n"+strings.Repeat("\x00", 512))
			}
			if i%4 > 1 {
				conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				_, _ = io.CopyN(io.Discard, conn, 300)
			}
			conn.Close()
		}
	}
	r.eventually("no client is left", func() bool { return r.server.Clients() == 0 })
	r.eventually("no goroutine is left", func() bool { return runtime.NumGoroutine() <= before+5 })
	images, err := r.client.ImageList(ctx, client.ImageListOptions{})
	if err != nil || len(images.Items) != 1 {
		t.Errorf("half an image is left: %+v, %v", images.Items, err)
	}
	all, err := r.client.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil || len(all.Items) != 1 || all.Items[0].State != container.StateRunning {
		t.Errorf("containers: %+v, %v", all.Items, err)
	}
}

// TestShutdownWithUnreadArchives stops the server while clients do not read the archives that they asked for.
func TestShutdownWithUnreadArchives(t *testing.T) {
	r := newRig(t)
	r.create("web", container.Config{}, "true")
	for _, path := range []string{"/containers/web/export", "/containers/web/archive?path=/", "/images/busybox/get"} {
		conn, err := net.Dial("unix", r.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: berth\r\n\r\n", path)
		head := make([]byte, 12)
		if _, err := io.ReadFull(conn, head); err != nil || string(head) != "HTTP/1.1 200" {
			t.Fatalf("%s: %q, %v", path, head, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := r.server.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// TestAttachOverTLS takes the way of a connection that has no descriptor to hand over.
func TestAttachOverTLS(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	if err != nil {
		t.Fatal(err)
	}
	go r.server.Serve(l)
	id := r.create("cat", container.Config{OpenStdin: true, StdinOnce: true, Tty: false}, "cat")
	conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text := strings.Repeat("0123456789abcdef", 10_000)
	fmt.Fprintf(conn, "POST /containers/cat/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n")
	head := make([]byte, 12)
	if _, err := io.ReadFull(conn, head); err != nil || string(head) != "HTTP/1.1 101" {
		t.Fatalf("%q, %v", head, err)
	}
	r.start(id)
	go func() {
		io.WriteString(conn, text)
		conn.CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || strings.Count(string(got), "0123456789abcdef") < 9_900 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	select {
	case how := <-r.client.ContainerWait(ctx, id, client.ContainerWaitOptions{}).Result:
		if how.StatusCode != 0 {
			t.Errorf("exit %+v", how)
		}
	case <-ctx.Done():
	}
}

// certificate makes one for this test.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestTwoEngines opens a second engine on the same root, which must fail, and one on other directories, which must work.
func TestTwoEngines(t *testing.T) {
	r := newRig(t)
	cfg := engine.Config{Root: filepath.Join(r.dir, "root"), State: filepath.Join(r.dir, "state"), Log: slog.New(slog.DiscardHandler)}
	if e, err := engine.Open(t.Context(), cfg); err == nil {
		e.Close(t.Context())
		t.Fatal("two engines on one root")
	}
	other := cfg
	other.Root, other.State = filepath.Join(r.dir, "root2"), filepath.Join(r.dir, "state2")
	e, err := engine.Open(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := e.Info(t.Context()); err != nil || n.Images != 0 {
		t.Errorf("the other engine has the images of the first: %+v, %v", n.Images, err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
