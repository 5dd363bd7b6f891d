package tui

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/volume"
)

// recordedDial is the machine's network as far as ports are probed: all answer
// but that of the container called dns and 9000.
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

// makeVolume adds a volume as if someone else had.
func (e *engine) makeVolume(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.volumes = append(e.volumes, volume.Volume{Name: name, Driver: "local"})
	e.emit(events.VolumeEventType, events.ActionCreate, name)
}
