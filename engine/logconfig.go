package engine

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"berth/shim"

	"github.com/containerd/errdefs"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
)

// logDriver is one of docker's log drivers: the options it has beside everybody's,
// and where its lines are kept for 'logs'.
type logDriver struct {
	options []string
	unknown string // docker's words for others; %s: the option
	file    string // in the container's directory, %s: its ID; "": nothing is kept
	remote  bool   // lines go elsewhere, and what is kept is a cache
}

// attrOptions choose what every line carries (logAttrs).
var attrOptions = []string{"labels", "labels-regex", "env", "env-regex", "tag"}

// cacheFile is docker's name for what is kept of a log that goes elsewhere.
const cacheFile = "container-cached.log"

var logDrivers = map[string]logDriver{
	"json-file": {append([]string{"max-size", "max-file", "compress"}, attrOptions...), "unknown log opt '%s' for json-file log driver", "%s-json.log", false},
	"local":     {[]string{"max-size", "max-file", "compress"}, "unknown log opt '%s' for log driver local", "local-logs/container.log", false},
	"none":      {},
	"syslog": {append([]string{"syslog-address", "syslog-facility", "syslog-format", "syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key", "syslog-tls-skip-verify"}, attrOptions...),
		"unknown log opt '%s' for syslog log driver", cacheFile, true},
	"journald": {attrOptions, "unknown log opt '%s' for journald log driver", cacheFile, true},
}

// everyDriver are the options that any driver takes. Those of the cache are for the
// drivers whose lines go elsewhere.
var everyDriver = []string{"mode", "max-buffer-size", "cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"}

// defaultBuffer is how much waits for a log that need not keep up, docker's.
const defaultBuffer = "1m"

// logConfig turns HostConfig.LogConfig into the shim's, but for what depends on the
// container (logTarget). The words of its errors are docker's.
func logConfig(conf container.LogConfig) (shim.LogConfig, error) {
	lc := shim.LogConfig{Driver: "json-file", MaxFiles: 1}
	driver, known := logDrivers[conf.Type]
	switch {
	case !known:
		return lc, badLog("logger: no log driver named '%s' is registered", conf.Type)
	case conf.Type == "none":
		return shim.LogConfig{Driver: "none"}, nil // whatever its options
	}
	for _, key := range slices.Sorted(maps.Keys(conf.Config)) {
		if !slices.Contains(everyDriver, key) && !slices.Contains(driver.options, key) {
			return lc, badLog(driver.unknown, key)
		}
	}
	if err := logMode(&lc, conf.Config); err != nil {
		return lc, err
	}
	prefix := ""
	if conf.Type == "local" || driver.remote {
		lc.MaxSize, lc.MaxFiles, lc.Compress = 20<<20, 5, true
	}
	if driver.remote {
		prefix = "cache-"
		if _, err := logRemote(conf); err != nil {
			return lc, err
		}
	}
	if err := logFiles(&lc, conf.Config, prefix); err != nil {
		return lc, err
	}
	for _, key := range []string{"labels-regex", "env-regex"} {
		if _, err := regexp.Compile(conf.Config[key]); err != nil {
			return lc, badLog("invalid value for %s: %v", key, err)
		}
	}
	if _, err := logTag(conf.Config["tag"], record{Config: &container.Config{}}); err != nil {
		return lc, badLog("invalid value for tag: %v", err)
	}
	return lc, nil
}

func badLog(format string, args ...any) error {
	return kind(errdefs.ErrInvalidArgument, format, args...)
}

// logMode reads whether the container waits for its log.
func logMode(lc *shim.LogConfig, opts map[string]string) error {
	mode, size := opts["mode"], opts["max-buffer-size"]
	switch {
	case mode != "" && mode != "blocking" && mode != "non-blocking":
		return badLog("logger: logging mode not supported: %s", mode)
	case mode != "non-blocking" && size != "":
		return badLog("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
	case mode != "non-blocking":
		return nil
	}
	n, err := units.RAMInBytes(cmp.Or(size, defaultBuffer))
	if err != nil || n < 0 || n > math.MaxInt32 {
		return badLog("error parsing option max-buffer-size: %s: %v", size, cmp.Or(err, errors.New("not between 0 and 2g")))
	}
	lc.Buffer = max(n, 1)
	return nil
}

// logFiles reads how the files are rotated; the names of a cache's options have a prefix.
func logFiles(lc *shim.LogConfig, opts map[string]string, prefix string) error {
	if text, ok := opts[prefix+"max-size"]; ok {
		n, err := units.FromHumanSize(text)
		if err != nil && text != "-1" {
			return badLog("invalid value for %smax-size: %s", prefix, text)
		}
		if n <= 0 && text != "-1" {
			return badLog("%smax-size should be a positive number", prefix)
		}
		lc.MaxSize = max(n, 0)
	}
	if text, ok := opts[prefix+"max-file"]; ok {
		n, err := strconv.Atoi(text)
		if err != nil {
			return badLog("invalid value for %smax-file: %s", prefix, text)
		}
		if n < 1 {
			return badLog("%smax-file cannot be less than 1", prefix)
		}
		lc.MaxFiles = n
	}
	if text, ok := opts[prefix+"compress"]; ok {
		on, err := strconv.ParseBool(text)
		if err != nil {
			return badLog("invalid value for %scompress: %s", prefix, text)
		}
		if on && (lc.MaxFiles < 2 || lc.MaxSize == 0) {
			return badLog("compress cannot be true when max-file is less than 2 or max-size is not set")
		}
		lc.Compress = on
	}
	lc.Compress = lc.Compress && lc.MaxFiles > 1
	if text, ok := opts["cache-disabled"]; ok {
		if _, err := strconv.ParseBool(text); err != nil {
			return badLog("invalid value for cache-disabled: %s", text)
		}
	}
	return nil
}

// logPath is where the lines of a container are kept: for json-file docker's place and
// name, so that its tools find it. It is "" if they are not kept.
func (cs *Containers) logPath(rec record) string {
	conf := rec.HostConfig.LogConfig
	driver := logDrivers[conf.Type]
	if off, _ := strconv.ParseBool(conf.Config["cache-disabled"]); driver.file == "" || driver.remote && off {
		return ""
	}
	return filepath.Join(cs.dir(rec.ID), strings.Replace(driver.file, "%s", rec.ID, 1))
}

// logTarget is the log of a container that is about to start.
func (cs *Containers) logTarget(rec record) (shim.LogConfig, error) {
	lc, err := logConfig(rec.HostConfig.LogConfig)
	if err != nil || lc.Driver == "none" {
		return lc, err
	}
	if lc.Path = cs.logPath(rec); lc.Path != "" {
		if err := os.MkdirAll(filepath.Dir(lc.Path), 0o700); err != nil {
			return lc, fmt.Errorf("make the directory of the log: %w", err)
		}
	}
	attrs := logAttrs(rec)
	if logDrivers[rec.HostConfig.LogConfig.Type].remote {
		if lc.Remote, err = logRemote(rec.HostConfig.LogConfig); err == nil {
			err = fillRemote(&lc.Remote, rec, attrs)
		}
		return lc, err
	}
	lc.Attrs = attrs
	return lc, nil
}

// logAttrs are what a container's log repeats in every line: the labels and
// variables that the log options choose, and a tag. rec has passed logConfig.
func logAttrs(rec record) map[string]string {
	opts := rec.HostConfig.LogConfig.Config
	attrs := make(map[string]string)
	choose := func(option string, values map[string]string) {
		names := strings.Split(opts[option], ",")
		match := func(string) bool { return false }
		if expr := opts[option+"-regex"]; expr != "" {
			match = regexp.MustCompile(expr).MatchString
		}
		for name, value := range values {
			if name != "" && slices.Contains(names, name) || match(name) {
				attrs[name] = value
			}
		}
	}
	choose("labels", rec.Config.Labels)
	env := make(map[string]string)
	for _, kv := range rec.Config.Env {
		if name, value, ok := strings.Cut(kv, "="); ok {
			env[name] = value
		}
	}
	choose("env", env)
	if text := opts["tag"]; text != "" {
		if tag, err := logTag(text, rec); err == nil && tag != "" {
			attrs["tag"] = tag
		}
	}
	return attrs
}

// logTag fills in a tag, a template over docker's names for what a log is of
// ("{{.Name}}/{{.ID}}").
func logTag(text string, rec record) (string, error) {
	t, err := template.New("tag").Parse(text)
	if err != nil {
		return "", err
	}
	image := strings.TrimPrefix(rec.ImageID, "sha256:")
	var b strings.Builder
	err = t.Execute(&b, struct{ ID, FullID, Name, ImageID, ImageFullID, ImageName, DaemonName string }{
		ID: rec.ID[:min(12, len(rec.ID))], FullID: rec.ID, Name: rec.Name,
		ImageID: image[:min(12, len(image))], ImageFullID: rec.ImageID, ImageName: rec.imageName(), DaemonName: "berth",
	})
	return b.String(), err
}
