package registry

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestASilentRegistryIsGivenUp has a registry that stops at one place each and
// says no more, as one behind a broken line or with bad intentions does.
func TestASilentRegistryIsGivenUp(t *testing.T) {
	hang := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	// half answers half of what is asked for and hangs.
	half := func(f *fake, m ocispec.Manifest) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			data := f.blobs[m.Layers[1].Digest]
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			w.Write(data[:len(data)/2])
			w.(http.Flusher).Flush()
			hang(w, r)
		}
	}
	for name, stop := range map[string]func(f *fake, m ocispec.Manifest){
		"at once":                 func(f *fake, _ ocispec.Manifest) { f.on("/", hang) },
		"before a config":         func(f *fake, m ocispec.Manifest) { f.on(m.Config.Digest.String(), hang) },
		"before a layer":          func(f *fake, m ocispec.Manifest) { f.on(m.Layers[1].Digest.String(), hang) },
		"in the middle of one":    func(f *fake, m ocispec.Manifest) { f.on(m.Layers[1].Digest.String(), half(f, m)) },
		"before it gives a token": func(f *fake, _ ocispec.Manifest) { f.on("/token", hang); f.on("/v2/", challenge(f)) },
	} {
		t.Run(name, func(t *testing.T) {
			f, r := newFake(t), newRig(t, Config{Silence: 30 * time.Millisecond})
			m := f.manifestOf(three(t))
			f.put("1", m.MediaType, m)
			stop(f, m)
			err := r.pull(f.host+"/app:1", PullOptions{})
			if err == nil || !strings.Contains(err.Error(), "has sent nothing for 30ms") {
				t.Errorf("error %v", err)
			}
			if n := r.left()["images"]; n != 0 {
				t.Errorf("%d images left", n)
			}
		})
	}
}

// challenge wants a token.
func challenge(f *fake) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+f.host+`/token",service="s"`)
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// asker tells at each Read whether the clock runs.
type asker struct {
	w       *watch
	running []bool
}

func (a *asker) Read(p []byte) (int, error) {
	a.running = append(a.running, a.w.timer.Stop())
	return copy(p, "x"), nil
}

func (a *asker) Close() error { return nil }

// TestOnlyTheRegistryIsTimed pins that the clock runs while we wait for the
// registry: not while a request is being made, nor while an answer is used.
func TestOnlyTheRegistryIsTimed(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	w := &watch{ctx: ctx, timer: time.NewTimer(time.Hour), after: time.Hour}
	body := &asker{w: w}
	b := make([]byte, 1)
	if _, err := (&sentBody{body, w}).Read(b); err != nil || body.running[0] {
		t.Errorf("the clock runs while the request is made: %v", err)
	}
	if !w.timer.Stop() {
		t.Error("the clock does not run when the request is on its way")
	}
	heard := &heardBody{body, w, cancel}
	if _, err := heard.Read(b); err != nil || !body.running[1] {
		t.Errorf("the clock does not run while an answer is read: %v", err)
	}
	if w.timer.Stop() {
		t.Error("the clock runs while the answer is used")
	}
	if err := heard.Close(); err != nil || ctx.Err() == nil {
		t.Errorf("an answer that is closed holds its request: %v", err)
	}
}

func TestRedirectsEnd(t *testing.T) {
	for _, part := range []string{"/manifests/", "/blobs/"} {
		f, r := newFake(t), newRig(t, Config{})
		f.image("1", three(t))
		f.on(part, func(w http.ResponseWriter, req *http.Request) {
			http.Redirect(w, req, req.URL.Path+"x", http.StatusTemporaryRedirect)
		})
		err := r.pull(f.host+"/app:1", PullOptions{})
		if err == nil || !strings.Contains(err.Error(), "stopped after 10 redirects") {
			t.Errorf("%s: %v", part, err)
		}
		if n := r.left()["images"]; n != 0 {
			t.Errorf("%s: %d images left", part, n)
		}
	}
}

// TestPlainHTTPThatDoesNotSaySo has a registry that breaks off what it does not
// understand, TLS among it, in words that are not HTTP/1's.
func TestPlainHTTPThatDoesNotSaySo(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	f.image("1", three(t))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go relay(c, f.host)
		}
	}()
	if err := r.pull(l.Addr().String()+"/app:1", PullOptions{}); err != nil {
		t.Error(err)
	}
}

// relay passes a connection on to host if it is HTTP's.
func relay(c net.Conn, host string) {
	defer c.Close()
	first := make([]byte, 1)
	if _, err := io.ReadFull(c, first); err != nil {
		return
	}
	if first[0] == 0x16 { // a handshake of TLS
		io.WriteString(c, "<html>what?</html>")
		return
	}
	to, err := net.Dial("tcp", host)
	if err != nil {
		return
	}
	defer to.Close()
	go io.Copy(to, io.MultiReader(bytes.NewReader(first), c))
	io.Copy(c, to)
}

func TestNameUnknownIsSaidSo(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	f.on("/tags/list", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}`)
	})
	err := r.pull(f.host+"/app", PullOptions{All: true})
	if want := "repository " + f.host + "/app not found: name unknown: repository name not known to registry"; !errdefs.IsNotFound(err) || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
