package container

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestMountOptions has a mount for every option, or meaningful list of them, of the
// specification (config.md, "Linux mount options") and looks at what becomes of it
// and, for the recursive ones, of the mount below it.
func TestMountOptions(t *testing.T) {
	for _, user := range []bool{false, true} {
		f := newFixture(t)
		if user {
			f.userNS()
		}
		dir := shared(t)
		var script, want strings.Builder
		script.WriteString(`at() { grep " $1 " /proc/self/mountinfo | cut -d' ' -f6 | sed 's/,relatime//' ; }` + "\n")
		n := 0
		check := func(kind, options, top, below string) {
			n++
			dest := "/m" + string(rune('a'+n/26)) + string(rune('a'+n%26))
			source := "tmpfs"
			if kind == "bind" {
				source = dir
			}
			addMount(f.opts.Spec, dest, kind, source, strings.Split(options, ",")...)
			script.WriteString("echo " + options + " $(at " + dest + ") $(at " + dest + "/below)\n")
			want.WriteString(strings.TrimSpace(options+" "+top+" "+below) + "\n")
		}
		for _, o := range []string{"ro", "nosuid", "nodev", "noexec", "nodiratime", "noatime", "nosymfollow"} {
			top := "rw," + o
			if o == "ro" {
				top = o
			}
			check("tmpfs", o, top, "")
			if user && strings.HasSuffix(o, "atime") {
				continue // how the host keeps access times is not for a user namespace to say
			}
			check("bind", "rbind,"+o, top, "rw")
			check("bind", "rbind,r"+o, top, top)
		}
		for _, o := range []string{"rw", "suid", "dev", "exec", "diratime", "atime", "symfollow", "relatime", "norelatime", "nostrictatime"} {
			check("tmpfs", o, "rw", "")
			check("bind", "rbind,"+o, "rw", "rw")
			check("bind", "rbind,r"+o, "rw", "rw")
		}
		// Of a contradiction the last counts.
		check("bind", "rbind,rro,nosuid,suid,rnodev,rdev", "ro", "ro")
		if !user { // where what is below a mount cannot be left out
			check("bind", "bind,ro,noatime,relatime,rnoexec", "ro,noexec", "")
		}
		check("bind", "rbind,rnoatime,rro,rrw,ratime", "rw", "rw")
		for _, o := range []string{"defaults", "async", "sync", "dirsync", "lazytime", "nolazytime", "mand", "nomand", "iversion", "noiversion", "silent", "loud", "norbind"} {
			check("tmpfs", o, "rw", "")
		}
		f.opts.Spec.Process.Args = []string{"sh", "-c", script.String()}
		out, _ := f.run()
		got, expect := strings.Split(out, "\n"), strings.Split(want.String(), "\n")
		for i := range max(len(got), len(expect)) {
			if i >= len(got) || i >= len(expect) || got[i] != expect[i] {
				t.Errorf("user namespace %v: got %q, want %q", user, got[min(i, len(got)-1)], expect[min(i, len(expect)-1)])
			}
		}
	}
}

// TestPropagationOptions reads the propagation that mounts and the root got.
func TestPropagationOptions(t *testing.T) {
	f := newFixture(t)
	dir := shared(t)
	var script, want strings.Builder
	script.WriteString(`at() { grep " $1 " /proc/self/mountinfo | cut -d' ' -f7 | cut -d: -f1; }` + "\n")
	for _, o := range []string{"shared", "slave", "private", "unbindable"} {
		tag := map[string]string{"shared": "shared", "unbindable": "unbindable", "slave": "-", "private": "-"}[o]
		addMount(f.opts.Spec, "/one-"+o, "bind", dir, "rbind", "rprivate", o)
		addMount(f.opts.Spec, "/all-"+o, "bind", dir, "rbind", "r"+o)
		script.WriteString("echo " + o + " $(at /one-" + o + ") $(at /one-" + o + "/below) $(at /all-" + o + ") $(at /all-" + o + "/below)\n")
		want.WriteString(o + " " + tag + " - " + tag + " " + tag + "\n")
	}
	f.want(script.String(), want.String())
}

func TestRootfsPropagation(t *testing.T) {
	for name, tag := range map[string]string{"": "-", "private": "-", "rprivate": "-", "slave": "-", "rslave": "-", "shared": "shared",
		"rshared": "shared", "unbindable": "unbindable"} {
		f := newFixture(t)
		f.opts.Spec.Linux.RootfsPropagation = name
		f.want("cut -d' ' -f5,7 /proc/self/mountinfo | grep '^/ ' | cut -d' ' -f2 | cut -d: -f1", tag)
	}
}

// What a container mounts below a shared bind the host sees, and nothing else of it.
func TestSharedBindsReachTheHost(t *testing.T) {
	f := newFixture(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	if err := unix.Mount("", dir, "", unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/in", 0o755); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	f.opts.Spec.Linux.RootfsPropagation = "shared"
	f.opts.Spec.Process.Capabilities = &specs.LinuxCapabilities{}
	for _, set := range []*[]string{&f.opts.Spec.Process.Capabilities.Bounding, &f.opts.Spec.Process.Capabilities.Permitted, &f.opts.Spec.Process.Capabilities.Effective} {
		*set = []string{"CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"}
	}
	addMount(f.opts.Spec, "/mnt", "bind", dir, "rbind", "rshared")
	f.want("mount -t tmpfs inner /mnt/in && touch /mnt/in/made && echo made", "made")
	if _, err := os.Stat(dir + "/in/made"); err != nil {
		t.Errorf("the container's mount: %v", err)
	}
	if err := unix.Unmount(dir+"/in", 0); err != nil {
		t.Error(err)
	}
	if after, err := os.ReadFile("/proc/self/mountinfo"); err != nil || len(after) != len(before) {
		t.Errorf("the host's mounts, before:\n%s\nafter:\n%s", before, after)
	}
}

// TestCopyUp fills a tmpfs with what the image has where it goes.
func TestCopyUp(t *testing.T) {
	for _, user := range []bool{false, true} {
		f := newFixture(t)
		if user {
			f.userNS()
		}
		f.opts.Spec.Root.Readonly = true
		addMount(f.opts.Spec, "/root", "tmpfs", "tmpfs")
		addMount(f.opts.Spec, "/bin", "tmpfs", "tmpfs", "tmpcopyup", "size=16m", "mode=700")
		f.want("readlink /bin/sh; stat -c %a /bin; touch /bin/new && rm /bin/sh && echo written; touch /new", "busybox\n755\nwritten\ntouch: /new: Read-only file system")
	}
}

// TestMountTypeWithUnmappedGroup is an option that the user namespace makes wrong.
func TestMountTypeWithUnmappedGroup(t *testing.T) {
	f := newFixture(t, "true")
	f.userNS()
	f.opts.Spec.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 200000, Size: 1}}
	_, err := Create(context.Background(), f.opts)
	if !errors.Is(err, unix.EINVAL) || !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "gid=5") {
		t.Errorf("error %v", err)
	}
	f.opts.Spec.Mounts[2].Options = slices.DeleteFunc(f.opts.Spec.Mounts[2].Options, func(o string) bool { return o == "gid=5" })
	f.want("id -u", "0")
}
