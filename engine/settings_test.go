package engine

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/volume"
	"golang.org/x/sys/unix"
)

func closeWrite(t *testing.T, c *client) {
	t.Helper()
	raw, err := c.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = unix.Shutdown(int(fd), unix.SHUT_WR) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestSettingsInTheContainer asks containers what they see of their configuration.
func TestSettingsInTheContainer(t *testing.T) {
	r := newRig(t)
	host := t.TempDir()
	if err := os.WriteFile(filepath.Join(host, "file"), []byte("host\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	limit := int64(50)
	for _, c := range []struct {
		what, script string
		edit         func(*container.Config, *container.HostConfig)
		want         string
	}{
		{"hostname", "hostname; cat /etc/hostname", func(c *container.Config, _ *container.HostConfig) { c.Hostname = "box" }, "box\nbox\n"},
		{"hosts", "cat /etc/hosts | head -1; tail -1 /etc/hosts", func(_ *container.Config, h *container.HostConfig) { h.ExtraHosts = []string{"db:10.0.0.9"} }, "127.0.0.1\tlocalhost\n10.0.0.9\tdb\n"},
		{"environment", "echo $A $HOME $HOSTNAME", func(c *container.Config, _ *container.HostConfig) { c.Env, c.Hostname = []string{"A=1"}, "h" }, "1 /root h\n"},
		{"user", "id; echo $HOME", func(c *container.Config, _ *container.HostConfig) { c.User = "www" }, "uid=33(www) gid=33(www) groups=33(www)\n/tmp\n"},
		{"working directory", "pwd", func(c *container.Config, _ *container.HostConfig) { c.WorkingDir = "/new/dir" }, "/new/dir\n"},
		{"read-only root", "touch /x 2>&1 | grep -c -i read-only", func(_ *container.Config, h *container.HostConfig) { h.ReadonlyRootfs = true }, "1\n"},
		{"bind", "cat /b/file; echo more >/b/new", func(_ *container.Config, h *container.HostConfig) { h.Binds = []string{host + ":/b"} }, "host\n"},
		{"read-only bind", "touch /b/x 2>/dev/null || echo no", func(_ *container.Config, h *container.HostConfig) { h.Binds = []string{host + ":/b:ro"} }, "no\n"},
		{"tmpfs", "grep -c '/t tmpfs' /proc/mounts", func(_ *container.Config, h *container.HostConfig) { h.Tmpfs = map[string]string{"/t": "size=1m"} }, "1\n"},
		{"pids limit", "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true", func(_ *container.Config, h *container.HostConfig) { h.PidsLimit = &limit }, "50\n"},
		{"no new privileges", "grep NoNewPrivs /proc/self/status", func(_ *container.Config, h *container.HostConfig) { h.SecurityOpt = []string{"no-new-privileges"} }, "NoNewPrivs:\t1\n"},
		{"seccomp", "grep Seccomp: /proc/self/status", func(*container.Config, *container.HostConfig) {}, "Seccomp:\t2\n"},
		{"no capabilities", "grep CapEff /proc/self/status", func(_ *container.Config, h *container.HostConfig) { h.CapDrop = []string{"ALL"} }, "CapEff:\t0000000000000000\n"},
		{"ulimit", "ulimit -n", func(_ *container.Config, h *container.HostConfig) {
			h.Ulimits = []*container.Ulimit{{Name: "nofile", Soft: 77, Hard: 88}}
		}, "77\n"},
		{"shm", "grep /dev/shm /proc/mounts | grep -o size=[0-9]*k", func(_ *container.Config, h *container.HostConfig) { h.ShmSize = 1 << 20 }, "size=1024k\n"},
		{"masked", "wc -c </proc/interrupts", func(*container.Config, *container.HostConfig) {}, "0\n"},
		{"name servers", "cat /etc/resolv.conf", func(_ *container.Config, h *container.HostConfig) {
			h.DNSSearch, h.DNSOptions = []string{"lan"}, []string{"ndots:2"}
		}, "search lan\noptions ndots:2\n"},
	} {
		o := shell(c.script)
		c.edit(o.Config, o.HostConfig)
		got, code := r.output(o)
		if c.what == "name servers" {
			if !strings.HasSuffix(got, c.want) {
				t.Errorf("%s: got %q", c.what, got)
			}
			continue
		}
		if got != c.want || code != 0 {
			t.Errorf("%s: got %q (%d), want %q", c.what, got, code, c.want)
		}
	}
	if b, err := os.ReadFile(filepath.Join(host, "new")); err != nil || string(b) != "more\n" {
		t.Errorf("written through a bind: %q, %v", b, err)
	}
}

func TestVolumesOfContainers(t *testing.T) {
	r := newRig(t)
	write := shell("echo kept >/data/x")
	write.HostConfig.Binds = []string{"vol:/data"}
	if _, code := r.output(write); code != 0 {
		t.Fatal(code)
	}
	read := shell("cat /d/x; touch /d/y 2>/dev/null || echo read-only")
	read.HostConfig.Mounts = []mount.Mount{{Type: "volume", Source: "vol", Target: "/d", ReadOnly: true}}
	read.Name = "reader"
	if got, _ := r.output(read); got != "kept\nread-only\n" {
		t.Errorf("got %q", got)
	}
	from := shell("cat /d/x")
	from.HostConfig.VolumesFrom = []string{"reader"}
	if got, _ := r.output(from); got != "kept\n" {
		t.Errorf("volumes-from: got %q", got)
	}
	filled := shell("ls -ld /etc | cut -c1-10; cat /etc/group | wc -l; ls /bin2 | wc -l")
	filled.HostConfig.Binds = []string{"etc:/etc", "none:/bin2", "plain:/root:nocopy"}
	if got, _ := r.output(filled); got != "drwxr-xr-x\n3\n0\n" {
		t.Errorf("volumes over directories of the image: got %q", got)
	}
	if err := r.Volumes.Remove(r.ctx, "vol", false); !errdefs.IsConflict(err) || !strings.Contains(err.Error(), "volume is in use") {
		t.Errorf("a volume in use: %v", err)
	}
	if _, err := r.Containers.Prune(r.ctx, nil); err != nil {
		t.Error(err)
	}
	if left := r.Containers.all(); len(left) != 0 {
		t.Errorf("%d containers after prune", len(left))
	}
	if v, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "vol"}); err != nil || v.Name != "vol" {
		t.Errorf("%v, %v", v, err)
	}
	if _, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "../x"}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a bad name: %v", err)
	}
	// The volume is there for the next engine.
	r.close()
	r.open()
	if v, err := r.Volumes.Inspect(r.ctx, "vol"); err != nil || !strings.HasSuffix(v.Mountpoint, "/volumes/vol/_data") {
		t.Errorf("%v, %v", v, err)
	}
	if report, err := r.Volumes.Prune(r.ctx, map[string][]string{"all": {"true"}}); err != nil || len(report.VolumesDeleted) != 4 || report.SpaceReclaimed < 5 {
		t.Errorf("%v, %v", report, err)
	}
}

func TestChangesOfAContainer(t *testing.T) {
	r := newRig(t)
	o := shell("echo x >/new; rm /etc/group; mkdir /dir; chmod 700 /tmp; echo y >>/etc/passwd; echo ready; exec sleep 1000")
	id := r.run(o)
	r.untilLogged(id, "ready")
	want := "A /dir,A /new,C /etc,C /etc/passwd,C /tmp,D /etc/group"
	check := func(when string) {
		t.Helper()
		list, err := r.changes(id)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, ch := range list {
			got = append(got, ch.Kind.String()+" "+ch.Path)
		}
		slices.Sort(got)
		if s := strings.Join(got, ","); s != want {
			t.Errorf("%s: got %s, want %s", when, s, want)
		}
	}
	check("running")
	if err := r.Containers.Kill(r.ctx, id, "KILL"); err != nil {
		t.Fatal(err)
	}
	check("ended")
	var b bytes.Buffer
	if err := r.Containers.Export(r.ctx, id, &b); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for tr := tar.NewReader(&b); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names[h.Name] = true
	}
	if !names["bin/busybox"] || !names["new"] || !names["dir/"] || names["etc/group"] {
		t.Errorf("the export is not the changed tree: %v", names)
	}
}

func TestBridgeAndStats(t *testing.T) {
	r := newRig(t)
	o := shell("ip addr show eth0 | grep -c 'inet '; tail -1 /etc/hosts; echo ready; exec sleep 1000")
	o.HostConfig.NetworkMode, o.Config.Hostname = "default", "netbox"
	o.HostConfig.Memory = 64 << 20
	id := r.run(o)
	r.untilLogged(id, "ready")
	in := r.inspect(id)
	ep := in.NetworkSettings.Networks["bridge"]
	if ep == nil || !ep.IPAddress.IsValid() || !ep.Gateway.IsValid() {
		t.Fatalf("endpoint %+v", ep)
	}
	if got, want := r.logNow(id), "1\n"+ep.IPAddress.String()+"\tnetbox\nready\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	other := shell("wget -q -O - http://127.0.0.1:8080/ 2>/dev/null; ip addr show eth0 | grep -c 'inet '; hostname")
	other.HostConfig.NetworkMode = container.NetworkMode("container:" + id)
	if got, _ := r.output(other); got != "1\nnetbox\n" {
		t.Errorf("in the network of another: %q", got)
	}
	s, err := r.Containers.Stats(r.ctx, id)
	if err != nil || s.MemoryStats.Usage == 0 || s.MemoryStats.Limit != 64<<20 || s.PidsStats.Current == 0 || s.CPUStats.CPUUsage.TotalUsage == 0 || s.CPUStats.SystemUsage == 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, ok := s.Networks["eth0"]; !ok {
		t.Errorf("networks %v", s.Networks)
	}
	list, err := r.Containers.List(r.ctx, ListOptions{})
	if err != nil || len(list) != 1 || list[0].Names[0] != "/"+strings.TrimPrefix(in.Name, "/") || list[0].Image != "busybox" || !strings.HasPrefix(list[0].Status, "Up ") {
		t.Errorf("list %+v, %v", list, err)
	}
	for filters, want := range map[string]int{"status=exited": 1, "ancestor=busybox": 1, "name=nosuch": 0, "network=bridge": 1, "id=" + id[:5]: 1, "exited=0": 1} {
		key, value, _ := strings.Cut(filters, "=")
		if list, err := r.Containers.List(r.ctx, ListOptions{Filters: map[string][]string{key: {value}}}); err != nil || len(list) != want {
			t.Errorf("%s: %d containers, %v", filters, len(list), err)
		}
	}
	if list, err := r.Containers.List(r.ctx, ListOptions{All: true, Size: true}); err != nil || len(list) != 2 || list[0].SizeRootFs == 0 {
		t.Errorf("all: %+v, %v", list, err)
	}
}

// logNow is the log so far.
func (r *rig) logNow(id string) string {
	r.t.Helper()
	var w text
	if err := r.Containers.Logs(r.ctx, id, LogsOptions{Stdout: true, Stderr: true, Tail: -1}, &w); err != nil {
		r.t.Fatal(err)
	}
	return w.out.String() + w.err.String()
}
