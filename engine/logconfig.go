package engine

import (
	"fmt"
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

// logConfig turns HostConfig.LogConfig into the shim's, but for the attributes
// of lines (logAttrs). "local" is read and written as json-file, with docker's
// limits for it.
func logConfig(hc *container.HostConfig, path string) (shim.LogConfig, error) {
	bad := func(format string, args ...any) (shim.LogConfig, error) {
		return shim.LogConfig{}, kind(errdefs.ErrInvalidArgument, format, args...)
	}
	lc := shim.LogConfig{Driver: "json-file", Path: path, MaxFiles: 1}
	switch hc.LogConfig.Type {
	case "none":
		return shim.LogConfig{Driver: "none"}, nil
	case "local":
		lc.MaxSize, lc.MaxFiles = 20<<20, 5
	case "json-file", "":
	default:
		return bad("logger: no log driver named '%s' is registered", hc.LogConfig.Type)
	}
	for key, value := range hc.LogConfig.Config {
		switch key {
		case "max-size":
			n, err := units.FromHumanSize(value)
			if err != nil || n <= 0 && value != "-1" {
				return bad("invalid value for max-size: %s", value)
			}
			lc.MaxSize = max(n, 0)
		case "max-file":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 {
				return bad("invalid value for max-file: %s", value)
			}
			lc.MaxFiles = n
		case "compress":
			on, err := strconv.ParseBool(value)
			if err != nil {
				return bad("invalid value for compress: %s", value)
			}
			if on {
				return lc, fmt.Errorf("compressed logs (--log-opt compress=%s) cannot be used with this engine yet: %w", value, errdefs.ErrNotImplemented)
			}
		case "mode":
			// A shim waits for the disk, so that no line is lost.
			if value != "blocking" && value != "" {
				return lc, fmt.Errorf("--log-opt mode=%s cannot be used with this engine yet: %w", value, errdefs.ErrNotImplemented)
			}
		case "labels", "env":
		case "labels-regex", "env-regex":
			if _, err := regexp.Compile(value); err != nil {
				return bad("invalid value for %s: %v", key, err)
			}
		case "tag":
			if _, err := logTag(value, record{Config: &container.Config{}}); err != nil {
				return bad("invalid value for tag: %v", err)
			}
		default:
			return bad("unknown log opt '%s' for %s log driver", key, strings.TrimSpace(hc.LogConfig.Type))
		}
	}
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
