package spec

import (
	"fmt"
	"path"
	"slices"
	"strings"

	hostmount "berth/runtime/mount"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// tmpfsData are the options of a tmpfs that have a value.
var tmpfsData = []string{"", "size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"}

// mergeTmpfs leaves of contradicting options the last, as docker does, and
// refuses what is none of a tmpfs's.
func mergeTmpfs(options []string) ([]string, error) {
	seen := make(map[any]bool)
	var merged []string
	for _, o := range slices.Backward(options) {
		if o == "defaults" {
			continue
		}
		key, err := tmpfsKey(o)
		if err != nil {
			return nil, err
		}
		if !seen[key] {
			seen[key] = true
			merged = append(merged, o)
		}
	}
	slices.Reverse(merged)
	return merged, nil
}

// tmpfsKey is what an option sets: an attribute of the mount, its propagation, or a value.
func tmpfsKey(option string) (any, error) {
	if name, _, ok := strings.Cut(option, "="); ok && slices.Contains(tmpfsData, name) {
		return name, nil
	}
	o, err := hostmount.ParseOptions([]string{option})
	switch {
	case err != nil || len(o.Data) > 0 || option == "" || o.Bind || o.CopyUp || o.IDMap || o.Remount:
		//lint:ignore ST1005 the words are docker's
		return nil, fmt.Errorf("Invalid tmpfs option %q%w", strings.SplitN(option, "=", 2), invalid)
	case len(o.Propagation) > 0:
		return -1, nil
	case o.Set|o.Clear|o.RecSet|o.RecClear == 0:
		return option, nil // a default of the kernel
	}
	return o.Set | o.Clear | o.RecSet | o.RecClear, nil
}

// tmpfs has docker's safe defaults unless the options say otherwise.
func tmpfs(dest, options string) (specs.Mount, error) {
	all := []string{"noexec", "nosuid", "nodev", "rprivate"}
	if options != "" {
		all = append(all, strings.Split(options, ",")...)
	}
	merged, err := mergeTmpfs(all)
	return specs.Mount{Destination: path.Clean(dest), Type: "tmpfs", Source: "tmpfs", Options: merged}, err
}
