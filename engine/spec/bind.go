package spec

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/mount"
)

// ParseBind reads an entry of HostConfig.Binds: "destination", "source:destination"
// or "source:destination:options". A source that is not an absolute path is the
// name of a volume; without source the volume is anonymous. driver is for volumes.
func ParseBind(bind, driver string) (Mount, error) {
	bad := fmt.Errorf("invalid volume specification: '%s'", bind)
	fail := func(err error) (Mount, error) { return Mount{}, fmt.Errorf("%w%w", err, invalid) }
	parts := strings.Split(bind, ":")
	if len(parts) > 3 || parts[0] == "" {
		return fail(bad)
	}
	var m mount.Mount
	var mode string
	switch len(parts) {
	case 1:
		m.Target = parts[0]
	case 2:
		// "/data:ro": what should be a place is a mode.
		if _, ok := parseMode(parts[1]); ok {
			return fail(bad)
		}
		m.Source, m.Target = parts[0], parts[1]
	case 3:
		m.Source, m.Target, mode = parts[0], parts[1], parts[2]
	}
	words, ok := parseMode(mode)
	if !ok {
		return fail(fmt.Errorf("invalid mode: %s", mode))
	}
	m.Type, m.ReadOnly = mount.TypeVolume, words.readOnly
	if path.IsAbs(m.Source) {
		m.Type = mount.TypeBind
	} else if driver != "" || words.noCopy {
		m.VolumeOptions = &mount.VolumeOptions{NoCopy: words.noCopy}
		if driver != "" {
			m.VolumeOptions.DriverConfig = &mount.Driver{Name: driver}
		}
	}
	if words.propagation != "" {
		m.BindOptions = &mount.BindOptions{Propagation: words.propagation}
	}
	out, err := ParseMount(m)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", bad, err))
	}
	// Who names a directory this way wants it, even if it is not there yet.
	out.Mode, out.CreateSource = mode, m.Type == mount.TypeBind
	return out, nil
}

// invalid adds a kind to an error and nothing to its text.
var invalid = silent{errdefs.ErrInvalidArgument}

type silent struct{ error }

func (silent) Error() string   { return "" }
func (s silent) Unwrap() error { return s.error }

// modeWords are the words after the second colon of a bind.
type modeWords struct {
	readOnly, noCopy bool
	propagation      mount.Propagation
}

// kindsOfMode are the words of a mode, a line for each kind.
var kindsOfMode = []string{
	"ro rw",
	"z Z", // labels for SELinux, which mean nothing elsewhere
	"private rprivate slave rslave shared rshared",
	"nocopy",
	"consistent cached delegated default", // for Docker Desktop; nothing here
}

// parseMode reads a mode, which has at most one word of each kind.
func parseMode(mode string) (words modeWords, ok bool) {
	if mode == "" {
		return words, true
	}
	seen := make([]bool, len(kindsOfMode))
	for word := range strings.SplitSeq(mode, ",") {
		kind := kindOfWord(word)
		if kind < 0 || seen[kind] {
			return words, false
		}
		seen[kind] = true
		switch kind {
		case 0:
			words.readOnly = word == "ro"
		case 2:
			words.propagation = mount.Propagation(word)
		case 3:
			words.noCopy = true
		}
	}
	return words, true
}

func kindOfWord(word string) int {
	for i, line := range kindsOfMode {
		for known := range strings.FieldsSeq(line) {
			if known == word {
				return i
			}
		}
	}
	return -1
}

// ParseVolumesFrom reads an entry of HostConfig.VolumesFrom, "container[:mode]".
// Propagation and copying are the other container's to say.
func ParseVolumesFrom(from string) (container string, readOnly bool, err error) {
	if from == "" {
		return "", false, fmt.Errorf("%w%w", errors.New("volumes-from specification cannot be an empty string"), invalid)
	}
	container, mode, _ := strings.Cut(from, ":")
	words, ok := parseMode(mode)
	if !ok || words.propagation != "" || words.noCopy {
		return "", false, fmt.Errorf("invalid mode: %s%w", mode, invalid)
	}
	return container, words.readOnly, nil
}

// ValidName tells whether s can name a container or a volume: docker's
// [a-zA-Z0-9][a-zA-Z0-9_.-]+.
func ValidName(s string) bool {
	if len(s) < 2 {
		return false
	}
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || r != '_' && r != '.' && r != '-') {
			return false
		}
	}
	return true
}
