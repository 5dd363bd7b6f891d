package engine

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"berth/shim"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// journalSocket is where journald takes entries.
var journalSocket = "/run/systemd/journal/socket"

// localSyslog is where a syslog of this machine listens, on one of its kinds.
var localSyslog = []string{"/dev/log", "/var/run/syslog", "/var/run/log"}

// facilities are syslog's, by their number.
var facilities = []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
	12: "", 13: "", 14: "", 15: "", 16: "local0", 17: "local1", 18: "local2", 19: "local3", 20: "local4", 21: "local5", 22: "local6", 23: "local7"}

// logRemote reads where the lines of syslog and journald go, as far as the options
// tell; names are not resolved.
func logRemote(conf container.LogConfig) (shim.LogRemote, error) {
	if conf.Type == "journald" {
		return shim.LogRemote{Network: "unixgram", Path: journalSocket, Format: "journald"}, nil
	}
	opts := conf.Config
	for key := range opts {
		if strings.HasPrefix(key, "syslog-tls-") {
			return shim.LogRemote{}, fmt.Errorf("--log-opt %s: this engine does not speak TLS to a syslog server; send to a local one that forwards: %w", key, errdefs.ErrNotImplemented)
		}
	}
	r := shim.LogRemote{Format: opts["syslog-format"]}
	switch r.Format {
	case "", "rfc3164", "rfc5424", "rfc5424micro":
	default:
		return r, badLog("Invalid syslog format")
	}
	facility := cmp.Or(opts["syslog-facility"], "daemon")
	if r.Facility = slices.Index(facilities, facility); r.Facility < 0 {
		n, err := strconv.Atoi(facility)
		if err != nil || n < 0 || n > 23 {
			return r, badLog("invalid syslog facility")
		}
		r.Facility = n
	}
	return r, syslogAddress(&r, opts["syslog-address"])
}

// syslogAddress reads "tcp://host:port", "udp://host" or "unixgram:///path"; "" is the
// syslog of this machine, which is looked for at the start.
func syslogAddress(r *shim.LogRemote, text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return badLog("%v", err)
	}
	switch u.Scheme {
	case "unix", "unixgram":
		if _, err := os.Stat(u.Path); err != nil {
			return badLog("%v", err)
		}
		r.Network, r.Path = u.Scheme, u.Path
	case "tcp", "udp":
		r.Network = u.Scheme
		host, port := u.Hostname(), cmp.Or(u.Port(), "514")
		if host == "" {
			return badLog("syslog-address %s names no host", text)
		}
		n, err := net.LookupPort(u.Scheme, port)
		if err != nil {
			return badLog("%v", err)
		}
		r.Path, r.Port = host, n // until fillRemote resolves it
	case "tcp+tls":
		return fmt.Errorf("--log-opt syslog-address=%s: this engine does not speak TLS to a syslog server; send to a local one that forwards: %w", text, errdefs.ErrNotImplemented)
	default:
		return badLog("unsupported scheme: '%s'", u.Scheme)
	}
	return nil
}

// fillRemote completes r for a container that is about to start.
func fillRemote(r *shim.LogRemote, rec record, attrs map[string]string) error {
	tag := cmp.Or(attrs["tag"], rec.ID[:12])
	delete(attrs, "tag")
	r.Tag = tag
	if r.Format == "journald" {
		if _, err := os.Stat(r.Path); err != nil {
			return badLog("failed to initialize logging driver: journald is not enabled on this host")
		}
		r.Fields = map[string]string{
			"CONTAINER_ID": rec.ID[:12], "CONTAINER_ID_FULL": rec.ID, "CONTAINER_NAME": rec.Name,
			"CONTAINER_TAG": tag, "IMAGE_NAME": rec.imageName(),
		}
		for name, value := range attrs {
			if name = journalName(name); name != "" {
				r.Fields[name] = value
			}
		}
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("failed to initialize logging driver: %w", err)
	}
	r.Host = host
	if r.Network == "" {
		for _, path := range localSyslog {
			if fi, err := os.Stat(path); err == nil && fi.Mode()&os.ModeSocket != 0 {
				// All of today's listen for datagrams.
				r.Network, r.Path = "unixgram", filepath.Clean(path)
				return nil
			}
		}
		return badLog("failed to initialize logging driver: Unix syslog delivery error: none listens on %s; --log-opt syslog-address=… names another", strings.Join(localSyslog, ", "))
	}
	if r.Network == "tcp" || r.Network == "udp" {
		ip, err := net.ResolveIPAddr("ip", r.Path)
		if err != nil {
			return badLog("failed to initialize logging driver: %v", err)
		}
		r.Path, r.IP = "", string(ip.IP)
		if four := ip.IP.To4(); four != nil {
			r.IP = string(four)
		}
	}
	return nil
}

// journalName makes a field's name of an attribute's: capitals, digits and underscores,
// no underscore first, which journald keeps for itself.
func journalName(s string) string {
	s = strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, strings.ToUpper(s))
	return strings.TrimLeft(s, "_")
}
