package diff

import (
	"errors"
	"fmt"
)

// maxOpen is how many directories one walk holds open: those on the way to where it
// is, in the tree and in each layer below. That is 63 levels that 127 layers all have.
const maxOpen = 8192

// checkDepth refuses what is too far down. Directories can be made in each other without
// end, while a process has a number of descriptors and the kernel takes paths up to a
// length; whoever made the tree must not decide what a walk costs.
func checkDepth(path string, open int) error {
	if len(path) > maxPath {
		return refuse("the path is longer than %d bytes", maxPath)
	}
	if open > maxOpen {
		return refuse("the way here needs more than %d open directories", maxOpen)
	}
	return nil
}

// treeError is an error about one path of a tree.
type treeError struct {
	path string
	err  error
}

func (e *treeError) Error() string { return fmt.Sprintf("%s: %v", shorten(e.path), e.err) }
func (e *treeError) Unwrap() error { return e.err }

// inTree says which path an error is about, unless that was said further down.
func inTree(path string, err error) error {
	if known := (*treeError)(nil); errors.As(err, &known) {
		return err
	}
	return &treeError{path, err}
}
