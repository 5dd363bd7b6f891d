package cli

import (
	"fmt"
	"os"
	"path"

	"berth/runtime/caps"
)

// ownRoot is where states are kept without --root: below a user's own runtime
// directory when a user calls, also from a user namespace of theirs.
func ownRoot() (string, error) {
	run, user := os.Getenv("XDG_RUNTIME_DIR"), os.Getenv("USER")
	if run == "" || os.Geteuid() == 0 && (user == "" || user == "root" || !caps.Rootless()) {
		return defaultRoot, nil
	}
	root := path.Join(run, "berth/runtime")
	// Sticky is what keeps it from being cleaned away (XDG Base Directory
	// Specification, "$XDG_RUNTIME_DIR").
	err := os.MkdirAll(root, 0o700)
	if err == nil {
		err = os.Chmod(root, 0o700|os.ModeSticky)
	}
	if err != nil {
		return "", fmt.Errorf("make the directory of the states (--root gives another): %w", err)
	}
	return root, nil
}
