package api_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// standingStill is a registry whose layers stop in the middle, and whose uploads do not begin; it counts who waits.
func standingStill(t *testing.T) (host string, waiting *atomic.Int32) {
	t.Helper()
	waiting = new(atomic.Int32)
	layer := bytes.Repeat([]byte("x"), 1<<20)
	config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:` + strings.Repeat("0", 64) + `"]}}`)
	digest := func(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":%d}]}`, digest(config), len(config), digest(layer), len(layer))
	stand := func(r *http.Request) {
		waiting.Add(1)
		defer waiting.Add(-1)
		<-r.Context().Done()
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		put := func(b []byte, media string) {
			w.Header().Set("Content-Type", media)
			w.Header().Set("Docker-Content-Digest", digest(b))
			w.Header().Set("Content-Length", fmt.Sprint(len(b)))
			w.Write(b)
		}
		switch path := r.URL.Path; {
		case path == "/v2/":
		case r.Method == http.MethodPost:
			stand(r)
		case strings.HasPrefix(path, "/v2/up/"):
			http.NotFound(w, r)
		case strings.Contains(path, "/manifests/"):
			put(manifest, "application/vnd.oci.image.manifest.v1+json")
		case strings.HasSuffix(path, digest(config)):
			put(config, "application/octet-stream")
		case strings.HasSuffix(path, digest(layer)):
			w.Header().Set("Content-Length", fmt.Sprint(len(layer)))
			w.Write(layer[:len(layer)/2])
			w.(http.Flusher).Flush()
			stand(r)
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), waiting
}

// TestNothingIsLeftOfVanishedClients has clients go in the middle of what takes long, and looks for what stays of it: goroutines,
// descriptors, files, half images, frozen containers, processes.
func TestNothingIsLeftOfVanishedClients(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go r.server.Serve(l)
	registry, waiting := standingStill(t)
	id := r.create("web", container.Config{}, "sh", "-c", "seq 3000000 >/big; while true; do echo tick; sleep 0.01; done")
	r.start(id)
	r.eventually("the large file is written", func() bool {
		got, err := r.client.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStdout: true, Tail: "1"})
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		text, err := io.ReadAll(got)
		return err == nil && bytes.Contains(text, []byte("tick"))
	})
	if _, err := r.client.ImageTag(ctx, client.ImageTagOptions{Source: "busybox", Target: registry + "/up:1"}); err != nil {
		t.Fatal(err)
	}
	tree := rootfs(t)
	const asleep = "987654"
	all := []vanishing{
		{name: "pull", head: "POST /images/create?fromImage=" + registry + "/half&tag=1", until: `"Pulling fs layer"`},
		{name: "push", head: "POST /images/" + registry + "/up/push?tag=1", until: `"Preparing"`},
		{name: "build", head: "POST /build?rm=1", body: dockerfile(t, "FROM busybox\nRUN echo begun; sleep "+asleep+"\n"), until: "begun\\n"},
		{name: "build of half a context", head: "POST /build", body: tree[:len(tree)/2], half: true},
		{name: "load of half", head: "POST /images/load", body: tree[:len(tree)/2], half: true},
		{name: "import of half", head: "POST /images/create?fromSrc=-&repo=half", body: tree[:len(tree)/2], half: true},
		{name: "cp into of half", head: "PUT /containers/web/archive?path=/tmp", body: tree[:len(tree)/2], half: true},
		{name: "cp out of", head: "GET /containers/web/archive?path=/big", until: "\r\n\r\n"},
		{name: "export", head: "GET /containers/web/export", until: "\r\n\r\n"},
		{name: "save", head: "GET /images/busybox/get", until: "\r\n\r\n"},
		{name: "logs", head: "GET /containers/web/logs?stdout=1&follow=1", until: "tick"},
		{name: "stats", head: "GET /containers/web/stats", until: "cpu_stats"},
		{name: "events", head: "GET /events", until: "\r\n\r\n"},
		{name: "wait", head: "POST /containers/web/wait", until: "\r\n\r\n"},
		{name: "wait for the next exit", head: "POST /containers/web/wait?condition=next-exit", until: "\r\n\r\n"},
		{name: "wait for the removal", head: "POST /containers/web/wait?condition=removed", until: "\r\n\r\n"},
		{name: "changes", head: "GET /containers/web/changes"},
		{name: "df", head: "GET /system/df"},
	}
	round := func() {
		for _, v := range all {
			for how := range 3 {
				v.leave(t, l.Addr().String(), how)
			}
		}
	}
	settled := func() bool {
		return r.server.Clients() <= 1 && waiting.Load() == 0 && running(t, "sleep\x00"+asleep) == 0
	}
	round() // the first makes what is made once
	r.eventually("nobody works for clients that have gone", settled)
	fds := func() int { return shimProcess(os.Getpid()).count(t, "fd") }
	goroutines, descriptors := runtime.NumGoroutine(), fds()
	files := r.files(t)
	for range 3 {
		round()
	}
	r.eventually("nobody works for clients that have gone", settled)
	// Fewer than one for each round of one kind of them.
	r.eventually("the engine has no more goroutines than before", func() bool { return runtime.NumGoroutine() <= goroutines+5 })
	r.eventually("the engine has no more descriptors than before", func() bool { return fds() <= descriptors+5 })
	// What a collection of garbage spared, since somebody else was at work, goes with the next one; half a layer
	// stays for the next pull; and the builder keeps a record of each build, for "docker buildx history".
	if _, err := r.client.ImagePrune(ctx, client.ImagePruneOptions{}); err != nil {
		t.Fatal(err)
	}
	r.eventually("the engine has no more files than before", func() bool {
		more := slices.DeleteFunc(r.files(t), func(name string) bool {
			text, _ := os.ReadFile(name)
			return slices.Contains(files, name) || strings.Contains(name, "/ingest/") || bytes.Contains(text, []byte("sleep "+asleep))
		})
		return len(more) == 0
	})
	images, err := r.client.ImageList(ctx, client.ImageListOptions{All: true})
	if err != nil || len(images.Items) != 1 {
		t.Errorf("half an image is left: %+v, %v", images.Items, err)
	}
	found, err := r.client.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil || len(found.Items) != 1 || found.Items[0].State != container.StateRunning {
		t.Errorf("containers: %+v, %v", found.Items, err)
	}
}

// files are the names of all files of the engine.
func (r *rig) files(t *testing.T) (names []string) {
	t.Helper()
	for _, dir := range []string{"root", "state"} {
		err := filepath.WalkDir(filepath.Join(r.dir, dir), func(path string, e fs.DirEntry, err error) error {
			switch {
			case os.IsNotExist(err):
				return nil // it goes while it is looked at
			case err != nil:
				return err
			}
			names = append(names, path)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// running is how many processes have this in their command line.
func running(t *testing.T, words string) (n int) {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, []byte(words)) {
			n++
		}
	}
	return n
}
