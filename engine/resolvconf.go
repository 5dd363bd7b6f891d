package engine

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/moby/moby/api/types/container"
)

// resolver is what resolv.conf(5) says.
type resolver struct {
	servers         []netip.Addr
	search, options []string
}

// hostResolver reads the host's resolver configuration; that there is none is no
// error. Who cannot ask the host's loopback wants the servers behind
// systemd-resolved's stub there.
func hostResolver(behindStub bool) (resolver, error) {
	file, err := os.ReadFile("/etc/resolv.conf")
	if err != nil && !os.IsNotExist(err) {
		return resolver{}, fmt.Errorf("read the host's resolver configuration: %w", err)
	}
	// systemd-resolved(8): the stub's own file names the servers behind it.
	if behindStub && bytes.Contains(file, []byte("nameserver 127.0.0.53")) {
		if real, err := os.ReadFile("/run/systemd/resolve/resolv.conf"); err == nil {
			file = real
		}
	}
	var r resolver
	for line := range strings.Lines(string(file)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(f[1]); err == nil {
				r.servers = append(r.servers, a)
			}
		case "search", "domain":
			r.search = f[1:]
		case "options":
			r.options = append(r.options, f[1:]...)
		}
	}
	return r, nil
}

// with puts a container's own settings in the place of r's.
func (r resolver) with(hc *container.HostConfig) resolver {
	if len(hc.DNS) > 0 {
		r.servers = append([]netip.Addr{}, hc.DNS...)
	}
	if len(hc.DNSSearch) > 0 {
		r.search = hc.DNSSearch
		// `--dns-search .` is docker's way to say "none".
		if len(r.search) == 1 && r.search[0] == "." {
			r.search = nil
		}
	}
	if len(hc.DNSOptions) > 0 {
		r.options = append([]string{}, hc.DNSOptions...)
	}
	return r
}

// encode is r as a file.
func (r resolver) encode() []byte {
	var b bytes.Buffer
	for _, s := range r.servers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(r.search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(r.search, " "))
	}
	if len(r.options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(r.options, " "))
	}
	return b.Bytes()
}
