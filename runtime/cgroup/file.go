package cgroup

import (
	"fmt"
	"os"
	"path"
	"strings"

	"berth/runtime/plainfile"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// openFile opens a file of a cgroup for writing. It must exist already, and be a
// cgroup's: what else is found there, mounted over it or left by an unmount, would
// take the word and do nothing.
func openFile(name string) (*os.File, error) {
	f, err := plainfile.Open(name, unix.O_WRONLY|unix.O_NOFOLLOW)
	if err != nil {
		return nil, err
	}
	var st unix.Statfs_t
	if err = unix.Fstatfs(int(f.Fd()), &st); err == nil && int64(st.Type) != unix.CGROUP_SUPER_MAGIC && int64(st.Type) != unix.CGROUP2_SUPER_MAGIC {
		err = fmt.Errorf("it is no file of a cgroup: %w", errdefs.ErrFailedPrecondition)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return f, nil
}

// writeFile writes to a file that openFile opens.
func writeFile(name, value string) error {
	f, err := openFile(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}

// CheckPaths refuses Manager.Paths, read from a file, that New would not have made:
// all in such a directory is killed in the end, and the directory removed.
func CheckPaths(paths map[string]string) error {
	for controller, dir := range paths {
		rest, ok := strings.CutPrefix(dir, root+"/")
		_, inner, deep := strings.Cut(rest, "/")
		if !ok || path.Clean(dir) != dir || rest == "" || controller != "" && (!deep || inner == "") {
			return fmt.Errorf("%q is no cgroup of a container", dir)
		}
	}
	return nil
}
