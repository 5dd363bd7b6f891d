package engine

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

func logOptions(driver string, opts ...string) container.LogConfig {
	c := container.LogConfig{Type: driver, Config: map[string]string{}}
	for i := 0; i < len(opts); i += 2 {
		c.Config[opts[i]] = opts[i+1]
	}
	return c
}

func TestLogConfig(t *testing.T) {
	lc, err := logConfig(logOptions("json-file", "max-size", "10m", "max-file", "3", "compress", "true", "mode", "non-blocking", "max-buffer-size", "2k"))
	if err != nil || lc.MaxSize != 10e6 || lc.MaxFiles != 3 || lc.Driver != "json-file" || !lc.Compress || lc.Buffer != 2048 {
		t.Errorf("%+v, %v", lc, err)
	}
	if lc, err = logConfig(logOptions("local")); err != nil || lc.MaxSize != 20<<20 || lc.MaxFiles != 5 || !lc.Compress || lc.Buffer != 0 {
		t.Errorf("%+v, %v", lc, err)
	}
	if lc, err := logConfig(logOptions("none", "anything", "goes")); err != nil || lc.Driver != "none" {
		t.Errorf("%+v, %v", lc, err)
	}
	for want, conf := range map[string]container.LogConfig{
		"logger: no log driver named 'fax' is registered":                                            logOptions("fax"),
		"unknown log opt 'what' for json-file log driver":                                            logOptions("json-file", "what", "x"),
		"unknown log opt 'tag' for log driver local":                                                 logOptions("local", "tag", "x"),
		"unknown log opt 'max-size' for syslog log driver":                                           logOptions("syslog", "max-size", "1m"),
		"unknown log opt 'max-file' for journald log driver":                                         logOptions("journald", "max-file", "1"),
		"invalid value for max-size: big":                                                            logOptions("json-file", "max-size", "big"),
		"max-size should be a positive number":                                                       logOptions("local", "max-size", "0"),
		"max-file cannot be less than 1":                                                             logOptions("json-file", "max-file", "0"),
		"compress cannot be true when max-file is less than 2 or max-size is not set":                logOptions("json-file", "compress", "true", "max-file", "3"),
		"logger: logging mode not supported: lossy":                                                  logOptions("json-file", "mode", "lossy"),
		"logger: max-buffer-size option is only supported with 'mode=non-blocking'":                  logOptions("json-file", "max-buffer-size", "1m"),
		"error parsing option max-buffer-size: x":                                                    logOptions("json-file", "mode", "non-blocking", "max-buffer-size", "x"),
		"unsupported scheme: 'http'":                                                                 logOptions("syslog", "syslog-address", "http://x"),
		"invalid syslog facility":                                                                    logOptions("syslog", "syslog-facility", "mine"),
		"Invalid syslog format":                                                                      logOptions("syslog", "syslog-format", "rfc1"),
		"stat /none/here: no such file or directory":                                                 logOptions("syslog", "syslog-address", "unixgram:///none/here"),
		"cache-max-file cannot be less than 1":                                                       logOptions("syslog", "cache-max-file", "0"),
		"invalid value for cache-disabled: perhaps":                                                  logOptions("syslog", "cache-disabled", "perhaps"),
		"invalid value for labels-regex: error parsing regexp: missing closing ]: `[`":               logOptions("json-file", "labels-regex", "["),
		"invalid value for tag: template: tag:1:2: executing \"tag\" at <.Nonsense>: can't evaluate": logOptions("json-file", "tag", "{{.Nonsense}}"),
	} {
		_, err := logConfig(conf)
		if !errdefs.IsInvalidArgument(err) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: got %v", conf, err)
		}
	}
	if _, err := logConfig(logOptions("syslog", "syslog-address", "tcp+tls://h")); !errdefs.IsNotImplemented(err) {
		t.Errorf("TLS: %v", err)
	}
}

// noisy is a container with a log of that configuration.
func noisy(script string, conf container.LogConfig) CreateOptions {
	o := shell(script)
	o.HostConfig.LogConfig = conf
	return o
}

func TestCompressedLogIsReadWhole(t *testing.T) {
	r := newRig(t)
	for _, driver := range []string{"json-file", "local"} {
		id := r.run(noisy("for i in $(seq 1 300); do echo $i; done", logOptions(driver, "max-size", "4k", "max-file", "20", "compress", "true", "mode", "non-blocking")))
		r.exit(id)
		if got := strings.Fields(r.log(id)); len(got) != 300 || got[299] != "300" {
			t.Errorf("%s: %d lines", driver, len(got))
		}
		packed, err := filepath.Glob(r.Containers.logPath(r.record(id)) + ".*.gz")
		if err != nil || len(packed) < 2 {
			t.Errorf("%s: compressed files: %v, %v", driver, packed, err)
		}
		if path := r.inspect(id).LogPath; (path == "") != (driver == "local") {
			t.Errorf("%s: the log is at %q", driver, path)
		}
	}
}

func (r *rig) record(id string) record {
	r.t.Helper()
	c, err := r.Containers.get(id)
	if err != nil {
		r.t.Fatal(err)
	}
	return c.snapshot()
}

// catcher listens for datagrams and returns what receives one.
func catcher(t *testing.T) (path string, next func() string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "log")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return path, func() string {
		t.Helper()
		b := make([]byte, 64<<10)
		if err := l.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func TestSyslogGetsTheLinesAndTheyStayReadable(t *testing.T) {
	r := newRig(t)
	path, next := catcher(t)
	id := r.run(noisy("echo hello; echo oh >&2", logOptions("syslog", "syslog-address", "unixgram://"+path, "tag", "web/{{.Name}}", "syslog-format", "rfc3164", "syslog-facility", "local3")))
	name, host := strings.TrimPrefix(r.inspect(id).Name, "/"), readString("/proc/sys/kernel/hostname")
	got := []string{next(), next()} // of two streams, in any order
	slices.Sort(got)
	slices.Reverse(got)
	for i, want := range []string{`<158>\w{3} [ \d]\d [\d:]{8} ` + strings.TrimSpace(host) + ` web/` + name + `\[\d+\]: hello`, `<155>.* oh`} {
		if !regexp.MustCompile("^" + want + "\n$").MatchString(got[i]) {
			t.Errorf("got %q, want %s", got[i], want)
		}
	}
	r.exit(id)
	if got := r.log(id); !strings.Contains(got, "hello\n") {
		t.Errorf("logs: %q", got)
	}
	id = r.run(noisy("echo hello", logOptions("syslog", "syslog-address", "unixgram://"+path, "cache-disabled", "true")))
	if got := next(); !strings.HasPrefix(got, "<30>") || !strings.HasSuffix(got, " "+id[:12]+got[strings.LastIndex(got, "["):]) {
		t.Errorf("got %q", got)
	}
	r.exit(id)
	if err := r.Containers.Logs(r.ctx, id, LogsOptions{Stdout: true}, &text{}); !errdefs.IsNotImplemented(err) {
		t.Errorf("logs without a cache: %v", err)
	}
}

func TestJournaldGetsTheLines(t *testing.T) {
	r := newRig(t)
	path, next := catcher(t)
	defer func(before string) { journalSocket = before }(journalSocket)
	journalSocket = path
	o := noisy("echo hello", logOptions("journald", "labels", "team-x"))
	o.Config.Labels = map[string]string{"team-x": "blue"}
	id := r.run(o)
	got := next()
	for _, want := range []string{"MESSAGE=hello\n", "PRIORITY=6\n", "CONTAINER_ID=" + id[:12] + "\n", "CONTAINER_ID_FULL=" + id + "\n", "IMAGE_NAME=busybox\n", "TEAM_X=blue\n", "CONTAINER_TAG=" + id[:12] + "\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q has no %q", got, want)
		}
	}
	r.exit(id)
	// Without a journald it is an error that says so, and the container does not run.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	id = r.create(o)
	if err := r.Containers.Start(r.ctx, id, StartOptions{}); err == nil || !strings.Contains(err.Error(), "journald is not enabled on this host") {
		t.Errorf("got %v", err)
	}
}
