package runflags

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// ReadEnv merges --env-file and --env, the latter last. A name without a value
// takes it from environ, and is left out when environ has none.
func ReadEnv(files, flags, environ []string) ([]string, error) {
	lookup := func(name string) (string, bool) {
		for _, kv := range environ {
			if k, v, ok := strings.Cut(kv, "="); ok && k == name {
				return v, true
			}
		}
		return "", false
	}
	var out []string
	add := func(flag, kv string) error {
		name, _, valued := strings.Cut(kv, "=")
		if name == "" || strings.ContainsAny(name, " \t\n\x00") {
			return fmt.Errorf("%s %q: not a variable's name", flag, kv)
		}
		if valued {
			out = append(out, kv)
		} else if v, ok := lookup(name); ok {
			out = append(out, name+"="+v)
		}
		return nil
	}
	for _, file := range files {
		lines, err := readLines("env-file", file)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			if err := add("--env-file "+file+":", l); err != nil {
				return nil, err
			}
		}
	}
	for _, kv := range flags {
		if err := add("--env", kv); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readLabels merges --label-file and --label.
func readLabels(files, flags []string) (map[string]string, error) {
	out := map[string]string{}
	add := func(kv string) error {
		k, v, _ := strings.Cut(kv, "=")
		if k == "" {
			return fmt.Errorf("--label %q: has no name", kv)
		}
		out[k] = v
		return nil
	}
	for _, file := range files {
		lines, err := readLines("label-file", file)
		if err != nil {
			return nil, err
		}
		flags = append(lines, flags...)
	}
	for _, kv := range flags {
		if err := add(kv); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readLines reads the lines of a file that are neither empty nor comments.
func readLines(flag, file string) ([]string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) // a byte order mark
	var out []string
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		l := strings.TrimLeft(s.Text(), " \t")
		if l != "" && !strings.HasPrefix(l, "#") {
			out = append(out, l)
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("--%s %s: %w", flag, file, err)
	}
	return out, nil
}

// readSecurityOpts replaces seccomp=FILE by the profile itself: the engine may
// not see the client's files.
func readSecurityOpts(in []string) ([]string, error) {
	var out []string
	for _, s := range in {
		key, value, ok := strings.Cut(s, "=")
		if !ok && key != "no-new-privileges" {
			key, value, ok = strings.Cut(s, ":")
			if !ok {
				return nil, fmt.Errorf("--security-opt %s: must be KEY=VALUE or no-new-privileges", s)
			}
			s = key + "=" + value
		}
		if key == "seccomp" && value != "unconfined" && value != "builtin" {
			b, err := os.ReadFile(value)
			if err != nil {
				return nil, fmt.Errorf("--security-opt seccomp: %w", err)
			}
			var c bytes.Buffer
			if err := json.Compact(&c, b); err != nil {
				return nil, fmt.Errorf("--security-opt seccomp=%s: not a JSON profile: %w", value, err)
			}
			s = "seccomp=" + c.String()
		}
		out = append(out, s)
	}
	return out, nil
}

// keyValues reads KEY=VALUE words; nil when there are none.
func keyValues(flag string, in []string) (map[string]string, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(in))
	for _, s := range in {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			return nil, fmt.Errorf("--%s %s: must be KEY=VALUE", flag, s)
		}
		out[k] = v
	}
	return out, nil
}
