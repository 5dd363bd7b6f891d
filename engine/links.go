package engine

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"

	"berth/engine/network"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	api "github.com/moby/moby/api/types/network"
)

// Links are docker's way, older than networks with names, for a container to find
// others in the default network: variables in its environment and lines in its hosts
// file. A record has them as "ID:alias", so that they outlive a rename; clients see
// "/child:/parent/alias". In a user-defined network a link is another name for a
// neighbour there (endpointconfig.go).

// parseLink reads "name", "name:alias", and the form that inspect shows.
func parseLink(link string) (name, alias string, err error) {
	name, alias, both := strings.Cut(link, ":")
	switch {
	case link == "":
		return "", "", kind(errdefs.ErrInvalidArgument, "empty string specified for links")
	case strings.Contains(alias, ":"):
		return "", "", kind(errdefs.ErrInvalidArgument, "bad format for links: %s", link)
	case !both:
		alias = name
	}
	return strings.TrimPrefix(name, "/"), path.Base(alias), nil
}

// resolveLinks gives hc's links the form of a record.
func (cs *Containers) resolveLinks(hc *container.HostConfig) error {
	if userDefined(hc.NetworkMode.NetworkName()) {
		hc.Links = nil // those of its endpoint count
		return nil
	}
	var out []string
	for _, link := range hc.Links {
		name, alias, err := parseLink(link)
		if err != nil {
			return err
		}
		child, err := cs.get(name)
		if err != nil {
			// Not of kind NotFound: clients take that for the image's.
			return kind(errdefs.ErrInvalidArgument, "could not get container for %s: No such container: %s", name, name)
		}
		if child.snapshot().HostConfig.NetworkMode.IsHost() {
			return kind(errdefs.ErrInvalidArgument, "conflicting options: host type networking can't be used with links. This would result in undefined behavior")
		}
		out = append(out, child.id+":"+alias)
	}
	hc.Links = out
	return nil
}

// link is a link of one container to another that exists.
type link struct {
	child record
	alias string
}

// links are those of a record whose other end still exists.
func (cs *Containers) links(rec record) []link {
	var out []link
	for _, l := range rec.HostConfig.Links {
		id, alias, _ := strings.Cut(l, ":")
		cs.mu.RLock()
		child := cs.byID[id]
		cs.mu.RUnlock()
		if child != nil {
			out = append(out, link{child.snapshot(), alias})
		}
	}
	return out
}

// showLinks are the links as inspect shows them.
func (cs *Containers) showLinks(rec record) []string {
	var out []string
	for _, l := range cs.links(rec) {
		out = append(out, "/"+l.child.Name+":/"+rec.Name+"/"+l.alias)
	}
	return out
}

// linkNames are the names that others have for a container ("/parent/alias").
func (cs *Containers) linkNames(id string) []string {
	var out []string
	for _, parent := range cs.linkers(id) {
		rec := parent.snapshot()
		for _, l := range rec.HostConfig.Links {
			if child, alias, _ := strings.Cut(l, ":"); child == id {
				out = append(out, "/"+rec.Name+"/"+alias)
			}
		}
	}
	slices.Sort(out)
	return out
}

// linkers are the containers with a link to another one.
func (cs *Containers) linkers(id string) []*ctr {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	var out []*ctr
	for parent := range cs.linked[id] {
		if c := cs.byID[parent]; c != nil {
			out = append(out, c)
		}
	}
	return out
}

// rememberLinks keeps who is linked to whom; the caller holds mu.
func (cs *Containers) rememberLinks(rec record) {
	for _, l := range rec.HostConfig.Links {
		id, _, _ := strings.Cut(l, ":")
		if cs.linked[id] == nil {
			cs.linked[id] = map[string]struct{}{}
		}
		cs.linked[id][rec.ID] = struct{}{}
	}
}

// forgetLinks is its opposite; the caller holds mu.
func (cs *Containers) forgetLinks(rec record) {
	for _, l := range rec.HostConfig.Links {
		id, _, _ := strings.Cut(l, ":")
		if delete(cs.linked[id], rec.ID); len(cs.linked[id]) == 0 {
			delete(cs.linked, id)
		}
	}
}

// linkEnv are the variables that tell a container of its links, all of which have to run.
func (cs *Containers) linkEnv(rec record) ([]string, error) {
	var env []string
	for _, l := range cs.links(rec) {
		name := "/" + rec.Name + "/" + l.alias
		if !l.child.State.Running {
			return nil, kind(errdefs.ErrConflict, "Cannot link to a non running container: /%s AS %s", l.child.Name, name)
		}
		prefix := strings.ReplaceAll(strings.ToUpper(l.alias), "-", "_")
		env = append(env, portEnv(prefix, bridgeAddress(cs.e.network.Endpoints(l.child.ID)), slices.Collect(maps.Keys(l.child.Config.ExposedPorts)))...)
		env = append(env, prefix+"_NAME="+name)
		for _, kv := range l.child.Config.Env {
			if name, _, ok := strings.Cut(kv, "="); ok && name != "HOME" && name != "PATH" {
				env = append(env, prefix+"_ENV_"+kv)
			}
		}
	}
	return env, nil
}

// portEnv are the variables of a child's ports: those of each, the first of all as
// PREFIX_PORT, and where they follow one another those of the range.
func portEnv(prefix string, ip netip.Addr, ports []api.Port) (env []string) {
	slices.SortFunc(ports, func(a, b api.Port) int {
		return cmp.Or(cmp.Compare(a.Proto(), b.Proto()), cmp.Compare(a.Num(), b.Num())) // tcp before udp
	})
	url := func(p api.Port) string {
		return fmt.Sprintf("%s://%s", p.Proto(), netip.AddrPortFrom(ip, p.Num()))
	}
	name := func(p api.Port) string {
		return fmt.Sprintf("%s_PORT_%d_%s", prefix, p.Num(), strings.ToUpper(string(p.Proto())))
	}
	follows := func(i int) bool {
		return i < len(ports) && ports[i].Proto() == ports[i-1].Proto() && ports[i].Num() == ports[i-1].Num()+1
	}
	first := 0 // of the range
	for i, p := range ports {
		if i == 0 {
			env = append(env, prefix+"_PORT="+url(p))
		}
		n := name(p)
		env = append(env, n+"="+url(p), n+"_ADDR="+ip.String(), fmt.Sprintf("%s_PORT=%d", n, p.Num()), n+"_PROTO="+string(p.Proto()))
		if follows(i + 1) {
			continue
		}
		if first < i {
			n := name(ports[first])
			env = append(env, n+"_START="+url(ports[first]), fmt.Sprintf("%s_PORT_START=%d", n, ports[first].Num()),
				n+"_END="+url(p), fmt.Sprintf("%s_PORT_END=%d", n, p.Num()))
		}
		first = i + 1
	}
	return env
}

// bridgeAddress is a container's address in the default network.
func bridgeAddress(ends []network.Endpoint) netip.Addr {
	for _, e := range ends {
		if e.NetworkName == api.NetworkBridge {
			return e.IP
		}
	}
	return netip.Addr{}
}

// linkHosts are the lines of the hosts file for a container's links.
func (cs *Containers) linkHosts(rec record) string {
	var b strings.Builder
	for _, l := range cs.links(rec) {
		ip := bridgeAddress(cs.e.network.Endpoints(l.child.ID))
		if !ip.IsValid() {
			continue // it has ended meanwhile
		}
		names := []string{l.alias, l.child.Config.Hostname}
		if l.alias != l.child.Name {
			names = append(names, l.child.Name)
		}
		fmt.Fprintf(&b, "%s\t%s\n", ip, strings.Join(names, " "))
	}
	return b.String()
}

// refreshLinks tells the running containers with a link to one that has just got an
// address where it is.
func (cs *Containers) refreshLinks(id string) {
	for _, parent := range cs.linkers(id) {
		if _, rec, err := parent.running(); err == nil {
			if err := cs.writeHosts(rec, cs.e.network.Endpoints(rec.ID)); err != nil {
				cs.e.log.Error("telling a container where its link is", "id", rec.ID, "err", err)
			}
		}
	}
}

// RemoveLink takes the link "parent/alias" away; the parent's environment keeps it.
func (cs *Containers) RemoveLink(name string) error {
	parent, alias, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	if !ok {
		return kind(errdefs.ErrConflict, "Conflict, cannot remove the default link name of the container")
	}
	c, err := cs.get(parent)
	if err != nil {
		return kind(errdefs.ErrNotFound, "Cannot get parent /%s for link /%s", parent, strings.TrimPrefix(name, "/"))
	}
	c.op.Lock()
	defer c.op.Unlock()
	before := c.snapshot()
	after := c.change(func(r *record) {
		hc := *r.HostConfig
		hc.Links = slices.DeleteFunc(slices.Clone(hc.Links), func(l string) bool { return strings.HasSuffix(l, ":"+alias) })
		r.HostConfig = &hc
	})
	if len(after.HostConfig.Links) == len(before.HostConfig.Links) {
		return kind(errdefs.ErrNotFound, "No such link: %s", name)
	}
	cs.mu.Lock()
	cs.forgetLinks(before)
	cs.rememberLinks(after)
	cs.mu.Unlock()
	if _, _, err := c.running(); err == nil {
		if err := cs.writeHosts(after, cs.e.network.Endpoints(c.id)); err != nil {
			return err
		}
	}
	return cs.save(after)
}
