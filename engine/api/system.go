package api

import (
	"context"
	"io"
	"net/http"
	"runtime"

	"berth/engine"
	"berth/engine/release"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"
)

// about tells about the engine and its machine.
type about interface {
	Info(context.Context) (system.Info, error)
	DiskUsage(context.Context) (engine.DiskUsage, error)
}

// systemHandlers answer the routes that concern no one noun.
type systemHandlers struct{ about about }

func (s *systemHandlers) routes(rt *router) {
	rt.on("GET /_ping", s.ping)
	rt.on("GET /version", s.version)
	rt.on("GET /info", s.info)
	rt.on("GET /system/df", s.usage)
}

// ping answers GET and HEAD /_ping. Clients learn from its headers what they may ask: Api-Version (negotiation), Ostype,
// Builder-Version, Swarm.
func (s *systemHandlers) ping(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
	h.Set("Pragma", "no-cache")
	h.Set("Swarm", "inactive")
	h.Set("Builder-Version", string(build.BuilderBuildKit))
	if r.Method == http.MethodHead {
		h.Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		return nil
	}
	_, err := io.WriteString(w, "OK")
	return err
}

// version answers GET /version. The fields beside Components repeat those of the Engine, for old clients.
func (s *systemHandlers) version(w http.ResponseWriter, _ *http.Request) error {
	kernel, err := engine.KernelVersion()
	if err != nil {
		return err
	}
	b := release.This()
	details := map[string]string{
		"ApiVersion": newest.String(), "MinAPIVersion": oldest.String(), "GitCommit": b.Commit, "BuildTime": b.Time,
		"GoVersion": b.Go, "Os": runtime.GOOS, "Arch": runtime.GOARCH, "KernelVersion": kernel, "Experimental": "false",
	}
	return writeJSON(w, http.StatusOK, system.VersionResponse{
		Platform:   system.PlatformInfo{Name: "berth"},
		Components: []system.ComponentVersion{{Name: "Engine", Version: b.Version, Details: details}},
		Version:    b.Version, APIVersion: newest.String(), MinAPIVersion: oldest.String(),
		GitCommit: b.Commit, BuildTime: b.Time, GoVersion: b.Go, Os: runtime.GOOS, Arch: runtime.GOARCH, KernelVersion: kernel,
	})
}

// info answers GET /info.
func (s *systemHandlers) info(w http.ResponseWriter, r *http.Request) error {
	info, err := s.about.Info(r.Context())
	if err != nil {
		return err
	}
	if versionOf(r).before(49) {
		info.FirewallBackend = nil
	}
	body, err := infoOf(info, versionOf(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, body)
}

// usage153 is how GET /system/df answered until 1.53.
type usage153 struct {
	LayersSize int64
	Images     any
	Containers []container.Summary
	Volumes    []volume.Volume
	BuildCache []build.CacheRecord
	// BuilderSize was there until 1.42.
	BuilderSize *int64 `json:",omitempty"`
}

// usage answers GET /system/df: for 1.53 and newer totals, with ?verbose=1 the items too; before that all items; in
// 1.52 both. ?type= chooses among container, image, volume and build-cache.
func (s *systemHandlers) usage(w http.ResponseWriter, r *http.Request) error {
	query, v := r.URL.Query(), versionOf(r)
	wants := map[string]bool{}
	for _, kind := range query["type"] {
		switch system.DiskUsageObject(kind) {
		case system.ContainerObject, system.ImageObject, system.VolumeObject, system.BuildCacheObject:
			wants[kind] = true
		default:
			return invalid("unknown object type: %s", kind)
		}
	}
	all := len(wants) == 0 || v.before(42)
	used, err := s.about.DiskUsage(r.Context())
	if err != nil {
		return err
	}
	var answer system.DiskUsage
	var old usage153
	if all || wants[string(system.ImageObject)] {
		answer.ImageUsage, old.LayersSize = &used.Images, used.Images.TotalSize
		if old.Images, err = sizedSummaries(used.Images.Items, v); err != nil {
			return err
		}
	}
	if all || wants[string(system.ContainerObject)] {
		answer.ContainerUsage, old.Containers = &used.Containers, listed(used.Containers.Items, v)
	}
	if all || wants[string(system.VolumeObject)] {
		answer.VolumeUsage, old.Volumes = &used.Volumes, list(used.Volumes.Items)
	}
	if all || wants[string(system.BuildCacheObject)] {
		answer.BuildCacheUsage, old.BuildCache = &used.Builds, list(used.Builds.Items)
	}
	if v.before(42) {
		old.BuilderSize = &used.Builds.TotalSize
	}
	verbose := flag(query, "verbose")
	if v.before(52) {
		return writeJSON(w, http.StatusOK, old)
	}
	if !verbose {
		used.Images.Items, used.Containers.Items, used.Volumes.Items = nil, nil, nil
		used.Builds.Items = nil
	}
	if v.before(53) && !verbose {
		both, err := extend(answer, old)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, both)
	}
	return writeJSON(w, http.StatusOK, answer)
}
