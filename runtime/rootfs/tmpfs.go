package rootfs

import (
	"errors"
	"fmt"
	"strings"

	"berth/runtime/mount"
	"golang.org/x/sys/unix"
)

// inherit gives a tmpfs that says nothing of its mode that of the directory which
// it will cover, as runc does: /tmp stays a place for everybody.
func (r *Rootfs) inherit(dest, fstype string, o mount.Options) (mount.Options, error) {
	if fstype != "tmpfs" {
		return o, nil
	}
	for _, d := range o.Data {
		if strings.HasPrefix(d, "mode=") {
			return o, nil
		}
	}
	at, err := open(r.root, dest)
	if errors.Is(err, unix.ENOENT) {
		return o, nil // the kernel's default, 1777
	}
	if err != nil {
		return o, err
	}
	defer at.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(at.Fd()), &st); err != nil {
		return o, fmt.Errorf("stat %s: %w", dest, err)
	}
	o.Data = append(o.Data[:len(o.Data):len(o.Data)], fmt.Sprintf("mode=%o", st.Mode&0o7777))
	return o, nil
}
