package engine

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"berth/engine/network"
	"berth/engine/spec"
)

// The three files that the engine writes for each container and its spec binds.
const (
	hostnameFile = "hostname"
	hostsFile    = "hosts"
	resolvFile   = "resolv.conf"
)

// hostFiles are the files of a container that uses its own network or, with
// --network container:X, those of X.
func (cs *Containers) hostFiles(owner string) []spec.File {
	dir := cs.dir(owner)
	return []spec.File{
		{Source: filepath.Join(dir, resolvFile), Destination: "/etc/resolv.conf"},
		{Source: filepath.Join(dir, hostnameFile), Destination: "/etc/hostname"},
		{Source: filepath.Join(dir, hostsFile), Destination: "/etc/hosts"},
	}
}

// writeHostFiles makes the files before the container is; writeHosts fills in
// the addresses once they are known, in place, since the file is bound already.
func (cs *Containers) writeHostFiles(rec record) error {
	dir := cs.dir(rec.ID)
	resolv, err := resolvConf(rec)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		hostnameFile: []byte(rec.Config.Hostname + "\n"),
		hostsFile:    nil,
		resolvFile:   resolv,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("write %s of container %s: %w", name, rec.ID, err)
		}
	}
	return nil
}

// writeResolvConf writes /etc/resolv.conf anew, in place.
func (cs *Containers) writeResolvConf(rec record) error {
	content, err := resolvConf(rec)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(cs.dir(rec.ID), resolvFile), content, 0o644); err != nil {
		return fmt.Errorf("write %s of container %s: %w", resolvFile, rec.ID, err)
	}
	return nil
}

// writeHosts writes /etc/hosts in place, with the addresses of the endpoints.
func (cs *Containers) writeHosts(rec record, ends []network.Endpoint) error {
	var b bytes.Buffer
	gateway := hostGateway(ends)
	if rec.HostConfig.NetworkMode.IsHost() {
		host, err := os.ReadFile("/etc/hosts")
		if err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("read the host's hosts file: %w", err)
		}
		b.Write(host)
	} else {
		b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n" +
			"ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n")
	}
	for _, extra := range rec.HostConfig.ExtraHosts {
		name, addresses, err := extraHost(extra)
		if err != nil {
			return err
		}
		for _, one := range addresses {
			if one == hostGatewayName {
				if !gateway.IsValid() {
					continue
				}
				one = gateway.String()
			}
			fmt.Fprintf(&b, "%s\t%s\n", one, name)
		}
	}
	b.WriteString(cs.linkHosts(rec))
	names := rec.Config.Hostname
	if d := rec.Config.Domainname; d != "" {
		names = rec.Config.Hostname + "." + d + " " + rec.Config.Hostname
	}
	for _, e := range ends {
		for _, ip := range []netip.Addr{e.IP, e.IP6} {
			if ip.IsValid() {
				fmt.Fprintf(&b, "%s\t%s\n", ip, names)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(cs.dir(rec.ID), hostsFile), b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write hosts of container %s: %w", rec.ID, err)
	}
	return nil
}

// resolvConf is the host's, with the container's own settings over it. In a
// user-defined network the engine's name server stands before all others.
func resolvConf(rec record) ([]byte, error) {
	own := !rec.HostConfig.NetworkMode.IsHost()
	r, err := hostResolver(own)
	if err != nil {
		return nil, err
	}
	if own { // the host's loopback is not the container's
		r.servers = slices.DeleteFunc(r.servers, func(a netip.Addr) bool { return a.IsLoopback() })
	}
	r = r.with(rec.HostConfig)
	if namesNeighbours(rec) {
		r.servers = []netip.Addr{network.Resolver}
		if !slices.ContainsFunc(r.options, func(o string) bool { return strings.HasPrefix(o, "ndots:") }) {
			r.options = append(r.options, "ndots:0")
		}
	}
	return r.encode(), nil
}

// forwarders are who the engine's name server asks for a container: the servers of
// the host, or those that the container's user named. Of the host's, those that a container
// may not reach (on the loopback, or by IPv6, which it may not have) are asked from the host.
func forwarders(rec record) ([]network.Forwarder, error) {
	r, err := hostResolver(false)
	if err != nil {
		return nil, err
	}
	named := len(rec.HostConfig.DNS) > 0
	var out []network.Forwarder
	for _, a := range r.with(rec.HostConfig).servers {
		out = append(out, network.Forwarder{Addr: netip.AddrPortFrom(a, 53), Host: !named && (a.IsLoopback() || a.Is6())})
	}
	return out, nil
}
