package doctor

import (
	"errors"
	"fmt"
	"net"
	"os"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"
)

// What an engine should have, in bytes and counts: below the first something
// will soon fail, below the second it does now.
const (
	roomLow, roomNone = 2 << 30, 100 << 20
	filesLow          = 65536
	watchersLow       = 256
)

func limits(m Machine) []Finding {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return warning("limits", fmt.Sprintf("asking for the limit of open files: %v", err), "ulimit -Hn")
	}
	if files.Max < filesLow {
		return warning("limits", fmt.Sprintf("a process may open %d files: containers that want more fail to start", files.Max), "ulimit -Hn 1048576")
	}
	if n, err := strconv.Atoi(text(m.Proc, "sys/fs/inotify/max_user_instances")); err == nil && n < watchersLow {
		return warning("limits", fmt.Sprintf("a user may have %d inotify instances, all containers together", n), "sysctl -w fs.inotify.max_user_instances=8192")
	}
	return good("limits", "%d open files", files.Max)
}

// existing is path, or the deepest directory above it that there is.
func existing(path string) string {
	for !exists(path) && path != filepath.Dir(path) {
		path = filepath.Dir(path)
	}
	return path
}

func disk(m Machine) []Finding {
	dir := existing(m.Root)
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return bad("disk", fmt.Sprintf("looking at %s: %v", dir, err), "df "+dir)
	}
	return roomIn(m.Root, fs.Bavail*uint64(fs.Bsize), fs.Files, fs.Ffree)
}

// roomIn judges free bytes and inodes.
func roomIn(root string, free, inodes, freeInodes uint64) []Finding {
	room := units.BytesSize(float64(free)) + " free for " + root
	const mend = "berth system prune -a"
	switch {
	case free < roomNone:
		return bad("disk", room, mend)
	case inodes > 0 && freeInodes < inodes/50:
		return warning("disk", fmt.Sprintf("%s, but only %d of %d inodes", room, freeInodes, inodes), mend)
	case free < roomLow:
		return warning("disk", room, mend)
	}
	return good("disk", "%s", room)
}

// clock compares the time with that of berth's own file: a clock that stands
// before it is wrong, and certificates will not be valid yet.
func clock(Machine) []Finding {
	self, err := os.Executable()
	if err != nil {
		return good("clock", "%s", time.Now().Format(time.RFC3339))
	}
	fi, err := os.Stat(self)
	if err != nil {
		return good("clock", "%s", time.Now().Format(time.RFC3339))
	}
	return clockAt(time.Now(), fi.ModTime())
}

func clockAt(now, made time.Time) []Finding {
	if now.Before(made.Add(-24 * time.Hour)) {
		return warning("clock", fmt.Sprintf("it says %s, before this berth was made: registries' certificates will not be valid yet", now.Format(time.RFC3339)), "timedatectl set-ntp true")
	}
	return good("clock", "%s", now.Format(time.RFC3339))
}

func socket(m Machine) []Finding {
	conn, err := net.Dial("unix", strings.TrimPrefix(m.Socket, "unix://"))
	switch {
	case err == nil:
		conn.Close()
		return good("engine", "answers at %s", m.Socket)
	case errors.Is(err, os.ErrPermission):
		if _, err := osuser.LookupGroup("berth"); err != nil {
			return warning("engine", "this user may not use "+m.Socket+", and there is no group berth whose members could", "sudo groupadd --system berth && sudo usermod -aG berth $USER")
		}
		return warning("engine", "this user may not use "+m.Socket, "sudo usermod -aG berth $USER")
	}
	return good("engine", "none runs at %s: the first verb that needs one starts it", m.Socket)
}

// others are the engines that berth lives beside.
func others(m Machine) []Finding {
	var running []string
	for _, o := range []struct{ name, path string }{
		{"docker", "docker.sock"}, {"podman", "podman/podman.sock"}, {"containerd", "containerd/containerd.sock"}, {"crio", "crio/crio.sock"},
	} {
		conn, err := net.Dial("unix", filepath.Join(m.Run, o.path))
		if err == nil {
			conn.Close()
			running = append(running, o.name)
		}
	}
	if len(running) == 0 {
		return good("others", "no other engine runs")
	}
	return good("others", "%s: it has its own images, containers and networks, and berth leaves them alone", strings.Join(running, ", "))
}
