package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"berth/engine"
	"berth/engine/api/berthapi"
	"berth/engine/filter"
	"berth/store/diff"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"
	"github.com/moby/moby/client"
)

// others are the nouns that the tests of routes and streams do not need, each as small as its interface allows.
type others struct {
	part    atomic.Pointer[engine.EntryOptions] // what entries were asked for last
	pruned  filter.Args
	started engine.ExecStartOptions
	broken  error // what entries end in
}

func (o *others) Create(_ context.Context, req volume.CreateRequest) (volume.Volume, error) {
	return volume.Volume{Name: req.Name}, nil
}

func (o *others) List(context.Context, filter.Args) ([]volume.Volume, error) { return nil, nil }

func (o *others) Inspect(_ context.Context, name string) (volume.Volume, error) {
	return volume.Volume{Name: name}, nil
}

func (o *others) Remove(_ context.Context, name string, force bool) error {
	if !force {
		return &kinded{"remove " + name + ": volume is in use", errdefs.ErrConflict}
	}
	return nil
}

func (o *others) Prune(_ context.Context, f filter.Args) (volume.PruneReport, error) {
	o.pruned = f
	return volume.PruneReport{}, nil
}

type kinded struct {
	text string
	kind error
}

func (e *kinded) Error() string { return e.text }
func (e *kinded) Unwrap() error { return e.kind }

func (o *others) Info(context.Context) (system.Info, error) {
	return system.Info{ID: "i", FirewallBackend: &system.FirewallInfo{}}, nil
}

func (o *others) DiskUsage(context.Context) (engine.DiskUsage, error) {
	return engine.DiskUsage{Images: image.DiskUsage{TotalSize: 9, Items: []image.Summary{{ID: "x"}}}}, nil
}

func (o *others) ExecCreate(_ context.Context, ref string, e engine.ExecOptions) (string, error) {
	return ref + " " + strings.Join(e.Cmd, " "), nil
}

func (o *others) ExecStart(_ context.Context, id string, e engine.ExecStartOptions) error {
	o.started = e
	return nil
}

func (o *others) ExecInspect(_ context.Context, id string) (container.ExecInspectResponse, error) {
	if id == "nope" {
		return container.ExecInspectResponse{}, &kinded{"No such exec instance: nope", errdefs.ErrNotFound}
	}
	return container.ExecInspectResponse{ID: id}, nil
}

func (o *others) ExecResize(context.Context, string, uint, uint) error { return nil }

func (o *others) Layers(_ context.Context, ref string) ([]engine.Layer, error) {
	return []engine.Layer{{Index: 0, CreatedBy: ref, Added: 3}}, nil
}

func (o *others) LayerEntries(_ context.Context, _ string, n int, opts engine.EntryOptions) (iter.Seq2[diff.UnionEntry, error], error) {
	o.part.Store(&opts)
	if n > 0 {
		return nil, &kinded{"there is no such layer", errdefs.ErrNotFound}
	}
	return func(yield func(diff.UnionEntry, error) bool) {
		e := diff.UnionEntry{Entry: diff.Entry{Path: "/a<b", Type: diff.TypeSymlink, Mode: 0o4755, Link: "c"}, Kind: diff.Metadata}
		if opts.Union {
			e.Kind = diff.Unchanged
		}
		if yield(e, nil) && o.broken != nil {
			yield(diff.UnionEntry{}, o.broken)
		}
	}, nil
}

func (o *others) LiveDiff(context.Context, string) (iter.Seq2[diff.Change, error], error) {
	return func(yield func(diff.Change, error) bool) {
		for _, c := range []diff.Change{
			{Path: "/a", Kind: diff.Added, Size: 5}, {Path: "/b\xff<", Kind: diff.Metadata, Size: 7, Link: "\xfe"}, {Path: "/c", Kind: diff.Deleted, Size: 9},
		} {
			if !yield(c, nil) {
				return
			}
		}
	}, nil
}

// files are the files of layers, and of containers.
type files struct{ *others }

func (f files) File(_ context.Context, ref string, layer int, path string) (io.ReadCloser, int64, error) {
	return io.NopCloser(strings.NewReader(ref + path + "+more")), int64(len(ref + path)), nil
}

func (f files) LayerTar(_ context.Context, ref string, layer int, w io.Writer) error {
	if layer > 0 {
		return &kinded{"there is no such layer", errdefs.ErrNotFound}
	}
	_, err := io.WriteString(w, "tar of "+ref)
	return err
}

func (f files) Waste(context.Context, string) (diff.Waste, error) {
	return diff.Waste{Efficiency: 0.5, Wasted: 7, Files: []diff.WastedFile{{Path: "/a", Count: 2, Size: 7}}}, nil
}

type liveFiles struct{ *others }

func (f liveFiles) File(_ context.Context, ref, path string) (io.ReadCloser, int64, error) {
	return nil, 0, &kinded{"no file " + path, errdefs.ErrNotFound}
}

// nets is one network.
type nets struct{}

func (nets) List(context.Context, filter.Args) ([]network.Summary, error) { return nil, nil }

func (nets) Inspect(_ context.Context, ref string) (network.Inspect, error) {
	if ref != "bridge" {
		return network.Inspect{}, &kinded{"network " + ref + " not found", errdefs.ErrNotFound}
	}
	return network.Inspect{Network: network.Network{Name: ref}}, nil
}

func (n nets) Create(_ context.Context, req network.CreateRequest) (string, error) {
	if req.Name == "taken" {
		return "", &kinded{"network with name taken already exists", errdefs.ErrAlreadyExists}
	}
	return "id of " + req.Name + " " + req.IPAM.Config[0].Subnet.String(), nil
}

func (n nets) Remove(ctx context.Context, ref string) error {
	if _, err := n.Inspect(ctx, ref); err != nil {
		return err
	}
	return &kinded{ref + " is a pre-defined network and cannot be removed", errdefs.ErrPermissionDenied}
}

func (n nets) Prune(_ context.Context, f filter.Args) ([]string, error) { return f["label"], nil }

func (n nets) Connect(_ context.Context, ref, container string, es *network.EndpointSettings) error {
	return &kinded{fmt.Sprintf("connect %s to %s as %v", container, ref, es.Aliases), errdefs.ErrPermissionDenied}
}

func (n nets) Disconnect(_ context.Context, ref, container string) error { return nil }

// serveAll serves the rest of the API as well.
func serveAll(t *testing.T) (*fixture, *others) {
	o := &others{}
	return serveParts(t, func(p *parts) {
		p.volumes, p.networks, p.system, p.execs = volumeHandlers{o}, networkHandlers{nets{}, nets{}}, systemHandlers{o}, execHandlers{o}
		p.berth = berthHandlers{files{o}, liveFiles{o}, nil, nil, nil}
	}), o
}

func TestVolumeRoutes(t *testing.T) {
	f, o := serveAll(t)
	f.expect("GET", "/volumes", "", 200, `{"Volumes":[],"Warnings":[]}`)
	f.expect("POST", "/volumes/create", `{"Name":"v"}`, 201, `{"Driver":"","Labels":null,"Mountpoint":"","Name":"v","Options":null,"Scope":""}`)
	f.expect("POST", "/volumes/create", `{"ClusterVolumeSpec":{}}`, 503, "message: "+noSwarm(nil, nil).Error())
	f.expect("DELETE", "/volumes/v", "", 409, "message: remove v: volume is in use")
	f.expect("DELETE", "/volumes/v?force=1", "", 204, "")
	f.expect("POST", "/v1.41/volumes/prune", "", 200, `{"VolumesDeleted":[],"SpaceReclaimed":0}`)
	if !reflect.DeepEqual(o.pruned, filter.Args{"all": {"true"}}) {
		t.Errorf("before 1.42 named volumes go too: %v", o.pruned)
	}
	f.expect("POST", "/v1.42/volumes/prune", "", 200, `{"VolumesDeleted":[],"SpaceReclaimed":0}`)
	if len(o.pruned) > 0 {
		t.Errorf("got %v", o.pruned)
	}
}

func TestNetworkRoutes(t *testing.T) {
	f, _ := serveAll(t)
	f.expect("GET", "/networks", "", 200, "[]")
	f.expect("GET", "/networks/nope", "", 404, "message: network nope not found")
	f.expect("GET", "/networks/bridge?scope=swarm", "", 404, "message: network bridge not found: this engine has local networks only")
	f.expect("DELETE", "/networks/bridge", "", 403, "message: bridge is a pre-defined network and cannot be removed")
	f.expect("DELETE", "/networks/nope", "", 404, "message: network nope not found")
	f.expect("POST", "/networks/create", `{"Name":"n","IPAM":{"Config":[{"Subnet":"10.0.0.0/8"}]}}`, 201, `{"Id":"id of n 10.0.0.0/8","Warning":""}`)
	f.expect("POST", "/networks/create", `{"Name":"taken"}`, 409, "message: network with name taken already exists")
	f.expect("POST", "/networks/create", `{"IPAM":{"Config":[{"Subnet":"10.0.0/8"}]}}`, 400,
		`message: invalid JSON: netip.ParsePrefix("10.0.0/8"): ParseAddr("10.0.0"): IPv4 address too short`)
	f.expect("POST", "/networks/n/connect", `{"Container":"c","EndpointConfig":{"Aliases":["a"]}}`, 403, "message: connect c to n as [a]")
	f.expect("POST", "/networks/n/disconnect", `{"Container":"c"}`, 200, "")
	f.expect("POST", `/networks/prune?filters={"label":["x"]}`, "", 200, `{"NetworksDeleted":["x"]}`)
}

func TestExecRoutes(t *testing.T) {
	f, o := serveAll(t)
	f.expect("POST", "/containers/web/exec", `{"Cmd":["a","b"]}`, 201, `{"Id":"web a b"}`)
	f.expect("POST", "/containers/web/exec", `{}`, 400, "message: No exec command specified")
	f.expect("POST", "/exec/x/start", `{"Detach":true,"Tty":true,"ConsoleSize":[3,4]}`, 200, "")
	if o.started.Conn != nil || !o.started.Detach || *o.started.ConsoleSize != [2]uint{3, 4} {
		t.Errorf("started %+v", o.started)
	}
	f.expect("POST", "/exec/nope/start", `{}`, 404, "message: No such exec instance: nope")
	f.expect("POST", "/exec/x/resize?h=1&w=2", "", 200, "")
	f.expect("GET", "/exec/nope/json", "", 404, "message: No such exec instance: nope")
}

func TestDiskUsageOfEveryAge(t *testing.T) {
	f, _ := serveAll(t)
	const old = `"LayersSize":9,"Images":[{"Containers":0,"Created":0,"Id":"x","Labels":null,"ParentId":"","RepoDigests":null,"RepoTags":null,` +
		`"SharedSize":0,"Size":0}],"Containers":[],"Volumes":[],"BuildCache":[]`
	older := strings.NewReplacer(`"Size":0}`, `"Size":0,"VirtualSize":0}`, `"RepoDigests":null,"RepoTags":null`,
		`"RepoDigests":["<none>@<none>"],"RepoTags":["<none>:<none>"]`).Replace(old)
	f.expect("GET", "/v1.50/system/df", "", 200, "{"+old+"}")
	f.expect("GET", "/v1.41/system/df?type=volume", "", 200, "{"+older+`,"BuilderSize":0}`)
	f.expect("GET", "/v1.50/system/df?type=volume", "", 200, `{"LayersSize":0,"Images":null,"Containers":null,"Volumes":[],"BuildCache":null}`)
	f.expect("GET", "/v1.52/system/df", "", 200, `{"ImageUsage":{"TotalSize":9},"ContainerUsage":{},"VolumeUsage":{},"BuildCacheUsage":{},`+old+"}")
	f.expect("GET", "/v1.53/system/df", "", 200, `{"ImageUsage":{"TotalSize":9},"ContainerUsage":{},"VolumeUsage":{},"BuildCacheUsage":{}}`)
	f.expect("GET", "/system/df?type=volume&verbose=1", "", 200, `{"VolumeUsage":{}}`)
	f.expect("GET", "/system/df?type=colour", "", 400, "message: unknown object type: colour")
}

func TestInfoAndVersion(t *testing.T) {
	f, _ := serveAll(t)
	if _, body := f.do("GET", "/v1.49/info", ""); !strings.Contains(body, `"BridgeNfIptables":false,"BridgeNfIp6tables":false`) {
		t.Errorf("1.49: %s", body)
	}
	if _, body := f.do("GET", "/v1.50/info", ""); strings.Contains(body, "BridgeNf") {
		t.Errorf("1.50: %s", body)
	}
	if _, body := f.do("GET", "/v1.48/info", ""); strings.Contains(body, "FirewallBackend") {
		t.Error("1.48 knows no FirewallBackend")
	}
	_, body := f.do("GET", "/version", "")
	var v system.VersionResponse
	if err := json.Unmarshal([]byte(body), &v); err != nil || v.APIVersion != "1.56" || v.MinAPIVersion != "1.24" || v.Os != "linux" || v.KernelVersion == "" {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestInspectOfOldClientsHasTheBridgeTwice(t *testing.T) {
	c := container.InspectResponse{ID: "0123", Config: &container.Config{}, NetworkSettings: &container.NetworkSettings{Networks: map[string]*network.EndpointSettings{
		"bridge": {IPAddress: netip.MustParseAddr("172.17.0.2"), Gateway: netip.MustParseAddr("172.17.0.1"), IPPrefixLen: 16},
	}}}
	for v, want := range map[version]bool{{1, 51}: true, {1, 52}: false} {
		answer, err := inspected(c, nil, v)
		if err != nil {
			t.Fatal(err)
		}
		text, err := marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		var parsed struct {
			ID              string `json:"Id"`
			NetworkSettings struct {
				IPAddress string
				Networks  map[string]any
			}
		}
		if err := json.Unmarshal(text, &parsed); err != nil || parsed.ID != "0123" || len(parsed.NetworkSettings.Networks) != 1 ||
			(parsed.NetworkSettings.IPAddress == "172.17.0.2") != want || strings.Contains(string(text), "LinkLocalIPv6Address") != want {
			t.Errorf("%v: %s, %v", v, text, err)
		}
	}
}

func TestImagesOfOldClients(t *testing.T) {
	f, _ := serveAll(t)
	_, body := f.do("GET", "/v1.42/images/json", "")
	if !strings.Contains(body, `"RepoTags":["<none>:<none>"]`) || !strings.Contains(body, `"VirtualSize":7`) || !strings.Contains(body, `"Containers":-1`) {
		t.Errorf("1.42: %s", body)
	}
	if _, body = f.do("GET", "/v1.51/images/json", ""); !strings.Contains(body, `"Containers":2`) || strings.Contains(body, "VirtualSize") {
		t.Errorf("1.51: %s", body)
	}
	if _, body = f.do("GET", "/v1.43/images/x/json", ""); !strings.HasSuffix(body, `,"VirtualSize":7}`) ||
		!strings.Contains(body, `"Parent":"sha256:0","DockerVersion":"","Comment":"","Author":"","Container":"","ContainerConfig":{"User":"","Env":null`) ||
		strings.Count(body, `"StdinOnce":false`) != 2 {
		t.Errorf("1.43: %s", body)
	}
}

// TestBerthRoutes goes through the client that the console uses.
func TestBerthRoutes(t *testing.T) {
	f, o := serveAll(t)
	docker, err := client.New(client.WithHost("unix://" + f.socket))
	if err != nil {
		t.Fatal(err)
	}
	defer docker.Close()
	c := berthapi.NewClient(docker)
	defer c.Close()
	ctx := t.Context()
	if layers, err := c.Layers(ctx, "a/b:1"); err != nil || len(layers) != 1 || layers[0].CreatedBy != "a/b:1" || layers[0].Added != 3 {
		t.Errorf("%+v, %v", layers, err)
	}
	for e, err := range c.Entries(ctx, "a/b:1", 0, false) {
		if err != nil || e.Path != "/a<b" || e.Kind != berthapi.Metadata || e.Type != berthapi.Symlink || e.Mode != 0o4755 || e.Link != "c" {
			t.Errorf("%+v, %v", e, err)
		}
	}
	o.broken = errors.New("the index is damaged")
	var last error
	for _, err := range c.Entries(ctx, "a/b:1", 0, true) {
		last = err
	}
	if last == nil {
		t.Error("entries that end early look whole")
	}
	for _, err := range c.Entries(ctx, "a/b:1", 1, true) {
		if !errdefs.IsNotFound(err) || err.Error() != "there is no such layer" {
			t.Errorf("got %v", err)
		}
	}
	file, err := c.LayerFile(ctx, "a/b", 2, "/x y")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if text, err := io.ReadAll(file); string(text) != "a/b/x y" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := c.ContainerFile(ctx, "x", "/y"); !errdefs.IsNotFound(err) || err.Error() != "no file /y" {
		t.Errorf("got %v", err)
	}
	var changes []string
	for ch, err := range c.Changes(ctx, "x") {
		changes = append(changes, fmt.Sprint(ch.Kind, " ", ch.Path, " ", ch.Size, ch.Link, err))
	}
	if want := "added /a 5<nil>, metadata /b\xff< 7\xfe<nil>, deleted /c 9<nil>"; strings.Join(changes, ", ") != want {
		t.Errorf("%q, want %q", changes, want)
	}
	for range c.EntriesOf(ctx, "a/b:1", 0, true, berthapi.Part{Dir: "/x y", Depth: 1, After: "/x y/a", Limit: 3}) {
		break
	}
	if want := (engine.EntryOptions{Union: true, Dir: "/x y", Depth: 1, After: "/x y/a", Limit: 3}); *o.part.Load() != want {
		t.Errorf("asked for %+v", *o.part.Load())
	}
	f.expect("GET", "/berth/images/x/layers/0/entries?depth=x", "", 400, `message: invalid value for depth: "x" is not a number`)
	if w, err := c.Waste(ctx, "x"); err != nil || w.Efficiency != 0.5 || w.Wasted != 7 || len(w.Files) != 1 || w.Files[0] != (berthapi.WastedFile{Path: "/a", Count: 2, Size: 7}) {
		t.Errorf("%+v, %v", w, err)
	}
	f.expect("GET", "/berth/images/x%2Fy/layers/0/archive", "", 200, "tar of x/y")
	f.expect("GET", "/berth/images/x/layers/1/archive", "", 404, "message: there is no such layer")
	f.expect("GET", "/berth/images/x/layers/-1/entries", "", 400, `message: "-1" is not the number of a layer`)
	f.expect("GET", "/berth/nothing", "", 404, "message: page not found")
}
