package doctor

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tree is a directory with these files.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestWhatIsLacking covers machines that this one is not.
func TestWhatIsLacking(t *testing.T) {
	allNamespaces := map[string]string{}
	for _, ns := range []string{"mnt", "pid", "net", "ipc", "uts", "cgroup", "user", "time"} {
		allNamespaces["self/ns/"+ns] = ""
	}
	without := func(name string) map[string]string {
		files := map[string]string{}
		for k, v := range allNamespaces {
			if k != "self/ns/"+name {
				files[k] = v
			}
		}
		return files
	}
	v1 := map[string]string{}
	for _, c := range controllers {
		v1["fs/cgroup/"+c+"/x"] = ""
	}
	for _, c := range []struct {
		name    string
		examine func(Machine) []Finding
		m       Machine
		want    Status
		mend    string
	}{
		{"root", user, Machine{}, Good, ""},
		{"somebody", user, Machine{Euid: 1000}, Warning, "sudo"},
		{"new kernel", kernel, Machine{Release: "6.1.0-18-amd64"}, Good, ""},
		{"oldest kernel", kernel, Machine{Release: "5.4.0"}, Good, ""},
		{"old kernel", kernel, Machine{Release: "4.19.0-26-amd64"}, Bad, "linux-image"},
		{"all namespaces", namespaces, Machine{Proc: tree(t, allNamespaces)}, Good, ""},
		{"no time namespace", namespaces, Machine{Proc: tree(t, without("time"))}, Warning, "linux-image"},
		{"no pid namespace", namespaces, Machine{Proc: tree(t, without("pid"))}, Bad, "linux-image"},
		{"cgroup v2", cgroups, Machine{Sys: tree(t, map[string]string{"fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids"})}, Good, ""},
		{"cgroup v2, no memory", cgroups, Machine{Sys: tree(t, map[string]string{"fs/cgroup/cgroup.controllers": "cpuset cpu io pids"})}, Warning, "cgroup_enable=memory"},
		{"cgroup v2, all in v1", cgroups, Machine{Sys: tree(t, map[string]string{"fs/cgroup/cgroup.controllers": "memory"})}, Warning, "unified_cgroup_hierarchy"},
		{"cgroup v1, no swap", cgroups, Machine{Sys: tree(t, v1)}, Warning, "swapaccount=1"},
		{"cgroup v1, no pids", cgroups, Machine{Sys: tree(t, map[string]string{"fs/cgroup/cpu/x": ""})}, Warning, "mount -t cgroup -o memory"},
		{"no cgroups", cgroups, Machine{Sys: tree(t, map[string]string{"fs/cgroup/x": ""})}, Bad, "mount -t cgroup2"},
		{"nothing there", cgroups, Machine{Sys: t.TempDir()}, Bad, "mount -t cgroup2"},
		{"no seccomp", seccomp, Machine{Proc: t.TempDir()}, Bad, "linux-image"},
		{"seccomp", seccomp, Machine{Proc: tree(t, map[string]string{"sys/kernel/seccomp/actions_avail": "allow"})}, Good, ""},
		{"no userns", userns, Machine{Proc: tree(t, map[string]string{"self/ns/user": "", "sys/user/max_user_namespaces": "0"})}, Warning, "sysctl -w user.max_user_namespaces"},
		{"root's userns", userns, Machine{Proc: tree(t, map[string]string{"self/ns/user": "", "sys/kernel/unprivileged_userns_clone": "0"})}, Warning, "unprivileged_userns_clone=1"},
		{"AppArmor's userns", userns, Machine{Proc: tree(t, map[string]string{"self/ns/user": "", "sys/kernel/apparmor_restrict_unprivileged_userns": "1"})}, Warning, "apparmor_restrict"},
		{"SELinux", modules, Machine{Sys: tree(t, map[string]string{"fs/selinux/enforce": "1"})}, Good, ""},
	} {
		got := c.examine(c.m)
		if len(got) != 1 || got[0].Status != c.want || !strings.Contains(got[0].Mend, c.mend) || (c.mend == "") != (got[0].Mend == "") || got[0].Text == "" {
			t.Errorf("%s: %+v, want %s with %q", c.name, got, c.want, c.mend)
		}
	}
}

func TestRoomAndTime(t *testing.T) {
	for _, c := range []struct {
		free, inodes, freeInodes uint64
		want                     Status
	}{
		{100 << 30, 1000, 900, Good}, {100 << 30, 1000, 10, Warning}, {1 << 30, 1000, 900, Warning}, {1 << 20, 1000, 900, Bad}, {100 << 30, 0, 0, Good},
	} {
		if got := roomIn("/r", c.free, c.inodes, c.freeInodes); got[0].Status != c.want {
			t.Errorf("%+v: %+v", c, got)
		}
	}
	made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := clockAt(time.Unix(0, 0), made); got[0].Status != Warning || got[0].Mend == "" {
		t.Errorf("a clock at 1970: %+v", got)
	}
	if got := clockAt(made.Add(time.Hour), made); got[0].Status != Good {
		t.Errorf("a clock that is right: %+v", got)
	}
}

// TestTheMendMends covers a firewall that drops what containers forward: the
// command that is named takes the finding away.
func TestTheMendMends(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: a network namespace with rules of its own is made")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("needs nft (Debian: apt-get install nftables)")
	}
	dropping := func() (found []Finding) {
		for _, f := range firewall(Machine{}) {
			if f.Name == "firewall" {
				found = append(found, f)
			}
		}
		return found
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		if f := dropping(); len(f) != 0 {
			t.Errorf("an empty firewall: %+v", f)
		}
		shell := func(command string) {
			if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", command, err, out)
			}
		}
		shell(`nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'`)
		f := dropping()
		if len(f) != 1 || f[0].Status != Warning || !strings.Contains(f[0].Text, "ip filter FORWARD") {
			t.Errorf("a firewall that drops: %+v", f)
			return
		}
		shell(f[0].Mend)
		if f := dropping(); len(f) != 0 {
			t.Errorf("after %+v", f)
		}
		shell(`nft 'add table inet firewalld; add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; policy accept; }; add rule inet firewalld filter_FORWARD reject'`)
		if f := dropping(); len(f) != 0 {
			t.Errorf("firewalld, without a bridge that it had to know: %+v", f)
		}
		shell(`ip link add berth0 type bridge`)
		if f = dropping(); len(f) != 1 || f[0].Mend != "firewall-cmd --zone=trusted --add-interface=berth0" {
			t.Errorf("firewalld: %+v", f)
		}
		// What firewalld makes of that command.
		shell(`nft 'insert rule inet firewalld filter_FORWARD iifname "berth0" accept'`)
		if f := dropping(); len(f) != 0 {
			t.Errorf("a bridge that firewalld trusts: %+v", f)
		}
		shell(`ip link add berth-1 type bridge`)
		if f = dropping(); len(f) != 1 || !strings.Contains(f[0].Text, "behind berth-1 reach") {
			t.Errorf("a bridge that firewalld does not know, beside one that it trusts: %+v", f)
		}
	}()
	<-done
}

// TestThisMachine pins that examining a machine that runs the other tests finds
// nothing bad, and leaves nothing behind.
func TestThisMachine(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: mounts and devices are tried")
	}
	dir := t.TempDir()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	found := Examine(Machine{Root: filepath.Join(dir, "not/there/yet"), Socket: "unix://" + dir + "/none.sock", Release: unix.ByteSliceToString(u.Release[:])})
	names := map[string]bool{}
	for _, f := range found {
		names[f.Name] = true
		if f.Name != "disk" && f.Name != "overlay" && f.Status == Bad || (f.Status == Good) != (f.Mend == "") {
			t.Errorf("%+v", f)
		}
	}
	for _, name := range []string{"user", "kernel", "namespaces", "cgroups", "seccomp", "overlay", "network", "nftables", "limits", "disk", "clock", "engine", "others"} {
		if !names[name] {
			t.Errorf("%s was not looked at: %+v", name, found)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if Worst(nil) != Good || Worst([]Finding{{Status: Bad}, {Status: Warning}}) != Bad || Worst([]Finding{{Status: Warning}, {Status: Good}}) != Warning {
		t.Error("the worst is not the worst")
	}
}
