package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"

	"berth/runtime/container"
	"berth/runtime/criu"
)

var criuFlags = []flag{
	{"image-path", "", text, "directory of the images, by default ./checkpoint"},
	{"work-path", "", text, "directory of CRIU's work files and logs, by default that of the images"},
	{"tcp-established", "", toggle, "allow open TCP connections"},
	{"ext-unix-sk", "", toggle, "allow unix sockets connected to outside"},
	{"shell-job", "", toggle, "allow a session that began outside"},
	{"file-locks", "", toggle, "handle file locks"},
	{"manage-cgroups-mode", "", text, `"soft" (the default), "full", "strict" or "ignore"`},
	{"empty-ns", "", text, `"network" leaves out what is in that namespace`},
	{"auto-dedup", "", toggle, "drop the memory images that are superseded"},
	{"lazy-pages", "", toggle, "move memory on demand (userfaultfd)"},
}

var checkpointFlags = append([]flag{
	{"parent-path", "", text, "earlier images of a pre-dump, relative to those of this one"},
	{"leave-running", "", toggle, "let the container go on"},
	{"status-fd", "", number, "descriptor to write a \\0 to when lazy pages can be asked for"},
	{"page-server", "", text, "ADDRESS:PORT to send memory to"},
	{"pre-dump", "", toggle, "save memory only, and let the container go on"},
}, criuFlags...)

var restoreFlags = append([]flag{
	{"console-socket", "", text, "accepted for compatibility; containers with a terminal are not restored"},
	{"bundle", "b", text, "path to the bundle directory, by default the current directory"},
	{"detach", "d", toggle, "do not wait for the end of the process"},
	{"pid-file", "", text, "file to write the process ID to"},
	{"no-subreaper", "", toggle, "accepted for compatibility; no subreaper is used"},
	{"no-pivot", "", toggle, "accepted for compatibility"},
	{"lsm-profile", "", text, "LSM profile of the restored processes, TYPE:NAME"},
	{"lsm-mount-context", "", text, "LSM context of the restored mounts"},
}, criuFlags...)

func (a *app) checkpoint(f values) (int, error) {
	c, err := a.load(f)
	if err != nil {
		return 1, err
	}
	d := criu.Dump{LeaveRunning: f.has("leave-running"), PreDump: f.has("pre-dump"), Parent: f.get("parent-path"), PageServer: f.get("page-server"), StatusFD: -1}
	if path.IsAbs(d.Parent) {
		return 1, errors.New("--parent-path must be relative")
	}
	if f.given("status-fd") {
		d.StatusFD = f.number("status-fd")
	}
	if d.Options, err = a.criuOptions(f); err != nil {
		return 1, err
	}
	for _, dir := range []string{d.Images, d.Work} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return 1, err
		}
	}
	if err := c.Checkpoint(d); err != nil {
		return 1, err
	}
	if d.LeaveRunning || d.PreDump {
		return 0, nil
	}
	return 0, c.Delete(true)
}

// criuOptions reads the flags that checkpoint and restore share.
func (a *app) criuOptions(f values) (criu.Options, error) {
	o := criu.Options{Binary: a.criu, ManageCgroups: f.get("manage-cgroups-mode"), TCPEstablished: f.has("tcp-established"),
		ExtUnixSockets: f.has("ext-unix-sk"), ShellJob: f.has("shell-job"), FileLocks: f.has("file-locks"), AutoDedup: f.has("auto-dedup"),
		LazyPages: f.has("lazy-pages")}
	switch o.ManageCgroups {
	case "":
		o.ManageCgroups = "soft"
	case "soft", "full", "strict", "ignore":
	default:
		return o, errors.New("invalid manage-cgroups-mode value")
	}
	for _, ns := range f.list("empty-ns") {
		if ns != "network" {
			return o, fmt.Errorf("namespace %q is not supported", ns)
		}
		o.EmptyNet = true
	}
	images := f.get("image-path")
	if images == "" {
		images = "checkpoint"
	}
	var err error
	if o.Images, err = absolute(images); err != nil {
		return o, err
	}
	if o.Work = o.Images; f.given("work-path") {
		o.Work, err = absolute(f.get("work-path"))
	}
	return o, err
}

func (a *app) restore(f values) (int, error) {
	o := container.Options{ID: f.args[0], StateRoot: a.root, Stdin: a.stdin, Stdout: a.stdout, Stderr: a.stderr, SystemdCgroup: a.systemd, Warn: a.warn}
	r := criu.Restore{LSMProfile: f.get("lsm-profile"), LSMContext: f.get("lsm-mount-context")}
	var err error
	if r.Options, err = a.criuOptions(f); err != nil {
		return 1, err
	}
	if o.Bundle, err = bundleDir(f); err != nil {
		return 1, err
	}
	if err := os.MkdirAll(r.Work, 0o700); err != nil {
		return 1, err
	}
	fg, _, err := a.foreground(false, f)
	if err != nil {
		return 1, err
	}
	defer fg.close()
	c, err := container.Restore(context.Background(), o, r)
	if err != nil {
		return 1, err
	}
	if err := a.announce(f, c, c.Init()); err != nil {
		return 1, err
	}
	if err := fg.attach(c.Init()); err != nil {
		return 1, errors.Join(err, c.Delete(true))
	}
	if f.has("detach") {
		return 0, nil
	}
	code, err := fg.wait(c.Init())
	return code, errors.Join(err, c.Delete(true))
}
