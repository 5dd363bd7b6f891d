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

// ApplyChanges changes a config by Dockerfile instructions, one a string, as
// `docker import --change` and `docker commit --change` take them: CMD,
// ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL,
// USER, VOLUME and WORKDIR. Variables are not expanded. Others are errors of
// kind InvalidArgument, and then config is half changed.
func ApplyChanges(config *dockerspec.DockerOCIImageConfig, changes []string) error {
	// What config shares with its parent is not to be changed.
	config.Env = slices.Clone(config.Env)
	config.Labels = maps.Clone(config.Labels)
	config.ExposedPorts = maps.Clone(config.ExposedPorts)
	config.Volumes = maps.Clone(config.Volumes)
	for _, change := range changes {
		// A line of a Dockerfile may be continued.
		line := strings.TrimSpace(strings.NewReplacer("\\\n", " ", "\\\r\n", " ").Replace(change))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if i := strings.IndexAny(line, " \t"); i >= 0 {
			word, rest = line[:i], strings.TrimSpace(line[i:])
		}
		if err := applyChange(config, strings.ToUpper(word), rest); err != nil {
			return &changeError{err}
		}
	}
	return nil
}

// changeError is an error of kind InvalidArgument that has only the words of the
// instruction's own, which are docker's.
type changeError struct{ error }

func (e *changeError) Unwrap() error { return errdefs.ErrInvalidArgument }

// applyChange applies one instruction to a config.
func applyChange(c *dockerspec.DockerOCIImageConfig, word, rest string) (err error) {
	if rest == "" {
		return fmt.Errorf("%s wants arguments", word)
	}
	switch word {
	case "CMD":
		c.Cmd = command(rest, c.Shell)
	case "ENTRYPOINT":
		c.Entrypoint = command(rest, c.Shell)
	case "ENV":
		return pairs(rest, func(k, v string) { c.Env = setEnv(c.Env, k, v) })
	case "LABEL":
		if c.Labels == nil {
			c.Labels = make(map[string]string)
		}
		return pairs(rest, func(k, v string) { c.Labels[k] = v })
	case "EXPOSE":
		return expose(c, rest)
	case "VOLUME":
		words, ok := jsonWords(rest)
		if !ok {
			words = strings.Fields(rest)
		}
		if c.Volumes == nil {
			c.Volumes = make(map[string]struct{})
		}
		for _, v := range words {
			c.Volumes[v] = struct{}{}
		}
	case "WORKDIR":
		if rest, err = unquote(rest); err != nil {
			return err
		}
		if !path.IsAbs(rest) {
			rest = path.Join("/", c.WorkingDir, rest)
		}
		c.WorkingDir = path.Clean(rest)
	case "USER":
		c.User, err = unquote(rest)
	case "STOPSIGNAL":
		c.StopSignal, err = unquote(rest)
	case "ONBUILD":
		c.OnBuild = append(slices.Clone(c.OnBuild), rest)
	case "SHELL":
		words, ok := jsonWords(rest)
		if !ok {
			return fmt.Errorf("SHELL wants a JSON list")
		}
		c.Shell = words
	case "HEALTHCHECK":
		c.Healthcheck, err = healthcheck(rest)
	default:
		return fmt.Errorf("%s is not a valid change command", word)
	}
	return err
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

// pairs reads key=value words, or the old form of one key, a space and its
// value.
func pairs(rest string, set func(key, value string)) error {
	words, err := splitWords(rest)
	if err != nil {
		return err
	}
	// ENV key the rest of the line, quotes and all.
	if len(words) > 0 && !strings.Contains(words[0], "=") {
		key, value, ok := strings.Cut(rest, " ")
		if !ok {
			return fmt.Errorf("%q has no value", rest)
		}
		set(key, strings.TrimSpace(value))
		return nil
	}
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		if !ok || key == "" {
			return fmt.Errorf("%q is not of the form key=value", w)
		}
		set(key, value)
	}
	return nil
}

// splitWords splits at blanks as a Dockerfile does: quotes and backslashes
// keep blanks together and are taken away.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	quote, inWord := byte(0), false
	for i := 0; i < len(s); i++ {
		ch := s[i]
		switch {
		case ch == '\\' && quote != '\'' && i+1 < len(s):
			// In double quotes a backslash only means something before these.
			i++
			if quote == '"' && s[i] != '"' && s[i] != '\\' && s[i] != '$' {
				word.WriteByte('\\')
			}
			word.WriteByte(s[i])
			inWord = true
		case quote != 0 && ch == quote:
			quote = 0
		case quote == 0 && (ch == '"' || ch == '\''):
			quote, inWord = ch, true
		case quote == 0 && (ch == ' ' || ch == '\t'):
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteByte(ch)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote is not closed")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// unquote reads an argument that is one word.
func unquote(rest string) (string, error) {
	words, err := splitWords(rest)
	if err != nil {
		return "", err
	}
	if len(words) != 1 {
		return "", fmt.Errorf("one argument is wanted, not %d", len(words))
	}
	return words[0], nil
}

// expose adds ports: "80", "80/udp", "8000-8010/tcp".
func expose(c *dockerspec.DockerOCIImageConfig, rest string) error {
	if c.ExposedPorts == nil {
		c.ExposedPorts = make(map[string]struct{})
	}
	for _, w := range strings.Fields(rest) {
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
			return fmt.Errorf("%q is not a port", w)
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
				return nil, fmt.Errorf("%s: a positive number is wanted", word)
			}
			h.Retries = n
			continue
		}
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return nil, fmt.Errorf("%s: a duration is wanted", word)
		}
		switch key {
		case "interval":
			h.Interval = d
		case "timeout":
			h.Timeout = d
		case "start-period":
			h.StartPeriod = d
		case "start-interval":
			h.StartInterval = d
		default:
			return nil, fmt.Errorf("%s: unknown option", word)
		}
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
		}
	}
	if h.Test == nil {
		return nil, fmt.Errorf("HEALTHCHECK wants CMD and a command, or NONE")
	}
	return h, nil
}
