package output

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
)

// ShortID is the part of an ID or digest that people read: twelve hex digits.
func ShortID(id string) string {
	if _, hex, ok := strings.Cut(id, ":"); ok {
		id = hex
	}
	return id[:min(12, len(id))]
}

// Truncate cuts s to n runes, the last of them an ellipsis when something was
// cut.
func Truncate(s string, n int) string {
	r := []rune(s)
	if len(r) <= n || n <= 0 {
		return s
	}
	return string(r[:n-1]) + "…"
}

// Ago says how long ago t was, as docker does.
func Ago(t time.Time) string {
	if t.IsZero() || t.Unix() <= 0 {
		return "N/A"
	}
	return units.HumanDuration(time.Since(t)) + " ago"
}

// Size is a number of bytes with three digits and a decimal unit.
func Size(n int64) string { return units.HumanSizeWithPrecision(float64(n), 3) }

// TotalSize is a number of bytes for people, in docker's four digits of sums.
func TotalSize(n int64) string { return units.HumanSize(float64(n)) }

// Labels joins labels as k=v, sorted, so that the same container always shows
// the same text.
func Labels(m map[string]string) string {
	kv := make([]string, 0, len(m))
	for k, v := range m {
		kv = append(kv, k+"="+v)
	}
	slices.Sort(kv)
	return strings.Join(kv, ",")
}

// Ports writes published and exposed ports as docker's PORTS column does:
// neighbouring ports of the same address and protocol share one entry.
func Ports(ports []container.PortSummary) string {
	ports = slices.Clone(ports)
	slices.SortFunc(ports, func(a, b container.PortSummary) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), a.IP.Compare(b.IP), cmp.Compare(a.PrivatePort, b.PrivatePort), cmp.Compare(a.PublicPort, b.PublicPort))
	})
	var published, exposed []string
	for i := 0; i < len(ports); {
		first, last := ports[i], ports[i]
		for i++; i < len(ports) && follows(last, ports[i]); i++ {
			last = ports[i]
		}
		private := portRange(first.PrivatePort, last.PrivatePort) + "/" + first.Type
		if first.PublicPort == 0 {
			exposed = append(exposed, private)
			continue
		}
		published = append(published, HostPort(first.IP, portRange(first.PublicPort, last.PublicPort))+"->"+private)
	}
	return strings.Join(append(published, exposed...), ", ")
}

// HostPort joins an address and a port (or a range), with brackets for IPv6.
func HostPort(ip netip.Addr, port string) string {
	switch {
	case !ip.IsValid():
		return port
	case ip.Is6():
		return "[" + ip.String() + "]:" + port
	default:
		return ip.String() + ":" + port
	}
}

// follows says whether b is the port after a in a published range.
func follows(a, b container.PortSummary) bool {
	if a.Type != b.Type || a.IP != b.IP || b.PrivatePort != a.PrivatePort+1 {
		return false
	}
	if a.PublicPort == 0 {
		return b.PublicPort == 0
	}
	return b.PublicPort == a.PublicPort+1
}

func portRange(first, last uint16) string {
	if first == last {
		return strconv.Itoa(int(first))
	}
	return fmt.Sprintf("%d-%d", first, last)
}

// Clean makes text of strangers, as the names of files in an image are, safe to
// show on a terminal: what would move the cursor, change colours or the order of
// letters, or end a line becomes a question mark, and so do bytes that are not
// UTF-8.
func Clean(s string) string { return clean(s, "") }

// CleanLines is Clean for texts that may have lines and columns of their own, as messages of errors have.
func CleanLines(s string) string { return clean(s, "\n\t") }

// clean is Clean that leaves some characters alone.
func clean(s, but string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) && !strings.ContainsRune(but, r) {
			return '?'
		}
		return r
	}, s)
}
