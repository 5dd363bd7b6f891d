package engine

import (
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// hostGatewayName is the address in an extra host that stands for the host's own.
const hostGatewayName = "host-gateway"

// extraHost reads one of HostConfig.ExtraHosts: "name:address" or, for IPv6 without brackets, "name=address"; several
// addresses have commas between them.
func extraHost(text string) (name string, addresses []string, _ error) {
	name, list, ok := strings.Cut(text, "=")
	if !ok {
		name, list, ok = strings.Cut(text, ":")
	}
	if !ok || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r == ':' || unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "", nil, kind(errdefs.ErrInvalidArgument, "bad format for add-host: %q", text)
	}
	addresses = strings.Split(strings.Trim(list, "[]"), ",")
	for _, one := range addresses {
		if one == hostGatewayName {
			continue
		}
		if a, err := netip.ParseAddr(one); err != nil || a.Zone() != "" {
			return "", nil, kind(errdefs.ErrInvalidArgument, "invalid IP address in add-host: %q", one)
		}
	}
	return name, addresses, nil
}

// checkHostFiles refuses what would make further lines of its own in /etc/hostname, hosts and resolv.conf.
func checkHostFiles(cfg *container.Config, hc *container.HostConfig) error {
	for _, line := range []struct {
		words  string
		values []string
	}{
		{"invalid hostname format: %q", []string{cfg.Hostname}},
		{"invalid domainname format: %q", []string{cfg.Domainname}},
		{"%q is not a valid domain", hc.DNSSearch},
		{"invalid DNS option: %q", hc.DNSOptions},
	} {
		if i := slices.IndexFunc(line.values, func(v string) bool { return strings.ContainsFunc(v, unicode.IsControl) }); i >= 0 {
			return kind(errdefs.ErrInvalidArgument, line.words, line.values[i])
		}
	}
	for _, text := range hc.ExtraHosts {
		if _, _, err := extraHost(text); err != nil {
			return err
		}
	}
	return nil
}

// checkPorts refuses host ports that are none.
func checkPorts(cfg *container.Config, hc *container.HostConfig) error {
	_, err := portBindings(record{Config: cfg, HostConfig: hc})
	return err
}
