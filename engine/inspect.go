package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/storage"
)

// never is how the Engine API writes a time that has not come.
const never = "0001-01-01T00:00:00Z"

// apiTime is RFC 3339 with nanoseconds, in UTC.
func apiTime(t time.Time) string {
	if t.IsZero() {
		return never
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// Inspect returns everything there is to know of a container; with size, the
// bytes of its writable layer and of its whole file system too.
func (cs *Containers) Inspect(ctx context.Context, ref string, size bool) (container.InspectResponse, error) {
	c, err := cs.get(ref)
	if err != nil {
		return container.InspectResponse{}, err
	}
	c.mu.Lock()
	rec, removing := c.rec, c.removing
	c.mu.Unlock()
	ends, files := cs.e.network.Endpoints(c.id), cs.dir(c.id)
	resp := container.InspectResponse{
		ID: rec.ID, Created: apiTime(rec.Created), Path: rec.Path, Args: append([]string{}, rec.Args...),
		State: apiState(rec.State, removing), Image: rec.ImageID, Name: "/" + rec.Name, RestartCount: rec.RestartCount,
		ResolvConfPath: filepath.Join(files, resolvFile), HostnamePath: filepath.Join(files, hostnameFile),
		HostsPath: filepath.Join(files, hostsFile), LogPath: cs.logPath(rec),
		Driver: cs.driver(), Platform: "linux", ExecIDs: cs.execIDs(c.id),
		HostConfig: rec.HostConfig, Config: rec.Config, Mounts: mountPoints(rec),
		GraphDriver: cs.graphDriver(ctx, rec),
		NetworkSettings: &container.NetworkSettings{
			Ports: portMap(rec, ends), Networks: endpointSettings(rec, ends),
		},
	}
	if len(rec.HostConfig.Links) > 0 {
		hc := *rec.HostConfig
		hc.Links = cs.showLinks(rec)
		resp.HostConfig = &hc
	}
	if rec.HostConfig.LogConfig.Type != "json-file" {
		resp.LogPath = "" // the form of the others' files is the engine's own business
	}
	if resp.State.Error == "" {
		resp.State.Error = c.logLoss()
	}
	if rec.State.StartedAt.IsZero() {
		// They are made at the first start.
		resp.ResolvConfPath, resp.HostnamePath, resp.HostsPath, resp.LogPath = "", "", "", ""
	}
	if len(ends) > 0 {
		resp.NetworkSettings.SandboxID = ends[0].ID
	}
	if size {
		rw := cs.sizeRw(ctx, rec)
		root := rw + cs.sizeImage(ctx, rec)
		resp.SizeRw, resp.SizeRootFs = &rw, &root
	}
	return resp, nil
}

// apiState is the state in the API's terms. Pid is the host's number of the first process.
func apiState(s state, removing bool) *container.State {
	return &container.State{
		Status: s.status(removing), Running: s.Running, Paused: s.Paused, Restarting: s.Restarting,
		OOMKilled: s.OOMKilled, Pid: s.Pid, ExitCode: s.ExitCode, Error: s.Error,
		StartedAt: apiTime(s.StartedAt), FinishedAt: apiTime(s.FinishedAt), Health: healthShown(s.Health),
	}
}

// logLoss says what the log of a running container lacks, which happens when the
// disk is full; "" when nothing. The container itself is not stopped by that.
func (c *ctr) logLoss() string {
	r, _, err := c.running()
	if err != nil {
		return ""
	}
	info, err := r.Info()
	if err != nil || info.LogDropped == 0 {
		return ""
	}
	if info.LogError == "" {
		return fmt.Sprintf("the log lacks %d lines that could not be written; it is written again", info.LogDropped)
	}
	return fmt.Sprintf("the log lacks %d lines that cannot be written: %s", info.LogDropped, info.LogError)
}

// mountPoints are never null in JSON: clients range over them in languages that mind.
func mountPoints(rec record) []container.MountPoint {
	return append([]container.MountPoint{}, rec.Mounts...)
}

// driver is what tools know the kind of the layers by: docker's names.
func (cs *Containers) driver() string {
	name, _ := cs.e.store.Snapshots.Driver()
	return name
}

// graphDriver tells tools where the layers are, in the keys of docker's overlay2.
func (cs *Containers) graphDriver(ctx context.Context, rec record) *storage.DriverData {
	d := &storage.DriverData{Name: cs.driver(), Data: map[string]string{"ID": rec.ID}}
	dirs, err := cs.e.snapshots.Dirs(ctx, snapshotKey(rec.ID))
	if err != nil {
		return d // being removed
	}
	lower := ""
	for i, l := range dirs.Lower {
		if i > 0 {
			lower += ":"
		}
		lower += l
	}
	d.Data["UpperDir"], d.Data["WorkDir"], d.Data["LowerDir"], d.Data["MergedDir"] = dirs.Upper, dirs.Work, lower, cs.mountPoint(rec.ID)
	return d
}

// sizeRw is the size of the files in the writable layer in bytes, as docker counts it; 0 if it is just going.
func (cs *Containers) sizeRw(ctx context.Context, rec record) int64 {
	dirs, err := cs.e.snapshots.Dirs(ctx, snapshotKey(rec.ID))
	if err != nil {
		return 0
	}
	return treeSize(ctx, dirs.Upper)
}

// sizeImage is the size of the layers below it.
func (cs *Containers) sizeImage(ctx context.Context, rec record) int64 {
	var total int64
	info, err := cs.e.snapshots.Stat(ctx, snapshotKey(rec.ID))
	for err == nil && info.Parent != "" {
		parent := info.Parent
		if u, uerr := cs.e.snapshots.Usage(ctx, parent); uerr == nil {
			total += u.Size
		}
		info, err = cs.e.snapshots.Stat(ctx, parent)
	}
	return total
}

// healthShown is what inspect tells of a check: before its first result there is an empty list of them, as docker has it.
func healthShown(h *container.Health) *container.Health {
	if h == nil || h.Log != nil {
		return h
	}
	shown := *h
	shown.Log = []*container.HealthcheckResult{}
	return &shown
}
