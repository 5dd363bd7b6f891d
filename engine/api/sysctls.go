package api

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// endpointSysctls is the driver option that took the place of a container's sysctls for one interface.
const endpointSysctls = "com.docker.network.endpoint.sysctls"

// moveSysctls gives sysctls of the interface eth0 (net.ipv4.conf.eth0.…) to the endpoint of the container's network, and
// says so: the interface is not there when the container's own are set. Since API 1.47 clients have to do so themselves.
func (req *createRequest) moveSysctls(v version) (warning string, err error) {
	host := req.HostConfig
	if !host.NetworkMode.IsPrivate() {
		return "", nil
	}
	var moved []string
	for _, name := range slices.Sorted(maps.Keys(host.Sysctls)) {
		parts := strings.SplitN(name, ".", 5)
		if len(parts) != 5 || parts[0] != "net" || !strings.HasPrefix(parts[3], "eth") {
			continue
		}
		if !v.before(47) {
			return "", invalid("interface specific sysctl setting %q must be supplied using driver option '%s'", name, endpointSysctls)
		}
		if parts[3] != "eth0" {
			return "", invalid("unable to determine network endpoint for sysctl %s, use driver option '%s' to set per-interface sysctls", name, endpointSysctls)
		}
		moved = append(moved, fmt.Sprintf("net.%s.%s.IFNAME.%s=%s", parts[1], parts[2], parts[4], host.Sysctls[name]))
		delete(host.Sysctls, name)
	}
	if len(moved) == 0 {
		return "", nil
	}
	e := req.mainEndpoint()
	if e.DriverOpts == nil {
		e.DriverOpts = map[string]string{}
	}
	value := strings.Join(moved, ",")
	if has := e.DriverOpts[endpointSysctls]; has != "" {
		value = has + "," + value
	}
	e.DriverOpts[endpointSysctls] = value
	return fmt.Sprintf("Migrated %s to DriverOpts{%q:%q}.", strings.Join(moved, ","), endpointSysctls, value), nil
}
