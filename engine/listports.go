package engine

import (
	"iter"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/network"
)

// portRange is a value of the filters publish and expose: "80", "80/udp" or "8000-8010/tcp".
type portRange struct {
	first, last int
	proto       string
}

// parsePortRange reads one.
func parsePortRange(text string) (portRange, error) {
	nums, proto, ok := strings.Cut(text, "/")
	if !ok {
		proto = "tcp"
	}
	lo, hi, ok := strings.Cut(nums, "-")
	if !ok {
		hi = lo
	}
	first, err := strconv.ParseUint(lo, 10, 16)
	if err != nil {
		return portRange{}, err
	}
	last, err := strconv.ParseUint(hi, 10, 16)
	return portRange{int(first), int(last), proto}, err
}

// portsOf are the ports that a container publishes, and unless published is all that is asked for, exposes.
func portsOf(rec record, published bool) iter.Seq[network.Port] {
	return func(yield func(network.Port) bool) {
		for p := range rec.HostConfig.PortBindings {
			if !yield(p) {
				return
			}
		}
		if published {
			return
		}
		for p := range rec.Config.ExposedPorts {
			if !yield(p) {
				return
			}
		}
	}
}

// hasPort tells whether one of a container's ports is in the range want; what is none is in no range.
func hasPort(rec record, want string, published bool) bool {
	r, err := parsePortRange(want)
	if err != nil {
		return false
	}
	for p := range portsOf(rec, published) {
		if n := int(p.Num()); n >= r.first && n <= r.last && string(p.Proto()) == r.proto {
			return true
		}
	}
	return false
}
