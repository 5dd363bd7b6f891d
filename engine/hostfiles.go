package engine

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"berth/engine/spec"

	"github.com/containerd/errdefs"
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

// writeHosts writes /etc/hosts; ip and gateway are invalid without a network.
func (cs *Containers) writeHosts(rec record, ip, gateway netip.Addr) error {
	var b bytes.Buffer
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
	// "name:address" or, for IPv6 without brackets, "name=address".
	for _, extra := range rec.HostConfig.ExtraHosts {
		name, addr, ok := strings.Cut(extra, ":")
		if n, a, eq := strings.Cut(extra, "="); eq {
			name, addr, ok = n, a, true
		}
		if !ok {
			return kind(errdefs.ErrInvalidArgument, "bad format for add-host: %q", extra)
		}
		for _, one := range strings.Split(strings.Trim(addr, "[]"), ",") {
			if one == "host-gateway" {
				if !gateway.IsValid() {
					continue
				}
				one = gateway.String()
			}
			if _, err := netip.ParseAddr(one); err != nil {
				return kind(errdefs.ErrInvalidArgument, "invalid IP address in add-host: %q", one)
			}
			fmt.Fprintf(&b, "%s\t%s\n", one, name)
		}
	}
	if ip.IsValid() {
		names := rec.Config.Hostname
		if d := rec.Config.Domainname; d != "" {
			names = rec.Config.Hostname + "." + d + " " + rec.Config.Hostname
		}
		fmt.Fprintf(&b, "%s\t%s\n", ip, names)
	}
	if err := os.WriteFile(filepath.Join(cs.dir(rec.ID), hostsFile), b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write hosts of container %s: %w", rec.ID, err)
	}
	return nil
}

// resolvConf is the host's, with the container's own settings over it. Name
// servers on the host's loopback do not answer in a container's network, so
// systemd-resolved's list of real ones is preferred and loopback ones are left out.
func resolvConf(rec record) ([]byte, error) {
	hc := rec.HostConfig
	src := "/etc/resolv.conf"
	host, err := os.ReadFile(src)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("read the host's resolver configuration: %w", err)
	}
	own := !hc.NetworkMode.IsHost()
	// systemd-resolved(8): the stub's own file names the servers behind it.
	if own && bytes.Contains(host, []byte("nameserver 127.0.0.53")) {
		if real, err := os.ReadFile("/run/systemd/resolve/resolv.conf"); err == nil {
			host = real
		}
	}
	var servers, search, options []string
	for _, line := range strings.Split(string(host), "\n") {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "nameserver":
			addr, err := netip.ParseAddr(f[1])
			if err == nil && !(own && addr.IsLoopback()) {
				servers = append(servers, f[1])
			}
		case "search", "domain":
			search = f[1:]
		case "options":
			options = append(options, f[1:]...)
		}
	}
	if len(hc.DNS) > 0 {
		servers = nil
		for _, a := range hc.DNS {
			servers = append(servers, a.String())
		}
	}
	if len(hc.DNSSearch) > 0 {
		search = hc.DNSSearch
		// `--dns-search .` is docker's way to say "none".
		if len(search) == 1 && search[0] == "." {
			search = nil
		}
	}
	if len(hc.DNSOptions) > 0 {
		options = hc.DNSOptions
	}
	var b bytes.Buffer
	for _, s := range servers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(search, " "))
	}
	if len(options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(options, " "))
	}
	return b.Bytes(), nil
}
