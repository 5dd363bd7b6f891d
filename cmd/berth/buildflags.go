//go:build !client

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/go-units"
	bk "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/moby/buildkit/session/sshforward/sshprovider"
	"github.com/spf13/pflag"
	"github.com/tonistiigi/go-csvvalue"

	"berth/engine/build"
)

// buildOptions are the flags of build, docker's.
type buildOptions struct {
	tags, args, labels, hosts, ulimits, contexts  []string
	secrets, ssh, outputs, cacheFrom, cacheTo     []string
	noCacheFilter, allow                          []string
	file, target, platform, network, progress     string
	iidfile, metadata, cgroupParent, shmSize      string
	memory, memorySwap, cpuset, cpusetMems        string
	cpuShares, cpuPeriod, cpuQuota                int64
	noCache, pull, quiet, push, load, remove, frm bool
}

func (o *buildOptions) register(fs *pflag.FlagSet) {
	fs.StringArrayVarP(&o.tags, "tag", "t", nil, "name of the image, as NAME or NAME:TAG")
	fs.StringVarP(&o.file, "file", "f", "", "the Dockerfile (default PATH/Dockerfile; - is stdin)")
	fs.StringArrayVar(&o.args, "build-arg", nil, "set a variable of an ARG (NAME=VALUE, or NAME from the environment)")
	fs.StringArrayVar(&o.contexts, "build-context", nil, "another context, for COPY --from and FROM (NAME=PATH)")
	fs.StringArrayVar(&o.labels, "label", nil, "label of the image (KEY=VALUE)")
	fs.StringVar(&o.target, "target", "", "the stage to build")
	fs.StringVar(&o.platform, "platform", "", "platform to build for, as OS/ARCH")
	fs.BoolVar(&o.noCache, "no-cache", false, "use nothing that was built before")
	fs.StringArrayVar(&o.noCacheFilter, "no-cache-filter", nil, "stages for which nothing is used that was built before")
	fs.BoolVar(&o.pull, "pull", false, "look for newer images in the registry")
	fs.StringVar(&o.network, "network", "default", "network of RUN: default, host, none or a network's name")
	fs.StringArrayVar(&o.hosts, "add-host", nil, "line of /etc/hosts during the build (NAME:ADDRESS)")
	fs.StringVar(&o.shmSize, "shm-size", "", "size of /dev/shm")
	fs.StringArrayVar(&o.ulimits, "ulimit", nil, "limit of a RUN's processes (NAME=SOFT[:HARD])")
	fs.StringVarP(&o.memory, "memory", "m", "", "most memory that a RUN may use")
	fs.StringVar(&o.memorySwap, "memory-swap", "", "most memory and swap that a RUN may use; -1 for no limit")
	fs.Int64VarP(&o.cpuShares, "cpu-shares", "c", 0, "weight of a RUN's share of the processors")
	fs.Int64Var(&o.cpuPeriod, "cpu-period", 0, "period of the processors' scheduler, in microseconds")
	fs.Int64Var(&o.cpuQuota, "cpu-quota", 0, "processor time in each period, in microseconds")
	fs.StringVar(&o.cpuset, "cpuset-cpus", "", "processors that a RUN may use (0-3, 0,1)")
	fs.StringVar(&o.cpusetMems, "cpuset-mems", "", "memory nodes that a RUN may use")
	fs.StringVar(&o.cgroupParent, "cgroup-parent", "", "cgroup that a RUN's is made in")
	fs.StringArrayVar(&o.secrets, "secret", nil, "secret for RUN --mount=type=secret (id=ID[,src=FILE|env=NAME])")
	fs.StringArrayVar(&o.ssh, "ssh", nil, "SSH agent or keys for RUN --mount=type=ssh (default, or ID=SOCKET or ID=KEY,KEY)")
	fs.StringArrayVarP(&o.outputs, "output", "o", nil, "where the result goes: a directory, - for a tar, or type=local|tar|oci|docker|image,dest=…")
	fs.BoolVar(&o.load, "load", false, "same as --output type=docker, which is what is done anyway")
	fs.BoolVar(&o.push, "push", false, "same as --output type=image,push=true")
	fs.StringArrayVar(&o.cacheFrom, "cache-from", nil, "where steps built elsewhere are (NAME, or type=registry|local,…)")
	fs.StringArrayVar(&o.cacheTo, "cache-to", nil, "where to put the steps (type=inline|registry|local,…)")
	fs.StringArrayVar(&o.allow, "allow", nil, "what the build may do beyond the usual: network.host")
	fs.StringVar(&o.progress, "progress", "auto", "how progress is shown: auto, plain, tty, quiet or rawjson")
	fs.BoolVarP(&o.quiet, "quiet", "q", false, "print the image's ID only")
	fs.StringVar(&o.iidfile, "iidfile", "", "write the image's ID into this file")
	fs.StringVar(&o.metadata, "metadata-file", "", "write what is known of the result into this file, as JSON")
	// Docker's older builder kept a container for each step.
	fs.BoolVar(&o.remove, "rm", true, "no containers are kept: this does nothing")
	fs.BoolVar(&o.frm, "force-rm", false, "no containers are kept: this does nothing")
	for _, name := range []string{"rm", "force-rm"} {
		fs.Lookup(name).Hidden = true
	}
}

// attrs are the flags as the Dockerfile frontend takes them.
func (o *buildOptions) attrs(local bool) (map[string]string, error) {
	attrs := map[string]string{}
	for key, v := range map[string]string{"target": o.target, "platform": o.platform} {
		if v != "" {
			attrs[key] = v
		}
	}
	if o.noCache {
		attrs["no-cache"] = ""
	} else if len(o.noCacheFilter) > 0 {
		attrs["no-cache"] = strings.Join(o.noCacheFilter, ",")
	}
	if o.pull {
		attrs["image-resolve-mode"] = "pull"
	}
	for _, kv := range o.args {
		name, value, ok := strings.Cut(kv, "=")
		if !ok {
			if value, ok = os.LookupEnv(name); !ok {
				continue // as docker does: it keeps its default
			}
		}
		attrs["build-arg:"+name] = value
	}
	for _, kv := range o.labels {
		name, value, _ := strings.Cut(kv, "=")
		attrs["label:"+name] = value
	}
	if len(o.ulimits) > 0 {
		attrs["ulimit"] = strings.Join(o.ulimits, ",")
	}
	if o.shmSize != "" {
		n, err := units.RAMInBytes(o.shmSize)
		if err != nil {
			return nil, fmt.Errorf("--shm-size %s: %w", o.shmSize, err)
		}
		attrs["shm-size"] = fmt.Sprint(n)
	}
	place, err := o.place()
	if err != nil {
		return nil, err
	}
	switch o.network {
	case "", "default", "bridge":
	case "host", "none":
		attrs["force-network-mode"] = o.network
	default:
		place.Network = o.network
	}
	if place.CgroupParent = ""; place != (build.Place{}) && !local {
		return nil, errors.New("limits and networks of their own are for builds on this machine's engine")
	}
	place.CgroupParent = o.cgroupParent
	if p := place.Encode(); p != "" {
		attrs["cgroup-parent"] = p
	}
	return attrs, nil
}

// place is where the steps run and what they may use there.
func (o *buildOptions) place() (p build.Place, err error) {
	p = build.Place{CPUShares: o.cpuShares, CPUPeriod: o.cpuPeriod, CPUQuota: o.cpuQuota, CPUSetCPUs: o.cpuset, CPUSetMems: o.cpusetMems}
	if o.memory != "" {
		if p.Memory, err = units.RAMInBytes(o.memory); err != nil {
			return p, fmt.Errorf("--memory %s: %w", o.memory, err)
		}
	}
	if o.memorySwap == "-1" {
		p.MemorySwap = -1
	} else if o.memorySwap != "" {
		if p.MemorySwap, err = units.RAMInBytes(o.memorySwap); err != nil {
			return p, fmt.Errorf("--memory-swap %s: %w", o.memorySwap, err)
		}
	}
	return p, nil
}

// fields reads "key=value,key=value"; what has no "=" is under "".
func fields(flag, text string) (map[string]string, error) {
	words, err := csvvalue.Fields(text, nil)
	if err != nil {
		return nil, fmt.Errorf("--%s %s: %w", flag, text, err)
	}
	all := map[string]string{}
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			key, value = "", w
		}
		all[key] = value
	}
	return all, nil
}

// secretStore reads --secret.
func (o *buildOptions) secretStore() (session.Attachable, error) {
	var all []secretsprovider.Source
	for _, text := range o.secrets {
		f, err := fields("secret", text)
		if err != nil {
			return nil, err
		}
		s := secretsprovider.Source{ID: f["id"], FilePath: f["src"], Env: f["env"]}
		if s.FilePath == "" {
			s.FilePath = f["source"]
		}
		if s.ID == "" {
			return nil, fmt.Errorf("--secret %s: it needs an id=", text)
		}
		if f["type"] == "env" && s.Env == "" {
			s.Env, s.FilePath = s.FilePath, ""
		}
		if s.Env == "" && s.FilePath == "" {
			// docker: the variable of that name, if there is one.
			if _, ok := os.LookupEnv(s.ID); ok && f["type"] != "file" {
				s.Env = s.ID
			} else {
				s.FilePath = s.ID
			}
		}
		all = append(all, s)
	}
	store, err := secretsprovider.NewStore(all)
	if err != nil {
		return nil, fmt.Errorf("reading secrets: %w", err)
	}
	return secretsprovider.NewSecretProvider(store), nil
}

// agents reads --ssh.
func (o *buildOptions) agents() (session.Attachable, error) {
	var all []sshprovider.AgentConfig
	for _, text := range o.ssh {
		id, paths, _ := strings.Cut(text, "=")
		c := sshprovider.AgentConfig{ID: id}
		if paths != "" {
			c.Paths = strings.Split(paths, ",")
		}
		all = append(all, c)
	}
	p, err := sshprovider.NewSSHAgentProvider(all)
	if err != nil {
		return nil, fmt.Errorf("--ssh: %w", err)
	}
	return p, nil
}

// caches reads --cache-from and --cache-to.
func caches(flag string, list []string) ([]bk.CacheOptionsEntry, error) {
	var all []bk.CacheOptionsEntry
	for _, text := range list {
		f, err := fields(flag, text)
		if err != nil {
			return nil, err
		}
		e := bk.CacheOptionsEntry{Type: f["type"], Attrs: f}
		if ref, bare := f[""]; bare {
			e.Type, e.Attrs = "registry", map[string]string{"ref": ref}
		}
		switch e.Type {
		case "registry", "inline":
		case "local":
			for _, key := range []string{"src", "dest"} {
				if dir := f[key]; dir != "" {
					if f[key], err = filepath.Abs(dir); err != nil {
						return nil, err
					}
				}
			}
		default:
			return nil, fmt.Errorf("--%s %s: the type is registry, local or inline", flag, text)
		}
		delete(e.Attrs, "type")
		all = append(all, e)
	}
	return all, nil
}
