package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	profile "github.com/moby/profiles/seccomp"
)

// probe prints what a process sees of its container.
const probe = `
exec 2>&1
b() { /bin/busybox "$@"; }
echo "# mounts"; cat /proc/self/mountinfo
echo "# dev"; ls -ln /dev /dev/pts /dev/shm /dev/mqueue
for p in / /dev /dev/pts /dev/shm /dev/mqueue /proc /sys /proc/acpi /proc/keys /proc/timer_list /proc/sys /proc/bus /sys/firmware /tmp; do
	b stat -c '%n %F %a %u %g' $p
done
echo "# process"; cat /proc/self/status /proc/1/limits /proc/1/personality /proc/1/oom_score_adj /proc/1/timerslack_ns /proc/1/coredump_filter
echo "# ids"; id; umask; pwd; b env; b hostname; cat /proc/sys/kernel/domainname; b tty
echo "# namespaces"; ls /proc/self/ns; b ip -o link; cat /proc/net/route; b ipcs
echo "# rights"
echo x > /proc/sys/kernel/hostname; echo x > /sys/x; b mount -t tmpfs x /tmp; b mknod /tmp/null c 1 3; b chroot / true; b unshare -m true; b dmesg | b head -1
b hostname x; b ping -c 1 -W 1 127.0.0.1 > /dev/null && echo ping; b chown 1 /tmp; b nice -n -5 true; b date -s 1970-01-02
`

// volatile are what differs from one process to the next, or is not the runtime's
// to decide.
var volatile = regexp.MustCompile(`^(Pid|PPid|Tgid|Ngid|NSpid|NStgid|NSpgid|NSsid|FDSize|SigQ|Vm\w+|Rss\w+|Hugetlb\w+|\w+ctxt_switches|SigBlk|x86\w+|Name|State|Threads|untag_mask|PATH_PROBE)\b`)

// deliberate are the differences that are meant, by what they look like.
var deliberate = []struct{ pattern, replacement string }{
	// Masks of directories are bounded, as those of later versions of runc are.
	{`,size=4k,nr_inodes=1`, ""},
	// A tmpfs that inherits its mode says so, as with later versions of runc.
	{`(/tmp .* tmpfs tmpfs rw),mode=700`, "$1"},
	// The small tmpfs above the hierarchies of cgroup v1 is read-only when they are.
	{` /sys/fs/cgroup r[ow],`, " /sys/fs/cgroup "},
	// A listing's times.
	{`\b[A-Z][a-z]{2} +\d+ \d\d:\d\d\b`, ""},
	// Which processes the mounts come from.
	{` (master|shared):\d+`, ""},
}

// normal sorts the lines of a probe by section and takes out what may differ.
func (b *bundle) normal(out, id string) []string {
	out = strings.ReplaceAll(strings.ReplaceAll(out, id, "ID"), b.dir, "BUNDLE")
	for _, d := range deliberate {
		out = regexp.MustCompile(d.pattern).ReplaceAllString(out, d.replacement)
	}
	var lines []string
	section := ""
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, " \n")
		switch {
		case strings.HasPrefix(line, "# "):
			section = line[2:]
			continue
		case volatile.MatchString(line):
			continue
		case section == "mounts":
			line = strings.Join(strings.Fields(line)[3:], " ")
		case section == "dev":
			line = strings.Join(strings.Fields(line), " ")
		}
		lines = append(lines, section+": "+line)
	}
	slices.Sort(lines)
	return lines
}

// TestContainersAreTheSameAsRuncs looks from within at what `runc spec` and docker
// ask for.
func TestContainersAreTheSameAsRuncs(t *testing.T) {
	runc, err := exec.LookPath("runc")
	if err != nil {
		t.Skip("runc is not installed")
	}
	// A runc built with an older Go hands on the soft limit that Go raised for it.
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	files.Cur = files.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(s *specs.Spec){
		"runc spec": func(*specs.Spec) {},
		"docker":    asDocker,
		"user": func(s *specs.Spec) {
			s.Process.User = specs.User{UID: 7, GID: 8, AdditionalGids: []uint32{9, 9, 3}}
			s.Process.Cwd = "/made/for/it"
			s.Process.Capabilities.Inheritable = []string{"CAP_KILL", "CAP_NET_BIND_SERVICE"}
			s.Process.Capabilities.Ambient = []string{"CAP_KILL"}
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 77, Hard: 99}, {Type: "RLIMIT_CORE"}, {Type: "RLIMIT_NPROC", Soft: 999, Hard: 1000}}
			score := 300
			s.Process.OOMScoreAdj = &score
			s.Root.Readonly = false
		},
	} {
		if testing.Short() && name != "docker" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			b := newBundle(t)
			if err := os.Mkdir(filepath.Join(b.dir, "rootfs/tmp"), 0o700); err != nil {
				t.Fatal(err)
			}
			configure := func(args ...string) {
				b.configure(func(s *specs.Spec) {
					s.Process.Args = args
					// The hierarchies' order and the unified one beside v1 are the cgroup package's matter.
					s.Mounts = slices.DeleteFunc(s.Mounts, func(m specs.Mount) bool { return m.Type == "cgroup" })
					s.Mounts = append(s.Mounts, specs.Mount{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev"}})
					change(s)
				})
			}
			configure("sh", "-c", probe)
			peer := b.id + "-runc"
			peers := func(args ...string) *exec.Cmd {
				c := exec.Command(runc, append([]string{"--root", filepath.Join(b.dir, "runc")}, args...)...)
				c.Dir = b.dir
				return c
			}
			b.compare("run", b.command("run", b.id), peers("run", peer))
			// And a process that joins.
			configure("sleep", "1000")
			t.Cleanup(func() { _ = peers("delete", "-f", peer).Run() })
			for _, c := range []*exec.Cmd{b.command("run", "-d", b.id), peers("run", "-d", peer)} {
				if err := c.Run(); err != nil {
					t.Fatal(err)
				}
			}
			b.compare("exec", b.command("exec", b.id, "sh", "-c", probe), peers("exec", peer, "sh", "-c", probe))
			flags := []string{"-u", "5:6", "-g", "7", "--cap", "CAP_KILL", "-e", "A=b", "-e", "PATH=/bin:/x", "--cwd", "/sys"}
			b.compare("exec with flags", b.command(append(append([]string{"exec"}, flags...), b.id, "sh", "-c", probe)...),
				peers(append(append([]string{"exec"}, flags...), peer, "sh", "-c", probe)...))
		})
	}
}

// compare runs a probe under both runtimes.
func (b *bundle) compare(name string, mine, peers *exec.Cmd) {
	b.t.Helper()
	ours, err := mine.CombinedOutput()
	theirs, perr := peers.CombinedOutput()
	if err != nil || perr != nil {
		b.t.Fatalf("%s: ours: %v\n%s\nrunc's: %v\n%s", name, err, ours, perr, theirs)
	}
	got, want := b.normal(string(ours), b.id), b.normal(string(theirs), b.id+"-runc")
	if len(got) < 100 {
		b.t.Errorf("%s: the probe says only\n%s", name, ours)
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			b.t.Errorf("%s: ours alone: %s", name, line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			b.t.Errorf("%s: runc's alone: %s", name, line)
		}
	}
}

// asDocker makes a spec what dockerd has by default.
func asDocker(s *specs.Spec) {
	list := []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
		"CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"}
	s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: list, Effective: list, Permitted: list}
	s.Process.NoNewPrivileges = false
	// This runc hands on the limit on open files that Go raised for itself.
	s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 512, Hard: 1024}}
	s.Process.Env = append(s.Process.Env, "HOSTNAME=abc", "HOME=/root")
	score := 0
	s.Process.OOMScoreAdj = &score
	s.Hostname, s.Domainname = "abc", ""
	s.Root.Readonly = false
	s.Linux.Sysctl = map[string]string{"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}
	s.Linux.MaskedPaths = []string{"/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"}
	allow := func(access string, typ string, major, minor int64) specs.LinuxDeviceCgroup {
		return specs.LinuxDeviceCgroup{Allow: true, Type: typ, Major: &major, Minor: &minor, Access: access}
	}
	s.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Access: "rwm"}, allow("rwm", "c", 1, 5), allow("rwm", "c", 1, 3), allow("rwm", "c", 1, 9),
		allow("rwm", "c", 1, 8), allow("rwm", "c", 5, 0), allow("rwm", "c", 5, 1)}
	if p, err := profile.GetDefaultProfile(s); err == nil {
		// What this runc refuses in the profile does not change what the probe sees.
		p.Flags = nil
		s.Linux.Seccomp = p
	}
}
