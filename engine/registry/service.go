package registry

import (
	"net/netip"
	"strings"

	"github.com/moby/moby/api/types/registry"
)

// loopback are the networks whose registries are always insecure.
var loopback = []netip.Prefix{netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("127.0.0.0/8")}

// ServiceConfig tells how registries are reached, in the form of docker's
// info.
func (r *Remote) ServiceConfig() *registry.ServiceConfig {
	c := &registry.ServiceConfig{
		InsecureRegistryCIDRs: append(append([]netip.Prefix{}, loopback...), r.networks...),
		IndexConfigs:          map[string]*registry.IndexInfo{},
		Mirrors:               []string{},
	}
	for _, u := range r.mirrors {
		// Docker shows them with a slash at the end.
		c.Mirrors = append(c.Mirrors, strings.TrimSuffix(u.String(), "/")+"/")
	}
	for _, host := range r.cfg.Insecure {
		if !strings.Contains(host, "/") {
			c.IndexConfigs[host] = &registry.IndexInfo{Name: host, Mirrors: []string{}}
		}
	}
	c.IndexConfigs[dockerHub] = &registry.IndexInfo{Name: dockerHub, Mirrors: c.Mirrors, Secure: true, Official: true}
	return c
}
