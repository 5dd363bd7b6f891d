package initproc

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// SetFiles sets the descriptors that the command gets. A nil file is the null
// device, which is returned to be closed after the fork.
func (c *Process) SetFiles(stdin, stdout, stderr *os.File, extra []*os.File) (null *os.File, err error) {
	for i, f := range []*os.File{stdin, stdout, stderr} {
		if f == nil {
			if null == nil {
				if null, err = os.OpenFile(os.DevNull, os.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
					return nil, fmt.Errorf("open the null device: %w", err)
				}
			}
			f = null
		}
		c.Stdio[i] = int(f.Fd())
		var st unix.Stat_t
		if err := unix.Fstat(c.Stdio[i], &st); err != nil {
			if null != nil {
				null.Close()
			}
			return nil, fmt.Errorf("descriptor %d of the command: %w", i, err)
		}
		device := st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3)
		c.null[i] = device
		c.Chown[i] = !device && st.Uid != c.Spec.User.UID
	}
	for _, f := range extra {
		c.Extra = append(c.Extra, int(f.Fd()))
	}
	return null, nil
}
