package image

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
)

// ApplyChanges changes a config by lines of a Dockerfile, as `docker import
// --change` and `docker commit --change` take them: CMD, ENTRYPOINT, ENV,
// EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR.
// Variables are those of the config's environment. Others are errors of kind
// InvalidArgument in docker's words, and then config is half changed.
func ApplyChanges(config *dockerspec.DockerOCIImageConfig, changes []string) error {
	if len(changes) == 0 {
		return nil
	}
	// What config shares with its parent is not to be changed.
	config.Env = slices.Clone(config.Env)
	config.Labels = maps.Clone(config.Labels)
	config.ExposedPorts = maps.Clone(config.ExposedPorts)
	config.Volumes = maps.Clone(config.Volumes)
	// A line may be continued.
	text := strings.NewReplacer("\\\n", " ", "\\\r\n", " ").Replace(strings.Join(changes, "\n"))
	done := 0
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest := line, ""
		if i := strings.IndexAny(line, " \t"); i >= 0 {
			word, rest = line[:i], strings.TrimSpace(line[i:])
		}
		if err := applyChange(config, strings.ToUpper(word), rest); err != nil {
			return err
		}
		done++
	}
	if done == 0 {
		return wrong("file with no instructions")
	}
	return nil
}

// changeError is an error of kind InvalidArgument that has only the words of the
// instruction's own, which are docker's.
type changeError string

func (e changeError) Error() string { return string(e) }
func (e changeError) Unwrap() error { return errdefs.ErrInvalidArgument }

func wrong(format string, args ...any) error { return changeError(fmt.Sprintf(format, args...)) }

// wants is what docker says of an instruction without its arguments.
var wants = map[string]string{
	"CMD": "", "ENTRYPOINT": "", // nothing is an empty command
	"ENV": "at least one argument", "LABEL": "at least one argument", "EXPOSE": "at least one argument", "VOLUME": "at least one argument",
	"HEALTHCHECK": "at least one argument", "ONBUILD": "at least one argument",
	"USER": "exactly one argument", "WORKDIR": "exactly one argument", "STOPSIGNAL": "exactly one argument",
}

// applyChange applies one instruction to a config.
func applyChange(c *dockerspec.DockerOCIImageConfig, word, rest string) (err error) {
	much, known := wants[word]
	if !known {
		return wrong("%s is not a valid change command", strings.ToLower(word))
	}
	if rest == "" && much != "" {
		return wrong("%s requires %s", word, much)
	}
	vars := variables(c.Env)
	switch word {
	case "CMD":
		c.Cmd = command(rest, c.Shell)
	case "ENTRYPOINT":
		c.Entrypoint = command(rest, c.Shell)
	case "ENV":
		return vars.pairs(word, rest, func(k, v string) { c.Env = setEnv(c.Env, k, v) })
	case "LABEL":
		if c.Labels == nil {
			c.Labels = make(map[string]string)
		}
		return vars.pairs(word, rest, func(k, v string) { c.Labels[k] = v })
	case "EXPOSE":
		return expose(c, rest, vars)
	case "VOLUME":
		return volumes(c, rest, vars)
	case "WORKDIR":
		if rest, err = vars.one(word, rest); err != nil {
			return err
		}
		if !path.IsAbs(rest) {
			rest = path.Join("/", c.WorkingDir, rest)
		}
		c.WorkingDir = path.Clean(rest)
	case "USER":
		c.User, err = vars.one(word, rest)
	case "STOPSIGNAL":
		c.StopSignal, err = vars.one(word, rest)
	case "ONBUILD":
		return onBuild(c, rest)
	case "HEALTHCHECK":
		c.Healthcheck, err = healthcheck(rest)
	}
	return err
}

// onBuild keeps an instruction for the builds on this image.
func onBuild(c *dockerspec.DockerOCIImageConfig, rest string) error {
	trigger, _, _ := strings.Cut(rest, " ")
	switch trigger = strings.ToUpper(trigger); trigger {
	case "ONBUILD":
		return wrong("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
	case "MAINTAINER", "FROM":
		return wrong("%s isn't allowed as an ONBUILD trigger", trigger)
	}
	c.OnBuild = append(slices.Clone(c.OnBuild), rest)
	return nil
}

// volumes adds mount points, as words or as a JSON list.
func volumes(c *dockerspec.DockerOCIImageConfig, rest string, vars variables) error {
	words, ok := jsonWords(rest)
	if !ok {
		var err error
		if words, err = vars.split(rest); err != nil {
			return err
		}
	}
	if len(words) == 0 {
		return wrong("VOLUME requires at least one argument")
	}
	if c.Volumes == nil {
		c.Volumes = make(map[string]struct{})
	}
	for _, v := range words {
		if v = strings.TrimSpace(v); v == "" {
			return wrong("VOLUME specified can not be an empty string")
		}
		c.Volumes[v] = struct{}{}
	}
	return nil
}

// jsonWords reads the exec form of an instruction.
func jsonWords(rest string) ([]string, bool) {
	var words []string
	if !strings.HasPrefix(rest, "[") || json.Unmarshal([]byte(rest), &words) != nil {
		return nil, false
	}
	return words, true
}

// command reads the exec or the shell form of a command.
func command(rest string, shell []string) []string {
	if words, ok := jsonWords(rest); ok {
		return words
	}
	if rest == "" {
		return nil
	}
	if len(shell) == 0 {
		shell = []string{"/bin/sh", "-c"}
	}
	return append(slices.Clone(shell), rest)
}

// setEnv sets a variable in its place, or adds it at the end.
func setEnv(env []string, key, value string) []string {
	for i, e := range env {
		if k, _, _ := strings.Cut(e, "="); k == key {
			env[i] = key + "=" + value
			return env
		}
	}
	return append(env, key+"="+value)
}

// expose adds ports: "80", "80/udp", "8000-8010/tcp".
func expose(c *dockerspec.DockerOCIImageConfig, rest string, vars variables) error {
	if c.ExposedPorts == nil {
		c.ExposedPorts = make(map[string]struct{})
	}
	words, err := vars.split(rest)
	if err != nil {
		return err
	}
	for _, w := range words {
		ports, proto, ok := strings.Cut(w, "/")
		if !ok {
			proto = "tcp"
		}
		proto = strings.ToLower(proto)
		first, last, isRange := strings.Cut(ports, "-")
		from, err := strconv.ParseUint(first, 10, 16)
		to := from
		if err == nil && isRange {
			to, err = strconv.ParseUint(last, 10, 16)
		}
		if err != nil || from == 0 || to < from || proto != "tcp" && proto != "udp" && proto != "sctp" {
			return wrong("Invalid containerPort: %s", w)
		}
		for p := from; p <= to; p++ {
			c.ExposedPorts[fmt.Sprintf("%d/%s", p, proto)] = struct{}{}
		}
	}
	return nil
}

// healthcheck reads HEALTHCHECK [options] CMD command, or NONE.
func healthcheck(rest string) (*dockerspec.HealthcheckConfig, error) {
	h := new(dockerspec.HealthcheckConfig)
	for strings.HasPrefix(rest, "--") {
		word, more, _ := strings.Cut(rest, " ")
		rest = strings.TrimSpace(more)
		key, value, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
		if key == "retries" {
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 {
				return nil, wrong("%s: a positive number is wanted", word)
			}
			h.Retries = n
			continue
		}
		into := map[string]*time.Duration{
			"interval": &h.Interval, "timeout": &h.Timeout, "start-period": &h.StartPeriod, "start-interval": &h.StartInterval,
		}[key]
		if into == nil {
			return nil, wrong("Unknown flag: %s", key)
		}
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return nil, wrong("%s: a duration is wanted", word)
		}
		*into = d
	}
	// docker keeps the shell form as one string, to be run by the SHELL.
	kind, cmd, _ := strings.Cut(rest, " ")
	cmd = strings.TrimSpace(cmd)
	switch strings.ToUpper(kind) {
	case "NONE":
		h.Test = []string{"NONE"}
	case "CMD":
		if words, ok := jsonWords(cmd); ok {
			h.Test = append([]string{"CMD"}, words...)
		} else if cmd != "" {
			h.Test = []string{"CMD-SHELL", cmd}
		} else {
			return nil, wrong("Missing command after HEALTHCHECK CMD")
		}
	default:
		return nil, wrong("Unknown type %q in HEALTHCHECK (try CMD)", strings.ToUpper(kind))
	}
	return h, nil
}
