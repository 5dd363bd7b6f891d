package engine

import (
	"slices"
	"strings"
)

// called tells whether a container, running or not, is called so by its neighbours in a
// user-defined network. name is in lower case. Most of what is asked has a dot and is a
// name of the world: that is compared with the names of containers alone, which may have
// dots; aliases and host names are looked through for the rest.
func (e *Engine) called(name string) bool {
	if e.Containers == nil { // not yet open
		return false
	}
	if strings.Contains(name, ".") {
		e.Containers.mu.RLock()
		defer e.Containers.mu.RUnlock()
		return e.Containers.names[name] != ""
	}
	for _, c := range e.Containers.all() {
		rec := c.snapshot()
		for _, network := range networkNames(rec) {
			if userDefined(network) && slices.ContainsFunc(dnsNames(rec, rec.Networking.EndpointsConfig[network]), func(n string) bool { return strings.EqualFold(n, name) }) {
				return true
			}
		}
	}
	return false
}
