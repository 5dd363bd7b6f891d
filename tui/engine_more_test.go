package tui

import (
	"archive/tar"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/volume"
)

// recordedDial is the machine's network as far as ports are probed: all answer
// but 9000.
func recordedDial(_ context.Context, _, address string) (net.Conn, error) {
	if strings.HasSuffix(address, ":9000") {
		return nil, errors.New("connection refused")
	}
	a, b := net.Pipe()
	b.Close()
	return a, nil
}

// moreRoutes are those of volumes and networks.
func (e *engine) moreRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /volumes", func(w http.ResponseWriter, _ *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		reply(w, volume.ListResponse{Volumes: e.volumes})
	})
	mux.HandleFunc("GET /networks", func(w http.ResponseWriter, _ *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		reply(w, append([]network.Summary{}, e.networks...))
	})
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"Name": "box", "ServerVersion": "0.1.0", "OperatingSystem": "Debian\x1b[2J", "KernelVersion": "6.18", "Architecture": "x86_64", "NCPU": 2, "MemTotal": 8e9,
			"Driver": "overlay", "DockerRootDir": "/var/lib/berth", "CgroupVersion": "2", "CgroupDriver": "cgroupfs", "DefaultRuntime": "berth", "Containers": 12, "ContainersRunning": 7, "Images": 8})
	})
	mux.HandleFunc("POST /images/create", e.servePull)
	mux.HandleFunc("POST /build", e.serveBuild)
	mux.HandleFunc("POST /containers/{id}/rename", func(w http.ResponseWriter, r *http.Request) {
		e.edit(r.PathValue("id"), events.ActionRename, func(c *container.Summary) { c.Names = []string{"/" + r.URL.Query().Get("name")} })
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /containers/{id}/update", func(w http.ResponseWriter, r *http.Request) {
		var u container.UpdateConfig
		if err := json.NewDecoder(r.Body).Decode(&u); err != nil {
			e.t.Error(err)
		}
		reply(w, map[string]any{"Warnings": []string{fmt.Sprintf("memory %d cpus %d", u.Memory, u.NanoCPUs)}})
	})
	mux.HandleFunc("GET /containers/{id}/export", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "all its files") })
	for _, method := range []string{"GET", "PUT"} { // GET is HEAD, too
		mux.HandleFunc(method+" /containers/{id}/archive", e.serveArchive)
	}
	mux.HandleFunc("POST /images/load", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		reply(w, jsonstream.Message{Stream: fmt.Sprintf("Loaded %d bytes, %v", len(b), err)})
	})
	mux.HandleFunc("GET /images/get", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "archive of %s", r.URL.Query()["names"])
	})
	mux.HandleFunc("GET /containers/{id}/top", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, container.TopResponse{Titles: []string{"PID", "USER", "CMD"}, Processes: [][]string{{"1", "root", "nginx: master"}, {"29", "www", "nginx: wor\x1b[2Jker"}}})
	})
	mux.HandleFunc("POST /volumes/prune", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, volume.PruneReport{VolumesDeleted: []string{"a", "b", "c"}, SpaceReclaimed: 6e6})
	})
	mux.HandleFunc("GET /system/df", func(w http.ResponseWriter, _ *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		sizes := map[string]int64{"pgdata": 42e6, "uploads": 6e6}
		var vols []volume.Volume
		for _, v := range e.volumes {
			v.UsageData = &volume.UsageData{Size: sizes[v.Name]}
			if v.Name == "pgdata" {
				v.UsageData.RefCount = 2
			}
			vols = append(vols, v)
		}
		reply(w, map[string]any{"LayersSize": 900e6, "Images": e.images, "Containers": e.containers, "Volumes": vols, "BuildCache": []any{}})
	})
}

// serveArchive has one file, /etc/motd, and one directory, /srv, into which
// files are put; what was put is kept.
func (e *engine) serveArchive(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("path")
	stat := container.PathStat{Name: path.Base(name), Size: 6, Mode: 0o644}
	if name == "/srv" {
		stat.Mode |= os.ModeDir
	}
	head, err := json.Marshal(stat)
	if err != nil {
		e.t.Error(err)
	}
	w.Header().Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString(head))
	switch {
	case r.Method == http.MethodPut:
		files := tar.NewReader(r.Body)
		h, err := files.Next()
		if err != nil {
			e.t.Error(err)
			return
		}
		text, err := io.ReadAll(files)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.put = fmt.Sprintf("%s/%s: %s%v", name, h.Name, text, err)
	case name != "/etc/motd" && name != "/srv":
		refuse(w, http.StatusNotFound, "Could not find the file "+name)
	case r.Method == http.MethodGet:
		out := tar.NewWriter(w)
		err := out.WriteHeader(&tar.Header{Name: "motd", Mode: 0o644, Size: 6})
		if _, werr := io.WriteString(out, "hello\n"); err != nil || werr != nil || out.Close() != nil {
			e.t.Error(err, werr)
		}
	}
}

// serveBuild prints the names of the files that it got, and fails when one of
// them is called broken.
func (e *engine) serveBuild(w http.ResponseWriter, r *http.Request) {
	if err := http.NewResponseController(w).EnableFullDuplex(); err != nil { // it answers while it reads
		e.t.Error(err)
	}
	say := func(m jsonstream.Message) {
		reply(w, m)
		w.(http.Flusher).Flush()
	}
	say(jsonstream.Message{Stream: "Step 1/2 : FROM busybox\n"})
	broken := false
	for files := tar.NewReader(r.Body); ; {
		h, err := files.Next()
		if err != nil {
			break
		}
		broken = broken || h.Name == "broken"
		say(jsonstream.Message{Stream: "has " + h.Name + "\x1b[2J\n"})
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil { // what follows the last file
		e.t.Error(err)
	}
	if broken {
		say(jsonstream.Message{Error: &jsonstream.Error{Message: "RUN make: exit code 2"}})
		return
	}
	say(jsonstream.Message{Stream: "Step 2/2 : COPY . /\n"})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.images = append(e.images, image.Summary{ID: "sha256:" + strings.Repeat("b", 64), RepoTags: r.URL.Query()["t"], Size: 1e6})
	e.emit(events.ImageEventType, events.ActionTag, "built")
}

// servePull says that half of one layer is there, then nothing until it is given up.
func (e *engine) servePull(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("fromImage")
	if strings.HasSuffix(name, "missing") {
		refuse(w, http.StatusNotFound, "manifest for "+name+" not found")
		return
	}
	for n := range 3 { // messages are handed over in batches
		reply(w, jsonstream.Message{ID: "aaaabbbbcccc", Status: "Downloading", Progress: &jsonstream.Progress{Current: int64(n) * 10e6, Total: 40e6}})
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(80 * time.Millisecond): // so that there are several
		}
	}
	<-r.Context().Done()
	e.mu.Lock()
	e.given = true
	e.mu.Unlock()
}

// examined is a machine with one of each finding.
func examined(context.Context) ([]Finding, error) {
	return []Finding{{"ok", "kernel", "6.18: all that is needed", ""}, {"warning", "cgroups", "version 1: limits of I/O do not work as well", "systemd.unified_cgroup_hierarchy=1"}, {"bad", "overlay", "there is no overlay", "modprobe overlay"}}, nil
}

// makeVolume adds a volume as if someone else had.
func (e *engine) makeVolume(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.volumes = append(e.volumes, volume.Volume{Name: name, Driver: "local"})
	e.emit(events.VolumeEventType, events.ActionCreate, name)
}

func (e *engine) serveRemove(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, c := range e.containers {
		if c.ID == r.PathValue("id") {
			if c.State == container.StateRunning && r.URL.Query().Get("force") == "" {
				refuse(w, http.StatusConflict, "You cannot remove a running container")
				return
			}
			e.containers = append(e.containers[:i:i], e.containers[i+1:]...)
			e.emit(events.ContainerEventType, events.ActionDestroy, c.ID)
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	refuse(w, http.StatusNotFound, "No such container")
}

func (e *engine) serveTag(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.images {
		if img := &e.images[i]; img.RepoTags[0] == r.PathValue("name") {
			img.RepoTags = append(img.RepoTags, r.URL.Query().Get("repo")+":"+r.URL.Query().Get("tag"))
		}
	}
	e.emit(events.ImageEventType, events.ActionTag, r.PathValue("name"))
	w.WriteHeader(http.StatusCreated)
}
