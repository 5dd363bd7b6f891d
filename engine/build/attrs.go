package build

import (
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// attrs are the options of the Dockerfile frontend for a request.
func (b *Builder) attrs(r Request) (map[string]string, error) {
	attrs := map[string]string{"target": r.Target}
	set := func(name, value string) {
		if value != "" {
			attrs[name] = value
		}
	}
	if r.Dockerfile != "" {
		attrs["filename"] = path.Clean("/" + r.Dockerfile)[1:]
	}
	if r.NoCache {
		attrs["no-cache"] = ""
	}
	if r.Pull {
		attrs["image-resolve-mode"] = "pull"
	}
	set("platform", r.Platform)
	for k, v := range r.Args {
		if v != nil {
			attrs["build-arg:"+k] = *v
		}
	}
	for k, v := range r.Labels {
		attrs["label:"+k] = v
	}
	hosts, err := b.hosts(r.ExtraHosts)
	if err != nil {
		return nil, err
	}
	set("add-hosts", strings.Join(hosts, ","))
	if r.ShmSize > 0 {
		attrs["shm-size"] = strconv.FormatInt(r.ShmSize, 10)
	}
	var limits []string
	for _, u := range r.Ulimits {
		limits = append(limits, u.String())
	}
	set("ulimit", strings.Join(limits, ","))
	switch mode := container.NetworkMode(r.NetworkMode); {
	case r.NetworkMode == "", mode.IsDefault(), mode.IsBridge():
	case mode.IsHost(), mode.IsNone():
		attrs["force-network-mode"] = r.NetworkMode
	default:
		r.Place.Network = r.NetworkMode
	}
	set("cgroup-parent", r.Place.Encode())
	if r.BuildKit { // the classic builder means local images, whose steps are in the cache anyway
		set("cache-from", strings.Join(r.CacheFrom, ","))
	}
	return attrs, nil
}

// hosts turns docker's name:address or name=address into BuildKit's.
func (b *Builder) hosts(extra []string) (hosts []string, err error) {
	for _, h := range extra {
		name, addr, ok := strings.Cut(h, ":")
		if n, a, eq := strings.Cut(h, "="); eq {
			name, addr, ok = n, a, true
		}
		addr = strings.Trim(addr, "[]")
		if addr == "host-gateway" {
			addr = b.opts.Gateway()
		}
		if !ok || net.ParseIP(addr) == nil {
			return nil, fmt.Errorf("bad format for add-host: %q: %w", h, errdefs.ErrInvalidArgument)
		}
		hosts = append(hosts, name+"="+addr)
	}
	return hosts, nil
}
