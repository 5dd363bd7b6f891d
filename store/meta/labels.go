package meta

import (
	"fmt"
	"maps"
	"strings"

	"github.com/containerd/errdefs"
)

// UpdateLabels applies containerd's update rule for the labels of a record
// (content.Manager, snapshots.Snapshotter): without field paths, and with the
// path "labels", next replaces all of old; with "labels.<key>" only that label
// changes, and goes when next has no value for it. Any other path is an error
// of kind InvalidArgument. The result shares nothing with the arguments.
func UpdateLabels(old, next map[string]string, fieldpaths []string) (map[string]string, error) {
	if len(fieldpaths) == 0 {
		fieldpaths = []string{"labels"}
	}
	out := maps.Clone(old)
	if out == nil {
		out = make(map[string]string)
	}
	for _, path := range fieldpaths {
		key, one := strings.CutPrefix(path, "labels.")
		switch {
		case path == "labels":
			clear(out)
			maps.Copy(out, next)
		case one && next[key] != "":
			out[key] = next[key]
		case one:
			delete(out, key)
		default:
			return nil, fmt.Errorf("field %q cannot be changed: %w", path, errdefs.ErrInvalidArgument)
		}
	}
	return out, nil
}
